//! What it costs to build each peer: seconds from nothing, crates, size of the program, lines of
//! its source. Measures no server.

use std::fs;
use std::time::Instant;

use crate::Result;
use crate::facts::facts;
use crate::options::Options;
use crate::peers::{PEERS, Start};
use crate::place::{self, RESULTS};
use crate::prepare;
use crate::report;
use crate::report::table::Table;
use crate::report::tables::cost;
use crate::results::{Facts, Results};
use crate::workload::Program;

/// Prints a row for each peer that is built, in a folder of its own, which is thrown away. With
/// `--out` the seconds go into the results of that run, and its report is written again.
///
/// # Errors
/// When one cannot be built, what can is told nevertheless; or when there is no finished run.
pub(crate) fn build(options: &Options) -> Result<()> {
    let run = options.out.as_ref().map(|out| out.join(RESULTS));
    let mut results = run.as_deref().map(Results::read).transpose()?;
    let (folder, mut failed) = (place::cold(), Vec::new());
    let mut table =
        Table::of("peer", ["s, from nothing", "crates", "program, KiB", "lines of code"]);
    let named = |name| options.peers.is_empty() || options.peers.iter().any(|peer| peer == name);
    for peer in PEERS.iter().filter(|peer| named(peer.name)) {
        if matches!(peer.start, Start::Line(..) | Start::Ours(_, [_, ..])) {
            if !options.peers.is_empty() {
                eprintln!("{} is a script, or ours with an option: nothing to build", peer.name);
            }
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
        let build_seconds = Some(started.elapsed().as_secs_f64());
        let size =
            fs::metadata(peer.built_in(&folder, Program::Chat)).ok().map(|built| built.len());
        let built = Facts { build_seconds, size, ..facts(peer) };
        table.row([vec![peer.name.into()], cost(&built).into()].concat());
        if results.as_mut().is_some_and(|results| !keep(results, &built)) {
            eprintln!("{} was another one in that run, or not in it", peer.name);
        }
    }
    let _left_behind = fs::remove_dir_all(&folder);
    if !table.is_empty() {
        println!("{}", table.text());
    }
    if let (Some(results), Some(run), Some(out)) = (results, run, &options.out) {
        results.write(&run)?;
        eprintln!("the report is {}", report::write(&results, out)?.display());
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("not built: {}", failed.join(", ")).into()) }
}

/// Puts the seconds beside what was measured; false when that was another build, as far as version,
/// crates and lines tell.
fn keep(results: &mut Results, built: &Facts) -> bool {
    let sources = |it: &Facts| (it.name.clone(), it.version.clone(), it.crates, it.code_lines);
    let measured = results.peers.iter_mut().find(|it| sources(it) == sources(built));
    measured.map(|it| it.build_seconds = built.build_seconds).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;
    use crate::report::tables::summary;

    #[test]
    fn seconds_stand_beside_what_was_measured_of_the_same_build() {
        let mut results = made_up::results();
        let threads = results.peers.iter().find(|facts| facts.name == "threads");
        let built = threads.expect("it is there").clone();
        let built = Facts { build_seconds: Some(12.34), ..built };
        assert!(!keep(&mut results, &Facts { version: "2".into(), ..built.clone() }));
        assert!(!summary(&results).contains("build: s"));
        assert!(keep(&mut results, &built));
        let text = summary(&results);
        assert!(text.contains("| build: s | runtime |"), "{text}");
        assert!(text.contains("| 12.3 | Rust;  |") && text.contains("| – | Rust;  |"), "{text}");
    }
}
