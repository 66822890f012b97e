//! Chat: guests with names, and lines that go to all others. Each check has three guests.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::{Check, connect, ends, in_time};
use crate::Result;

/// The first is what the others need.
pub(super) const CHECKS: [Check; 4] = [passes_on, says_nothing_back, goes_on, in_good_time];

/// Time in which nothing must come.
const SILENCE: Duration = Duration::from_millis(150);

fn passes_on(address: SocketAddr) -> Result<()> {
    let mut guests = guests(address)?;
    guests[0].say(b"hello\r\n")?;
    others_hear(&mut guests, 0, "hello")?;
    // A line in pieces is one line, two lines in one piece are two.
    guests[0].say(b"in pie")?;
    std::thread::sleep(SILENCE / 3);
    guests[0].say(b"ces\nand more\n\r\n\nafter empty ones\n")?;
    let said = ["in pieces", "and more", "after empty ones"];
    said.iter().try_for_each(|text| others_hear(&mut guests, 0, text))
}

fn says_nothing_back(address: SocketAddr) -> Result<()> {
    let mut guests = guests(address)?;
    guests[1].say(b"to the others\n")?;
    others_hear(&mut guests, 1, "to the others")?;
    guests[1].hears_nothing()
}

/// Without who left. What is said last is not lost, even in a pause.
fn goes_on(address: SocketAddr) -> Result<()> {
    let [one, two, mut three] = guests(address)?;
    drop(one);
    two.say(b"still here\n")?;
    three.hears(&two.name, "still here")?;
    two.say(b"goodbye\n")?;
    two.reader.get_ref().shutdown(Shutdown::Write)?;
    three.hears(&two.name, "goodbye")?;
    ends(two.reader.into_inner())
}

fn in_good_time(address: SocketAddr) -> Result<()> {
    let [one, mut two, _three] = guests(address)?;
    in_time(|| one.say(b"now\n").is_ok() && two.hears(&one.name, "now").is_ok())
}

/// One after the other, who have been welcomed.
fn guests(address: SocketAddr) -> Result<[Client; 3]> {
    let guests = [Client::join(address)?, Client::join(address)?, Client::join(address)?];
    let [one, two, three] = &guests;
    if one.name == two.name || two.name == three.name || one.name == three.name {
        return Err("two guests have one name".into());
    }
    Ok(guests)
}

fn others_hear(guests: &mut [Client; 3], speaker: usize, text: &str) -> Result<()> {
    let name = guests[speaker].name.clone();
    let mut others = guests.iter_mut().enumerate().filter(|(guest, _)| *guest != speaker);
    others.try_for_each(|(_, guest)| guest.hears(&name, text))
}

/// Reads lines.
pub(super) struct Client {
    reader: BufReader<TcpStream>,
    /// What stands before the lines it says.
    name: String,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Result<Client> {
        Ok(Client { reader: BufReader::new(connect(address)?), name: String::new() })
    }

    /// As a guest, who is called what the welcome says.
    fn join(address: SocketAddr) -> Result<Client> {
        let mut guest = Client::connect(address)?;
        let line = guest.line().map_err(|why| format!("no welcome: {why}"))?;
        let name = line.strip_prefix("*** welcome, you are guest");
        let name = name.ok_or_else(|| format!("no welcome but {line:?}"))?;
        let digits = name.find(|byte: char| !byte.is_ascii_digit()).unwrap_or(name.len());
        guest.name = format!("<guest{}> ", &name[..digits]);
        Ok(guest)
    }

    fn say(&self, bytes: &[u8]) -> Result<()> {
        Ok(self.reader.get_ref().write_all(bytes)?)
    }

    fn hears(&mut self, speaker: &str, text: &str) -> Result<()> {
        let due = format!("{speaker}{text}\r\n");
        let line = self.said().map_err(|why| format!("{due:?} was not heard: {why}"))?;
        match line == due {
            true => Ok(()),
            false => Err(format!("{line:?} was heard, {due:?} was said").into()),
        }
    }

    fn hears_nothing(&mut self) -> Result<()> {
        self.reader.get_ref().set_read_timeout(Some(SILENCE))?;
        match self.said() {
            Ok(line) => Err(format!("a guest heard {line:?}, its own line perhaps").into()),
            Err(_) => Ok(()),
        }
    }

    /// The next line that is no notice.
    fn said(&mut self) -> Result<String> {
        loop {
            let line = self.line()?;
            if !line.starts_with("*** ") {
                return Ok(line);
            }
        }
    }

    pub(super) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => Err("the connection was closed".into()),
            Ok(_) => Ok(line),
            Err(_) => Err("a line that was due did not come".into()),
        }
    }
}
