//! Whether a peer speaks the protocol: asked before anything is timed. Each check has clients of its
//! own, which block with a read timeout, and finds one thing.

mod chat;
mod echo;
mod time;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Result;
use crate::machine::Machine;
use crate::peers::{OWN, Peer};
use crate::process::Process;
use crate::server::Server;
use crate::workload::Program;

/// Time in which what is due must come.
const DUE: Duration = Duration::from_millis(2500);

/// An answer that takes longer each time comes late: a delayed acknowledgement takes 40 ms.
const LATE: Duration = Duration::from_millis(100);

/// Answers of which one must not be late.
const TRIES: usize = 5;

const ONE_AT_A_TIME: &str = "a second client gets nothing while a first one is connected";

/// One of the things that are asked of a server.
type Check = fn(SocketAddr) -> Result<()>;

/// What is wrong with a peer's server, a line each.
pub(crate) struct Findings {
    pub(crate) peer: Peer,
    pub(crate) program: Program,
    pub(crate) lines: Vec<String>,
}

impl Findings {
    pub(crate) fn told(&self) -> impl Iterator<Item = String> {
        let (peer, program) = (self.peer.name, self.program.name());
        self.lines.iter().map(move |line| format!("{peer}, {program}: {line}"))
    }
}

/// Checks everybody at once, since nothing is timed; returns those that failed. Of one with names and
/// notices of its own, the load alone checks what it passes on.
pub(crate) fn check(machine: &Machine, peers: &[Peer], programs: &[Program]) -> Vec<Findings> {
    std::thread::scope(|scope| {
        let checks: Vec<_> = peers
            .iter()
            .flat_map(|peer| programs.iter().map(|program| (*peer, *program)))
            .filter(|(peer, _)| peer.speaks_ours())
            .map(|(peer, program)| {
                let found = move || {
                    let found = ask(machine, &peer, program);
                    found.unwrap_or_else(|why| vec![why.to_string()])
                };
                (peer, program, scope.spawn(found))
            })
            .collect();
        let done = checks.into_iter().map(|(peer, program, check)| {
            let lines = check.join().unwrap_or_else(|_| vec!["the check panicked".into()]);
            Findings { peer, program, lines }
        });
        done.filter(|findings| !findings.lines.is_empty()).collect()
    })
}

/// What it does otherwise.
///
/// # Errors
/// With the one thing to say, where it cannot be asked.
fn ask(machine: &Machine, peer: &Peer, program: Program) -> Result<Vec<String>> {
    let mut server = Server::start(machine, peer, program)?;
    if peer.name == OWN {
        is_one_process(&server)?;
    }
    let checks: &[Check] = match program {
        Program::Echo => &echo::CHECKS,
        Program::Time => &time::CHECKS,
        Program::Chat => &chat::CHECKS,
    };
    let mut lines = Vec::new();
    for (number, check) in checks.iter().enumerate() {
        let checked = check(server.address);
        server.runs().map_err(|ended| format!("it ended when it was asked: {ended}"))?;
        let Err(why) = checked else { continue };
        lines.push(why.to_string());
        // What a chat does besides cannot be seen where it passes on nothing.
        if program == Program::Chat && number == 0 {
            break;
        }
    }
    Ok(lines)
}

/// While it serves a client: some start another process for each.
fn is_one_process(server: &Server) -> Result<()> {
    let mut stream = connect(server.address).map_err(|error| {
        format!("it listens on the port, but cannot be reached at {}: {error}", server.address)
    })?;
    stream.write_all(b"\n")?;
    let _silent = stream.read(&mut [0]);
    let count = Process(server.pid()).group();
    // None when it has ended.
    if count <= 1 {
        return Ok(());
    }
    let why = "and only the CPU of the first is seen: start the server itself, as one process";
    Err(format!("it is {count} processes, {why}").into())
}

/// Where something else is wrong with the answer, another check says so.
fn in_time(mut answered: impl FnMut() -> bool) -> Result<()> {
    let mut least = Duration::MAX;
    for _ in 0..TRIES {
        let asked = Instant::now();
        if !answered() || asked.elapsed() <= LATE {
            return Ok(());
        }
        least = least.min(asked.elapsed());
    }
    let (least, late) = (least.as_millis(), LATE.as_millis());
    Err(format!("answers come late: after {least} ms at least, where {late} ms are due").into())
}

/// After a FIN of ours.
fn ends(mut stream: TcpStream) -> Result<()> {
    match io::copy(&mut stream, &mut io::sink()) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            let what = "a client's FIN is ignored: the connection is still open after";
            Err(format!("{what} {} s", DUE.as_secs_f64()).into())
        }
        Err(error) => Err(format!("a client's FIN is answered otherwise: {error}").into()),
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DUE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{here, own};

    #[test]
    fn nothing_is_wrong_with_the_example_of_ones_own() {
        let example = here().join("examples/echo.py");
        let own = own(&format!("python3 {} {{port}}", example.display())).expect("it has a port");
        let machine = Machine::take().expect("two cores or one");
        let found = check(&machine, &[own], &[Program::Echo]);
        assert_eq!(found.iter().flat_map(Findings::told).collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn the_readme_shows_the_example_as_it_is() {
        let read = |file| std::fs::read_to_string(here().join(file)).expect("it is there");
        let (example, readme) = (read("examples/echo.py"), read("README.md"));
        let (_, code) = example.split_once('\n').expect("a line that says what it is");
        assert!(readme.contains(&format!("```python\n{code}```")), "{code}");
    }
}
