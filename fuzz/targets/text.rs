//! Any bytes come out in the closed alphabet, and cleaning them again changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smol_servers::text::{clean, is_shown};

fuzz_target!(|line: &[u8]| {
    let mut shown = String::new();
    clean(line, &mut shown);
    assert!(shown.chars().all(is_shown));
    assert!(shown.len() <= 3 * line.len());
    let mut again = String::new();
    clean(shown.as_bytes(), &mut again);
    assert_eq!(shown, again);
});
