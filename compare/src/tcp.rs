//! The machine's TCP sockets, as the kernel lists them.

use std::fs;

use crate::Result;

pub(crate) struct Socket {
    pub(crate) listens: bool,
    /// Bytes that were not acknowledged.
    pub(crate) unsent: u64,
}

/// Those of a local port.
pub(crate) fn sockets(port: u16) -> Result<Vec<Socket>> {
    let port = format!(":{port:04X}");
    // One who listens at [::] has clients at 127.0.0.1 too; without IPv6 there is no such file.
    let table = fs::read_to_string("/proc/net/tcp")?
        + &fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    let sockets = table.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
        let (unsent, _) = fields.next()?.split_once(':')?;
        let unsent = u64::from_str_radix(unsent, 16).ok()?;
        local.ends_with(&port).then_some(Socket { listens: state == "0A", unsent })
    });
    Ok(sockets.collect())
}
