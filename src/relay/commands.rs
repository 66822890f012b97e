//! The commands to the engine, and what their replies mean. No I/O.

use super::entry::{Entry, Id};
use super::resp::{Reply, command};
use super::servers::Beat;

/// Entries that the log keeps, at least; a restarted server and one that was cut off read them.
const LOG_ENTRIES: &[u8] = b"10000";

/// Entries that are read at once, at most: with lines of 4 KiB well below what one reply may have.
pub(crate) const BATCH: usize = 128;

/// Milliseconds that a read waits for the next entry before it is asked again, so that an engine
/// that hangs is noticed.
const BLOCK: &[u8] = b"500";

/// Seconds for which the engine keeps who is there, once the last server is gone.
const KEEP_SERVERS: &[u8] = b"7200";

/// Milliseconds for which a chosen name is kept unless that is renewed.
const KEEP_NAME: &[u8] = b"60000";

/// Commands that are sent together; each has its reply.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    bytes: Vec<u8>,
    count: usize,
}

impl Commands {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn add(&mut self, parts: &[&[u8]]) {
        command(&mut self.bytes, parts);
        self.count += 1;
    }
}

/// The names of what the engine keeps for one room.
#[derive(Debug)]
pub(crate) struct Keys {
    log: String,
    servers: String,
    guests: String,
    name: String,
}

impl Keys {
    pub(crate) fn new(room: &str) -> Keys {
        let log = format!("room:{room}");
        let below = |what| format!("{log}:{what}");
        Keys { servers: below("servers"), guests: below("guests"), name: below("name:"), log }
    }

    /// Writes an entry; replied to with its place.
    pub(crate) fn write(&self, commands: &mut Commands, entry: &Entry) {
        let fields = entry.fields();
        let mut parts: Vec<&[u8]> =
            vec![b"XADD", self.log.as_bytes(), b"MAXLEN", b"~", LOG_ENTRIES, b"*"];
        parts.extend(fields.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
        commands.add(&parts);
    }

    /// Reads what stands behind `after`, now or when it comes.
    pub(crate) fn read(&self, commands: &mut Commands, after: Id, waits: bool) {
        let (count, after) = (BATCH.to_string(), after.to_string());
        let mut parts: Vec<&[u8]> = vec![b"XREAD", b"COUNT", count.as_bytes()];
        if waits {
            parts.extend([b"BLOCK", BLOCK]);
        }
        parts.extend([b"STREAMS", self.log.as_bytes(), after.as_bytes()]);
        commands.add(&parts);
    }

    /// The newest entries, at most so many up to `end`; without it the last of all.
    pub(crate) fn read_back(&self, commands: &mut Commands, end: Option<Id>, count: usize) {
        let end = end.map_or("+".to_owned(), |id| id.to_string());
        let count = count.to_string();
        let log = self.log.as_bytes();
        commands.add(&[b"XREVRANGE", log, end.as_bytes(), b"-", b"COUNT", count.as_bytes()]);
    }

    /// Takes letters that no server has; replied to with 1 if they were free.
    pub(crate) fn claim_letters(&self, commands: &mut Commands, letters: &str, beat: &Beat) {
        let servers = self.servers.as_bytes();
        commands.add(&[b"HSETNX", servers, letters.as_bytes(), beat.write().as_bytes()]);
    }

    /// Says that this server is there; replied to with 1 if the engine did not know it.
    pub(crate) fn beat(&self, commands: &mut Commands, letters: &str, beat: &Beat) {
        let servers = self.servers.as_bytes();
        commands.add(&[b"HSET", servers, letters.as_bytes(), beat.write().as_bytes()]);
    }

    /// Keeps what the servers say of themselves for a further time.
    pub(crate) fn keep_servers(&self, commands: &mut Commands) {
        commands.add(&[b"EXPIRE", self.servers.as_bytes(), KEEP_SERVERS]);
    }

    /// What all servers say of themselves.
    pub(crate) fn servers(&self, commands: &mut Commands) {
        commands.add(&[b"HGETALL", self.servers.as_bytes()]);
    }

    pub(crate) fn free_letters(&self, commands: &mut Commands, letters: &str) {
        commands.add(&[b"HDEL", self.servers.as_bytes(), letters.as_bytes()]);
    }

    /// Takes the next numbers of guests; replied to with the last of them.
    pub(crate) fn guest_numbers(&self, commands: &mut Commands, count: u64) {
        commands.add(&[b"INCRBY", self.guests.as_bytes(), count.to_string().as_bytes()]);
    }

    /// Takes a chosen name; replied to with `OK` if it was free.
    pub(crate) fn claim_name(&self, commands: &mut Commands, name: &str, server: &str) {
        let key = format!("{}{name}", self.name);
        let value = server.as_bytes();
        commands.add(&[b"SET", key.as_bytes(), value, b"NX", b"PX", KEEP_NAME]);
    }

    /// Keeps a chosen name for a further time, also if the engine has forgotten it. It stays that of
    /// another server where this one was cut off for longer than it is kept.
    pub(crate) fn renew_name(&self, commands: &mut Commands, name: &str, server: &str) {
        self.claim_name(commands, name, server);
        let key = format!("{}{name}", self.name);
        commands.add(&[b"PEXPIRE", key.as_bytes(), KEEP_NAME]);
    }

    pub(crate) fn free_name(&self, commands: &mut Commands, name: &str) {
        commands.add(&[b"DEL", format!("{}{name}", self.name).as_bytes()]);
    }
}

/// Entries of the log with their places; those that no chat server wrote are `None`.
pub(crate) type Entries = Vec<(Id, Option<Entry>)>;

/// What a [read](Keys::read) gave: nothing if none came in time. `None` for no such reply.
pub(crate) fn read_entries(reply: &Reply) -> Option<Entries> {
    match reply {
        Reply::Nil => Some(Vec::new()),
        Reply::Array(logs) => {
            let [Reply::Array(log)] = logs.as_slice() else { return None };
            let [_, entries] = log.as_slice() else { return None };
            entries_of(entries)
        }
        _ => None,
    }
}

/// What a [read back](Keys::read_back) gave, the newest first.
pub(crate) fn entries_of(reply: &Reply) -> Option<Entries> {
    let Reply::Array(entries) = reply else { return None };
    entries.iter().map(Entry::read).collect()
}

/// The number that a command was replied to with.
pub(crate) fn integer_of(reply: &Reply) -> Option<i64> {
    match reply {
        Reply::Integer(number) => Some(*number),
        _ => None,
    }
}

/// What [the servers](Keys::servers) say of themselves, by their letters. What no chat server wrote
/// is left out.
pub(crate) fn beats_of(reply: &Reply) -> Option<Vec<(String, Beat)>> {
    let Reply::Array(parts) = reply else { return None };
    let pairs = parts.chunks_exact(2).filter_map(|pair| match pair {
        [Reply::Bulk(letters), Reply::Bulk(beat)] => {
            let letters = std::str::from_utf8(letters).ok()?;
            let are_letters = letters.bytes().all(|byte| byte.is_ascii_lowercase());
            let is_short = (1..=2).contains(&letters.len());
            (are_letters && is_short).then_some((letters.to_owned(), Beat::read(beat)?))
        }
        _ => None,
    });
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::entry::{Event, Origin};

    fn bulk(text: &str) -> Reply {
        Reply::Bulk(text.into())
    }

    #[test]
    fn an_entry_is_written_behind_the_last_and_the_log_is_bounded() {
        let event = Event::Joined { name: "ann".into() };
        let entry = Entry { origin: Origin(1), said: 2, here: 3, event };
        let mut commands = Commands::default();
        Keys::new("lobby").write(&mut commands, &entry);
        let words = String::from_utf8_lossy(commands.bytes()).into_owned();
        let words: Vec<&str> = words.split("\r\n").skip(2).step_by(2).collect();
        let begins = ["XADD", "room:lobby", "MAXLEN", "~", "10000", "*"];
        let fields = ["origin", "0000000000000001", "sequence", "2", "here", "3"];
        let rest = ["kind", "joined", "name", "ann", "text", ""];
        assert_eq!(words, [&begins[..], &fields, &rest].concat());
        assert_eq!(commands.len(), 1);
    }

    #[test]
    fn a_read_that_finds_nothing_in_time_is_empty() {
        assert_eq!(read_entries(&Reply::Nil), Some(Vec::new()));
        let id = Reply::Array(vec![bulk("5-1"), Reply::Array(Vec::new())]);
        let log = Reply::Array(vec![bulk("room:lobby"), Reply::Array(vec![id])]);
        let place = Id { milliseconds: 5, number: 1 };
        assert_eq!(read_entries(&Reply::Array(vec![log])), Some(vec![(place, None)]));
        for foreign in [Reply::Integer(1), Reply::Array(Vec::new()), Reply::Simple("OK".into())] {
            assert_eq!(read_entries(&foreign), None);
        }
    }

    #[test]
    fn a_server_is_known_by_its_letters_alone() {
        let beat =
            Beat { origin: Origin(7), number: 1, earlier: 2, said: 2, here: 3, names: Vec::new() };
        let line = beat.write();
        let parts = ["a", &line, "B", &line, "abc", &line, "", &line, "zz", &line, "b", "x"];
        let reply = Reply::Array(parts.into_iter().map(bulk).collect());
        let known = [("a".to_owned(), beat.clone()), ("zz".to_owned(), beat)];
        assert_eq!(beats_of(&reply), Some(known.to_vec()));
    }
}
