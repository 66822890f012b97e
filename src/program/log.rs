//! The programs' log: standard error, one line an event, written so that it never blocks and
//! never ends a server.
//!
//! A line is one write of at most [`LINE_BYTES`], made in a way that cannot wait, which depends on
//! what standard error is (`log/sink.rs`). A line that it does not take at once is lost, counted,
//! and the count stands in the next line that is written.

#[cfg(target_os = "linux")]
mod pipe;
mod sink;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ::log::kv::{self, Key, Value, VisitSource};
use ::log::{Level, LevelFilter, Log, Metadata, Record};
use jiff::Timestamp;

use sink::Sink;
pub(super) use sink::serving;

/// Bytes of one line, at most: what a pipe takes in one piece (PIPE_BUF on Linux).
const LINE_BYTES: usize = 4096;

/// Target of the lines that somebody asked for; being quiet does not keep them back.
pub(super) const ASKED_FOR: &str = "asked for";

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    /// `2026-11-21T08:30:00.123Z chat: closed peer=127.0.0.1:4242 reason=left …`; without the
    /// time in systemd's journal, which has its own.
    #[default]
    Text,
    /// One JSON object with `time`, `level`, `server`, `message` and the event's own keys.
    Json,
}

/// Makes standard error the log of this process, and a panic one line of it. For that, standard
/// error may be opened anew, and SIGXFSZ is caught. Only the first call of a process has an
/// effect.
pub(super) fn start(program: &'static str, format: Format, quiet: bool) {
    let (lost, torn) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (journal, sink) = (is_journal(), Sink::open());
    let falls_silent = sink.falls_silent();
    let logger = Logger { program, format, quiet, journal, sink, lost, torn };
    if ::log::set_logger(Box::leak(Box::new(logger))).is_ok() {
        ::log::set_max_level(LevelFilter::Info);
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            let payload = panic.payload();
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("panic");
            ::log::error!(place = place.as_str(); "defect: {text}");
        }));
        if falls_silent {
            ::log::warn!(
                "while clients are served nothing is logged here, where it could keep them waiting; 2>FILE logs to a file"
            );
        }
    }
}

struct Logger {
    program: &'static str,
    format: Format,
    quiet: bool,
    /// Standard error is systemd's journal.
    journal: bool,
    sink: Sink,
    /// Lines lost since the last one written.
    lost: AtomicUsize,
    /// Set when only a part of the last line was taken.
    torn: AtomicBool,
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
        let now = format!("{:.3}", Timestamp::now());
        let line = match self.format {
            Format::Text if self.journal => text(self.program, record, lost),
            Format::Text => now + " " + &text(self.program, record, lost),
            Format::Json => json(self.program, record, lost, &now),
        };
        if !self.write(&line) {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

impl Logger {
    /// False when the line is too long, or the sink cannot take all of it now.
    fn write(&self, line: &str) -> bool {
        let torn = self.torn.load(Ordering::Relaxed);
        if line.len() > LINE_BYTES || (torn && self.sink.write(b"\n").is_err()) {
            return false;
        }
        let written = self.sink.write(line.as_bytes()).unwrap_or(0);
        self.torn.store(written > 0 && written < line.len(), Ordering::Relaxed);
        written == line.len()
    }
}

/// As systemd says it to what it starts: systemd.exec(5), under `$JOURNAL_STREAM`.
fn is_journal() -> bool {
    let stderr = rustix::fs::fstat(rustix::stdio::stderr());
    let stderr = stderr.map(|stderr| format!("{}:{}", stderr.st_dev, stderr.st_ino));
    stderr.is_ok_and(|stderr| {
        std::env::var_os("JOURNAL_STREAM").is_some_and(|journal| *journal == *stderr)
    })
}

fn text(program: &str, record: &Record<'_>, lost: usize) -> String {
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

fn json(program: &str, record: &Record<'_>, lost: usize, now: &str) -> String {
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
    pair("time", now, false);
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
