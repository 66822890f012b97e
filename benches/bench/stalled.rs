//! Half of the crowd stops reading: what the other half notices of it.

use crate::Result;
use crate::machine::Machine;
use crate::server::Server;
use crate::table::{Sorted, Table};
use crate::talk::Talk;

/// Lines a second, by one speaker.
const RATE: u32 = 10;
const SECONDS: u32 = 30;

/// Said before: more than the kernel takes for a client that does not read, so that each of
/// them has its writer waiting. A tenth of what the room's log holds.
const PUMPED_LINES: usize = 100;
const PUMPED_LINE: usize = 1000;

/// Bytes in the server's send queue of a client that counts as stalled.
const STUCK: usize = 4096;

/// Stalled clients stay for longer than the measurement.
const OPTIONS: [&str; 4] = ["--stall", "120", "--dead", "130"];

pub(crate) fn run(machine: &Machine, table: &mut Table) -> Result<()> {
    let without = half(machine, table, false)?;
    let with = half(machine, table, true)?;
    table.add("stalled: p99 with them to p99 without", "", "aim 1.5", with / without);
    Ok(())
}

/// Returns the p99 of those who read.
fn half(machine: &Machine, table: &mut Table, deaf: bool) -> Result<f64> {
    let hearing = machine.crowd / 2;
    let server = Server::start(machine, "chat", &OPTIONS)?;
    let mut talk = Talk::new()?;
    talk.join(&server, hearing, deaf)?;
    for _ in 0..PUMPED_LINES {
        talk.say(0, PUMPED_LINE)?;
        talk.take_delays(hearing - 1)?;
    }
    server.settle()?;
    let before = server.usage()?;
    let delays = talk.say_at_rate(RATE, RATE * SECONDS, 1, hearing)?;
    let used = server.usage()? - before;
    table.disturbed("stalled", used.waited);
    let missed = talk.take_missed();
    let stuck = server.stuck(STUCK)?;

    let name = format!("{hearing} read, {} do not", if deaf { hearing } else { 0 });
    let mut add = |what: &str, unit, aim, value| {
        table.add(format!("{name}, {what}"), unit, aim, value);
    };
    let delays = Sorted::new(delays);
    add("p50", "ms", "", delays.at(50));
    add("p99", "ms", "", delays.at(99));
    add("max", "ms", "", delays.at(100));
    add("lines missed", "", "aim 0", missed as f64);
    add("peak RSS", "MiB", "aim 48", server.peak()? / 1024.0);
    add("server CPU", "%", "", used.cpu.as_secs_f64() * 100.0 / f64::from(SECONDS));
    if stuck != if deaf { hearing } else { 0 } {
        return Err(format!("{stuck} clients are stalled, not {name}").into());
    }
    match missed {
        0 => Ok(delays.at(99)),
        n => Err(format!("clients who read missed {n} lines").into()),
    }
}
