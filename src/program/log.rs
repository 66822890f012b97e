//! The programs' log: standard error, one line for each event, written so that it never blocks
//! and never ends a server.
//!
//! A line is one write of at most [`LINE_BYTES`]. How it is made so that it cannot wait depends on
//! what standard error is (`log/sink.rs`). A line that is not taken at once is lost; the next line
//! that is written says how many were.

mod line;
#[cfg(target_os = "linux")]
mod pipe;
mod sink;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ::log::{Level, LevelFilter, Log, Metadata, Record};

use line::line;
use sink::Sink;
pub(super) use {line::Format, sink::serving};

/// Bytes of one line, at most: what a pipe takes in one piece (PIPE_BUF on Linux).
const LINE_BYTES: usize = 4096;

/// Target of the lines that somebody asked for: `--quiet` does not suppress them.
pub(super) const ASKED_FOR: &str = "asked for";

/// Makes standard error the log of this process, and a panic one line of it. For that, standard
/// error may be opened anew, and SIGXFSZ is caught. Only the first call in a process has an
/// effect.
pub(super) fn start(program: &'static str, format: Format, quiet: bool) {
    let (lost, torn) = (AtomicUsize::new(0), AtomicBool::new(false));
    let format = if format == Format::Text && is_journal() { Format::Journal } else { format };
    let sink = Sink::open();
    let falls_silent = matches!(sink, Sink::UntilServing);
    let logger = Logger { program, format, quiet, sink, lost, torn };
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
    sink: Sink,
    /// Lines lost since the last one written.
    lost: AtomicUsize,
    /// Set when only a part of the last line was written: the next one begins with a line end.
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
        if !self.write(&line(self.format, self.program, record, lost)) {
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

/// True when standard error is systemd's journal, as systemd tells what it starts: systemd.exec(5),
/// under `$JOURNAL_STREAM`.
fn is_journal() -> bool {
    let journal = super::var("JOURNAL_STREAM");
    rustix::fs::fstat(rustix::stdio::stderr())
        .is_ok_and(|stderr| journal == Some(format!("{}:{}", stderr.st_dev, stderr.st_ino)))
}
