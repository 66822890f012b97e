//! Whether the first bytes of a connection are those of another protocol. No I/O.
//!
//! Browsers, scanners and misdirected clients would otherwise talk into the chat.

/// How clients of other protocols begin: HTTP (RFC 9112), SSH (RFC 4253 4.2), TLS (RFC 8446
/// 5.1). More than the first word, so that a person may begin with that.
const PROTOCOLS: [&[u8]; 11] = [
    b"GET /",
    b"GET http",
    b"POST /",
    b"HEAD /",
    b"PUT /",
    b"DELETE /",
    b"OPTIONS ",
    b"CONNECT ",
    b"PRI * ",
    b"SSH-",
    b"\x16\x03",
];

/// Compares a connection's first bytes with [`PROTOCOLS`] until none begins with them.
#[derive(Debug, Default)]
pub(crate) struct Sniffer {
    /// Which of them is the first that begins with the bytes so far.
    protocol: u8,
    /// How many bytes these are.
    len: u8,
    /// Set once the bytes cannot be another protocol's any more.
    decided: bool,
}

impl Sniffer {
    /// True once the bytes so far are another protocol's; they may come in any number of pieces.
    pub(crate) fn is_foreign(&mut self, bytes: &[u8]) -> bool {
        if self.decided {
            return false;
        }
        for byte in bytes {
            let len = usize::from(self.len);
            let seen = &PROTOCOLS[usize::from(self.protocol)][..len];
            let goes_on = |it: &&[u8]| it.starts_with(seen) && it.get(len) == Some(byte);
            let Some(protocol) = PROTOCOLS.iter().position(goes_on) else {
                self.decided = true;
                return false;
            };
            (self.protocol, self.len) = (protocol as u8, self.len + 1);
            if PROTOCOLS[protocol].len() == len + 1 {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_protocol_is_known_at_any_split() {
        let hello = b"\x16\x03\x01\x02\x00";
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"POST /x", b"SSH-2.0-x", hello, b"OPTIONS * "] {
            assert!(Sniffer::default().is_foreign(bytes), "{bytes:?}");
            let mut sniffer = Sniffer::default();
            assert!(bytes.chunks(1).any(|byte| sniffer.is_foreign(byte)), "{bytes:?}");
        }
    }

    #[test]
    fn people_are_not_taken_for_another_protocol() {
        for bytes in
            [&b"GET lost\n"[..], b"hi\nGET / HTTP/1.1\n", b"SSH is nice", b"\x16x", b"\xff\xfb\x1f"]
        {
            let mut sniffer = Sniffer::default();
            assert!(!bytes.chunks(1).any(|byte| sniffer.is_foreign(byte)), "{bytes:?}");
            assert!(!Sniffer::default().is_foreign(bytes), "{bytes:?}");
        }
    }
}
