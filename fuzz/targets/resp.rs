#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| smol_servers::fuzzing::resp(input.0, input.1));
