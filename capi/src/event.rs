//! What happened in the chat, in the layout of smolchat.h.

use std::ffi::{c_char, c_int};

use smol_servers::Event;

/// `SMOLCHAT_NAME_SIZE`: 16 characters of 4 bytes, and the NUL.
const NAME_SIZE: usize = 65;

/// `SMOLCHAT_TEXT_SIZE`: 1,000 bytes, each of which may become U+FFFD, and the NUL.
const TEXT_SIZE: usize = 3001;

/// `struct smolchat_event`; each text ends in a NUL.
#[repr(C)]
pub struct CEvent {
    kind: c_int,
    missed: u64,
    name: [c_char; NAME_SIZE],
    text: [c_char; TEXT_SIZE],
}

impl CEvent {
    /// `None` for an event of a kind that smolchat.h does not have.
    pub(crate) fn new(event: &Event) -> Option<CEvent> {
        let event = match event {
            Event::Said { name, text } => CEvent::of(1, 0, name, text),
            Event::Joined { name } => CEvent::of(2, 0, name, "joined"),
            Event::Left { name, reason } => CEvent::of(3, 0, name, &reason.to_string()),
            Event::Missed(missed) => CEvent::of(4, *missed, "", "events missed"),
            _ => return None,
        };
        Some(event)
    }

    fn of(kind: c_int, missed: u64, name: &str, text: &str) -> CEvent {
        CEvent { kind, missed, name: copy(name), text: copy(text) }
    }
}

/// As much of a text as fits before the NUL; only whole characters.
fn copy<const SIZE: usize>(text: &str) -> [c_char; SIZE] {
    let mut copy = [0; SIZE];
    let fits = (0..SIZE.min(text.len() + 1)).rev().find(|&at| text.is_char_boundary(at));
    for (to, from) in copy.iter_mut().zip(text.bytes().take(fits.unwrap_or(0))) {
        *to = from as c_char;
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied<const SIZE: usize>(text: &str) -> String {
        let bytes = copy::<SIZE>(text).map(|byte| byte as u8);
        let text = std::ffi::CStr::from_bytes_until_nul(&bytes).expect("a NUL");
        text.to_str().expect("UTF-8").to_owned()
    }

    #[test]
    fn a_text_that_is_too_long_ends_between_characters_and_with_a_nul() {
        assert_eq!(copied::<4>("abc"), "abc");
        assert_eq!(copied::<4>("abcd"), "abc");
        assert_eq!(copied::<4>("abä"), "ab");
        assert_eq!(copied::<1>("a"), "");
    }
}
