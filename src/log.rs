//! The programs' log: standard error, one line an event, written so that it never blocks and
//! never ends a server.
//!
//! A line is one write of at most [`LINE_BYTES`], made only when the sink says that it can take
//! it (a pipe then takes that much at once, see pipe(7)); otherwise the line is lost, counted,
//! and the count stands in the next line that is written.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use log::kv::{self, Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Bytes of one line, at most: what a pipe takes in one piece (PIPE_BUF on Linux).
pub const LINE_BYTES: usize = 4096;

/// Target of the lines that somebody asked for; being quiet does not keep them back.
pub const ASKED_FOR: &str = "asked for";

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `chat: closed peer=127.0.0.1:4242 reason=left …`
    #[default]
    Text,
    /// One JSON object with `time`, `level`, `server`, `message` and the event's own keys.
    Json,
}

/// Makes standard error the log of this process, and a panic one line of it. Only the first
/// call of a process has an effect.
pub fn start(program: &'static str, format: Format, quiet: bool) {
    let logger = Logger { program, format, quiet, lost: AtomicU64::new(0) };
    if log::set_logger(Box::leak(Box::new(logger))).is_ok() {
        log::set_max_level(LevelFilter::Info);
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            let payload = panic.payload();
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("panic");
            log::error!(place = place.as_str(); "defect: {text}");
        }));
    }
}

struct Logger {
    program: &'static str,
    format: Format,
    quiet: bool,
    /// Lines lost since the last one written.
    lost: AtomicU64,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn || !self.quiet || metadata.target() == ASKED_FOR
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let line = match self.format {
            Format::Text => text(self.program, record, lost),
            Format::Json => json(self.program, record, lost, Timestamp::now()),
        };
        if !write(&line) {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

/// False when the line is too long, or the sink cannot take all of it now.
fn write(line: &str) -> bool {
    if line.len() > LINE_BYTES {
        return false;
    }
    let stderr = rustix::stdio::stderr();
    let mut sink = [PollFd::new(&stderr, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready = poll(&mut sink, Some(&now)).is_ok_and(|n| n == 1)
        && sink[0].revents().contains(PollFlags::OUT);
    ready && rustix::io::write(stderr, line.as_bytes()).is_ok_and(|n| n == line.len())
}

fn text(program: &str, record: &Record<'_>, lost: u64) -> String {
    let mut line = format!("{program}: ");
    if record.level() <= Level::Warn {
        line += if record.level() == Level::Error { "error: " } else { "warning: " };
    }
    push_escaped(&mut line, &record.args().to_string());
    let mut pair = |key: &str, value: &str| {
        let plain = !value.is_empty() && !value.contains([' ', '"', '=']);
        let _infallible = write!(line, " {key}=");
        if plain {
            push_escaped(&mut line, value);
        } else {
            line.push('"');
            push_escaped(&mut line, &value.replace('"', "'"));
            line.push('"');
        }
    };
    let _infallible = record.key_values().visit(&mut Pairs(&mut |key, value| {
        pair(key, &value.to_string());
    }));
    if lost > 0 {
        pair("log_lines_lost", &lost.to_string());
    }
    line + "\n"
}

fn json(program: &str, record: &Record<'_>, lost: u64, now: Timestamp) -> String {
    let mut line = String::from("{");
    let mut pair = |key: &str, value: &str, is_number: bool| {
        if line.len() > 1 {
            line.push(',');
        }
        push_json(&mut line, key);
        line.push(':');
        if is_number {
            line.push_str(value);
        } else {
            push_json(&mut line, value);
        }
    };
    pair("time", &format!("{now:.3}"), false);
    pair("level", &record.level().as_str().to_lowercase(), false);
    pair("server", program, false);
    pair("message", &record.args().to_string(), false);
    let _infallible = record.key_values().visit(&mut Pairs(&mut |key, value| {
        let is_number = value.to_u64().is_some() || value.to_f64().is_some();
        pair(key, &value.to_string(), is_number);
    }));
    if lost > 0 {
        pair("log_lines_lost", &lost.to_string(), true);
    }
    line + "}\n"
}

/// Appends text as it can stand within one line of a terminal: a peer may have a hand in it.
fn push_escaped(line: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() || c == '\u{2028}' || c == '\u{2029}' {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

/// Appends a JSON string (RFC 8259 section 7).
fn push_json(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if c.is_control() => {
                let _infallible = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line.push('"');
}

struct Pairs<'a>(&'a mut dyn FnMut(&str, &Value<'_>));

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        (self.0)(key.as_str(), &value);
        Ok(())
    }
}
