//! What the machine's own system calls cost: the floor no server gets below.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
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
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (near, (far, _)) = (TcpStream::connect(address)?, listener.accept()?);
    near.set_nodelay(true)?;
    far.set_nonblocking(true)?;
    let drain = || while matches!((&far).read(&mut [0; 64 * LINE]), Ok(1..)) {};
    let send = || -> Result<()> {
        rustix::net::send(&near, &[b'x'; LINE], SendFlags::NOSIGNAL)?;
        Ok(())
    };
    let fill = || {
        drain();
        (0..CALLS).try_for_each(|_| send())
    };
    let connect = || -> Result<_> {
        let near = (0..CALLS).map(|_| TcpStream::connect(address));
        // Those that were accepted are closed first.
        Ok((Vec::new(), near.collect::<io::Result<Vec<_>>>()?))
    };
    let clear = || {
        drain();
        Ok(())
    };
    let accept = |(far, _): &mut (Vec<_>, _)| {
        far.push(listener.accept()?);
        Ok(())
    };
    let mut prices = Prices::new();
    prices.insert("send".into(), price(clear, |()| send())?);
    prices.insert("recv".into(), price(fill, |()| Ok((&far).read_exact(&mut [0; LINE])?))?);
    prices.insert("accept".into(), price(connect, accept)?);
    prices.insert("wake-up by eventfd".into(), wake_up(machine)?);
    prices.insert("cache line over and back".into(), distance(machine)?);
    Ok(prices)
}

/// Nanoseconds a call: the median of many short series, each with its own preparation.
fn price<T>(
    mut prepare: impl FnMut() -> Result<T>,
    mut call: impl FnMut(&mut T) -> Result<()>,
) -> Result<f64> {
    let (mut nanos, end) = (Vec::new(), Instant::now() + EACH);
    while Instant::now() < end {
        let mut prepared = prepare()?;
        let started = Instant::now();
        (0..CALLS).try_for_each(|_| call(&mut prepared))?;
        nanos.push(started.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    Ok(spread(nanos).ok_or("nothing measured")?.median)
}

/// Half of a round trip between a thread on each core, who both sleep until they are rung.
fn wake_up(machine: &Machine) -> Result<f64> {
    let bell = || eventfd(0, EventfdFlags::CLOEXEC).map(Arc::new);
    let (there, back) = (bell()?, bell()?);
    let (at_there, at_back) = (there.clone(), back.clone());
    let (one, core) = (1_u64.to_ne_bytes(), machine.server);
    let answering = std::thread::spawn(move || -> rustix::io::Result<()> {
        pin(core)?;
        let mut rung = [0; 8];
        // The other side rings twice when it is done.
        while matches!(rustix::io::read(&at_there, &mut rung), Ok(8)) && rung == one {
            rustix::io::write(&back, &one)?;
        }
        Ok(())
    });
    let ring = || {
        rustix::io::write(&there, &one)?;
        rustix::io::read(&at_back, &mut [0; 8])?;
        Ok(())
    };
    let nanos = price(|| Ok(()), |()| ring())?;
    rustix::io::write(&there, &2_u64.to_ne_bytes())?;
    answering.join().map_err(|_| "the answering thread panicked")??;
    Ok(nanos / 2.0)
}
