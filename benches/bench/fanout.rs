//! One line at a time to the whole crowd.

use crate::Result;
use crate::machine::Machine;
use crate::server::Server;
use crate::table::{Sorted, Table};
use crate::talk::{LINE, Talk};

/// Lines in one round, each said when everybody has the one before.
const LINES: usize = 12;

pub(crate) fn run(machine: &Machine, table: &mut Table) -> Result<()> {
    let server = Server::start(machine, "chat", &[])?;
    let mut talk = Talk::new()?;
    talk.join(&server, machine.crowd, false)?;
    let others = machine.crowd - 1;
    let mut lines = Vec::new();
    let before = server.usage()?;
    for _ in 0..LINES {
        talk.say(0, LINE)?;
        lines.push(Sorted::new(talk.take_delays(others)?));
    }
    let used = server.usage()? - before;
    table.disturbed("fanout", used.waited);
    for line in &lines {
        let mut add = |what, value| {
            table.add(format!("a line to {others}, {what} has it"), "ms", "", value);
        };
        add("the first", line.at(0));
        add("half", line.at(50));
        add("the last", line.at(100));
    }
    let delivery = used.cpu.as_secs_f64() * 1e6 / (LINES * others) as f64;
    table.add(format!("a line to {others}, CPU a delivery"), "us", "", delivery);
    Ok(())
}
