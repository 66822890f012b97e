//! The ports of the servers.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::wrong::Wrong;

/// Below the ports that the system gives to clients.
const FIRST_PORT: u16 = 20_000;
pub(crate) const LAST_PORT: u16 = 32_000;

/// The port that the next server tries.
static NEXT_PORT: AtomicU16 = AtomicU16::new(FIRST_PORT);

/// Starts with the user's port, where one is given, which must be free.
pub(crate) fn begin_at(port: Option<u16>) -> Result<(), Wrong> {
    let Some(port) = port else { return Ok(()) };
    NEXT_PORT.store(port, Ordering::Relaxed);
    let wrong = |error| Wrong(format!("port {port} cannot be used ({error}); give another --port"));
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(wrong)
}

/// Another port for each server, since the last one's may be in TIME_WAIT.
pub(crate) fn free_address() -> SocketAddr {
    loop {
        let port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        if !(1024..LAST_PORT).contains(&port) {
            NEXT_PORT.store(FIRST_PORT, Ordering::Relaxed);
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
