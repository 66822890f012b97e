//! What stands between a chat and its engine in a test: it cuts connections, or passes bytes on
//! slowly.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToEngine,
    FromEngine,
}

/// What the proxy does with the bytes that it passes on.
#[derive(Default)]
struct Plan {
    /// The next cuts: after so many bytes of all connections in this direction, of which the one
    /// that has the last byte is cut.
    cuts: Vec<(Way, usize)>,
    /// How many were made.
    made: usize,
    /// Bytes that go on together at most, and the pause behind them.
    slowly: Option<(usize, Duration)>,
}

/// Passes bytes between a socket of its own and the engine's; ends with the test's process.
pub(crate) struct Proxy {
    path: PathBuf,
    plan: Arc<Mutex<Plan>>,
}

impl Proxy {
    pub(crate) fn start(path: PathBuf, engine: &Path) -> Proxy {
        let listener = UnixListener::bind(&path).expect("a scratch folder");
        let plan = Arc::new(Mutex::new(Plan::default()));
        let (engine, shared) = (engine.to_owned(), plan.clone());
        thread::spawn(move || {
            for chat in listener.incoming().map_while(Result::ok) {
                let Ok(engine) = UnixStream::connect(&engine) else { continue };
                for (way, from, to) in
                    [(Way::ToEngine, &chat, &engine), (Way::FromEngine, &engine, &chat)]
                {
                    let from = from.try_clone().expect("a socket");
                    let to = to.try_clone().expect("a socket");
                    let plan = shared.clone();
                    thread::spawn(move || pass(way, from, to, &plan));
                }
            }
        });
        Proxy { path, plan }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Cuts after so many bytes each, one after the other, from now on.
    pub(crate) fn cut(&self, cuts: &[(Way, usize)]) {
        let mut plan = self.plan.lock().expect("no panic");
        plan.cuts.extend(cuts);
    }

    /// How many cuts were made.
    pub(crate) fn made(&self) -> usize {
        self.plan.lock().expect("no panic").made
    }

    /// From now on, so many bytes go on together at most, and then there is a pause.
    pub(crate) fn slow_down(&self, bytes: usize, pause: Duration) {
        self.plan.lock().expect("no panic").slowly = Some((bytes, pause));
    }
}

fn pass(way: Way, mut from: UnixStream, mut to: UnixStream, plan: &Mutex<Plan>) {
    let mut buffer = [0; 4096];
    loop {
        let slowly = plan.lock().expect("no panic").slowly;
        let most = slowly.map_or(buffer.len(), |(bytes, _)| bytes);
        let Ok(n @ 1..) = from.read(&mut buffer[..most]) else { break };
        let (n, is_cut) = cut_at(way, n, &mut plan.lock().expect("no panic"));
        if to.write_all(&buffer[..n]).is_err() || is_cut {
            break;
        }
        if let Some((_, pause)) = slowly {
            // The delay of a slow network; nothing is awaited by it.
            thread::sleep(pause);
        }
    }
    for stream in [from, to] {
        let _closed_already = stream.shutdown(Shutdown::Both);
    }
}

/// How many of the `n` bytes go on, and whether that is the end.
fn cut_at(way: Way, n: usize, plan: &mut Plan) -> (usize, bool) {
    let Some((_, left)) = plan.cuts.first_mut().filter(|(cut, _)| *cut == way) else {
        return (n, false);
    };
    if n < *left {
        *left -= n;
        return (n, false);
    }
    let n = *left;
    plan.cuts.remove(0);
    plan.made += 1;
    (n, true)
}
