//! A program that was built without the cargo feature `relay`.

use std::convert::Infallible;

use smol::Task;

use super::Executor;
use crate::Chat;

/// There is none.
pub type Engine = Infallible;

/// Refuses any engine.
///
/// # Errors
/// One line that says why.
pub fn parse_engine(_: &str) -> Result<Engine, String> {
    Err("this program was built without relay, and --relay needs it: cargo build --features relay"
        .into())
}

/// Refuses any room.
///
/// # Errors
/// One line that says why.
pub fn check_room(_: &str) -> Result<(), String> {
    parse_engine("").map(drop)
}

/// Never called: there is no engine.
pub fn join(_: &Chat, _: &Executor, engine: Engine, _: String, _: Option<String>) -> Task<()> {
    match engine {}
}
