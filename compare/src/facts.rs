//! What a peer is, apart from how fast: version, lines of code, crates, size; and the machine's card.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine::Machine;
use crate::peers::{Lane, Peer, Start, above, here, output, said_by};
use crate::process::field;
use crate::results::{Card, Facts};
use crate::workload::Program;

pub(crate) fn facts(peer: &Peer) -> Facts {
    let lines = match peer.start {
        Start::Line(..) => peer.files().iter().map(|file| code_lines(file)).sum(),
        // Most of such a peer is the package that they share.
        Start::Cargo(_) if peer.lane == Lane::SameDesign => {
            code_lines(&peer.sources()) + code_lines(&peer.sources().with_file_name("same-design"))
        }
        _ => code_lines(&peer.sources()),
    };
    Facts {
        name: peer.name.into(),
        lane: peer.lane.name().into(),
        runtime: peer.runtime.into(),
        version: version(peer).unwrap_or_else(|| "unknown".into()),
        code_lines: Some(lines).filter(|lines| *lines > 0),
        crates: crates(peer),
        build_seconds: None,
        size: fs::metadata(peer.binary(Program::Chat)).ok().map(|meta| meta.len()),
        digest: digest(&peer.files()),
    }
}

/// What stands over every report.
pub(crate) fn card(machine: &Machine) -> Card {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let value = |key: &str| {
        let line = cpus.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let flags = value("flags").unwrap_or_default();
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let mut commit = Command::new("git");
    commit.args(["describe", "--always", "--dirty", "--exclude", "*"]).current_dir(above());
    Card {
        cpu: value("model name").unwrap_or_else(|| "unknown CPU".into()),
        cores: cpus.lines().filter(|line| line.starts_with("processor")).count(),
        kernel: read("/proc/sys/kernel/osrelease").trim().into(),
        memory_mib: field(&read("/proc/meminfo"), "MemTotal:").unwrap_or(0) / 1024,
        descriptors: machine.descriptors,
        server_core: machine.server,
        generator_core: machine.generator,
        virtual_machine: flags.split(' ').any(|flag| flag == "hypervisor"),
        rustc: said_by("rustc --version").unwrap_or_default(),
        commit: output(&mut commit).unwrap_or_default(),
        compare: digest(&["/proc/self/exe".into()]),
        taken: since.as_secs(),
    }
}

/// Tells one build from another. Another release of Rust may hash otherwise: then nothing is the
/// same any more, which is safe.
pub(crate) fn digest(files: &[PathBuf]) -> String {
    let mut hasher = DefaultHasher::new();
    for file in files {
        hasher.write(&fs::read(file).unwrap_or_default());
    }
    format!("{:016x}", hasher.finish())
}

fn version(peer: &Peer) -> Option<String> {
    match peer.start {
        Start::Ours(..) => locked(&above(), "smol"),
        Start::Cargo("std") => said_by("rustc --version"),
        Start::Cargo(runtime) => locked(&here(), runtime),
        Start::Go => said_by("go version"),
        Start::Line(_, version) => said_by(version),
    }
}

/// The version of a crate, as the lock file has it.
fn locked(directory: &Path, name: &str) -> Option<String> {
    let lock = fs::read_to_string(directory.join("Cargo.lock")).ok()?;
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    Some(format!("{name} {}", rest.split('"').next()?))
}

fn crates(peer: &Peer) -> Option<usize> {
    let (directory, package) = match peer.start {
        Start::Ours(..) => (above(), "smol-servers".to_owned()),
        Start::Cargo(_) => (here(), peer.package()),
        _ => return None,
    };
    let mut tree = Command::new("cargo");
    tree.args(["tree", "--package", &package, "--edges", "normal", "--prefix", "none"]);
    let tree = output(tree.arg("--manifest-path").arg(directory.join("Cargo.toml")))?;
    let names: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.split_ascii_whitespace().next()).collect();
    Some(names.len().saturating_sub(1))
}

/// Lines that are neither blank nor comment nor tests, of all source files below.
fn code_lines(path: &Path) -> usize {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        return entries.map(|entry| code_lines(&entry.path())).sum();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let source = [".rs", ".py", ".js", ".go"].iter().any(|end| name.ends_with(end));
    if !source || name == "tests.rs" {
        return 0;
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    // A peer may take a file from another one.
    let taken = text.lines().filter_map(|line| line.strip_prefix("#[path = \"")?.split('"').next());
    let taken = taken.map(|file| code_lines(&path.with_file_name(file)));
    count(&text, name.ends_with(".py")) + taken.sum::<usize>()
}

fn count(text: &str, python: bool) -> usize {
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let comment = if python { "#" } else { "//" };
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with(comment)).count()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn only_code_counts() {
        let text = "//! doc\n\nfn main() {\n    // why\n    run();\n}\n\n#[cfg(test)]\nmod tests {\n  x\n}\n";
        assert_eq!(count(text, false), 3);
        assert_eq!(count("#!/usr/bin/env python3\n\nrun()\n", true), 1);
    }
}
