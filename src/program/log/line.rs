//! An event of the log as one line, in each form, with whatever a peer had a hand in escaped.
//! No I/O.

use ::log::kv::{self, Key, Source, Value, VisitSource};
use ::log::{Level, Record};

use crate::moment::Moment;

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::program) enum Format {
    /// `2026-11-21T08:30:00.123Z chat: closed peer=127.0.0.1:4242 reason=left …`.
    Text,
    /// The same without the time: systemd's journal has its own.
    Journal,
    /// One JSON object with `time`, `level`, `server`, `message` and the event's own keys.
    Json,
}

/// The line of an event, with the number of lines lost before it.
pub(super) fn line(format: Format, program: &str, record: &Record<'_>, lost: usize) -> String {
    let message = record.args().to_string();
    let now = Moment::now().rfc_3339();
    let text = if format == Format::Json {
        let level = record.level().as_str().to_ascii_lowercase();
        let (program, message) = (json(program), json(&message));
        format!(r#"{{"time":"{now}","level":"{level}","server":{program},"message":{message}"#)
    } else {
        let time = if format == Format::Journal { String::new() } else { now + " " };
        let level = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            _ => "",
        };
        format!("{time}{program}: {level}{}", escaped(&message))
    };
    let mut line = Line { format, text };
    let _infallible = record.key_values().visit(&mut line);
    if lost > 0 {
        let _infallible = ("log_lines_lost", lost).visit(&mut line);
    }
    line.text + if format == Format::Json { "}\n" } else { "\n" }
}

/// The line so far: visiting a key and its value appends them.
struct Line {
    format: Format,
    text: String,
}

impl<'kvs> VisitSource<'kvs> for Line {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let text = value.to_string();
        if self.format == Format::Json {
            let is_number = value.to_u64().is_some() || value.to_f64().is_some();
            let value = if is_number { text } else { json(&text) };
            self.text += &format!(",{}:{value}", json(key.as_str()));
        } else {
            let is_plain = !text.is_empty() && !text.contains([' ', '"', '=']);
            let quote = if is_plain { "" } else { "\"" };
            self.text += &format!(" {key}={quote}{}{quote}", escaped(&text.replace('"', "'")));
        }
        Ok(())
    }
}

/// Text without line ends and control characters, which stand escaped: a peer may have written it.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_control() || c == '\u{2028}' || c == '\u{2029}' {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A JSON string (RFC 8259 section 7).
fn json(text: &str) -> String {
    let mut string = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => string.extend(['\\', c]),
            c if c.is_control() => string += &format!("\\u{:04x}", u32::from(c)),
            c => string.push(c),
        }
    }
    string + "\""
}
