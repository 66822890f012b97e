#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, Vec<[u8; 4]>)| smol_servers::fuzzing::room(input.0, &input.1));
