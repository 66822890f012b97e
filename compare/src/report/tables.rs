//! The tables of the report.

use super::count::{SINGLE, mark, ranged, usual};
use super::metric::{compare, equals, floor, metrics, value};
use super::svg::short;
use super::table::{Column, NOTHING, Table};
use crate::date::day;
use crate::results::{Bound, Card, Facts, OURS, OURS_AGAIN, Results};
use crate::stats::{Spread, Standing};
use crate::workload::{self, Extent, WORKLOADS, Workload};

/// Workload and metric of the columns of the summary, and what the column is called.
const SUMMARY: [(&str, &str, &str); 8] = [
    ("echo-50", "cpu_us", "echo, 50 clients: CPU µs a round trip"),
    ("chat-200", "cpu_us", "chat, 200 lines/s: CPU µs a delivery"),
    ("chat-1000", "cpu_us", "chat, 1,000 lines/s: CPU µs a delivery"),
    ("chat-5000", "cpu_us", "chat, 5,000 lines/s: CPU µs a delivery"),
    ("chat-1000", "p99_us", "chat, 1,000 lines/s: p99 µs"),
    ("fan-1000", "last_p50_ms", "chat, 1 to 1,000: last has it, ms"),
    ("idle-chat", "rss_client_bytes", "chat, idle: bytes a client"),
    ("start", "start_ms", "chat, start: ms"),
];

pub(crate) fn head(results: &Results) -> String {
    let (extent, mark) = match results.extent {
        Extent::Quick => ("`--quick`", " **Short rounds only: take it as a first look.**"),
        Extent::Usual => ("the usual extent", ""),
        Extent::Full => ("`--full`", ""),
        Extent::Bench => ("`bench`", ""),
    };
    let unfinished = if results.unfinished {
        format!(" **Unfinished: there are {} runs, and more were to come.**", results.samples.len())
    } else {
        String::new()
    };
    let chosen = if results.chosen.is_empty() {
        String::new()
    } else {
        format!(" and `{}`", results.chosen)
    };
    let apart = results.samples.iter().filter(|run| run.outcome.apart).count();
    let apart = match apart {
        0 => String::new(),
        n => format!(
            " Nor are {n} of {} runs during which the machine's host had moved the two cores apart.",
            results.samples.len()
        ),
    };
    format!(
        "# Servers compared\n\n{}\n\n\
         Measured with {extent}{chosen} in {:.0} minutes, order shuffled with seed {}.{mark}\
         {unfinished} Medians with least and most, of n runs: n stands in the table's head, and \
         beside a figure that is of another number; {SINGLE} marks what a single run says. × is theirs by ours, round by round; ≈ means within the band in which \
         ours differs from itself (twice the median distance of the A/A runs). Runs that the generator limited are not \
         ranked.{apart} Take the ratios, not the figures: they are this machine's.\n",
        machine(&results.card),
        results.minutes,
        results.seed,
    )
}

/// What it was measured on.
pub(crate) fn machine(card: &Card) -> String {
    let virtual_machine = if card.virtual_machine { ", a virtual machine" } else { "" };
    let cores = if card.server_core == card.generator_core {
        "**One core only: server and generator share it, and nothing here compares.**".to_owned()
    } else {
        format!("Server on core {}, generator on core {}.", card.server_core, card.generator_core)
    };
    format!(
        "{} ({} cores{virtual_machine}), {} MiB, Linux {}, {} descriptors, {}, commit {}, day {}. \
         {cores}",
        card.cpu,
        card.cores,
        card.memory_mib,
        card.kernel,
        card.descriptors,
        card.rustc,
        card.commit,
        day(card.taken),
    )
}

pub(crate) fn summary(results: &Results) -> String {
    let measured: Vec<_> = SUMMARY
        .into_iter()
        .filter_map(|(name, key, title)| {
            let workload = workload::find(name)?;
            value(results, name, OURS, key)?;
            Some((workload, key, format!("{title}, {}", usual(results.rounds(name)))))
        })
        .collect();
    let mut columns = vec![Column::words("peer"), Column::words("lane")];
    columns.extend(measured.iter().map(|(_, _, title)| Column::figures(title)));
    columns.extend(["binary KiB", "lines of code", "crates"].map(Column::figures));
    let mut table = Table::new(columns);
    for facts in &results.peers {
        let mut cells = vec![emphasis(&facts.name), facts.lane.clone()];
        let stands = measured.iter().map(|(workload, key, _)| {
            let Cell { figure, standing } = cell(results, workload, &facts.name, key, false);
            standing.unwrap_or(figure)
        });
        cells.extend(stands);
        let number = |number: Option<usize>| number.map_or(NOTHING.into(), |n| n.to_string());
        let size = facts.size.map(|bytes| (bytes / 1024) as usize);
        cells.extend([size, facts.code_lines, facts.crates].map(number));
        table.row(cells);
    }
    let mut text = format!("\n## Summary\n\n{}", table.text());
    text += "\nOurs is told in figures, the others as theirs by ours; a figure of theirs stands where \
             there is no pair that may be ranked. Ours does more than its peers do (bounds, telnet, \
             shutdown, log), which its lines of code show; a peer's are all three servers and nothing \
             else. The binary is ours' chat, and a peer's whole program.\n";
    for (peer, why) in &results.skipped {
        text += &format!("\nLeft out: **{peer}**, {why}.\n");
    }
    text
}

/// A table a workload.
pub(crate) fn workloads(results: &Results) -> String {
    let mut text = String::from("\n## All figures\n");
    for workload in WORKLOADS {
        if results.samples.iter().any(|sample| sample.workload == workload.name) {
            text += &table(results, &workload);
        }
    }
    text
}

fn table(results: &Results, workload: &Workload) -> String {
    let metrics = metrics(&workload.load);
    let floor = floor(results, workload);
    let (name, counted) = (workload.name, workload.message());
    let rounds = results.rounds(name);
    let bands: Vec<String> = metrics
        .iter()
        .filter(|metric| !metric.aside)
        .filter_map(|metric| {
            let (band, n) = equals(results, name, metric.key)?;
            Some(format!("{} ±{:.0} %{}", metric.title, band * 100.0, mark(n, rounds)))
        })
        .collect();
    let mut columns = vec![Column::words(&format!("{name}, {}", usual(rounds)))];
    columns.extend(metrics.iter().map(|metric| Column::figures(metric.title)));
    columns.extend(
        ["CPU of the floor", "server / generator busy", "switches a 1,000: voluntary, not"]
            .map(Column::figures),
    );
    columns.extend([Column::figures("threads"), Column::words("bound")]);
    let mut table = Table::new(columns);
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for peer in results.peers.iter().map(|facts| facts.name.as_str()).chain([OURS_AGAIN]) {
        match row(results, workload, peer, floor) {
            Some(row) => rows.push(row),
            None => failed.extend(results.fault(name, peer).map(|why| (peer, why))),
        }
    }
    rows.sort_by(|one, other| one.0.total_cmp(&other.0));
    rows.into_iter().for_each(|(_, row)| table.row(row));
    for (peer, why) in failed {
        table.words(emphasis(peer), format!("not valid: {why}"));
    }
    format!(
        "\n### {name}\n\n{}; {rounds} {}; CPU a {counted}. Equal within: {}.\n\n{}",
        workload.about,
        if rounds == 1 { "round" } else { "rounds" },
        if bands.is_empty() { "not known".into() } else { bands.join(", ") },
        table.text(),
    )
}

/// A peer's row, and what it is sorted by.
fn row(
    results: &Results,
    workload: &Workload,
    peer: &str,
    floor: Option<f64>,
) -> Option<(f64, Vec<String>)> {
    let metrics = metrics(&workload.load);
    let rounds = results.rounds(workload.name);
    let get = |key| value(results, workload.name, peer, key);
    let first = get(metrics[0].key)?.median;
    let mut cells = vec![emphasis(peer)];
    for metric in metrics {
        let Cell { figure, standing } = cell(results, workload, peer, metric.key, true);
        cells.push(figure + &standing.map_or(String::new(), |standing| format!(" {standing}")));
    }
    let told = |key, how: &dyn Fn(f64) -> String| {
        get(key).map_or(NOTHING.into(), |found| how(found.median) + &mark(found.n, rounds))
    };
    // Two figures in one column.
    let both = |one: String, between: &str, other: String| {
        if one == NOTHING && other == NOTHING { one } else { one + between + &other }
    };
    let share = |floor: f64| told("cpu_us", &|cpu| format!("{:.0} %", cpu * 1e5 / floor));
    let percent = |key| told(key, &|share| format!("{:.0} %", share * 100.0));
    let figure = |key| told(key, &short);
    cells.push(floor.map_or(NOTHING.into(), share));
    cells.push(both(percent("server_share"), " / ", percent("generator_share")));
    cells.push(both(figure("voluntary"), ", ", figure("involuntary")));
    cells.extend([figure("threads"), bound(results, workload.name, peer)]);
    Some((if metrics[0].more_is_better { -first } else { first }, cells))
}

fn bound(results: &Results, workload: &str, peer: &str) -> String {
    let runs: Vec<Bound> = results.runs(workload, peer).map(|run| run.outcome.bound).collect();
    let count = |bound| runs.iter().filter(|&&other| other == bound).count();
    let all = [
        (Bound::Server, "server"),
        (Bound::Client, "client"),
        (Bound::Both, "both"),
        (Bound::Neither, "neither"),
    ];
    let told = all.into_iter().filter(|(bound, _)| count(*bound) > 0);
    let told = told.map(|(bound, name)| match count(bound) {
        n if n == runs.len() => name.to_owned(),
        n => format!("{n} {name}"),
    });
    let mut told: Vec<String> = told.collect();
    let apart = results.runs(workload, peer).filter(|run| run.outcome.apart).count();
    told.extend((apart > 0).then(|| format!("{apart} apart")));
    told.join(", ")
}

/// One figure, and how it stands to ours where that may be told.
pub(crate) struct Cell {
    pub(crate) figure: String,
    pub(crate) standing: Option<String>,
}

pub(crate) fn cell(
    results: &Results,
    workload: &Workload,
    peer: &str,
    key: &str,
    range: bool,
) -> Cell {
    let rounds = results.rounds(workload.name);
    let Some(Spread { n, median, min, max }) = value(results, workload.name, peer, key) else {
        let faulty = results.fault(workload.name, peer).is_some();
        return Cell { figure: if faulty { "fails" } else { NOTHING }.into(), standing: None };
    };
    let range = (range && min < max).then(|| format!("{}–{}", short(min), short(max)));
    let figure = ranged(&short(median), range, n, rounds);
    let metric = metrics(&workload.load).iter().find(|metric| metric.key == key);
    let ranked = metric.filter(|metric| !metric.aside && peer != OURS);
    let standing =
        ranked.and_then(|metric| compare(results, workload, peer, metric)).map(|found| {
            let sign = match found.standing {
                Standing::Equal => "≈".into(),
                _ => format!("{}×", short(found.ratio)),
            };
            sign + &mark(found.n, rounds)
        });
    Cell { figure, standing }
}

pub(crate) fn foot(results: &Results) -> String {
    let mut prices = Table::of("system call", ["ns, median of many series"]);
    for (name, nanos) in &results.prices {
        prices.row(vec![name.clone(), format!("{nanos:.0}")]);
    }
    let mut text = format!("\n## The machine's own prices\n\n{}", prices.text());
    text += "\nThe floor of an echo is a recv and a send, that of a delivery a send: a server that \
             writes several lines with one send gets below it. On loopback a send does the \
             receiver's TCP work too, and wakes it if it sleeps, which the price of a send to \
             nobody who waits does not hold.\n\n## Versions\n\n| peer | runtime | version |\n|---|---|---|\n";
    for Facts { name, runtime, version, .. } in &results.peers {
        let version = version.lines().next().unwrap_or_default();
        text += &format!("| {name} | {runtime} | {version} |\n");
    }
    text
}

fn emphasis(peer: &str) -> String {
    if peer == OURS { format!("**{peer}**") } else { peer.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    #[test]
    fn tables_hold_ratios_equals_and_faults() {
        let results = made_up::results();
        let text = summary(&results) + &workloads(&results);
        assert!(text.contains("| raw-epoll | 2.06 (2.02–2.10) 0.50× |"), "{text}");
        assert!(text.contains("4.16 (4.08–4.24) ≈"), "{text}");
        assert!(text.contains("| asyncio | not valid: lines: 1 dropped |"), "{text}");
        assert!(text.contains("Left out: **go**, go is not installed."), "{text}");
        assert!(text.contains(" 206 % |"), "{text}");
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
                metrics(&workload.load).iter().for_each(|metric| run.outcome.set(metric.key, 1.0));
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
        for (workload, _, title) in SUMMARY {
            let program = workload::find(workload).expect("known").program.name();
            assert!(title.starts_with(program), "{title}");
        }
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
    fn a_figure_of_fewer_runs_says_so_and_that_of_a_single_one_is_marked() {
        let mut results = made_up::results();
        results.samples.retain(|run| run.peer != "node" || run.round < 4);
        results.samples.retain(|run| run.peer != "threads" || run.round == 2);
        let text = workloads(&results);
        assert!(text.contains("| chat-1000, n=5 | CPU µs |"), "{text}");
        assert!(text.contains("| node | 4.12 (4.08–4.16, n=3) ≈ (n=3) |"), "{text}");
        assert!(text.contains("| threads | 8.16† | 100† | 300† |"), "{text}");
        let heads = "chat, 1,000 lines/s: CPU µs a delivery, n=5 |";
        assert!(summary(&results).contains(heads), "{}", summary(&results));
    }
}
