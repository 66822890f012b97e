//! What the chat promises to the people in it.

use crate::harness::{Server, speaks};

#[test]
fn a_line_goes_to_all_others_and_not_back_to_its_sender() {
    let server = Server::start("chat", &[]);
    let mut ann = server.guest(&mut []);
    let mut bob = server.guest(&mut [&mut ann]);
    let mut eve = server.guest(&mut [&mut ann, &mut bob]);
    ann.send("hello\r\n");
    bob.expect("<guest1> hello");
    eve.expect("<guest1> hello");
    // Had ann's own line come back, it would stand before bob's.
    speaks(&mut bob, &mut ann, "hi ann");
}
