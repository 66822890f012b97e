//! What a client with the line editor of our chat sends, and what of the bytes it reads is a line.
//! No I/O.

/// What PuTTY's telnet sends when it connects, and how it answers the question for its window: 80
/// columns, 24 rows, before it is asked. WILL NAWS, TSPEED, TTYPE and NEW-ENVIRON; DO ECHO; WILL and DO SGA; SB NAWS.
pub(crate) const AGREES: &[u8] = b"\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x18\xff\xfb\x27\
    \xff\xfd\x01\xff\xfb\x03\xff\xfd\x03\xff\xfa\x1f\0\x50\0\x18\xff\xf0";

/// The key as telnet clients send it that send each key at once.
pub(crate) const ENTER: &[u8] = b"\r\0";

const IAC: u8 = 255;
const ESCAPE: u8 = 0x1b;

/// A line of the talk, of all that came since the one before, without line end: the row in which
/// something is typed is gone by then, since a CR NUL and what erases it come before the line, and
/// answers of telnet are no text.
pub(crate) fn shown(bytes: &[u8]) -> &[u8] {
    let row = memchr::memrchr(b'\r', bytes).map_or(0, |cr| cr + 1);
    let mut line = &bytes[row..];
    loop {
        line = match line {
            [0, rest @ ..] | [IAC, _, _, rest @ ..] => rest,
            [ESCAPE, b'[', rest @ ..] => {
                let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte));
                end.map_or(&[], |end| &rest[end + 1..])
            }
            _ => return line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_row_nor_answers_of_telnet_are_a_part_of_a_line() {
        for (bytes, line) in [
            (&b"<guest1> hi"[..], &b"<guest1> hi"[..]),
            (b"\r\0\x1b[K<guest1> hi", b"<guest1> hi"),
            (b"half a li\r\0\x1b[K<guest1> hi", b"<guest1> hi"),
            (b"half\r\0half a\x1b7 li\x1b[K\x1b8\r\0\x1b[J<guest1> hi", b"<guest1> hi"),
            (b"\r\0\x1b[K\xff\xfd\0\xff\xfb\0\xff\xfc\0\x1b[?2004h<guest1> hi", b"<guest1> hi"),
            (b"\x1b[?2004hhalf\r\0\x1b[K*** guest1 left", b"*** guest1 left"),
            (b"\x1b[K", b""),
            (b"\x1b[", b""),
            (b"\xff\xfd", b"\xff\xfd"),
        ] {
            assert_eq!(shown(bytes).escape_ascii().to_string(), line.escape_ascii().to_string());
        }
    }

    #[test]
    fn a_row_that_is_not_erased_damages_the_line() {
        assert_eq!(shown(b"half a li<guest1> hi"), b"half a li<guest1> hi");
    }
}
