//! A client with habits of its own: how much it sends and reads at once, how often, and through
//! which buffers. Knows no protocol.

use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::{SendFlags, SocketFlags, sockopt};

use super::PATIENCE;
use crate::Result;
use crate::crowd::{reset_on_close, tcp};
use crate::stats::Dice;

/// Bytes of one read, at most.
pub(super) const READ_BYTES: usize = 64 * 1024;

pub(super) struct Client {
    stream: TcpStream,
    pub(super) dice: Dice,
    /// Bytes of one send and one read, at most.
    pub(super) most: [usize; 2],
    /// Microseconds to the next send and the next read, at most; now and then thirty times as long.
    pub(super) pauses: [usize; 2],
    /// When the next ones are due.
    pub(super) due: [Instant; 2],
    /// One send in so many ends with an urgent byte; 0 is none.
    pub(super) urgent: usize,
    /// When a byte was last sent or read.
    moved: Instant,
}

impl Client {
    /// A `narrow` one takes only a few KiB that it has not read.
    pub(super) fn connect(address: SocketAddr, mut dice: Dice, narrow: bool) -> Result<Client> {
        let socket = tcp(SocketFlags::CLOEXEC)?;
        if narrow {
            let more = if dice.one_in(3) { dice.below(60_000) } else { 0 };
            sockopt::set_socket_recv_buffer_size(&socket, 2304 + more)?;
        }
        if dice.one_in(3) {
            sockopt::set_socket_send_buffer_size(&socket, 2304 + dice.below(20_000))?;
        }
        sockopt::set_tcp_nodelay(&socket, !dice.one_in(3))?;
        rustix::net::connect(&socket, &address)?;
        let stream = TcpStream::from(socket);
        stream.set_nonblocking(true)?;
        let sends = [1 + dice.below(50), 1500, 1500, 20_000][dice.below(4)];
        let reads = if dice.one_in(3) { 100 + dice.below(400) } else { READ_BYTES };
        // Who sends little at a time would take minutes otherwise.
        let pauses = [if sends <= 50 { 30 } else { 300 }, [30, 30, 300, 3000][dice.below(4)]];
        let urgent = if dice.one_in(3) { 1 + dice.below(5) } else { 0 };
        let now = Instant::now();
        let most = [sends, reads];
        Ok(Client { stream, dice, most, pauses, due: [now; 2], urgent, moved: now })
    }

    /// Sends some of `bytes` and reads into `buffer`, each if it is time to; returns how many were
    /// sent, and how many read if any were there (0 is the server's FIN).
    pub(super) fn step(
        &mut self,
        now: Instant,
        bytes: &[u8],
        buffer: &mut [u8],
    ) -> io::Result<(usize, Option<usize>)> {
        let (mut sent, mut read) = (None, None);
        if !bytes.is_empty() && self.is_due(0, now) {
            let n = bytes.len().min(1 + self.dice.below(self.most[0]));
            let is_urgent = self.urgent > 0 && self.dice.one_in(self.urgent);
            let flags = if is_urgent { SendFlags::OOB } else { SendFlags::empty() };
            let flags = flags | SendFlags::NOSIGNAL;
            sent = unless_blocked(rustix::net::send(&self.stream, &bytes[..n], flags))?;
        }
        if self.is_due(1, now) {
            read = unless_blocked((&self.stream).read(&mut buffer[..self.most[1]]))?;
        }
        if sent.is_some() || read.is_some() {
            self.moved = now;
        }
        Ok((sent.unwrap_or(0), read))
    }

    pub(super) fn half_close(&self) {
        let _gone_already = self.stream.shutdown(Shutdown::Write);
    }

    /// Dropped from now on, it resets the connection.
    pub(super) fn reset_on_close(&self) {
        reset_on_close(&self.stream);
    }

    /// Has it read as fast as it can from now on.
    pub(super) fn hurry(&mut self, now: Instant) {
        (self.most[1], self.pauses[1], self.due[1]) = (READ_BYTES, 30, now);
    }

    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.moved) > PATIENCE
    }

    fn is_due(&mut self, what: usize, now: Instant) -> bool {
        let is_due = now >= self.due[what];
        if is_due {
            let times = if self.dice.one_in(20) { 30 } else { 1 };
            let pause = self.dice.below(self.pauses[what]) * times;
            self.due[what] = now + Duration::from_micros(pause as u64);
        }
        is_due
    }
}

fn unless_blocked(
    result: std::result::Result<usize, impl Into<io::Error>>,
) -> io::Result<Option<usize>> {
    match result.map_err(Into::into) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}
