//! Child processes. The servers start none.

use std::io::{self, BufRead, Write};
use std::process::Stdio;

use futures_lite::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt};
use smol::io::BufReader;
use smol::process::Command;

use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    task!(subprocess, "a talk with a child process, by turns").real_time(),
    Recipe::plain("shell", "the child: it says what it reads, until quit", shell).real_time(),
];

const PROMPT: &str = "Введите текст: ";

/// As `create_subprocess_exec`. asyncio's `read(1024)` returns what happens to have come, so that a
/// prompt may be cut in two; reading up to the prompt makes the talk go by turns. Dropping a child
/// does not end it: `kill_on_drop(true)` does.
pub async fn subprocess(_ex: Ex) {
    let program = std::env::current_exe().expect("the system knows it");
    let mut command = Command::new(program);
    command.arg("shell").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn().expect("it has run once");
    let mut stdin = child.stdin.take().expect("it is piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    for line in ["one\n", "two\n", "three\n", "four\n", "quit\n"] {
        let said = up_to_prompt(&mut stdout).await.expect("it goes on until quit");
        println!("b'{}'", said.escape_ascii());
        stdin.write_all(line.as_bytes()).await.expect("it reads");
    }
    let status = child.status().await.expect("it is ours");
    assert!(status.success(), "{status}");
}

async fn up_to_prompt(stdout: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    while !said.ends_with(PROMPT.as_bytes()) {
        if stdout.read_until(b' ', &mut said).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(said)
}

/// A program that blocks, as most do: no async in it. Rust's standard output is written out at the
/// end of a line, so a prompt has to be flushed.
pub fn shell() {
    loop {
        print!("{PROMPT}");
        let mut line = String::new();
        let read = io::stdout().flush().and_then(|()| io::stdin().lock().read_line(&mut line));
        match (read, line.trim_end()) {
            (Err(_) | Ok(0), _) | (_, "quit") => break,
            (Ok(_), line) => println!("{line}"),
        }
    }
}
