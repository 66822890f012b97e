#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u16, &[u8])| smol_servers::fuzzing::editor(input.0, input.1, input.2));
