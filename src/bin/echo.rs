//! The echo server: sends every byte back.

use std::process::ExitCode;

use smol_servers::echo;
use smol_servers::program::{self, Args, Memory, Program, ServerOptions};

const ECHO: Program = Program {
    name: "echo",
    about: "sends every byte back to the client it came from (RFC 862)",
    port: 8000,
    // The client's own backpressure needs no small ones, but a client that never reads must not
    // hold the 4 MiB that Linux would let it.
    kernel_buffer: 64 * 1024,
    examples: &[
        ("", "then: nc localhost 8000"),
        ("--listen [::]:7", "the service's own port, on every address"),
    ],
};

fn main() -> ExitCode {
    program::main(&ECHO, |_: Options| Ok(echo))
}

#[derive(Default)]
struct Options;

impl ServerOptions for Options {
    fn help() -> String {
        String::new()
    }

    fn read(&mut self, _name: &str, _args: &mut Args) -> Result<bool, String> {
        Ok(false)
    }

    fn memory(&self) -> Memory {
        Memory::of_echo()
    }
}
