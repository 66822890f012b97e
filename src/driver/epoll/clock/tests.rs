//! What a paused clock promises: exact moments, and real time behind it.

use std::cell::RefCell;
use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::panic::catch_unwind;
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::future::{poll_fn, yield_now, zip};
use smol::LocalExecutor;

use crate::driver::{Async, HostLoop, Timer, Turn, now, run, system_time};

use super::{block_on, block_on_paused, paused};

const SECOND: Duration = Duration::from_secs(1);

/// Far more than a test may take.
const DAY: Duration = Duration::from_secs(86_400);

fn pair() -> (Async<UnixStream>, UnixStream) {
    let (socket, peer) = UnixStream::pair().expect("descriptors");
    socket.set_nonblocking(true).expect("a socket");
    (Async::new(socket).expect("registered"), peer)
}

async fn read(socket: &Async<UnixStream>) -> usize {
    loop {
        poll_fn(|cx| socket.poll_readable(cx)).await.expect("a socket");
        match socket.read(&mut [0; 64]) {
            Ok(n) => return n,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

#[test]
fn both_clocks_move_by_exactly_what_a_timer_waits() {
    block_on_paused(async {
        for wait in [Duration::from_nanos(1), Duration::from_millis(100), DAY] {
            let (started, at) = (now(), system_time());
            Timer::after(wait).await;
            assert_eq!(now() - started, wait);
            assert_eq!(system_time(), at + wait);
        }
    });
}

#[test]
fn timers_of_one_moment_fire_in_the_order_of_their_first_poll() {
    let fired = RefCell::new(Vec::new());
    let executor = LocalExecutor::new();
    block_on_paused(run(&executor, async {
        let at = now() + SECOND;
        // More than one turn takes.
        let created: Vec<_> = (0..2000).map(|n| (n, Timer::at(at))).collect();
        let polled = created.into_iter().rev().map(|(n, timer)| {
            let fired = &fired;
            executor.spawn(async move {
                timer.await;
                assert_eq!(now(), at);
                fired.borrow_mut().push(n);
            })
        });
        for task in polled.collect::<Vec<_>>() {
            task.await;
        }
    }));
    assert!(fired.borrow().iter().copied().eq((0..2000).rev()));
}

#[test]
fn time_stands_still_while_a_task_can_run() {
    let executor = LocalExecutor::new();
    block_on_paused(run(&executor, async {
        let started = now();
        let timer = executor.spawn(Timer::after(Duration::from_nanos(1)));
        for _ in 0..10_000 {
            yield_now().await;
            assert_eq!(now(), started);
        }
        timer.await;
        assert_eq!(now() - started, Duration::from_nanos(1));
    }));
}

#[test]
fn time_stands_still_while_a_socket_is_ready() {
    block_on_paused(async {
        let ((one, mut to_one), (two, mut to_two)) = (pair(), pair());
        let started = now();
        to_one.write_all(b"x").expect("a socket");
        let talk = async {
            for _ in 0..1000 {
                assert_eq!(read(&one).await, 1);
                to_two.write_all(b"x").expect("a socket");
                assert_eq!(read(&two).await, 1);
                to_one.write_all(b"x").expect("a socket");
            }
            assert_eq!(now(), started);
        };
        zip(talk, Timer::after(Duration::from_nanos(1))).await;
        assert_eq!(now() - started, Duration::from_nanos(1));
    });
}

#[test]
fn without_a_timer_another_thread_is_waited_for_and_no_time_passes() {
    let (sender, receiver) = async_channel::bounded(1);
    let (socket, mut peer) = pair();
    let other = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        assert!(paused().is_none(), "another thread's clock is real");
        peer.write_all(b"x").expect("a socket");
        thread::sleep(Duration::from_millis(20));
        sender.send_blocking(())
    });
    block_on_paused(async {
        let started = now();
        assert_eq!(read(&socket).await, 1);
        assert_eq!(receiver.recv().await, Ok(()));
        assert_eq!(now(), started);
    });
    other.join().expect("it sends").expect("it is received");
}

#[test]
fn one_inside_another_goes_on_with_its_clock() {
    for inside in [block_on::<Instant>, block_on_paused] {
        block_on_paused(async {
            let started = now();
            let wait = async {
                Timer::after(DAY).await;
                now()
            };
            assert_eq!(inside(wait) - started, DAY);
            Timer::after(DAY).await;
            assert_eq!(now() - started, 2 * DAY);
        });
        assert!(paused().is_none());
    }
}

#[test]
fn a_timer_set_before_a_pause_is_not_early_behind_it() {
    block_on(async {
        let (started, wait) = (Instant::now(), Duration::from_millis(20));
        zip(Timer::after(wait), async { block_on_paused(async { Timer::after(DAY).await }) }).await;
        assert!(started.elapsed() >= wait);
    });
}

#[test]
fn the_clock_is_real_again_behind_a_panic() {
    catch_unwind(|| block_on_paused(async { panic!("as the test wants") })).expect_err("a panic");
    assert!(paused().is_none());
}

#[test]
fn a_host_loop_moves_no_clock() {
    block_on_paused(async {
        let started = now();
        let mut host = HostLoop::new(Timer::after(DAY)).expect("descriptors");
        for _ in 0..10 {
            assert_eq!(host.turn(), Turn::Wait(Some(DAY)));
        }
        assert_eq!(now(), started);
    });
}
