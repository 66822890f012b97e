//! Echo: each client sends, waits for all of it to come back, and sends again.

use std::time::{Duration, Instant};

use crate::Result;
use crate::crowd::Crowd;
use crate::machine::Machine;
use crate::server::{PATIENCE, Server};
use crate::table::{Sorted, Table};

/// Bytes of a message.
const MESSAGE: usize = 64;

const DURATION: Duration = Duration::from_secs(2);

const CLIENTS: [usize; 3] = [1, 50, 1000];

/// One client's message on its way.
struct Message {
    sent: Instant,
    number: u64,
    /// Bytes that came back.
    back: usize,
}

pub(crate) fn run(machine: &Machine, table: &mut Table) -> Result<()> {
    for clients in CLIENTS {
        let server = Server::start(machine, "echo", &[])?;
        let mut crowd = Crowd::new()?;
        for _ in 0..clients {
            crowd.connect(server.address)?;
        }
        server.settle()?;
        let before = server.usage()?;
        let started = Instant::now();
        let delays = drive(&mut crowd, started + DURATION)?;
        let seconds = started.elapsed().as_secs_f64();
        let used = server.usage()? - before;
        table.disturbed("echo", used.waited);
        let trips = delays.len() as f64;
        let delays = Sorted::new(delays);
        let mut add = |what, unit, value| {
            let plural = if clients == 1 { "" } else { "s" };
            table.add(format!("echo, {clients} client{plural}, {what}"), unit, "", value);
        };
        add("CPU a round trip", "us", used.cpu.as_secs_f64() * 1e6 / trips);
        add("round trips", "/s", trips / seconds);
        add("p50", "us", delays.at(50) * 1e3);
        add("p99", "us", delays.at(99) * 1e3);
    }
    Ok(())
}

/// Returns how long each round trip took.
fn drive(crowd: &mut Crowd, end: Instant) -> Result<Vec<Duration>> {
    let mut delays = Vec::new();
    let mut under_way = Vec::new();
    for client in 0..crowd.len() {
        under_way.push(Message { sent: Instant::now(), number: 0, back: 0 });
        crowd.send(client, &content(client, 0))?;
    }
    let mut open = crowd.len();
    let mut next = Vec::new();
    while open > 0 {
        crowd.pump(Duration::from_millis(100), |client, bytes| {
            let now = Instant::now();
            let message = &mut under_way[client];
            let content = content(client, message.number);
            if content.get(message.back..message.back + bytes.len()) != Some(bytes) {
                return Err(format!("client {client} got other bytes than it sent").into());
            }
            message.back += bytes.len();
            if message.back == MESSAGE {
                delays.push(now - message.sent);
                next.push(client);
            }
            Ok(())
        })?;
        let now = Instant::now();
        for client in next.drain(..) {
            if now >= end {
                open -= 1;
                continue;
            }
            let message = &mut under_way[client];
            *message = Message { sent: Instant::now(), number: message.number + 1, back: 0 };
            crowd.send(client, &content(client, message.number))?;
        }
        if now > end + PATIENCE {
            return Err(format!("{open} messages did not come back").into());
        }
    }
    Ok(delays)
}

/// No two messages are the same.
fn content(client: usize, number: u64) -> [u8; MESSAGE] {
    let mut content = [0xa5; MESSAGE];
    content[..8].copy_from_slice(&client.to_be_bytes());
    content[MESSAGE - 8..].copy_from_slice(&number.to_be_bytes());
    content
}
