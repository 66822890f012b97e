//! The echo server: sends every byte back.

use std::future::ready;
use std::process::ExitCode;

use smol_servers::echo;
use smol_servers::program::{self, Program};

const ECHO: Program = Program {
    name: "echo",
    port: 8000,
    // A client's own backpressure needs no small buffers, but one that never reads must not hold
    // the 4 MiB that Linux would let it.
    kernel_buffer: 64 * 1024,
    backlog_bytes: 0,
    client_bytes: program::ECHO_BYTES,
    help: "\
$0: sends every byte back to the client it came from (RFC 862)

Usage: $0 [OPTIONS]

Examples:
  $0                   then: nc localhost 8000
  $0 --listen [::]:7   the service's own port, on every address

Options:
",
};

pub(crate) fn main() -> ExitCode {
    serve(1)
}

/// Runs it, called by so many of this process's arguments.
pub(crate) fn serve(words: usize) -> ExitCode {
    program::main(&ECHO, words, |(), _| Ok(false), |(), _| Ok((echo, ready(()))))
}
