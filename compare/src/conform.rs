//! Whether a peer speaks the protocol: asked before anything is timed. A blocking client with a
//! read timeout.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Result;
use crate::load::time::seconds;
use crate::machine::Machine;
use crate::peers::Peer;
use crate::server::Server;
use crate::workload::Program;

/// Time in which what is due must come.
const DUE: Duration = Duration::from_millis(2500);

/// Time in which nothing must come.
const SILENCE: Duration = Duration::from_millis(150);

/// Checks everybody at once, since nothing is timed: returns who failed in what, and why.
pub(crate) fn check(machine: &Machine, peers: &[Peer]) -> Vec<(Peer, Program, String)> {
    std::thread::scope(|scope| {
        let checks: Vec<_> = peers
            .iter()
            .flat_map(|peer| Program::ALL.map(|program| (*peer, program)))
            .filter(|(peer, program)| peer.speaks_ours() || *program == Program::Chat)
            .map(|(peer, program)| {
                let check = move || one(machine, &peer, program).map_err(|why| why.to_string());
                (peer, program, scope.spawn(check))
            })
            .collect();
        let failed = checks.into_iter().filter_map(|(peer, program, check)| {
            let done = check.join().unwrap_or_else(|_| Err("the check panicked".into()));
            done.err().map(|why| (peer, program, why))
        });
        failed.collect()
    })
}

fn one(machine: &Machine, peer: &Peer, program: Program) -> Result<()> {
    let server = Server::start(machine, peer, program)?;
    match program {
        Program::Echo => echo(server.address),
        Program::Time => time(server.address),
        Program::Chat => chat(server.address, peer.speaks_ours()),
    }
}

fn echo(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DUE))?;
    let sent: Vec<u8> = (0..100_000_u32).map(|n| (n * n / 7) as u8).collect();
    let mut back = vec![0; sent.len()];
    for (sent, back) in sent.chunks(7001).zip(back.chunks_mut(7001)) {
        stream.write_all(sent)?;
        stream.read_exact(back).map_err(|error| format!("echo: not all came back: {error}"))?;
    }
    if back != sent {
        return Err("echo: other bytes came back".into());
    }
    stream.shutdown(Shutdown::Write)?;
    match stream.read(&mut [0]) {
        Ok(0) => Ok(()),
        _ => Err("echo: the end of input is not answered with the end of output".into()),
    }
}

fn time(address: SocketAddr) -> Result<()> {
    let connected = Instant::now();
    let mut client = Client::connect(address)?;
    let first = client.line()?;
    if connected.elapsed() > Duration::from_millis(500) {
        return Err("time: the first line does not come at once".into());
    }
    let second = client.line()?;
    for line in [&first, &second] {
        let text = line.strip_suffix("\r\n").ok_or("time: a line does not end in CR LF")?;
        seconds(text.as_bytes()).ok_or_else(|| format!("time: not RFC 3339: {text:?}"))?;
    }
    Ok(())
}

fn chat(address: SocketAddr, ours: bool) -> Result<()> {
    let mut guests =
        [Client::connect(address)?, Client::connect(address)?, Client::connect(address)?];
    if ours {
        let mut names = Vec::new();
        for guest in &mut guests {
            let line = guest.line()?;
            let name = line.strip_prefix("*** welcome, you are guest");
            let name = name.ok_or_else(|| format!("chat: no welcome but {line:?}"))?;
            let digits = name.find(|byte: char| !byte.is_ascii_digit()).unwrap_or(name.len());
            names.push(format!("<guest{}> ", &name[..digits]));
        }
        if names[0] == names[1] || names[1] == names[2] || names[0] == names[2] {
            return Err("chat: two guests have one name".into());
        }
        guests.iter_mut().zip(&names).for_each(|(guest, name)| guest.name.clone_from(name));
    } else {
        std::thread::sleep(SILENCE * 2);
    }
    let [one, two, three] = &mut guests;
    one.say(b"hello\r\n")?;
    hears(two, one, "hello", ours)?;
    hears(three, one, "hello", ours)?;
    // A line in pieces is one line, two lines in one piece are two. ncat relays pieces.
    let pieces: [&[u8]; 2] =
        if ours { [b"in pie", b"ces\nand more\n"] } else { [b"in pieces\n", b"and more\n"] };
    two.say(pieces[0])?;
    std::thread::sleep(SILENCE / 3);
    two.say(pieces[1])?;
    for text in ["in pieces", "and more"] {
        hears(one, two, text, ours)?;
        hears(three, two, text, ours)?;
    }
    if let Some(line) = two.silence()? {
        return Err(format!("chat: a guest heard {line:?}, its own line perhaps").into());
    }
    let [one, two, three] = guests;
    drop(one);
    let mut three = three;
    two.say(b"still here\n")?;
    hears(&mut three, &two, "still here", ours)?;
    // What is said last is not lost, even in a pause.
    two.say(b"goodbye\n")?;
    two.reader.get_ref().shutdown(Shutdown::Write)?;
    hears(&mut three, &two, "goodbye", ours)
}

fn hears(client: &mut Client, speaker: &Client, text: &str, ours: bool) -> Result<()> {
    let line = client.said()?;
    let due = format!("{}{text}\r\n", speaker.name);
    let heard = if ours { line == due } else { line.trim_end().ends_with(text) };
    if heard { Ok(()) } else { Err(format!("chat: {line:?} was heard, {due:?} was said").into()) }
}

struct Client {
    reader: BufReader<TcpStream>,
    /// What stands before the lines it says.
    name: String,
}

impl Client {
    fn connect(address: SocketAddr) -> Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DUE))?;
        stream.set_nodelay(true)?;
        Ok(Client { reader: BufReader::new(stream), name: String::new() })
    }

    fn say(&self, bytes: &[u8]) -> Result<()> {
        let mut stream = self.reader.get_ref();
        Ok(stream.write_all(bytes)?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => Err("the connection was closed".into()),
            Ok(_) => Ok(line),
            Err(_) => Err("a line that was due did not come".into()),
        }
    }

    /// The next line that is no notice.
    fn said(&mut self) -> Result<String> {
        loop {
            let line = self.line()?;
            if !line.starts_with("*** ") && !line.starts_with("<announce>") {
                return Ok(line);
            }
        }
    }

    /// Nothing, or the line that came nevertheless.
    fn silence(&mut self) -> Result<Option<String>> {
        self.reader.get_ref().set_read_timeout(Some(SILENCE))?;
        let said = self.said().ok();
        self.reader.get_ref().set_read_timeout(Some(DUE))?;
        Ok(said)
    }
}
