//! The echo server: sends every byte back.

use std::process::ExitCode;

use smol_servers::cli::Program;
use smol_servers::{echo, program};

const ECHO: Program = Program {
    name: "echo",
    about: "sends every byte back to the client it came from (RFC 862)",
    port: 8000,
    send_buffer: echo::SEND_BUFFER,
    examples: &[
        ("", "then: nc localhost 8000"),
        ("--listen [::]:7", "the service's own port, on every address"),
    ],
};

fn main() -> ExitCode {
    program::main(&ECHO, |_: echo::Options, _| Ok(echo::handle))
}
