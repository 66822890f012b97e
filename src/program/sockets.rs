//! What a program listens on: the addresses and files of `--listen`, or the sockets passed to it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::socket_file::{self, SocketFile};
use crate::server::limits::Limits;
use crate::server::listener::{BindError, Listener};

/// A socket that a service manager passed to this process.
pub(super) struct Passed {
    /// Its descriptor, as the manager counts.
    pub(super) number: i32,
    /// What the manager calls it, as its socket unit does.
    pub(super) name: String,
    pub(super) socket: OwnedFd,
}

/// Listens on `ips`, `paths` and what was `passed`. The files are to be dropped when the program
/// listens no more, and not later: until then nobody else's have their place.
///
/// # Errors
/// One line for the first that cannot be listened on; none stays open then.
pub(super) fn open(
    ips: &[SocketAddr],
    paths: &[PathBuf],
    passed: Vec<Passed>,
    limits: Limits,
) -> Result<(Listener, Vec<SocketFile>), String> {
    let bound = Listener::bind(ips, limits);
    let mut listener = bound.map_err(|error| cannot_listen(&error, ips))?;
    let mut files = Vec::new();
    for path in paths {
        let file = socket_file::listen(path, &mut listener);
        let cannot = |why| format!("cannot listen on unix:{}: {why}", path.display());
        files.push(file.map_err(cannot)?);
    }
    for Passed { number, socket, .. } in passed {
        listener.add(socket).map_err(|error| unfit(number, &error))?;
    }
    Ok((listener, files))
}

/// Tells the log where clients can connect; `names` are those of sockets that were passed.
pub(super) fn announce(listener: &Listener, names: &[String]) {
    for (nth, address) in listener.names().iter().enumerate() {
        let name = names.get(nth).map(|name| format!(", passed as {name}")).unwrap_or_default();
        ::log::info!("listening on {address}{name}");
    }
    let addresses = listener.addresses();
    let Some(port) = addresses.first().map(SocketAddr::port) else { return };
    if names.is_empty() && addresses.iter().all(|address| address.ip().is_loopback()) {
        // `[::]` takes IPv4 clients too.
        let everywhere = if addresses.iter().any(SocketAddr::is_ipv6) { "[::]" } else { "0.0.0.0" };
        ::log::info!(
            "only this machine can connect; --listen {everywhere}:{port} opens it to the network"
        );
    }
}

fn cannot_listen(error: &BindError, listen: &[SocketAddr]) -> String {
    let address = error.address();
    let other = listen.iter().find(|other| overlap(address, **other));
    match (error.kind(), other) {
        (ErrorKind::AddrInUse, Some(other)) => {
            format!("{error}; --listen {other} is given too, and one covers the other")
        }
        (ErrorKind::AddrInUse, None) => {
            format!("{error}; another program has this port, choose one with --listen")
        }
        _ => error.to_string(),
    }
}

/// True for a port on one address and the same port on every address.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let alike = a.is_ipv4() == b.is_ipv4() && a.port() == b.port();
    alike && a.ip() != b.ip() && (a.ip().is_unspecified() || b.ip().is_unspecified())
}

fn unfit(number: i32, error: &io::Error) -> String {
    let why = if error.kind() == ErrorKind::InvalidInput {
        "it is no stream socket that listens; with systemd, give ListenStream= and Accept=no".into()
    } else {
        error.to_string()
    };
    format!("cannot listen on descriptor {number} of LISTEN_FDS: {why}")
}
