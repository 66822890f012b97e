//! Threads and processes, for work that computes instead of waiting.
//!
//! The servers never do this: they run on one thread, and nothing they do computes for long. A host
//! that has such work gives it to threads, as here, and its servers go on meanwhile.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use smol::unblock;
use smol_servers::Timer;

use crate::bits::{as_completed, gather, start_server};
use crate::http::{Resource, website};
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    Recipe::plain("processes", "two that count at the same time", processes).real_time(),
    task!(pool_map, "results in the order of the arguments").real_time(),
    task!(run_in_executor, "results as they come").real_time(),
    Recipe::plain("shared_value", "a number and an array that several write to", shared_value)
        .real_time(),
    Recipe::plain("shared_lock", "no increment is lost", shared_lock).real_time(),
    task!(thread_pool, "200 blocking requests, and a report on them").real_time(),
];

/// The course counts to ten times as much, which takes it seconds.
const MANY: u64 = 10_000_000;

/// Requests in all.
const REQUESTS: usize = 200;

/// Counts, and tells how long that took. Without `black_box` the compiler would see that the sum is
/// known beforehand.
fn count(limit: u64) -> (u64, Duration) {
    let started = Instant::now();
    let mut counter = 0;
    while counter < limit {
        counter = black_box(counter + 1);
    }
    (counter, started.elapsed())
}

fn print_count((counter, time): (u64, Duration)) {
    println!("Закончен подсчет до {counter} за время {:.4}", time.as_secs_f64());
}

/// Python takes processes, since one interpreter runs one thread at a time. Rust has no such lock:
/// threads are enough. Not for the servers, which have one thread.
pub fn processes() {
    let started = Instant::now();
    let counting = [MANY, 2 * MANY].map(|limit| thread::spawn(move || count(limit)));
    for thread in counting {
        print_count(thread.join().expect("counting does not panic"));
    }
    println!("Полное время работы {:.4}", started.elapsed().as_secs_f64());
}

/// `unblock` runs a function on a thread of smol's pool and is a task like any other; there is no
/// pool to be opened and closed. The waiting task prints, since what threads print themselves
/// comes in any order. Not for the servers, which have one thread.
pub async fn pool_map(_ex: Ex) {
    let counting = [1, 3, 5, MANY, MANY / 2].map(|limit| unblock(move || count(limit)));
    let counts = gather(counting).await;
    counts.iter().copied().for_each(print_count);
    counts.iter().for_each(|(counter, _)| println!("{counter}"));
}

/// A closure takes its arguments along to the thread, without `partial` and without pickling; the
/// quick ones are done first. Not for the servers, which have one thread.
pub async fn run_in_executor(ex: Ex) {
    let counting = [1, 3, 5, 22, MANY / 2, MANY].map(|limit| unblock(move || count(limit)));
    let counts = as_completed(&ex, counting);
    while let Ok((counter, _)) = counts.recv().await {
        println!("{counter}");
    }
}

/// `Value` and `Array` are memory that processes share. Threads share all of it, and the compiler
/// accepts only data that is safe to write from several threads: here an atomic number, and an array
/// in a lock. The servers share nothing, and use `Cell`.
pub fn shared_value() {
    let (value, array) = (AtomicI32::new(0), Mutex::new([0, 0]));
    thread::scope(|scope| {
        scope.spawn(|| value.fetch_add(1, Ordering::Relaxed));
        scope.spawn(|| {
            for number in array.lock().expect("nobody panicked").iter_mut() {
                *number += 1;
            }
        });
    });
    println!("{}", value.into_inner());
    println!("{:?}", array.into_inner().expect("nobody panicked"));
}

/// In the course the lock is easily forgotten, and an increment lost. Here the number is inside the
/// lock: without `lock()` there is no way to it, and the race does not compile. The servers have
/// nothing to lock.
pub fn shared_lock() {
    for _ in 0..100 {
        let value = Mutex::new(0);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| *value.lock().expect("nobody panicked") += 1);
            }
        });
        println!("{}", value.into_inner().expect("nobody panicked"));
    }
}

/// Functions that block, on a pool of up to 500 threads, which grows while work waits. The environment
/// variable `BLOCKING_MAX_THREADS` changes the bound. The servers never do this: a client that waits
/// costs them 1 KiB and no thread, also the one that is asked here.
pub async fn thread_pool(ex: Ex) {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let answer = |_: &str| Some(Box::pin(async { "{}".to_owned() }) as Resource);
    let server = start_server(&ex, &[any_port], website(answer)).await.expect("a free port");
    let (address, finished) = (server.addresses[0], Arc::new(AtomicUsize::new(0)));
    // Cancelled when this function ends, since that drops it.
    let _reporter = ex.spawn(report(finished.clone()));
    let requests = (0..REQUESTS).map(|_| {
        let finished = finished.clone();
        unblock(move || {
            let status = get_status(address);
            finished.fetch_add(1, Ordering::Relaxed);
            status
        })
    });
    let statuses: io::Result<Vec<u16>> = gather(requests).await.into_iter().collect();
    println!("{:?}", statuses.expect("the server answers"));
}

async fn report(finished: Arc<AtomicUsize>) {
    loop {
        println!("Завершено запросов: {}/{REQUESTS}", finished.load(Ordering::Relaxed));
        Timer::after(Duration::from_millis(500)).await;
    }
}

/// A client that blocks: HTTP/1.0 closes after an answer.
fn get_status(address: SocketAddr) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
