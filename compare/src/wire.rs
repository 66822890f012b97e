//! Two hosts on this machine, and a wire between them that takes its time and loses packets: what
//! netem does, which many kernels lack. A host is a network namespace without a name, so that
//! nothing is left of it when the processes in it have ended; the wire is a process that reads IP
//! packets from a tun device of the one and writes them into that of the other. Knows no servers.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::options::Options;
use crate::peers::output;
use crate::running;
use crate::stats::Dice;
use crate::wrong::Wrong;

/// Those of RFC 2544, which are nobody's.
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const GENERATOR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);

const DEVICE: &str = "wire";

/// Packets under way in each direction, at most: what follows waits in the device, which drops.
const UNDER_WAY: usize = 10_000;

/// What lies between two hosts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Wire {
    /// In each direction.
    pub(crate) delay: Duration,
    /// One packet in so many, in each direction; 0 is none.
    pub(crate) loses: usize,
    pub(crate) seed: u64,
}

/// Cut when dropped.
pub(crate) struct Network {
    pub(crate) server: Host,
    pub(crate) generator: Host,
    wire: Child,
}

pub(crate) struct Host {
    namespace: File,
    pub(crate) address: Ipv4Addr,
}

impl Network {
    /// # Errors
    /// When the user or the machine may not: [`Wrong`].
    pub(crate) fn new(wire: &Wire) -> Result<Network> {
        let (server, one) = Host::new(SERVER, GENERATOR)?;
        let (generator, other) = Host::new(GENERATOR, SERVER)?;
        let mut command = Command::new("/proc/self/exe");
        command.args(["wire", &serde_json::to_string(wire)?]).stdin(one).stdout(other);
        Ok(Network { server, generator, wire: running::start(&mut command)? })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        running::end(&mut self.wire);
    }
}

impl Host {
    /// With its end of the wire.
    fn new(address: Ipv4Addr, other: Ipv4Addr) -> Result<(Host, File)> {
        let home = here()?;
        leave().map_err(|error| {
            Wrong(format!(
                "another host is a network namespace, which cannot be made ({error}): start it as \
                 root, or with `unshare -rn`"
            ))
        })?;
        let (namespace, end) = (here(), end(address, other));
        enter(&home)?;
        Ok((Host { namespace: namespace?, address }, end?))
    }

    /// Runs `act` on this host: what it starts inherits it.
    pub(crate) fn run<T>(&self, act: impl FnOnce() -> T) -> Result<T> {
        let home = here()?;
        enter(&self.namespace)?;
        let done = act();
        enter(&home)?;
        Ok(done)
    }
}

/// The namespace that the thread is in.
fn here() -> io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

fn enter(namespace: &File) -> io::Result<()> {
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}

/// Moves the thread into a new one.
#[expect(unsafe_code, reason = "rustix has it so for CLONE_FILES, which leaves descriptors behind")]
fn leave() -> io::Result<()> {
    // SAFETY: with NEWNET alone the thread's memory and descriptors stay what they are.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?)
}

/// An end of the wire, on the host that the thread is on.
fn end(address: Ipv4Addr, other: Ipv4Addr) -> Result<File> {
    let device = tun().map_err(|error| Wrong(format!("a wire needs /dev/net/tun: {error}")))?;
    let (address, other) = (format!("{address}"), format!("{other}"));
    let ip = |arguments: &[&str]| {
        let why = || Wrong("a wire needs `ip`, of iproute2, which is not there or fails".into());
        output(Command::new("ip").args(arguments)).map(|_| ()).ok_or_else(why)
    };
    ip(&["address", "add", &address, "peer", &other, "dev", DEVICE])?;
    ip(&["link", "set", DEVICE, "up"])?;
    Ok(device)
}

/// A device that gives a packet with each read and takes one with each write. It is gone when it is
/// closed.
#[expect(unsafe_code, reason = "crates that open tun devices bring ten others for this one call")]
fn tun() -> io::Result<File> {
    const TUNSETIFF: Opcode = opcode::write::<i32>(b'T', 202);
    const IFF_TUN: u16 = 1;
    const IFF_NO_PI: u16 = 0x1000;
    let device = File::options().read(true).write(true).open("/dev/net/tun")?;
    let mut request = [0; 40];
    request[..DEVICE.len()].copy_from_slice(DEVICE.as_bytes());
    request[16..18].copy_from_slice(&(IFF_TUN | IFF_NO_PI).to_ne_bytes());
    // SAFETY: TUNSETIFF reads and writes a `struct ifreq`: 40 bytes at most, a name of 16, flags.
    unsafe { ioctl(&device, Updater::<TUNSETIFF, [u8; 40]>::new(&mut request)) }?;
    Ok(device)
}

/// The wire's process: its ends are standard input and output. It ends with who started it.
pub(crate) fn wire(options: &Options) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let wire: Wire = serde_json::from_str(options.named.first().ok_or("no wire is told")?)?;
    let one = &File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let other = &File::from(io::stdout().as_fd().try_clone_to_owned()?);
    std::thread::scope(|scope| {
        scope.spawn(|| carry(one, other, wire, Dice::of(wire.seed, 0)));
        carry(other, one, wire, Dice::of(wire.seed, 1));
    });
    Ok(())
}

/// Carries packets in one direction, in their order, until there are no more.
fn carry(mut from: &File, mut to: &File, wire: Wire, mut dice: Dice) {
    let (sender, receiver) = mpsc::sync_channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut packet = [0; 65_536];
            while let Ok(length @ 1..) = from.read(&mut packet) {
                let due = Instant::now() + wire.delay;
                let is_lost = wire.loses > 0 && dice.one_in(wire.loses);
                if !is_lost && sender.send((due, packet[..length].to_vec())).is_err() {
                    return;
                }
            }
        });
        for (due, packet) in receiver {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            // A host may be gone already: then nobody waits for it.
            let _lost = to.write(&packet);
        }
    });
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    fn pair() -> (File, File) {
        let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        let pair = socketpair(family, kind, SocketFlags::CLOEXEC, None).expect("sockets");
        (pair.0.into(), pair.1.into())
    }

    /// What comes out of a wire into which the numbers from 0 are put, each with the time it took.
    fn carried(wire: Wire, count: u32) -> Vec<(u32, Duration)> {
        let ((mut near, from), (to, mut far)) = (pair(), pair());
        let started = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(move || carry(&from, &to, wire, Dice(wire.seed)));
            scope.spawn(move || {
                (0..count).try_for_each(|number| near.write_all(&number.to_be_bytes()))
            });
            let (mut packet, mut carried) = ([0; 4], Vec::new());
            while let Ok(4) = far.read(&mut packet) {
                carried.push((u32::from_be_bytes(packet), started.elapsed()));
            }
            carried
        })
    }

    #[test]
    fn a_packet_comes_in_its_order_and_never_before_its_time() {
        let wire = Wire { delay: Duration::from_millis(30), loses: 0, seed: 1 };
        let carried = carried(wire, 1000);
        assert!(carried.iter().map(|(number, _)| *number).eq(0..1000));
        assert!(carried.iter().all(|(_, after)| *after >= wire.delay));
    }

    #[test]
    fn one_packet_in_a_hundred_is_lost_and_with_the_same_seed_the_same() {
        let arrives = |seed| -> Vec<u32> {
            let wire = Wire { delay: Duration::ZERO, loses: 100, seed };
            carried(wire, 10_000).into_iter().map(|(number, _)| number).collect()
        };
        let first = arrives(1);
        assert!((9_850..9_950).contains(&first.len()), "{}", first.len());
        assert_eq!(first, arrives(1));
        assert_ne!(first, arrives(2));
    }
}
