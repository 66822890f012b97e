//! The engine of a relay, as the command line names it.

use std::net::{IpAddr, SocketAddr};

use smol::Task;

use super::Executor;
use crate::{Chat, EngineAddress, Relay};

/// What the engine asks for, if it asks.
const PASSWORD: &str = "RELAY_PASSWORD";

/// The port of Redis and Valkey.
const PORT: u16 = 6379;

/// Characters of the name of a room, at most.
const ROOM_CHARACTERS: usize = 64;

/// Where an engine is, as `--relay` says it.
pub type Engine = EngineAddress;

/// Reads the value of `--relay`: a numeric address with or without a port, or `unix:` and a path.
///
/// # Errors
/// One line that names what is wrong and how to mend it.
pub fn parse_engine(value: &str) -> Result<Engine, String> {
    if let Some(path) = value.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
        return Ok(EngineAddress::Unix(path.into()));
    }
    let address = value.parse::<SocketAddr>();
    let address = address.or_else(|_| value.parse().map(|ip: IpAddr| (ip, PORT).into()));
    address.map(EngineAddress::Tcp).map_err(|_| {
        let names =
            if value.contains(char::is_alphabetic) { "; names are not resolved" } else { "" };
        format!(
            "--relay takes a numeric address such as 127.0.0.1:{PORT}, or unix: and a path from /, \
             not '{value}'{names}"
        )
    })
}

/// Checks the name of a room.
///
/// # Errors
/// One line with what it may be.
pub fn check_room(name: &str) -> Result<(), String> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if is_plain && (1..=ROOM_CHARACTERS).contains(&name.len()) {
        return Ok(());
    }
    Err(format!("--room is 1 to {ROOM_CHARACTERS} letters A-Z a-z, digits, - and _, not '{name}'"))
}

/// Joins the room of a chat with those of other servers, until the chat is over and all that was
/// said in it is written. The password is that of `password`, or else of the environment.
pub fn join(
    chat: &Chat,
    executor: &Executor,
    engine: Engine,
    room: String,
    password: Option<String>,
) -> Task<()> {
    let password = password.or_else(|| std::env::var(PASSWORD).ok());
    let password = password.filter(|password| !password.is_empty());
    executor.spawn(chat.relay(Relay { engine, room, password }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_a_numeric_address_or_a_path() {
        let shown = |value| parse_engine(value).map(|engine| engine.to_string());
        assert_eq!(shown("127.0.0.1"), Ok("127.0.0.1:6379".to_owned()));
        assert_eq!(shown("[::1]:7000"), Ok("[::1]:7000".to_owned()));
        assert_eq!(shown("unix:/run/valkey.sock"), Ok("unix:/run/valkey.sock".to_owned()));
        for wrong in ["", "localhost:6379", "unix:", "unix:valkey.sock", "127.0.0.1:x"] {
            let error = parse_engine(wrong).expect_err("it is wrong");
            assert!(error.contains("such as 127.0.0.1:6379"), "{error}");
        }
    }

    #[test]
    fn a_room_has_a_plain_name() {
        for good in ["lobby", "a", "room_2-b", &"x".repeat(64)] {
            assert_eq!(check_room(good), Ok(()));
        }
        for bad in ["", "two words", "room:x", "käse", &"x".repeat(65)] {
            assert!(check_room(bad).is_err(), "{bad}");
        }
    }
}
