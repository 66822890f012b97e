//! Chat: rounds of talk. A witness who reads promptly gives the order; each other reader has each
//! line of the others once, in that order, or the exact number of those it missed.

mod member;
mod order;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::client::READ_BYTES;
use super::signals::Signals;
use super::{Faults, NAP};
use crate::Result;
use crate::stats::Dice;
use member::Member;
use order::{judge, judge_witness};

/// Says when a round begins and ends, which it alone does not hear.
const HERALD: usize = 0;
const WITNESS: usize = 1;

/// Time of a round after which everybody reads as fast as it can, so that it comes to an end.
const HURRY: Duration = Duration::from_secs(3);

struct Round {
    members: Vec<Member>,
    /// Of many long lines.
    is_long: bool,
    token: String,
    begun: Instant,
    buffer: Vec<u8>,
}

pub(super) fn run(
    address: SocketAddr,
    seed: u64,
    end: Instant,
    signals: &mut Signals,
    faults: &mut Faults,
) -> Result<String> {
    let (mut rounds, mut unjudged, mut lines, mut missed) = (0, 0, 0, 0);
    while Instant::now() < end {
        let mut round = Round::open(address, seed, rounds)?;
        let ended = round.talk(signals);
        let hearings = || round.members.iter().map(|member| &member.hearing);
        lines += hearings().map(|hearing| hearing.said).sum::<usize>();
        missed += hearings().map(|hearing| hearing.missed).sum::<usize>();
        match ended {
            Err(fault) => faults.add(&format!("round {rounds}: {fault}")),
            // Nobody knows the order then.
            Ok(()) if round.members[WITNESS].hearing.missed > 0 => unjudged += 1,
            Ok(()) => {
                round.faults().iter().for_each(|it| faults.add(&format!("round {rounds}: {it}")));
            }
        }
        rounds += 1;
    }
    Ok(format!("{rounds} rounds ({unjudged} not judged), {lines} lines heard, {missed} missed"))
}

impl Round {
    fn open(address: SocketAddr, seed: u64, number: u64) -> Result<Round> {
        let mut dice = Dice::of(seed, number);
        let (count, is_long) = (4 + dice.below(8), dice.one_in(10));
        let token = format!("round-{seed}-{number}");
        let members = (0..count).map(|place| {
            let mut dice = Dice::of(dice.0, place as u64);
            let narrow = place > WITNESS && dice.one_in(if is_long { 12 } else { 6 });
            Member::join(address, dice, &token, narrow)
        });
        let mut members = members.collect::<Result<Vec<_>>>()?;
        let begun = Instant::now();
        members[WITNESS].hurry(begun);
        Ok(Round { members, is_long, token, begun, buffer: vec![0; READ_BYTES] })
    }

    /// Has everybody say what it has to say, and waits until all have heard what they are due.
    fn talk(&mut self, signals: &mut Signals) -> std::result::Result<(), String> {
        self.until(signals, "was not welcomed", |_, member| !member.hearing.name.is_empty())?;
        self.members[HERALD].call(&format!("{} begins", self.token));
        self.until(signals, "did not hear the begin", |_, member| member.hearing.has_begun)?;
        let speakers = self.members.iter_mut().skip(WITNESS + 1);
        speakers.for_each(|speaker| speaker.speak(self.is_long));
        let lines: usize = self.members.iter().map(|member| member.says.len()).sum();
        self.until(signals, "did not hear all, or did not go", |place, member| match place {
            WITNESS => member.hearing.said + member.hearing.missed >= lines,
            _ => member.is_gone || !member.goes(),
        })?;
        self.members[HERALD].call(&format!("{} ends", self.token));
        self.until(signals, "did not hear the end", |_, member| {
            member.is_gone || member.hearing.has_ended
        })
    }

    /// Goes on until it is true of everybody but the herald.
    fn until(
        &mut self,
        signals: &mut Signals,
        is_not: &str,
        is_true: impl Fn(usize, &Member) -> bool,
    ) -> std::result::Result<(), String> {
        loop {
            let mut others = self.members.iter().enumerate().skip(HERALD + 1);
            let Some((place, late)) = others.find(|(place, member)| !is_true(*place, member))
            else {
                return Ok(());
            };
            let now = Instant::now();
            if self.members.iter().all(|member| member.is_stuck(now)) {
                let who = if place == WITNESS { "the witness " } else { "" };
                return Err(format!("{who}{} {is_not}", late.told()));
            }
            let mut has_moved = false;
            for member in &mut self.members {
                signals.strike(now);
                if now > self.begun + HURRY {
                    member.hurry(now);
                }
                let moved = member.step(now, &mut self.buffer);
                has_moved |= moved.map_err(|error| format!("{}: {error}", member.told()))?;
            }
            if !has_moved {
                std::thread::sleep(NAP);
            }
        }
    }

    /// What the readers heard amiss, and what the witness heard amiss of each.
    fn faults(&self) -> Vec<String> {
        let order = &self.members[WITNESS].hearing.heard;
        let mut faults = Vec::new();
        for member in &self.members[WITNESS + 1..] {
            let heard = judge(order, &member.hearing.heard, &member.hearing.name, !member.is_gone);
            let said = judge_witness(order, &member.hearing.name, &member.says);
            let wrong = [heard, said].into_iter().filter_map(std::result::Result::err);
            faults.extend(wrong.map(|what| format!("{} {what}", member.told())));
        }
        faults
    }
}
