//! The chat server: what one client writes, all others read.

use std::process::ExitCode;
use std::rc::Rc;

use smol_servers::chat::{self, Options};
use smol_servers::cli::Program;
use smol_servers::limits::SEND_BUFFER;
use smol_servers::program;

const CHAT: Program = Program {
    name: "chat",
    about: "what one client writes, all others read; telnet, PuTTY or nc is the client",
    port: 8002,
    send_buffer: SEND_BUFFER,
    examples: &[
        ("", "then, in two terminals: telnet localhost 8002"),
        ("--listen 0.0.0.0:8002", "open to the network"),
        ("--listen 0.0.0.0 --max-per-ip 8", ""),
    ],
};

fn main() -> ExitCode {
    program::main(&CHAT, |options: Options, _| {
        let chat = Rc::new(options.chat()?);
        Ok(move |connection| chat::handle(chat.clone(), connection))
    })
}
