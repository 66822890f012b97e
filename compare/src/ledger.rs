//! What every client of a chat must hear, and what it heard instead: dropped, duplicated,
//! reordered and damaged lines. Knows nothing about sockets.

use std::collections::BTreeSet;

use crate::lines::number;

/// A gap longer than this is counted, not remembered line by line.
const LONGEST_GAP: u32 = 10_000;

/// A line's numbers take so many bytes at its front.
pub(crate) const HEAD: usize = 15;

/// Every line each client has heard of each speaker.
#[derive(Default)]
pub(crate) struct Ledger {
    speakers: usize,
    /// Number of the next line, by client and speaker.
    next: Vec<u32>,
    /// Lines passed over: client, speaker, number. They may still come, late.
    missing: BTreeSet<(u32, u32, u32)>,
    lost_in_long_gaps: u64,
    duplicated: u64,
    reordered: u64,
    damaged: u64,
    /// A line its own speaker heard, and should not.
    returned: u64,
    /// Speakers must hear their own lines, too.
    pub(crate) returns: bool,
    /// What each client heard, in order: speakers and numbers.
    order: Option<Vec<Vec<(usize, usize)>>>,
    /// Others speak too: what is no line of these speakers is theirs, and counts for nothing.
    pub(crate) strangers: bool,
    /// What stands behind the numbers, in every line.
    filler: Vec<u8>,
    /// What stands before the text of each speaker's lines.
    names: Vec<Option<Vec<u8>>>,
}

impl Ledger {
    /// Lines are of so many `bytes`, with their LF.
    pub(crate) fn new(clients: usize, speakers: usize, bytes: usize) -> Ledger {
        let filler = HEAD..bytes.saturating_sub(1);
        Ledger {
            speakers,
            next: vec![0; clients * speakers],
            filler: filler.map(|i| b'a' + (i % 26) as u8).collect(),
            names: vec![None; speakers],
            ..Ledger::default()
        }
    }

    /// Forgets what was heard, as long as none of these speakers has said anything.
    pub(crate) fn begin(&mut self) {
        let (clients, bytes) = (self.next.len() / self.speakers, HEAD + self.filler.len() + 1);
        *self = Ledger::new(clients, self.speakers, bytes);
    }

    /// From now on, all lines must come in one order to everybody.
    pub(crate) fn keep_order(&mut self) {
        self.order = Some(vec![Vec::new(); self.next.len() / self.speakers]);
    }

    /// Who heard two lines in another order than the one who heard most.
    pub(crate) fn disorder(&self) -> Option<String> {
        let all = self.order.iter().flatten().enumerate();
        let (witness, most) = all.clone().max_by_key(|(_, heard)| heard.len())?;
        let known: BTreeSet<_> = most.iter().collect();
        let mut others = all.filter(|(_, heard)| {
            let mut order = most.iter();
            !heard.iter().filter(|line| known.contains(line)).all(|it| order.any(|line| line == it))
        });
        others.next().map(|(client, _)| {
            format!("client {client} heard lines in another order than client {witness}")
        })
    }

    /// The line a speaker says, with its LF.
    pub(crate) fn line(&self, speaker: usize, number: usize) -> Vec<u8> {
        let mut line = format!("{speaker:05} {number:08} ").into_bytes();
        line.extend_from_slice(&self.filler);
        line.push(b'\n');
        line
    }

    /// Takes down what `client` heard, without line end, with or without the name before it.
    /// Returns speaker and number of a line that is whole and new.
    pub(crate) fn hear(&mut self, client: usize, line: &[u8]) -> Option<(usize, usize)> {
        // A name of up to 30 bytes, always the same; the text itself may hold "> ".
        let named = line.windows(2).take(32).position(|two| two == b"> ");
        let (name, text) = line.split_at(named.map_or(0, |end| end + 2));
        let read = self.read(text).filter(|(speaker, _)| {
            self.names[*speaker].get_or_insert_with(|| name.to_vec()) == name
        });
        let Some((speaker, number)) = read else {
            self.damaged += u64::from(!self.strangers);
            return None;
        };
        if client == speaker && !self.returns {
            self.returned += 1;
            return None;
        }
        let next = &mut self.next[client * self.speakers + speaker];
        let (whose, number) = ((client as u32, speaker as u32), number as u32);
        if number < *next {
            let late = self.missing.remove(&(whose.0, whose.1, number));
            *(if late { &mut self.reordered } else { &mut self.duplicated }) += 1;
            return late.then_some((speaker, number as usize));
        }
        if let Some(order) = &mut self.order {
            order[client].push((speaker, number as usize));
        }
        if number - *next > LONGEST_GAP {
            self.lost_in_long_gaps += u64::from(number - *next);
        } else {
            self.missing.extend((*next..number).map(|number| (whose.0, whose.1, number)));
        }
        *next = number + 1;
        Some((speaker, number as usize))
    }

    /// Lines passed over so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.missing.len() as u64 + self.lost_in_long_gaps
    }

    /// Whether no line was anything but dropped.
    pub(crate) fn is_in_order(&self) -> bool {
        self.duplicated + self.reordered + self.damaged + self.returned == 0
    }

    /// What makes the run invalid, in words.
    pub(crate) fn faults(&self) -> Option<String> {
        let faults = [
            (self.dropped(), "dropped"),
            (self.duplicated, "duplicated"),
            (self.reordered, "reordered"),
            (self.damaged, "damaged"),
            (self.returned, "returned to their speaker"),
        ];
        let faults = faults.iter().filter(|(count, _)| *count > 0);
        let faults: Vec<_> = faults.map(|(count, what)| format!("{count} {what}")).collect();
        (!faults.is_empty()).then(|| format!("lines: {}", faults.join(", ")))
    }

    fn read(&self, text: &[u8]) -> Option<(usize, usize)> {
        let (head, filler) = text.split_at_checked(HEAD)?;
        let whole = filler == self.filler && head[5] == b' ' && head[14] == b' ';
        let (speaker, line) = (number(&head[..5])? as usize, number(&head[6..14])? as usize);
        (whole && speaker < self.speakers).then_some((speaker, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(numbers: &[usize]) -> Option<String> {
        let mut ledger = Ledger::new(2, 2, 56);
        for &number in numbers {
            let line = ledger.line(0, number);
            ledger
                .hear(1, format!("<guest1> {}", String::from_utf8_lossy(&line).trim()).as_bytes());
        }
        ledger.faults()
    }

    #[test]
    fn each_fault_has_its_name() {
        assert_eq!(heard(&[0, 1, 2, 3]), None);
        assert_eq!(heard(&[0, 1, 3]).as_deref(), Some("lines: 1 dropped"));
        assert_eq!(heard(&[0, 1, 1, 2]).as_deref(), Some("lines: 1 duplicated"));
        assert_eq!(heard(&[0, 2, 1, 3]).as_deref(), Some("lines: 1 reordered"));
        assert_eq!(heard(&[0, 90_000]).as_deref(), Some("lines: 89999 dropped"));
    }

    #[test]
    fn damage_and_an_echo_of_ones_own_are_found() {
        let mut ledger = Ledger::new(2, 2, 56);
        let mut line = ledger.line(0, 0);
        line.pop();
        line[40] ^= 1;
        assert_eq!(ledger.hear(1, &line), None);
        line[40] ^= 1;
        assert_eq!(ledger.hear(1, &line[..50]), None);
        assert_eq!(ledger.hear(0, &line), None);
        let faults = "lines: 2 damaged, 1 returned to their speaker";
        assert_eq!(ledger.faults().as_deref(), Some(faults));
        assert_eq!(ledger.hear(1, &line), Some((0, 0)));
    }

    #[test]
    fn another_order_than_of_who_heard_most_is_found_between_speakers_too() {
        let mut ledger = Ledger::new(4, 2, 56);
        ledger.keep_order();
        let mut hear = |client: usize, lines: &[(usize, usize)]| {
            for &(speaker, number) in lines {
                let line = ledger.line(speaker, number);
                ledger.hear(client, line.trim_ascii_end());
            }
            ledger.disorder()
        };
        assert_eq!(hear(3, &[(0, 0), (1, 0), (0, 1), (1, 1)]), None);
        // A speaker does not hear itself, and who missed lines has the others in order.
        assert_eq!(hear(0, &[(1, 0), (1, 1)]), None);
        let found = hear(2, &[(1, 0), (0, 0), (0, 1)]).expect("another order");
        assert_eq!(found, "client 2 heard lines in another order than client 3");
    }

    #[test]
    fn ones_own_lines_are_checked_like_all_others_where_they_return() {
        let mut ledger = Ledger::new(2, 2, 56);
        ledger.returns = true;
        let own = [0, 2].map(|number| ledger.line(0, number).trim_ascii_end().to_vec());
        assert_eq!(ledger.hear(0, &own[0]), Some((0, 0)));
        assert_eq!(ledger.faults(), None);
        ledger.hear(0, &own[0]);
        ledger.hear(0, &own[1]);
        assert_eq!(ledger.faults().as_deref(), Some("lines: 1 dropped, 1 duplicated"));
    }
}
