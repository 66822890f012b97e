//! What the machine's own system calls cost: the floor no server gets below.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::net::SendFlags;

use crate::Result;
use crate::cores::distance;
use crate::machine::{Machine, pin};
use crate::stats::spread;

/// Time spent on each price.
const EACH: Duration = Duration::from_millis(180);

/// Calls between two looks at the clock.
const CALLS: u32 = 32;

const LINE: usize = 64;

/// Nanoseconds a call, by name.
pub(crate) type Prices = BTreeMap<String, f64>;

pub(crate) fn show() -> Result<()> {
    let prices = prices(&Machine::take()?)?;
    println!("nanoseconds a call, 64 bytes each, on loopback TCP:");
    for (name, nanos) in prices {
        println!("{name:<24} {nanos:>8.0}");
    }
    Ok(())
}

pub(crate) fn prices(machine: &Machine) -> Result<Prices> {
    let mut prices = Prices::new();
    send_and_recv(&mut prices)?;
    epolls(&mut prices)?;
    accepts(&mut prices)?;
    prices.insert("wake-up by eventfd".into(), wake_up(machine)?);
    pin(machine.generator)?;
    prices.insert("cache line over and back".into(), distance(machine)?);
    Ok(prices)
}

/// Nanoseconds a call: the median of many short series, each with its own preparation.
fn price(
    mut prepare: impl FnMut() -> Result<()>,
    mut call: impl FnMut() -> Result<()>,
) -> Result<f64> {
    let (mut nanos, end) = (Vec::new(), Instant::now() + EACH);
    while Instant::now() < end {
        prepare()?;
        let started = Instant::now();
        (0..CALLS).try_for_each(|_| call())?;
        nanos.push(started.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    Ok(spread(nanos).ok_or("nothing measured")?.median)
}

fn connection() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    Ok((near, far))
}

fn send_and_recv(prices: &mut Prices) -> Result<()> {
    let (near, far) = connection()?;
    let (line, mut sent) = ([b'x'; LINE], 0);
    let mut drain = || -> Result<()> {
        let before = std::mem::replace(&mut sent, LINE * CALLS as usize);
        Ok((&far).read_exact(&mut vec![0; before])?)
    };
    let send = price(&mut drain, || {
        rustix::net::send(&near, &line, SendFlags::NOSIGNAL)?;
        Ok(())
    })?;
    prices.insert("send".into(), send);
    drain()?;
    let recv = price(
        || (0..CALLS).try_for_each(|_| Ok((&near).write_all(&line)?)),
        || Ok((&far).read_exact(&mut [0; LINE])?),
    )?;
    prices.insert("recv".into(), recv);
    Ok(())
}

fn epolls(prices: &mut Prices) -> Result<()> {
    let (mut near, far) = connection()?;
    let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let data = epoll::EventData::new_u64(1);
    epoll::add(&set, &far, data, epoll::EventFlags::IN)?;
    near.write_all(b"x")?;
    let ready = || Ok(());
    let control = price(ready, || Ok(epoll::modify(&set, &far, data, epoll::EventFlags::IN)?))?;
    prices.insert("epoll_ctl".into(), control);
    let mut events: Vec<epoll::Event> = Vec::with_capacity(8);
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let wait = price(ready, || {
        events.clear();
        epoll::wait(&set, spare_capacity(&mut events), Some(&at_once))?;
        Ok(())
    })?;
    prices.insert("epoll_wait, one ready".into(), wait);
    Ok(())
}

fn accepts(prices: &mut Prices) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (mut near, far) = (Vec::new(), RefCell::new(Vec::new()));
    let connect = || -> Result<()> {
        far.borrow_mut().clear();
        near.clear();
        (0..CALLS).try_for_each(|_| {
            near.push(TcpStream::connect(address)?);
            Ok(())
        })
    };
    let accept = || {
        far.borrow_mut().push(listener.accept()?);
        Ok(())
    };
    prices.insert("accept".into(), price(connect, accept)?);
    Ok(())
}

/// Half of a round trip between a thread on each core, who both sleep until they are rung.
fn wake_up(machine: &Machine) -> Result<f64> {
    let bell = || eventfd(0, EventfdFlags::CLOEXEC).map(Arc::new);
    let (there, back) = (bell()?, bell()?);
    let (at_there, at_back) = (there.clone(), back.clone());
    let (one, core) = (1_u64.to_ne_bytes(), machine.server);
    let answering = std::thread::spawn(move || -> std::result::Result<(), String> {
        pin(core).map_err(|error| error.to_string())?;
        let mut rung = [0; 8];
        // The other side rings twice when it is done.
        while matches!(rustix::io::read(&at_there, &mut rung), Ok(8)) && rung == one {
            rustix::io::write(&back, &one).map_err(|error| error.to_string())?;
        }
        Ok(())
    });
    let ring = || {
        rustix::io::write(&there, &one)?;
        rustix::io::read(&at_back, &mut [0; 8])?;
        Ok(())
    };
    let nanos = price(|| Ok(()), ring)?;
    rustix::io::write(&there, &2_u64.to_ne_bytes())?;
    answering.join().map_err(|_| "the answering thread panicked")??;
    Ok(nanos / 2.0)
}
