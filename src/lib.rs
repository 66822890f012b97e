//! Three small TCP servers that run all their code on one thread: [`echo`], [`time`], [`chat`].
pub mod chat;
pub mod cli;
pub mod connection;
mod driver;
pub mod echo;
pub mod figures;
pub mod limits;
pub mod listener;
pub mod log;
pub mod presence;
pub mod program;
pub mod room;
pub mod server;
pub mod shutdown;
pub mod telnet;
pub mod text;
pub mod time;
pub mod writer;
