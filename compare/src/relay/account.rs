//! Four servers talk while the engine stands still, dies and comes back, and one of them dies. Each
//! client must have each line of the others once, each author's in order, or be told the number.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::RELAY;
use super::party::Party;
use crate::Result;
use crate::load::pace::{Pace, Traffic, say_until};
use crate::load::talk::Ear;
use crate::machine::Machine;
use crate::options::Options;
use crate::process::own_cpu;
use crate::stats::Dice;

const SERVERS: usize = 4;

/// Clients of all servers; they speak in turn.
const CLIENTS: usize = 1000;

/// Lines a second, of all together.
const RATE: u32 = 200;

/// Time for which the engine stands still.
const STOP: Duration = Duration::from_secs(5);

/// Time in which everything must have come after the last line, and what is there too often.
const PATIENCE: Duration = Duration::from_secs(30);
const REST: Duration = Duration::from_secs(5);

/// Faults told in words; all are counted.
const TOLD: usize = 10;

/// What is done to the engine, or to a server, with its clients.
#[derive(Clone, Copy, Debug)]
enum Event {
    Stop,
    Continue,
    Kill,
    Start,
    KillServer(usize),
}

/// An error if anything was lost uncounted, came twice or out of order.
pub(super) fn account(machine: &Machine, options: &Options) -> Result<()> {
    let Options { seconds, seed, .. } = *options;
    println!(
        "account: {SERVERS} servers, {CLIENTS} clients, {RATE} lines/s for {seconds} s, --seed {seed}"
    );
    let mut party = Party::join(machine, &RELAY, &[], SERVERS, [CLIENTS; 2])?;
    let (started, cpu) = (Instant::now(), own_cpu()?);
    let (mut number, pace) = (0, Pace::new(RATE, 1));
    for (at, event) in events(seconds, seed) {
        number = say_until(&mut party.talk, pace, started, number, started + at)?;
        println!("  {:6.2} s  {event:?}", started.elapsed().as_secs_f64());
        strike(&mut party, event)?;
    }
    say_until(&mut party.talk, pace, started, number, started + Duration::from_secs(seconds))?;
    let share = (own_cpu()? - cpu) as f64 / started.elapsed().as_nanos() as f64;
    let deadline = Instant::now() + PATIENCE;
    while !faults(&party).is_empty() && Instant::now() < deadline {
        party.talk.hear_until(Instant::now() + REST / 10)?;
    }
    party.talk.hear_until(Instant::now() + REST)?;
    tell(&party, share)
}

/// When what happens, by the seed: one stop, one kill, and a server's end at any time of the talk. Each
/// is over before the next, however short the talk is.
fn events(seconds: u64, seed: u64) -> Vec<(Duration, Event)> {
    let (all, mut dice) = (Duration::from_secs(seconds), Dice(seed));
    let mut between = |from: f64, to: f64| {
        let share = dice.below(10_000) as f64 / 1e4;
        all.mul_f64(from + (to - from) * share)
    };
    let (stop, kill, end) = (between(0.1, 0.3), between(0.5, 0.7), between(0.1, 0.9));
    let (pause, server) =
        (Duration::from_millis(50 + dice.below(4000) as u64), dice.below(SERVERS));
    let (stopped, pause) = (STOP.min(all / 5), pause.min(all / 5));
    let mut events = vec![
        (stop, Event::Stop),
        (stop + stopped, Event::Continue),
        (kill, Event::Kill),
        (kill + pause, Event::Start),
        (end, Event::KillServer(server)),
    ];
    events.sort_by_key(|(at, _)| *at);
    events
}

fn strike(party: &mut Party, event: Event) -> Result<()> {
    let engine = party.engine.as_mut().ok_or("the engine is not there")?;
    match event {
        Event::Stop => engine.signal(Signal::STOP)?,
        Event::Continue => engine.signal(Signal::CONT)?,
        Event::Kill => engine.kill(),
        Event::Start => engine.restart()?,
        Event::KillServer(server) => party.kill(server),
    }
    Ok(())
}

/// Lines of a speaker that count: of one whose server died, up to the last that reached another.
fn due(party: &Party, speaker: usize) -> u64 {
    let (lines, is_there) = (&party.talk.heard.said[speaker], party.is_there(speaker));
    let last = lines.iter().rposition(|line| is_there || line.crossed);
    last.map_or(0, |last| last as u64 + 1)
}

/// Lines said at a server that no client of another heard.
fn stayed(party: &Party, server: usize) -> u64 {
    let speakers = party.talk.heard.said.iter().skip(server).step_by(SERVERS);
    speakers.flatten().filter(|line| !line.crossed).count() as u64
}

fn faults(party: &Party) -> Vec<String> {
    let heard = &party.talk.heard;
    let dues: Vec<u64> = (0..CLIENTS).map(|speaker| due(party, speaker)).collect();
    let due: u64 = dues.iter().sum();
    let died = heard.said() as u64 - due;
    let stayed: Vec<u64> = (0..SERVERS).map(|server| stayed(party, server)).collect();
    let mut faults = Vec::new();
    if !heard.ledger.is_in_order() {
        faults.extend(heard.ledger.faults());
    }
    for (client, own) in dues.iter().enumerate().filter(|(client, _)| party.is_there(*client)) {
        let server = party.server_of(client);
        let Ear { lines, missed, stayed: told, is_closed, .. } = heard.ears[client];
        let who = format!("client {client} of server {server}");
        if is_closed {
            faults.push(format!("{who} was dropped"));
        }
        let lacks = due - own - lines;
        // The others may know of lines that died with their server.
        if !(lacks..=lacks + died).contains(&missed) {
            faults.push(format!("{who} lacks {lacks} lines, and was told {missed}"));
        }
        let stayed = stayed[server];
        if told != stayed {
            faults.push(format!("{who} was told that {told} lines stayed: {stayed}"));
        }
    }
    faults
}

fn tell(party: &Party, share: f64) -> Result<()> {
    let heard = &party.talk.heard;
    let there = || heard.ears.iter().filter(|ear| !ear.is_closed);
    let died = heard.said() as u64 - (0..CLIENTS).map(|it| due(party, it)).sum::<u64>();
    println!("  said: {} lines, of which {died} died with their server", heard.said());
    let lines: u64 = there().map(|ear| ear.lines).sum();
    println!("  heard: {lines} by the {} clients that remain", there().count());
    println!("  told to be missed: {}", there().map(|ear| ear.missed).sum::<u64>());
    for (server, Ear { missed, stayed, .. }) in heard.ears.iter().take(SERVERS).enumerate() {
        if party.servers[server].is_some() {
            println!("  server {server}: each missed {missed}, and {stayed} lines stayed there");
        }
    }
    let late = heard.tally.lateness.quantile(0.99) as f64 / 1e6;
    println!("  generator: {:.0} % of a core, p99 {late:.1} ms late", share * 100.0);
    let faults = faults(party);
    faults.iter().take(TOLD).for_each(|fault| println!("    {fault}"));
    println!("  faults: {}", faults.len());
    if faults.is_empty() { Ok(()) } else { Err(format!("{} faults", faults.len()).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_goes_on_before_it_is_killed_and_is_back_before_the_end_however_short_the_talk_is()
    {
        for (seconds, seed) in [1, 8, 24, 60, 3600].into_iter().flat_map(|it| [(it, 1), (it, 2)]) {
            let events = events(seconds, seed);
            let of_engine = events.iter().filter(|it| !matches!(it.1, Event::KillServer(_)));
            let order: Vec<_> = of_engine.map(|(_, event)| format!("{event:?}")).collect();
            assert_eq!(order, ["Stop", "Continue", "Kill", "Start"], "{seconds} s");
            assert!(events.iter().all(|it| it.0 < Duration::from_secs(seconds)), "{events:?}");
        }
    }
}
