//! The generator alone, on any address that the user names: what it sent and heard, what was lost,
//! and whether it was itself the limit. Knows nothing of the server's process.

use std::net::{SocketAddr, TcpStream};

use crate::Result;
use crate::load::{self, Job, PATIENCE};
use crate::machine::Machine;
use crate::options::Options;
use crate::report::metric::metrics;
use crate::report::svg::short;
use crate::report::table::Table;
use crate::results::{Bound, Outcome};
use crate::workload::{Load, Program, chat};
use crate::wrong::Wrong;

/// Seconds, at most.
const LONGEST: u64 = 300;

/// Messages that an open loop sends, at most: of each, a time is kept.
const MOST: u64 = 10_000_000;

/// Milliseconds of load that are discarded before, at most.
const WARM_UP: u64 = 1000;

/// Figures of a server's process.
const OF_THE_SERVER: [&str; 2] = ["cpu_us", "rss_kib"];

/// Prints what was measured.
///
/// # Errors
/// When anything was lost or wrong, in one line that counts it.
pub(crate) fn load(options: &Options) -> Result<()> {
    let (program, address) = target(options)?;
    let Options { clients, rate, seconds, .. } = *options;
    let of = match program {
        Program::Echo => Load::Echo { clients, bytes: 64, depth: 1, rate },
        Program::Time => Load::Time { clients },
        Program::Chat => chat(clients, rate, 1),
    };
    Machine::take()?.has_room("the load", clients)?;
    TcpStream::connect_timeout(&address, PATIENCE)
        .map_err(|error| format!("{address} takes no client: {error}"))?;
    let window = seconds * 1000;
    let warm_up = WARM_UP.min(window / 3);
    let pid = std::process::id();
    let whom = format!("{} at {address}", program.name());
    eprintln!("{whom}: {clients} clients join, warm up, and are measured for {seconds} s");
    let outcome = load::run(&Job { load: of, pid, address, window, warm_up, tracer: None });
    let table = table(&format!("{whom}, {clients} clients, {seconds} s"), &of, &outcome);
    if !table.is_empty() {
        print!("{}", table.text());
    }
    let Some(fault) = outcome.fault else { return Ok(()) };
    let is_slow = program == Program::Chat && fault.starts_with("fell behind");
    let hint = "; does it limit how fast each client may talk (ours: --rate 0)?";
    Err((fault + if is_slow { hint } else { "" }).into())
}

/// # Errors
/// When it is not a server and an address, or the load would not end or fit.
fn target(options: &Options) -> std::result::Result<(Program, SocketAddr), Wrong> {
    let wrong = |why: &str| Err(Wrong(format!("{why}; as in `compare load chat 127.0.0.1:8002`")));
    let [program, address] = &options.named[..] else {
        return wrong("load needs a server (echo, time or chat) and its address");
    };
    let Some(program) = Program::find(program) else {
        return wrong(&format!("unknown server '{program}'; there are echo, time, chat"));
    };
    let Ok(address) = address.parse() else {
        return wrong(&format!("'{address}' is no numeric HOST:PORT"));
    };
    match (program, u64::from(options.rate).saturating_mul(options.seconds)) {
        (Program::Time, 1..) => wrong("--rate is not for the time, which sends by itself"),
        (Program::Chat, _) if options.clients < 2 => wrong("in a chat --clients is 2 at least"),
        _ if options.seconds > LONGEST => wrong(&format!("--seconds is {LONGEST} at most")),
        (_, all) if all > MOST => wrong(&format!("--rate times --seconds is {MOST} at most")),
        _ => Ok((program, address)),
    }
}

fn table(head: &str, load: &Load, outcome: &Outcome) -> Table {
    let mut table = Table::of(head, ["measured"]);
    let mut row = |title: &str, value: String| table.row(vec![title.into(), value]);
    let get = |key: &str| outcome.metrics.get(key).copied();
    for what in ["sent", "heard", "lost"] {
        get(what).into_iter().for_each(|number| row(what, format!("{number:.0}")));
    }
    for metric in metrics(load).iter().filter(|metric| !OF_THE_SERVER.contains(&metric.key)) {
        let (title, unit) = metric.told();
        get(metric.key).into_iter().for_each(|value| row(&title, short(value / unit)));
    }
    if let Some(share) = get("generator_share") {
        row("generator busy, of 1", short(share));
        let bound = match outcome.bound {
            Bound::Neither => "no",
            Bound::Client => "yes: 1 % of what it sent was over 1 ms late",
            Bound::Server | Bound::Both => "yes: its core was full",
        };
        row("generator was the bound", bound.into());
    }
    table
}
