//! The servers as a user meets them: the real binaries over real TCP, one file a subject.
//! They look into /proc, and at clients as Linux has them.

#![cfg(target_os = "linux")]

mod activation;
mod asyncio;
mod chat;
mod cli;
mod clients;
mod echo;
mod editor;
mod embed;
mod embed_sockets;
#[cfg(all(feature = "one-thread", feature = "paused-clock"))]
mod exact;
mod examples;
mod footprint;
mod harness;
mod limits;
mod motd;
mod newcomer;
mod pause;
mod rate_limit;
mod readme;
#[cfg(feature = "relay")]
mod relay;
mod scripts;
mod share_port;
mod shutdown;
mod slow;
mod stderr;
mod telnet;
mod terminal;
mod time;
mod unix;
mod vanish;
