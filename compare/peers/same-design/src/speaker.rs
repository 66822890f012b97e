//! Cuts what a client sends into lines, and says them.

use std::rc::Rc;

use crate::room::{Member, Room};
use crate::{Server, TURN};

/// Bytes that a client says in one line; what is longer becomes several.
const LINE: usize = 4 * 1024;

/// The input of a member.
pub struct Speaker {
    member: Rc<Member>,
    unfinished: Vec<u8>,
}

impl Speaker {
    pub fn new(member: Rc<Member>) -> Speaker {
        Speaker { member, unfinished: Vec::new() }
    }

    /// Says the lines of `input`, which goes on behind them. True when others have their turn before
    /// the rest. One that only listens says nothing.
    pub fn say(&mut self, server: &Server, input: &mut &[u8]) -> bool {
        if self.member.name.is_empty() {
            return false;
        }
        let mut room = server.room.borrow_mut();
        for _ in 0..TURN {
            let most = input.len().min(LINE - self.unfinished.len());
            let end = input[..most].iter().position(|&byte| byte == b'\n');
            let (part, rest) = input.split_at(end.unwrap_or(most));
            *input = rest.strip_prefix(b"\n").unwrap_or(rest);
            self.unfinished.extend_from_slice(part);
            if end.is_none() && self.unfinished.len() < LINE {
                return false;
            }
            self.finish(&mut room);
        }
        !input.is_empty()
    }

    /// Says what no LF ended, at the client's FIN.
    pub fn say_rest(&mut self, server: &Server) {
        self.finish(&mut server.room.borrow_mut());
    }

    fn finish(&mut self, room: &mut Room) {
        let line = std::mem::take(&mut self.unfinished);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if !line.is_empty() {
            room.publish(line, Some(&self.member));
        }
    }
}
