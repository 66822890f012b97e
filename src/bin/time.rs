//! The time server: sends everyone the time once a second.

use std::process::ExitCode;
use std::rc::Rc;

use smol_servers::cli::Program;
use smol_servers::limits::SEND_BUFFER;
use smol_servers::program;
use smol_servers::time::{self, Options};

const TIME: Program = Program {
    name: "time",
    about: "sends the time to every connected client, once a second",
    port: 8001,
    send_buffer: SEND_BUFFER,
    examples: &[
        ("", "then: nc localhost 8001"),
        ("--utc --every 60", "UTC, on every full minute"),
        ("--format '%A, %H:%M'", "strftime directives"),
    ],
};

fn main() -> ExitCode {
    program::main(&TIME, |options: Options, executor| {
        let clock = Rc::new(options.clock()?);
        let ticker = clock.clone();
        executor.spawn(async move { ticker.run().await }).detach();
        Ok(move |connection| time::handle(clock.clone(), connection))
    })
}
