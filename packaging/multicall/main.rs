//! The three servers in one program, since they share most of their code: the name that it is
//! started by chooses one, as where `smol-chat` is a link to it, or else its first argument.

use std::env::args_os;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

#[path = "../../src/bin/chat.rs"]
mod chat;
#[path = "../../src/bin/echo.rs"]
mod echo;
#[path = "../../src/bin/time.rs"]
mod time;

/// Each server, called by its file name, or by so many arguments.
type Server = (&'static str, fn() -> ExitCode, fn(usize) -> ExitCode);

const SERVERS: [Server; 3] = [
    ("echo", echo::main, echo::serve),
    ("time", time::main, time::serve),
    ("chat", chat::main, chat::serve),
];

fn main() -> ExitCode {
    if let Some((_, main, _)) = args_os().next().as_deref().and_then(server) {
        return main();
    }
    if let Some((_, _, serve)) = args_os().nth(1).as_deref().and_then(server) {
        return serve(2);
    }
    let mend = "smol-servers: give echo, time or chat first, or start it by a link named smol-echo, smol-time or smol-chat";
    let _nobody_reads_it = writeln!(io::stderr(), "{mend}");
    ExitCode::from(2)
}

/// The server of this name, with or without `smol-` and folders before it.
fn server(name: &OsStr) -> Option<&'static Server> {
    let name = Path::new(name).file_name()?.to_str()?;
    let name = name.strip_prefix("smol-").unwrap_or(name);
    SERVERS.iter().find(|(server, ..)| *server == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_its_name_with_or_without_smol_and_folders() {
        let found = |name: &str| server(OsStr::new(name)).map(|(server, ..)| *server);
        assert_eq!(found("/usr/bin/smol-chat"), Some("chat"));
        assert_eq!(found("echo"), Some("echo"));
        assert_eq!(found("./time"), Some("time"));
        for other in ["smol-servers", "--listen", "", "/", "chats"] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
