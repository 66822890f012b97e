//! What a program listens on: the addresses and files of `--listen`, or the sockets passed to it.

use std::fmt::Display;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use super::socket_file::{self, SocketFile};
use crate::server::limits::Limits;
use crate::server::listener::{BindError, Listener};

const NO_LISTENER: &str = "it is no stream socket that listens; with systemd, give ListenStream= \
                           and Accept=no";

/// Listens on `ips`, `paths` and what was `passed`; `shares` lets other servers listen on the same
/// ports. The files are to be dropped when the program listens no more, and not later: until then
/// nobody else's have their place.
///
/// # Errors
/// One line for the first that cannot be listened on; none stays open then.
pub(super) fn open(
    ips: &[SocketAddr],
    paths: &[PathBuf],
    passed: Vec<OwnedFd>,
    shares: bool,
    limits: Limits,
) -> Result<(Listener, Vec<SocketFile>), String> {
    let bound = Listener::bind_all(ips, shares, limits);
    let mut listener = bound.map_err(|error| cannot_listen(&error, ips, shares))?;
    let mut files = Vec::new();
    for path in paths {
        let file = socket_file::listen(path, &mut listener);
        let cannot = |why| format!("cannot listen on unix:{}: {why}", path.display());
        files.push(file.map_err(cannot)?);
    }
    for socket in passed {
        let number = socket.as_raw_fd();
        listener.add(socket).map_err(|error| {
            let is_unfit = error.kind() == ErrorKind::InvalidInput;
            unfit(number, if is_unfit { &NO_LISTENER } else { &error })
        })?;
    }
    Ok((listener, files))
}

/// Tells the log where clients can connect; `names` are those of sockets that were passed, with `:`
/// between.
pub(super) fn announce(listener: &Listener, names: Option<&str>) {
    let mut names = names.map(|names| names.split(':'));
    for address in listener.names() {
        let Some(names) = &mut names else {
            ::log::info!("listening on {address}");
            continue;
        };
        let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unknown");
        ::log::info!("listening on {address}, passed as {name}");
    }
    let addresses = listener.addresses();
    let Some(port) = addresses.first().map(SocketAddr::port) else { return };
    if names.is_none() && addresses.iter().all(|address| address.ip().is_loopback()) {
        // `[::]` takes IPv4 clients too.
        let everywhere = if addresses.iter().any(SocketAddr::is_ipv6) { "[::]" } else { "0.0.0.0" };
        ::log::info!(
            "only this machine can connect; --listen {everywhere}:{port} opens it to the network"
        );
    }
}

fn cannot_listen(error: &BindError, listen: &[SocketAddr], shares: bool) -> String {
    let address = error.address();
    let other = listen.iter().find(|other| overlap(address, **other));
    match (error.kind(), other) {
        (ErrorKind::AddrInUse, Some(other)) => {
            format!("{error}; --listen {other} is given too, and one covers the other")
        }
        (ErrorKind::AddrInUse, None) => {
            let mend = if shares {
                " and does not share it, start both with --share-port, as the same user"
            } else {
                ", choose one with --listen"
            };
            format!("{error}; another program has this port{mend}")
        }
        _ => error.to_string(),
    }
}

/// True for a port on one address and the same port on every address.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let alike = a.is_ipv4() == b.is_ipv4() && a.port() == b.port();
    alike && a.ip() != b.ip() && (a.ip().is_unspecified() || b.ip().is_unspecified())
}

/// What is said of a descriptor that is passed and cannot be served.
pub(super) fn unfit(number: i32, why: &dyn Display) -> String {
    format!("cannot listen on descriptor {number} of LISTEN_FDS: {why}")
}
