//! What the README says holds for the programs and the library as they are.

use std::path::Path;
use std::process::Command;

use crate::harness::binary;

const README: &str = include_str!("../../README.md");

/// Options of other programs that the README names.
const OF_OTHERS: [&str; 7] =
    ["--release", "--bin", "--open", "--path", "--no-default-features", "--features", "--now"];

#[test]
fn its_embedding_is_the_example_that_the_library_compiles() {
    let library = include_str!("../../src/lib.rs").lines();
    let example = library.skip_while(|line| *line != "//! ```no_run").skip(1);
    let example: Vec<&str> = example
        .take_while(|line| *line != "//! ```")
        .map(|line| line.strip_prefix("//!").expect("a comment"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    assert!(example.len() > 5, "{example:#?}");
    assert!(README.contains(&format!("\n```rust\n{}\n```\n", example.join("\n"))), "{example:#?}");
}

#[test]
fn what_it_links_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let targets = README.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let targets: Vec<&str> = targets.collect();
    assert!(targets.contains(&"doc/talk.svg"), "{targets:?}");
    for target in targets {
        let (file, section) = target.split_once('#').unwrap_or((target, ""));
        // A package lacks some folders, and the README says so.
        let mut lacking =
            ["capi", "compare", "packaging"].iter().filter(|folder| !root.join(folder).exists());
        if lacking.any(|folder| file.starts_with(folder)) {
            continue;
        }
        let file = root.join(if file.is_empty() { "README.md" } else { file });
        assert!(file.exists(), "{target}");
        assert!(section.is_empty() || has_section(&file, section), "{target}");
    }
}

fn has_section(file: &Path, section: &str) -> bool {
    let text = std::fs::read_to_string(file).expect("UTF-8");
    let mut headings = text.lines().filter_map(|line| line.strip_prefix("## "));
    headings.any(|heading| heading.to_lowercase().replace(' ', "-") == section)
}

#[test]
fn its_options_are_those_of_the_programs() {
    let help = |name| Command::new(binary(name)).arg("-h").output().expect("it runs").stdout;
    let help = ["chat", "time", "echo"].map(help).concat();
    let help = String::from_utf8(help).expect("UTF-8");
    let words = README.split(|c: char| c != '-' && !c.is_ascii_alphanumeric());
    let is_option = |word: &&str| {
        word.strip_prefix("--").is_some_and(|name| name.starts_with(char::is_alphabetic))
    };
    let options: Vec<&str> = words.filter(is_option).collect();
    assert!(options.contains(&"--listen"), "{options:?}");
    for option in options.into_iter().filter(|option| !OF_OTHERS.contains(option)) {
        let known = help.split_whitespace().any(|word| word.trim_end_matches(',') == option);
        assert!(known, "{option}");
    }
}
