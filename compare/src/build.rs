//! What it costs to build each peer: seconds from nothing, crates, size of the program, lines of
//! its source. Measures no server.

use std::fs;
use std::time::Instant;

use crate::Result;
use crate::facts::facts;
use crate::options::Options;
use crate::peers::{PEERS, Start};
use crate::place;
use crate::prepare;
use crate::report::svg::short;
use crate::report::table::{NOTHING, Table};
use crate::results::Facts;

/// Prints a row for each peer that is built, in a folder of its own, which is thrown away.
///
/// # Errors
/// When one cannot be built; what can is told nevertheless.
pub(crate) fn build(options: &Options) -> Result<()> {
    let (folder, mut failed) = (place::cold(), Vec::new());
    let mut table =
        Table::of("peer", ["s, from nothing", "crates", "program, KiB", "lines of code"]);
    let named = |name| options.peers.is_empty() || options.peers.iter().any(|peer| peer == name);
    for peer in PEERS.iter().filter(|peer| named(peer.name)) {
        // A script is not built, and what differs by an option alone is built once.
        if matches!(peer.start, Start::Line(..) | Start::Ours(_, [_, ..])) {
            continue;
        }
        let _not_there = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        eprintln!("building {} from nothing", peer.name);
        let started = Instant::now();
        if !prepare::one(peer, Some(&folder))? {
            failed.push(peer.name);
            continue;
        }
        let seconds = started.elapsed().as_secs_f64();
        let Facts { crates, code_lines, .. } = facts(peer);
        let number = |number: Option<usize>| number.map_or(NOTHING.into(), |n| n.to_string());
        let size = fs::metadata(peer.built_in(&folder)).ok().map(|it| it.len() as usize / 1024);
        let figures = [crates, size, code_lines].map(number);
        table.row([vec![peer.name.into(), short(seconds)], figures.into()].concat());
    }
    let _left_behind = fs::remove_dir_all(&folder);
    println!("{}", table.text());
    if failed.is_empty() { Ok(()) } else { Err(format!("not built: {}", failed.join(", ")).into()) }
}
