//! Echo: each connection has all its bytes back, and comes to its end.

use std::net::SocketAddr;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Instant;

use super::client::{Client, READ_BYTES};
use super::signals::Signals;
use super::{Faults, NAP};
use crate::Result;
use crate::stats::Dice;

/// Connections at a time.
const PLACES: u64 = 48;

/// Length of the noise that is sent over and over: prime, so that no buffer's length divides it.
const NOISE: usize = 65_521;

/// Bytes of a client with a small receive buffer, at most: it may get no more than 6 KB/s.
const NARROW_BYTES: usize = 20_000;

struct Visit {
    number: u64,
    client: Client,
    /// Where in the noise its bytes begin.
    from: usize,
    total: usize,
    sent: usize,
    back: usize,
    /// Ends with RST once all is sent, whatever is back.
    resets: bool,
    /// Half-closes only when all is back: a FIN would wake a server that forgot the rest.
    waits: bool,
}

pub(super) fn run(
    address: SocketAddr,
    seed: u64,
    end: Instant,
    signals: &mut Signals,
    faults: &mut Faults,
) -> Result<String> {
    let (noise, mut buffer) = (noise(seed), vec![0; READ_BYTES]);
    let open = |number| Visit::open(address, number, seed);
    let mut visits = (0..PLACES).map(open).collect::<Result<Vec<_>>>()?;
    let (mut next, mut bytes, mut is_over) = (PLACES, 0, false);
    while !visits.is_empty() {
        let now = Instant::now();
        if now >= end && !is_over {
            is_over = true;
            visits.iter_mut().for_each(|visit| visit.hurry(now));
        }
        let mut has_moved = false;
        for place in (0..visits.len()).rev() {
            signals.strike(now);
            match visits[place].step(now, &noise, &mut buffer) {
                Continue(moved) => has_moved |= moved,
                Break(ended) => {
                    let visit = visits.swap_remove(place);
                    bytes += visit.back;
                    if let Err(fault) = ended {
                        faults.add(&visit.told(&fault));
                    }
                    if !is_over {
                        visits.push(open(next)?);
                        next += 1;
                    }
                }
            }
        }
        if !has_moved {
            std::thread::sleep(NAP);
        }
    }
    Ok(format!("{next} connections, {} MiB came back", bytes >> 20))
}

/// Long enough for a read that begins anywhere in its first [`NOISE`] bytes.
fn noise(seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let once: Vec<u8> = (0..NOISE).map(|_| dice.below(256) as u8).collect();
    once.iter().cycle().take(NOISE + READ_BYTES).copied().collect()
}

impl Visit {
    fn open(address: SocketAddr, number: u64, seed: u64) -> Result<Visit> {
        let mut dice = Dice::of(seed, number);
        let (from, narrow, resets) = (dice.below(NOISE), dice.one_in(2), dice.one_in(8));
        let waits = dice.one_in(2);
        let most = [3000, 3000, 60_000, 400_000][dice.below(4)];
        let mut total = dice.below(if narrow { most.min(NARROW_BYTES) } else { most });
        let mut client = Client::connect(address, dice, narrow)?;
        if client.dice.one_in(4) {
            // Little at a time, all of it urgent, as fast as it goes.
            (client.most, client.pauses, client.urgent) = ([3, READ_BYTES], [20, 20], 1);
            total = total.min(400);
        }
        Ok(Visit { number, client, from, total, sent: 0, back: 0, resets, waits })
    }

    /// Sends nothing more, and reads the rest.
    fn hurry(&mut self, now: Instant) {
        self.total = self.sent;
        self.client.hurry(now);
    }

    /// Whether anything moved; or the end, with the fault that it is, if it is one.
    fn step(
        &mut self,
        now: Instant,
        noise: &[u8],
        buffer: &mut [u8],
    ) -> ControlFlow<std::result::Result<(), String>, bool> {
        let fault = |what: &str| Break(Err(what.to_owned()));
        let from = (self.from + self.sent) % NOISE;
        let due = &noise[from..from + (self.total - self.sent).min(READ_BYTES)];
        let (sent, read) = match self.client.step(now, due, buffer) {
            Ok(moved) => moved,
            Err(error) => return fault(&error.to_string()),
        };
        self.sent += sent;
        let is_sent = self.sent == self.total;
        if is_sent && self.resets {
            self.client.reset_on_close();
            return Break(Ok(()));
        }
        let from = (self.from + self.back) % NOISE;
        self.back += read.unwrap_or(0);
        match read {
            Some(0) if is_sent && self.back == self.total => return Break(Ok(())),
            Some(0) => return fault("it was closed"),
            Some(n) if self.back > self.sent || buffer[..n] != noise[from..from + n] => {
                return fault("other bytes came back");
            }
            None if self.client.is_stuck(now) => return fault("nothing moves: a wake was lost"),
            _ => {}
        }
        if is_sent && !(self.waits && self.back < self.total) {
            self.client.half_close();
        }
        Continue(sent > 0 || read.is_some())
    }

    fn told(&self, fault: &str) -> String {
        let Visit { number, total, sent, back, client, .. } = self;
        let urgent = if client.urgent > 0 { " (some urgent)" } else { "" };
        format!("connection {number}: {fault}; {back} bytes back, {sent} sent of {total}{urgent}")
    }
}
