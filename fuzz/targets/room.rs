//! Any interleaving of publish, speak, tell, take, join and leave, against the model.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smol_servers::room::{Member, Room, Taken};

#[path = "../../src/room/model.rs"]
mod model;

fuzz_target!(|input: (u16, Vec<[u8; 4]>)| {
    let (limit, steps) = input;
    model::Model::run(usize::from(limit), &steps);
});
