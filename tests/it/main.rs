//! The servers as a user meets them: the real binaries over real TCP, one file a subject.

mod chat;
mod harness;
