//! Builds what is measured: the servers above, each peer by itself, so that no peer's crates get
//! features that another one asks for.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Result;
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::{Driver, Lane, Peer, Start, above, here, said_by};
use crate::results::OURS;
use crate::workload::Program;
use crate::{plan, port, running};

/// Peers, and why each takes no part.
type LeftOut = Vec<(String, String)>;

/// The machine and the builds of ours that are asked for, for what compares nothing.
pub(crate) fn ours(options: &Options) -> Result<(Machine, Vec<Peer>)> {
    some(options, |peer| peer.lane == Lane::Ours)
}

/// The machine and those that are asked for, but for those that it lacks.
pub(crate) fn some(
    options: &Options,
    wanted: impl Fn(&Peer) -> bool,
) -> Result<(Machine, Vec<Peer>)> {
    running::watch(None)?;
    port::begin_at(options.port)?;
    let machine = Machine::take()?;
    let (peers, left_out) = present(options, wanted)?;
    left_out.iter().for_each(|(peer, why)| eprintln!("{peer} is left out: {why}"));
    Ok((machine, peers))
}

/// Those that are asked for, built, and why the others are left out.
///
/// # Errors
/// When ours cannot be measured.
pub(crate) fn present(
    options: &Options,
    wanted: impl Fn(&Peer) -> bool,
) -> Result<(Vec<Peer>, LeftOut)> {
    let wanted: Vec<Peer> = plan::wanted(options).into_iter().filter(wanted).collect();
    let stale = if options.build { build(&wanted)? } else { Vec::new() };
    let (mut present, mut left_out) = (Vec::new(), Vec::new());
    for peer in wanted {
        let broken = stale.contains(&peer.name).then(|| "it cannot be built".to_owned());
        match broken.or_else(|| peer.missing()) {
            Some(why) if peer.name == OURS => return Err(why.into()),
            Some(why) => left_out.push((peer.name.to_owned(), why)),
            None => present.push(peer),
        }
    }
    Ok((present, left_out))
}

/// Returns the names of those that cannot be built; an older build of theirs may still lie there.
pub(crate) fn build(peers: &[Peer]) -> Result<Vec<&'static str>> {
    let mut failed = Vec::new();
    for peer in peers.iter().filter(|peer| !matches!(peer.start, Start::Line(..))) {
        let name = peer.name;
        eprintln!("building {name}");
        match (one(peer, None)?, peer.start) {
            (false, Start::Ours(..)) => return Err("the servers cannot be built".into()),
            (false, _) => failed.push(name),
            _ => {}
        }
    }
    Ok(failed)
}

/// Builds a peer where it is started from, or from nothing in an empty folder. False when it cannot
/// be built; one without sources, or without its tools, is left as it is.
pub(crate) fn one(peer: &Peer, cold: Option<&Path>) -> Result<bool> {
    let target = cold.map_or_else(|| peer.target(), Path::to_owned);
    match peer.start {
        Start::Ours(driver, _) => {
            let what: &[_] = match driver {
                Driver::OneThread => &["--bins"],
                Driver::Smol => &["--bins", "--no-default-features", "--features", "local-time"],
                Driver::Relay => &["--bins", "--features", "relay"],
            };
            cargo(&above(), &target, what)
        }
        Start::Cargo(_) if !peer.sources().exists() => Ok(true),
        Start::Cargo(_) => cargo(&here(), &target, &["--package", &peer.package()]),
        Start::Go if said_by("go version").is_some() => go(peer, &target, cold.is_some()),
        _ => Ok(true),
    }
}

fn cargo(directory: &Path, target: &Path, what: &[&str]) -> Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--locked", "--quiet"]).args(what);
    command.arg("--target-dir").arg(target);
    // Said by `cargo run`, and wrong for another package.
    command.env_remove("CARGO_MANIFEST_DIR").current_dir(directory);
    Ok(command.stdin(Stdio::null()).status()?.success())
}

fn go(peer: &Peer, target: &Path, is_cold: bool) -> Result<bool> {
    let mut command = Command::new("go");
    command.args(["build", "-trimpath", "-ldflags=-s -w", "-o"]);
    command.arg(peer.built_in(target, Program::Chat)).arg(".").current_dir(peer.sources());
    if is_cold {
        command.env("GOCACHE", target.join("cache"));
    }
    Ok(command.stdin(Stdio::null()).status()?.success())
}
