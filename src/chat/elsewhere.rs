//! The other servers as the guests of this one meet them: what is to be told there, who is there,
//! and which names are free. Only who chooses a name waits here, for the engine's answer.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use async_channel::{Receiver, Sender};

use super::names;
use crate::relay::entry::{Event, Origin};
use crate::relay::numbers::Numbers;
use crate::relay::outbox::Outbox;
use crate::relay::servers::{Servers, letters};

/// Names that wait for the engine's answer, at most; who chooses one beyond has to choose again.
const CLAIMS: usize = 64;

/// The other servers, once the chat has a relay.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(RefCell<Option<Shared>>);

pub(super) type Shared = Rc<RefCell<Joint>>;

/// What the guests and the relay share.
#[derive(Debug)]
pub(super) struct Joint {
    /// This server's letters, which names that are given while it is cut off carry.
    pub(super) letters: String,
    pub(super) outbox: Outbox,
    pub(super) servers: Servers,
    pub(super) numbers: Numbers,
    /// Names that newcomers have chosen, and who waits to learn whether they are free.
    pub(super) claims: VecDeque<Claim>,
    /// Chosen names of guests who are here, as the engine has them.
    pub(super) chosen: HashSet<String>,
    /// Chosen names that are free again, for the engine to know.
    pub(super) freed: Vec<String>,
    /// Whether it is one with the other servers; `None` until it first tried.
    pub(super) is_together: Option<bool>,
    /// Holds a message when there is something for the engine.
    wake: Sender<()>,
}

/// A name that a newcomer wants.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) name: String,
    pub(super) free: Sender<bool>,
}

impl Elsewhere {
    /// Begins to gather what the relay is to tell; `None` if the chat has one already.
    pub(super) fn begin(&self, origin: Origin) -> Option<(Shared, Receiver<()>)> {
        let mut joint = self.0.borrow_mut();
        if joint.is_some() {
            return None;
        }
        let (wake, woken) = async_channel::bounded(1);
        let new = Rc::new(RefCell::new(Joint {
            // Until the engine has given others.
            letters: letters((origin.0 % 26) as usize),
            outbox: Outbox::new(origin),
            servers: Servers::default(),
            numbers: Numbers::default(),
            claims: VecDeque::new(),
            chosen: HashSet::new(),
            freed: Vec::new(),
            is_together: None,
            wake,
        }));
        *joint = Some(new.clone());
        Some((new, woken))
    }

    /// Has the relay look whether there is something to do.
    pub(super) fn wake(&self) {
        self.with(|joint| joint.wake());
    }

    /// The relay is gone.
    pub(super) fn end(&self) {
        self.0.take();
    }

    fn with<R>(&self, work: impl FnOnce(&mut Joint) -> R) -> Option<R> {
        self.0.borrow().as_ref().map(|joint| work(&mut joint.borrow_mut()))
    }

    pub(super) fn said(&self, name: &str, text: &str, here: usize) {
        self.tell(here, || Event::Said { name: name.to_owned(), text: text.to_owned() });
    }

    pub(super) fn joined(&self, name: &str, here: usize) {
        self.tell_presence(here, || Event::Joined { name: name.to_owned() });
    }

    pub(super) fn left(&self, name: &str, words: &str, here: usize) {
        self.tell_presence(here, || Event::Left { name: name.to_owned(), words: words.to_owned() });
    }

    pub(super) fn crowd(&self, joined: u64, left: u64, here: usize) {
        self.tell_presence(here, || Event::Crowd { joined, left });
    }

    /// Guests at the other servers.
    pub(super) fn guests(&self) -> usize {
        self.with(|joint| joint.servers.guests()).unwrap_or(0)
    }

    /// Names of some of them, as many as a newcomer reads.
    pub(super) fn names(&self) -> Vec<String> {
        self.with(|joint| {
            let names = joint.servers.names().take(names::WELCOME_NAMES);
            names.map(str::to_owned).collect()
        })
        .unwrap_or_default()
    }

    /// Whether there should be other servers, and are none to be reached.
    pub(super) fn is_cut_off(&self) -> bool {
        self.with(|joint| joint.is_together == Some(false)).unwrap_or(false)
    }

    /// A name for a guest that chooses none, of which `number` is the number at this server.
    pub(super) fn guest_name(&self, number: u64) -> String {
        let given = self.with(|joint| {
            let is_together = joint.is_together == Some(true);
            let given = is_together.then(|| joint.numbers.take()).flatten();
            if joint.numbers.wanted().is_some() {
                joint.wake();
            }
            given.map_or_else(
                || format!("guest{number}{}", joint.letters),
                |number| format!("guest{number}"),
            )
        });
        given.unwrap_or_else(|| format!("guest{number}"))
    }

    /// Takes a name for a newcomer, as the others will read it: with this server's letters while it
    /// is cut off. `None` if it is taken elsewhere.
    pub(super) async fn claim(&self, name: String) -> Option<String> {
        let (free, answer) = async_channel::bounded(1);
        let wanted: String = names::folded(&name).collect();
        let asked = self.with(|joint| match joint.is_together {
            Some(true) if joint.claims.len() < CLAIMS => {
                joint.claims.push_back(Claim { name: wanted, free });
                joint.wake();
                Ok(())
            }
            Some(true) => Err(None),
            _ => Err(Some(format!("{name}-{}", joint.letters))),
        });
        match asked {
            None => Some(name),
            Some(Err(answer)) => answer,
            // Not answered: the relay was cut off meanwhile, or is gone.
            Some(Ok(())) => match answer.recv().await {
                Ok(is_free) => is_free.then_some(name),
                Err(_) => self.with(|joint| format!("{name}-{}", joint.letters)).or(Some(name)),
            },
        }
    }

    /// The guest of this name has gone.
    pub(super) fn release(&self, name: &str) {
        let wanted: String = names::folded(name).collect();
        self.with(|joint| {
            // The engine forgets it by itself, too; after a cut it may be that of another server.
            if joint.chosen.remove(&wanted) && joint.is_together == Some(true) {
                joint.freed.push(wanted);
                joint.wake();
            }
        });
    }

    fn tell(&self, here: usize, event: impl FnOnce() -> Event) {
        self.with(|joint| {
            joint.outbox.add(event(), here, joint.is_together == Some(true));
            joint.wake();
        });
    }

    /// Who comes and goes while this server is cut off is not told: the counts will be.
    fn tell_presence(&self, here: usize, event: impl FnOnce() -> Event) {
        self.with(|joint| {
            if joint.is_together == Some(true) {
                joint.outbox.add(event(), here, true);
                joint.wake();
            }
        });
    }
}

impl Joint {
    fn wake(&self) {
        let _awake_already = self.wake.try_send(());
    }
}
