//! Rough handling of a server by a crowd: its clients send and read pieces of any size, with pauses
//! and urgent bytes and through small buffers, while the server gets signals between any two of their
//! steps. Knows no protocol.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use crate::Result;
use crate::crowd::{Client, News, READ_BYTES};
use crate::signals::Signals;
use crate::socket::Socket;
use crate::stats::Dice;

/// Time for which the clients sleep when none of them can do anything.
const NAP: Duration = Duration::from_micros(50);

pub(crate) struct Rough {
    dice: Dice,
    signals: Rc<RefCell<Signals>>,
    /// Bytes of one send, at most: one of these for each client.
    pub(crate) sends: [usize; 4],
    /// Bytes of the smallest receive buffers.
    pub(crate) least_room: usize,
    /// What is sent now and then before what a client says, and nobody hears.
    pub(crate) unseen: &'static [&'static [u8]],
    habits: Vec<Habit>,
}

/// How one client goes about it.
struct Habit {
    dice: Dice,
    /// Bytes of one send and one read, at most.
    most: [usize; 2],
    /// Microseconds to the next send and the next read, at most; now and then thirty times as long.
    pauses: [usize; 2],
    /// When the next ones are due.
    due: [Instant; 2],
    /// One send in so many ends with an urgent byte; 0 is none.
    urgent: usize,
}

impl Rough {
    pub(crate) fn new(dice: Dice, signals: Rc<RefCell<Signals>>) -> Rough {
        let (sends, habits) = ([3, 50, 1500, 20_000], Vec::new());
        Rough { dice, signals, sends, least_room: 2304, unseen: &[], habits }
    }

    /// Begins to connect the next client. One in three has a small receive buffer, most of those the
    /// smallest.
    pub(crate) fn connect(&mut self, address: SocketAddr) -> Result<Socket> {
        let mut dice = Dice::of(self.dice.0, self.habits.len() as u64);
        let more = if dice.one_in(3) { dice.below(60_000) } else { 0 };
        let socket =
            Socket::connect(address, None, dice.one_in(3).then_some(self.least_room + more))?;
        if dice.one_in(3) {
            sockopt::set_socket_send_buffer_size(&socket.0, 2304 + dice.below(20_000))?;
        }
        socket.0.set_nodelay(!dice.one_in(3))?;
        self.habits.push(Habit::new(dice, &self.sends));
        Ok(socket)
    }

    /// What stands before the next thing that a client says.
    pub(crate) fn before(&mut self) -> &'static [u8] {
        if self.unseen.is_empty() || !self.dice.one_in(8) {
            return b"";
        }
        self.unseen[self.dice.below(self.unseen.len())]
    }

    /// Has every third read nothing for a while.
    pub(crate) fn doze(&mut self) {
        for Habit { dice, due, .. } in &mut self.habits {
            if dice.one_in(3) {
                due[1] = Instant::now() + Duration::from_millis(dice.below(800) as u64);
            }
        }
    }

    /// Has everybody read as fast as it can from now on.
    pub(crate) fn hurry(&mut self) {
        for Habit { most, pauses, due, .. } in &mut self.habits {
            (most[1], pauses[1], due[1]) = (READ_BYTES, 30, Instant::now());
        }
    }

    /// Goes around until anything is sent or read, at most until `deadline`; hands news to `take`.
    pub(crate) fn pump(
        &mut self,
        clients: &mut [Option<Client>],
        buffer: &mut [u8],
        deadline: Instant,
        mut take: impl FnMut(usize, News) -> Result<()>,
    ) -> Result<()> {
        loop {
            let (now, mut has_moved) = (Instant::now(), false);
            for (number, habit) in self.habits.iter_mut().enumerate() {
                let Some(client) = &mut clients[number] else { continue };
                self.signals.borrow_mut().strike(now);
                match habit.step(client, now, buffer) {
                    Ok((sends, None)) => has_moved |= sends,
                    Ok((_, Some(n @ 1..))) => {
                        has_moved = true;
                        take(number, News::Bytes(&buffer[..n]))?;
                    }
                    Ok((_, Some(0))) | Err(_) => {
                        clients[number] = None;
                        take(number, News::Closed)?;
                    }
                }
            }
            if has_moved || now >= deadline {
                return Ok(());
            }
            std::thread::sleep(NAP);
        }
    }
}

impl Habit {
    fn new(mut dice: Dice, sends: &[usize; 4]) -> Habit {
        let sends = sends[dice.below(4)];
        let reads = if dice.one_in(3) { 100 + dice.below(400) } else { READ_BYTES };
        // Who sends little at a time would take minutes otherwise.
        let pauses = [if sends <= 50 { 30 } else { 300 }, [30, 30, 300, 3000][dice.below(4)]];
        let urgent = if dice.one_in(3) { 1 + dice.below(5) } else { 0 };
        Habit { dice, most: [sends, reads], pauses, due: [Instant::now(); 2], urgent }
    }

    /// Sends some of what is unsent and reads, each if it is time to; whether it sent, and how many
    /// bytes were read, if any were there.
    fn step(
        &mut self,
        client: &mut Client,
        now: Instant,
        buffer: &mut [u8],
    ) -> io::Result<(bool, Option<usize>)> {
        let (mut sent, mut read) = (None, None);
        if !client.unsent.is_empty() && self.is_due(0, now) {
            let (piece, _) = client.unsent.as_slices();
            let n = piece.len().min(1 + self.dice.below(self.most[0]));
            let is_urgent = self.urgent > 0 && self.dice.one_in(self.urgent);
            sent = client.socket.send(&piece[..n], is_urgent)?;
            client.unsent.drain(..sent.unwrap_or(0));
        }
        if client.ends && client.unsent.is_empty() {
            client.socket.half_close();
        }
        if self.is_due(1, now) {
            read = client.socket.read(&mut buffer[..self.most[1]])?;
        }
        Ok((sent.is_some(), read))
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
