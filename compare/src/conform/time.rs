//! Time: a line at once and one a second, to all clients.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::chat::Client;
use super::{Check, ONE_AT_A_TIME};
use crate::Result;
use crate::load::time::seconds;

pub(super) const CHECKS: [Check; 2] = [at_once_and_then, two_at_a_time];

/// Time in which the first line comes, on a machine where others are checked too.
const AT_ONCE: Duration = Duration::from_millis(500);

fn at_once_and_then(address: SocketAddr) -> Result<()> {
    let connected = Instant::now();
    let mut client = Client::connect(address)?;
    let first = client.line()?;
    let after = connected.elapsed();
    if after > AT_ONCE {
        let after = after.as_millis();
        return Err(format!("the first line does not come at once, but after {after} ms").into());
    }
    for line in [first, client.line()?] {
        let text = line.strip_suffix("\r\n").ok_or("a line does not end in CR LF")?;
        seconds(text.as_bytes()).ok_or_else(|| format!("not RFC 3339: {text:?}"))?;
    }
    Ok(())
}

fn two_at_a_time(address: SocketAddr) -> Result<()> {
    let (mut one, mut two) = (Client::connect(address)?, Client::connect(address)?);
    if one.line().is_ok() && two.line().is_err() {
        return Err(ONE_AT_A_TIME.into());
    }
    Ok(())
}
