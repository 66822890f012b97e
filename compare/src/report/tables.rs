//! The tables of the report.

use super::metric::{compare, equals, floor, metrics, value};
use super::svg::short;
use crate::results::{Bound, Facts, OURS, OURS_AGAIN, Results};
use crate::stats::{Spread, Standing};
use crate::workload::{self, Extent, WORKLOADS, Workload};

/// Workload and metric of the columns of the summary, and what the column is called.
const SUMMARY: [(&str, &str, &str); 8] = [
    ("echo-50", "cpu_us", "echo, 50 clients: CPU µs a round trip"),
    ("chat-200", "cpu_us", "chat, 200 lines/s: CPU µs a delivery"),
    ("chat-1000", "cpu_us", "1,000 lines/s"),
    ("chat-5000", "cpu_us", "5,000 lines/s"),
    ("chat-1000", "p99_us", "1,000 lines/s: p99 µs"),
    ("fan-1000", "last_p50_ms", "1 to 1,000: last has it, ms"),
    ("idle-chat", "rss_client_bytes", "bytes an idle chat client"),
    ("start", "start_ms", "start, ms"),
];

pub(crate) fn head(results: &Results) -> String {
    let card = &results.card;
    let (extent, mark) = match results.extent {
        Extent::Quick => ("`--quick`", " **Three short rounds only: take it as a first look.**"),
        Extent::Usual => ("the usual extent", ""),
        Extent::Full => ("`--full`", ""),
    };
    let apart = results.samples.iter().filter(|run| run.outcome.apart).count();
    let apart = match apart {
        0 => String::new(),
        n => format!(
            " Nor are {n} of {} runs during which the machine's host had moved the two cores apart.",
            results.samples.len()
        ),
    };
    let virtual_machine = if card.virtual_machine { ", a virtual machine" } else { "" };
    let cores = if card.server_core == card.generator_core {
        "**One core only: server and generator share it, and nothing here compares.**".to_owned()
    } else {
        format!("Server on core {}, generator on core {}.", card.server_core, card.generator_core)
    };
    format!(
        "# Servers compared\n\n\
         {} ({} cores{virtual_machine}), {} MiB, Linux {}, {} descriptors, {}, commit {}, day {}. \
         {cores}\n\n\
         Measured with {extent} in {:.0} minutes, order shuffled with seed {}.{mark} Medians with \
         least and most; × is theirs by ours, round by round; ≈ means within the band in which \
         ours differs from itself (twice the median distance of the A/A runs). Runs that the generator limited are not \
         ranked.{apart} Take the ratios, not the figures: they are this machine's.\n",
        card.cpu,
        card.cores,
        card.memory_mib,
        card.kernel,
        card.descriptors,
        card.rustc,
        card.commit,
        day(card.taken),
        results.minutes,
        results.seed,
    )
}

pub(crate) fn summary(results: &Results) -> String {
    let columns: Vec<_> = SUMMARY
        .into_iter()
        .filter_map(|(name, key, title)| {
            let workload = workload::find(name)?;
            value(results, name, OURS, key)?;
            Some((workload, key, title))
        })
        .collect();
    let mut text = String::from("\n## Summary\n\n| | lane |");
    columns.iter().for_each(|(_, _, title)| text += &format!(" {title} |"));
    text += " binary KiB | lines of code | crates |\n|---|---|";
    text += &"---:|".repeat(columns.len() + 3);
    text.push('\n');
    for facts in &results.peers {
        let name = emphasis(&facts.name);
        text += &format!("| {name} | {} |", facts.lane);
        for (workload, key, _) in &columns {
            text += &format!(" {} |", stand(results, workload, &facts.name, key));
        }
        let number = |number: Option<usize>| number.map_or("–".into(), |n| n.to_string());
        let size = facts.size.map_or("–".into(), |bytes| (bytes / 1024).to_string());
        let (lines, crates) = (number(facts.code_lines), number(facts.crates));
        text += &format!(" {size} | {lines} | {crates} |\n");
    }
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
    let counted = workload.message();
    let rounds = results.samples.iter().filter(|sample| sample.workload == workload.name);
    let rounds = rounds.map(|sample| sample.round).max().unwrap_or(0);
    let bands: Vec<String> = metrics
        .iter()
        .filter(|metric| !metric.aside)
        .filter_map(|metric| {
            let band = equals(results, workload.name, metric.key)?;
            Some(format!("{} ±{:.0} %", metric.title, band * 100.0))
        })
        .collect();
    let mut text = format!(
        "\n### {}\n\n{}; {rounds} {}; CPU a {counted}. Equal within: {}.\n\n| |",
        workload.name,
        workload.about,
        if rounds == 1 { "round" } else { "rounds" },
        if bands.is_empty() { "not known".into() } else { bands.join(", ") },
    );
    metrics.iter().for_each(|metric| text += &format!(" {} |", metric.title));
    text += if floor.is_some() { " CPU of the floor |" } else { "" };
    text +=
        " server / generator busy | switches a 1,000: voluntary, not | threads | bound |\n|---|";
    text += &"---:|".repeat(metrics.len() + 3 + usize::from(floor.is_some()));
    text += "---|\n";
    let mut rows: Vec<(f64, String)> = results
        .peers
        .iter()
        .map(|facts| facts.name.as_str())
        .chain([OURS_AGAIN])
        .filter_map(|peer| row(results, workload, peer, floor))
        .collect();
    rows.sort_by(|one, other| one.0.total_cmp(&other.0));
    rows.into_iter().for_each(|(_, row)| text += &row);
    text
}

/// A peer's row, and what it is sorted by.
fn row(
    results: &Results,
    workload: &Workload,
    peer: &str,
    floor: Option<f64>,
) -> Option<(f64, String)> {
    let metrics = metrics(&workload.load);
    let get = |key| value(results, workload.name, peer, key).map(|spread| spread.median);
    let name = emphasis(peer);
    let Some(first) = get(metrics[0].key) else {
        let why = results.fault(workload.name, peer)?;
        return Some((f64::INFINITY, format!("| {name} | not valid: {why} |\n")));
    };
    let mut text = format!("| {name} |");
    for metric in metrics {
        text += &format!(" {} |", cell(results, workload, peer, metric.key, true));
    }
    if let Some(floor) = floor {
        let share = get("cpu_us").map(|cpu| format!("{:.0} %", cpu * 1e5 / floor));
        text += &format!(" {} |", share.unwrap_or_default());
    }
    let percent = |key| get(key).map_or("–".into(), |share| format!("{:.0} %", share * 100.0));
    let figure = |key| get(key).map_or("–".into(), short);
    text += &format!(" {} / {} |", percent("server_share"), percent("generator_share"));
    text += &format!(" {}, {} |", figure("voluntary"), figure("involuntary"));
    text += &format!(" {} | {} |\n", figure("threads"), bound(results, workload.name, peer));
    let sort = if metrics[0].more_is_better { -first } else { first };
    Some((sort, text))
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

/// What stands in the summary: a ratio, where there is one.
fn stand(results: &Results, workload: &Workload, peer: &str, key: &str) -> String {
    let cell = cell(results, workload, peer, key, false);
    cell.split_once(' ').map_or(cell.clone(), |(_, ratio)| ratio.to_owned())
}

fn cell(results: &Results, workload: &Workload, peer: &str, key: &str, range: bool) -> String {
    let Some(Spread { median, min, max }) = value(results, workload.name, peer, key) else {
        let faulty = results.fault(workload.name, peer).is_some();
        return if faulty { "fails".into() } else { "–".into() };
    };
    let mut text = short(median);
    if range && min < max {
        text += &format!(" ({}–{})", short(min), short(max));
    }
    let metric = metrics(&workload.load).iter().find(|metric| metric.key == key);
    let ranked = metric.filter(|metric| !metric.aside && peer != OURS);
    let Some(comparison) = ranked.and_then(|metric| compare(results, workload, peer, metric))
    else {
        return text;
    };
    match comparison.standing {
        Standing::Equal => text + " ≈",
        _ => format!("{text} {}×", short(comparison.ratio)),
    }
}

pub(crate) fn foot(results: &Results) -> String {
    let mut text =
        String::from("\n## The machine's own prices\n\n| system call | ns |\n|---|---:|\n");
    for (name, nanos) in &results.prices {
        text += &format!("| {name} | {nanos:.0} |\n");
    }
    text += "\nThe floor of an echo is a recv and a send, that of a delivery a send: a server that \
             writes several lines with one send gets below it. On loopback a send does the \
             receiver's TCP work too, and wakes it if it sleeps, which the price of a send to \
             nobody who waits does not hold.\n\n## Versions\n\n| | runtime | version |\n|---|---|---|\n";
    for Facts { name, runtime, version, .. } in &results.peers {
        let version = version.lines().next().unwrap_or_default();
        text += &format!("| {name} | {runtime} | {version} |\n");
    }
    text
}

fn emphasis(peer: &str) -> String {
    if peer == OURS { format!("**{peer}**") } else { peer.into() }
}

/// Year, month and day of so many seconds since 1970 (the civil calendar by 400-year eras).
fn day(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
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

    #[test]
    fn a_day_is_counted_right() {
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(951_782_400), "2000-02-29");
        assert_eq!(day(1_795_219_200), "2026-11-21");
    }
}
