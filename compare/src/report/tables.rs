//! The tables of the report.

use super::cell::{SINGLE, usual};
use super::metric::{COUNTED, is_ranked, metric, metrics};
use super::svg::short;
use super::table::{NOTHING, Table};
use crate::date::day;
use crate::results::{Card, Facts, OURS, OURS_AGAIN, Results};
use crate::workload::{WORKLOADS, Workload};

/// Workload and metric of the columns of the summary.
#[rustfmt::skip]
const SUMMARY: [(&str, &str); 8] = [
    ("echo-50", "cpu_us"), ("chat-200", "cpu_us"), ("chat-1000", "cpu_us"), ("chat-5000", "cpu_us"),
    ("chat-1000", "p99_us"), ("fan-1000", "last_p50_ms"), ("idle-chat", "rss_client_bytes"),
    ("start", "start_ms"),
];

/// What it was measured on.
pub(crate) fn machine(card: &Card) -> String {
    let Card { cpu, cores, memory_mib, kernel, descriptors, rustc, commit, .. } = card;
    let (server, generator, day) = (card.server_core, card.generator_core, day(card.taken));
    let virtual_machine = if card.virtual_machine { ", a virtual machine" } else { "" };
    let apart = match server == generator {
        true => {
            "**One core only: server and generator share it, and nothing here compares.**".into()
        }
        false => format!("Server on core {server}, generator on core {generator}."),
    };
    format!(
        "{cpu} ({cores} cores{virtual_machine}), {memory_mib} MiB, Linux {kernel}, {descriptors} \
         descriptors a process, {rustc}, commit {commit}, day {day}. {apart}"
    )
}

/// What running costs and what building costs, a row for each peer.
pub(crate) fn summary(results: &Results) -> String {
    let measured = SUMMARY.into_iter().filter_map(|(name, key)| {
        results.value(name, OURS, key)?;
        Some((name, metric(name, key)?))
    });
    let measured: Vec<_> = measured.collect();
    let figures = measured.iter().map(|(name, metric)| {
        let runs = usual(results.rounds(name));
        format!("[{name}](#{name}): {}, {runs}", results.head(name, metric))
    });
    let cost_and = ["build: s", "crates", "binary KiB", "lines of code", "runtime"];
    let heads = ["lane".to_owned()].into_iter().chain(figures).chain(cost_and.map(str::to_owned));
    let mut table = Table::of("peer", heads);
    for facts in &results.peers {
        let mut row = vec![emphasis(&facts.name), facts.lane.clone()];
        row.extend(measured.iter().map(|(name, metric)| {
            let stands = results.stands(name, &facts.name, metric);
            stands.unwrap_or_else(|| results.cell(name, &facts.name, metric))
        }));
        row.extend(cost(facts));
        let version = facts.version.lines().next().unwrap_or_default();
        row.push(format!("{}; {version}", facts.runtime));
        table.row(row);
    }
    let mut text = format!("\n## All in one table\n\n{}\n", table.text());
    text += "Ours is given in figures, the others as their ratio to ours, or in figures where no ratio \
             can be ranked. Ours does more than its peers (bounds, telnet, shutdown, logging), which \
             its lines of code show; its binary is the chat's, a peer's is all three servers.\n";
    for (peer, why) in &results.skipped {
        text += &format!("\nLeft out: **{peer}**, {why}.\n");
    }
    text
}

/// Seconds to build it, crates, size and lines of code.
pub(crate) fn cost(facts: &Facts) -> [String; 4] {
    let size = facts.size.map(|bytes| (bytes / 1024) as f64);
    let number = |number: Option<usize>| number.map(|it| it as f64);
    let all = [facts.build_seconds, number(facts.crates), size, number(facts.code_lines)];
    all.map(|it| it.map_or(NOTHING.into(), short))
}

/// A table for each workload.
pub(crate) fn workloads(results: &Results) -> String {
    let measured = WORKLOADS.iter().filter(|it| results.rounds(it.name) > 0);
    let tables = measured.map(|workload| {
        let (name, about, held) = (workload.name, workload.about, results.held(workload.name));
        let is_told = metric(name, "cpu_us").map(|_| format!("; CPU a {}", workload.message()));
        let mut of = is_told.unwrap_or_default();
        let median = |key| results.value(name, OURS, key).map(|it| it.median);
        if let Some((all, rate)) = median("messages").zip(median("rate")) {
            of += &format!("; {} s a run", short(all / rate));
        }
        let table = table(results, workload).text();
        format!("\n### {name}\n\n{about}{held}{of}.\n\n{table}")
    });
    "\n## All figures\n".to_owned() + &tables.collect::<String>()
}

/// The peers with the least before the others, and below them why runs were not valid.
fn table(results: &Results, workload: &Workload) -> Table {
    let name = workload.name;
    let metrics = || metrics(&workload.load).iter().chain(&COUNTED);
    let heads = metrics().map(|metric| results.head(name, metric));
    let heads = heads.chain([format!("system calls a message{SINGLE}"), "not ranked".into()]);
    let mut table = Table::of(&format!("{name}, {}", usual(results.rounds(name))), heads);
    let peers = results.peers.iter().map(|facts| facts.name.as_str()).chain([OURS_AGAIN]);
    let mut peers: Vec<&str> = peers.collect();
    let first = metrics().find(|metric| !metric.aside).map_or("", |metric| metric.key);
    let figure = |it| results.value(name, it, first).map_or(f64::INFINITY, |found| found.median);
    peers.sort_by(|one, other| figure(one).total_cmp(&figure(other)));
    for peer in peers.iter().filter(|it| results.runs(name, it).next().is_some()) {
        let mut row = vec![emphasis(peer)];
        row.extend(metrics().map(|metric| results.cell(name, peer, metric)));
        row.extend([calls(results, name, peer), unranked(results, name, peer, first)]);
        table.row(row);
    }
    for peer in peers {
        if let Some(why) = results.fault(name, peer) {
            let valid = results.runs(name, peer).count();
            let which = if valid > 0 { "not always valid" } else { "not valid" };
            table.words(emphasis(peer), format!("{which}: {why}"));
        }
    }
    table
}

/// How many a message, and which most of them are.
fn calls(results: &Results, workload: &str, peer: &str) -> String {
    results.trace(workload, peer).map_or(NOTHING.into(), |trace| {
        let most = trace.calls.iter().max_by(|one, other| one.1.total_cmp(other.1));
        let name = most.map_or("", |(name, _)| name);
        format!("{} {name}", short(trace.calls.values().sum()))
    })
}

/// How many of its runs.
fn unranked(results: &Results, workload: &str, peer: &str, key: &str) -> String {
    let all = results.runs(workload, peer).count();
    let of = |key| results.runs(workload, peer).filter(|run| !is_ranked(run, key)).count();
    // CPU may be ranked where nothing else is.
    match (of(key), of("")) {
        (_, 0) => NOTHING.into(),
        (some, most) if some == most => format!("{most} of {all}"),
        (_, most) => format!("{most} of {all}, but for CPU"),
    }
}

/// Nanoseconds that a call takes here.
pub(crate) fn prices(results: &Results) -> String {
    let mut table = Table::of("system call", ["ns, median of many series"]);
    for (name, nanos) in &results.prices {
        table.row(vec![name.clone(), format!("{nanos:.0}")]);
    }
    format!("\n## What system calls cost on this machine\n\n{}", table.text())
}

pub(super) fn emphasis(peer: &str) -> String {
    if peer == OURS { format!("**{peer}**") } else { peer.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;
    use crate::results::{Bound, Sample};

    #[test]
    fn tables_hold_ratios_equals_and_faults() {
        let results = made_up::results();
        let text = summary(&results) + &workloads(&results);
        assert!(text.contains("| raw-epoll | 2.06 (2.02–2.10) 0.50× |"), "{text}");
        assert!(text.contains("4.16 (4.08–4.24) ≈"), "{text}");
        assert!(text.contains("| asyncio | not valid: lines: 1 dropped |"), "{text}");
        assert!(text.contains("Left out: **go**, go is not installed."), "{text}");
        assert!(text.contains("| CPU µs ±3 % | p50 ms | p99 ms ±3 % |"), "{text}");
        assert!(text.contains("| 1.10 sendto |"), "{text}");
        let is_said = |what: &str| text.contains(what);
        assert!(
            !is_said("Seconds") && is_said("200 lines a second; CPU a delivery; 0.50 s a run.\n")
        );
    }

    /// The rows of each table, cell by cell, heads first.
    fn tables(text: &str) -> Vec<Vec<Vec<&str>>> {
        let mut tables: Vec<Vec<Vec<&str>>> = vec![Vec::new()];
        for line in text.lines() {
            match line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) {
                Some(cells) => tables.last_mut().expect("one").push(cells.split(" | ").collect()),
                None if line.starts_with("|--") => {}
                None => tables.push(Vec::new()),
            }
        }
        tables.retain(|table| !table.is_empty());
        tables
    }

    /// A run of each workload by ours and one peer, with all that is told of it.
    fn one_run_of_everything() -> Results {
        let mut results = made_up::results();
        let like = results.samples[0].clone();
        results.samples.clear();
        for workload in WORKLOADS {
            for peer in [OURS, "threads"] {
                let mut run = like.clone();
                (run.workload, run.peer) = (workload.name.into(), peer.into());
                run.outcome.metrics.clear();
                let told = metrics(&workload.load).iter().chain(&COUNTED);
                told.for_each(|metric| run.outcome.set(metric.key, 1.0));
                results.samples.push(run);
            }
        }
        results
    }

    #[test]
    fn a_table_names_its_workload_by_itself() {
        let results = one_run_of_everything();
        let text = workloads(&results);
        let corners: Vec<String> = tables(&text).iter().map(|table| table[0][0].into()).collect();
        assert_eq!(corners, WORKLOADS.map(|workload| format!("{}, n=1†", workload.name)));
    }

    #[test]
    fn no_column_is_empty_or_stands_twice() {
        let results = one_run_of_everything();
        let text = summary(&results) + &workloads(&results);
        for table in tables(&text) {
            let heads = &table[0];
            for (at, head) in heads.iter().enumerate() {
                assert!(!heads[..at].contains(head), "{head} twice in {heads:?}");
                let said = |row: &Vec<&str>| row[at].contains(|sign| !"–/, ".contains(sign));
                assert!(table[1..].iter().any(said), "{head} is empty in {table:?}");
            }
        }
    }

    #[test]
    fn it_is_said_how_many_runs_of_a_peer_are_not_ranked_and_why_one_was_not_valid() {
        let mut results = made_up::results();
        let threads = |run: &&mut Sample| run.peer == "threads" && run.workload == "chat-1000";
        let mut runs = results.samples.iter_mut().filter(threads);
        runs.next().expect("a run").outcome.bound = Bound::Client;
        runs.next().expect("another").outcome.fault = Some("lines: 1 dropped".into());
        let text = workloads(&results);
        assert!(text.contains("| 1.10 sendto | 1 of 4 |"), "{text}");
        assert!(text.contains("| threads | not always valid: lines: 1 dropped |"), "{text}");
    }

    #[test]
    fn a_figure_of_fewer_runs_says_so_and_that_of_a_single_one_is_marked() {
        let mut results = made_up::results();
        results.samples.retain(|run| run.peer != "node" || run.round < 4);
        results.samples.retain(|run| run.peer != "threads" || run.round == 2);
        let text = workloads(&results);
        assert!(text.contains("| chat-1000, n=5 | CPU µs ±3 % |"), "{text}");
        assert!(text.contains("| node | 4.12 (4.08–4.16, n=3) ≈ (n=3) |"), "{text}");
        assert!(text.contains("| threads | 8.16† | 0.10† | 0.30† |"), "{text}");
        let heads = "[chat-1000](#chat-1000): CPU µs ±3 %, n=5 |";
        assert!(summary(&results).contains(heads), "{}", summary(&results));
    }
}
