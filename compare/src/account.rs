//! Random traffic at our echo and our chat, of which every byte and every line is accounted for,
//! while the server is stopped, continued and sent signals. Measures nothing.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::Result;
use crate::crowd::Crowd;
use crate::load::echo::{Echo, HEAD};
use crate::load::pace::{Pace, Traffic, answer_until};
use crate::load::talk::Talk;
use crate::load::{Job, join};
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::Peer;
use crate::prepare;
use crate::process::Process;
use crate::rough::Rough;
use crate::server::Server;
use crate::signals::Signals;
use crate::stats::Dice;
use crate::trial::job;
use crate::workload::{Load, Program};

/// Time in which some of what is due must come: a connection where nothing does has lost a wake.
const PATIENCE: Duration = Duration::from_secs(8);

/// Time of a round for which they read as they like.
const LEISURE: Duration = Duration::from_secs(1);

/// Connections of a round of echo.
const CONNECTIONS: usize = 48;

/// Time without any notice after which a round of talk begins.
const QUIET: Duration = Duration::from_millis(300);

/// Bytes that each member of a talk takes unread, at least: with the smallest buffer, it would get no
/// more than 6 KB a second.
const ROOM: usize = 20_000;

/// Bytes that no line shows: IAC NOP, a timing mark, AYT, two characters typed and erased.
const UNSEEN: [&[u8]; 4] = [b"\xff\xf1", b"\xff\xfd\x06", b"\xff\xf6", b"zz\x7f\x08"];

/// Faults of one server that are told in words; all are counted.
const TOLD: usize = 10;

/// An error if any server did anything wrong.
pub(crate) fn account(options: &Options) -> Result<()> {
    let (machine, peers) = prepare::ours(options)?;
    let mut faults = 0;
    for program in [Program::Echo, Program::Chat] {
        for peer in peers.iter().filter(|_| options.chose(program.name())) {
            faults += one(&machine, peer, program, options)?;
        }
    }
    match faults {
        0 => Ok(()),
        _ => Err(format!("{faults} faults; --seed {} has the same traffic", options.seed).into()),
    }
}

/// A round of random traffic; how much came back or was heard, and how much was missed.
type Round = fn(&Job, Dice, Rough) -> Result<[u64; 2]>;

/// Round after round, each with clients of its own. Returns how many were not as they must be.
fn one(machine: &Machine, peer: &Peer, program: Program, options: &Options) -> Result<usize> {
    let Options { seconds, seed, .. } = *options;
    println!("{}, {}: {seconds} s, --seed {seed}", program.name(), peer.name);
    let (unpaced, what, round): (&[_], _, Round) = match program {
        Program::Chat => (&["--rate", "0"], "lines heard", chat),
        _ => (&[], "messages came back", echo),
    };
    let server = Server::start_ours(machine, peer, program, unpaced)?;
    let (process, job) = (Process(server.pid()), job(&server, Load::Idle { clients: 0 }, 0));
    let held = process.descriptors();
    let signals = Rc::new(RefCell::new(Signals::new(server.pid(), seed)?));
    let (end, mut rounds, mut faults) = (Instant::now() + Duration::from_secs(seconds), 0, 0);
    let (mut heard, mut missed) = (0, 0);
    while Instant::now() < end {
        let dice = || Dice::of(seed, rounds);
        let done = round(&job, dice(), Rough::new(dice(), signals.clone()));
        signals.borrow_mut().end();
        match done.and_then(|done| comes_down_to(process, held).map(|()| done)) {
            Ok([more, lost]) => (heard, missed) = (heard + more, missed + lost),
            Err(fault) => {
                faults += 1;
                if faults <= TOLD {
                    println!("    round {rounds}: {fault}");
                }
            }
        }
        rounds += 1;
    }
    let sent = signals.borrow().sent;
    println!(
        "  {rounds} rounds, {heard} {what}, {missed} missed; {sent} signals; faults: {faults}"
    );
    Ok(faults)
}

/// Has clients send, some of them with a FIN right behind, and compares what comes back; or resets
/// all in the midst of it.
fn echo(job: &Job, mut dice: Dice, rough: Rough) -> Result<[u64; 2]> {
    let most = [60, 1500, 6000][dice.below(3)];
    let mut echo = Echo::new(CONNECTIONS, HEAD + 1 + dice.below(most))?;
    echo.crowd.rough = Some(rough);
    join(job, &mut echo.crowd, CONNECTIONS, &mut |_, _| Ok(()))?;
    let time = Duration::from_millis(20 + dice.below(400) as u64);
    let pace = Pace::new(0, 1 + dice.below(3) as u32);
    answer_until(&mut echo, pace, Instant::now() + time)?;
    let heard = echo.tally.delays.total();
    if dice.one_in(4) {
        return Ok([heard, 0]);
    }
    let ends: Vec<bool> = (0..CONNECTIONS).map(|_| dice.one_in(2)).collect();
    let end = |crowd: &mut Crowd, now: bool| {
        let those = (0..CONNECTIONS).filter(|client| ends[*client] == now);
        those.for_each(|client| crowd.half_close(client));
    };
    echo.ends = true;
    end(&mut echo.crowd, true);
    wait(&mut echo, |echo| match echo.left()[0] {
        0 => None,
        left => Some(format!("{left} messages never came back: a wake was lost")),
    })?;
    end(&mut echo.crowd, false);
    wait(&mut echo, |echo| closing(&echo.crowd))?;
    Ok([heard, 0])
}

/// Has everybody say what it has to say, and waits until all have heard or missed what they are due.
fn chat(job: &Job, mut dice: Dice, mut rough: Rough) -> Result<[u64; 2]> {
    let (clients, is_long) = (3 + dice.below(8), dice.one_in(5));
    let most = if is_long { 900 } else { [40, 900][dice.below(2)] };
    let mut talk = Talk::new(clients, clients, 20 + dice.below(most))?;
    (rough.unseen, rough.least_room) = (&UNSEEN, ROOM);
    // Fast enough for who reads slowly to fall behind.
    rough.sends = if is_long { [20_000; 4] } else { [50, 1500, 1500, 20_000] };
    talk.crowd.rough = Some(rough);
    talk.heard.is_telnet = true;
    talk.join(std::slice::from_ref(job), QUIET)?;
    talk.heard.ledger.keep_order();
    let lines = if is_long { 700 } else { 150 };
    for speaker in 0..clients {
        let count = if dice.one_in(5) { 0 } else { dice.below(lines) };
        (0..count).try_for_each(|_| talk.say(speaker, 1, Instant::now()))?;
    }
    talk.crowd.rough.iter_mut().for_each(Rough::doze);
    // What it says last is not lost.
    let leaves = dice.one_in(3).then(|| dice.below(clients));
    leaves.into_iter().for_each(|client| talk.crowd.half_close(client));
    let left = u64::from(leaves.is_some());
    let heard = wait(&mut talk, |talk| {
        let mut rest = (0..clients).filter(|client| Some(*client) != leaves);
        rest.find_map(|client| talk.heard.lacks(client, left))
    });
    in_order(&talk)?;
    let closed = talk.heard.closed();
    if closed > leaves.iter().len() {
        return Err(format!("{closed} clients were dropped").into());
    }
    heard?;
    (0..clients).for_each(|client| talk.crowd.half_close(client));
    wait(&mut talk, |talk| closing(&talk.crowd))?;
    // What came behind the last line that was due counts, too.
    in_order(&talk)?;
    talk.heard.ledger.disorder().map_or(Ok(()), Err)?;
    Ok([talk.heard.tally.delays.total(), talk.heard.missed()])
}

fn in_order(talk: &Talk) -> Result<()> {
    let ledger = &talk.heard.ledger;
    if ledger.is_in_order() { Ok(()) } else { Err(ledger.faults().unwrap_or_default().into()) }
}

/// Goes on until nothing is amiss any more, and as long as that changes; after a while, everybody
/// hurries.
fn wait<T: Traffic>(traffic: &mut T, amiss: impl Fn(&T) -> Option<String>) -> Result<()> {
    let started = Instant::now();
    let (mut before, mut since) = (None, started);
    while let Some(why) = amiss(traffic) {
        if before.as_ref() != Some(&why) {
            (before, since) = (Some(why), Instant::now());
        } else if since.elapsed() > PATIENCE {
            return Err(why.into());
        }
        if started.elapsed() > LEISURE {
            traffic.crowd().rough.iter_mut().for_each(Rough::hurry);
        }
        traffic.hear(Instant::now() + Duration::from_millis(5))?;
    }
    Ok(())
}

fn closing(crowd: &Crowd) -> Option<String> {
    let open = crowd.open();
    (open > 0).then(|| format!("{open} connections do not come to their end after a FIN"))
}

/// Waits until the server has closed all connections but those it held before.
fn comes_down_to(process: Process, held: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while process.descriptors() > held {
        if Instant::now() > deadline {
            let more = process.descriptors().saturating_sub(held);
            return Err(format!("the server still holds {more} connections of who went").into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tests::echo as server;

    #[test]
    fn a_wrong_byte_is_found_in_whatever_pieces_it_comes() {
        let mut sleeper =
            std::process::Command::new("sleep").arg("60").spawn().expect("sleep is there");
        let signals = Signals::new(sleeper.id(), 1).expect("a process");
        let signals = Rc::new(RefCell::new(signals));
        let round = |seed, is_wrong| {
            let (load, pid) = (Load::Idle { clients: 0 }, std::process::id());
            let address = server(is_wrong);
            let job = Job { load, pid, address, window: 0, warm_up: 0, tracer: None };
            let dice = || Dice(seed);
            echo(&job, dice(), Rough::new(dice(), signals.clone()))
        };
        for seed in 0..3 {
            assert!(round(seed, false).is_ok_and(|[heard, _]| heard > 0), "{seed}");
            let found = round(seed, true).expect_err("a fault").to_string();
            assert!(found.ends_with(": other bytes came back than were sent"), "{found}");
        }
        sleeper.kill().and_then(|()| sleeper.wait()).expect("it is ours");
    }
}
