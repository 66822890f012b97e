#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| smol_servers::fuzzing::text(line));
