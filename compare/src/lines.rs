//! Bytes of many clients, cut into lines.

use crate::Result;

/// The unfinished line of each client.
#[derive(Default)]
pub(crate) struct Lines(Vec<Vec<u8>>);

impl Lines {
    /// Hands every line that `bytes` finish to `take`, without its CR LF or LF.
    pub(crate) fn feed(
        &mut self,
        client: usize,
        mut bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if self.0.len() <= client {
            self.0.resize(client + 1, Vec::new());
        }
        let begun = &mut self.0[client];
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            if begun.is_empty() {
                take(without_end(line))?;
            } else {
                begun.extend_from_slice(line);
                take(without_end(begun))?;
                begun.clear();
            }
        }
        begun.extend_from_slice(bytes);
        Ok(())
    }
}

/// Of digits and nothing else.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    digits
        .iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

/// That a text begins with, before a space.
pub(crate) fn count(text: &[u8]) -> Option<u64> {
    text.split(|byte| *byte == b' ').next().and_then(number)
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
