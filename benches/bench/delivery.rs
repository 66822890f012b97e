//! What it costs to hand one line to one client, quiet and busy.

use crate::Result;
use crate::machine::Machine;
use crate::server::Server;
use crate::table::{Sorted, Table};
use crate::talk::Talk;

const CLIENTS: usize = 100;

/// All speak in turn: no one is faster than a machine-gun typist.
const SPEAKERS: usize = CLIENTS;

const SECONDS: u32 = 3;

/// Lines a second.
const RATES: [u32; 3] = [200, 1000, 5000];

pub(crate) fn run(machine: &Machine, table: &mut Table) -> Result<()> {
    for rate in RATES {
        let server = Server::start(machine, "chat", &[])?;
        let mut talk = Talk::new()?;
        talk.join(&server, CLIENTS, false)?;
        let before = server.usage()?;
        let delays = talk.say_at_rate(rate, rate * SECONDS, SPEAKERS, CLIENTS)?;
        let used = server.usage()? - before;
        table.disturbed("delivery", used.waited);
        if talk.take_missed() > 0 {
            return Err(format!("clients missed lines at {rate} lines/s").into());
        }
        let deliveries = delays.len() as f64;
        let delays = Sorted::new(delays);
        let mut add = |what, unit, value| {
            let name = format!("{CLIENTS} in the chat, {rate} lines/s, {what}");
            table.add(name, unit, "", value);
        };
        add("CPU a delivery", "us", used.cpu.as_secs_f64() * 1e6 / deliveries);
        add("p50", "ms", delays.at(50));
        add("p99", "ms", delays.at(99));
    }
    Ok(())
}
