//! The report: answers, pictures and tables from the results.

mod answers;
pub(crate) mod cell;
mod design;
pub(crate) mod metric;
mod plots;
pub(crate) mod svg;
pub(crate) mod table;
pub(crate) mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::journal::Journal;
use crate::place::{self, JOURNAL, REPORT, RESULTS};
use crate::results::Results;
use crate::workload::Extent;
use crate::wrong::Wrong;
use plots::{PLOTS, Plot};

/// Writes a run's report again, of the runs that were made if it is unfinished.
pub(crate) fn again(folder: &Option<PathBuf>) -> Result<PathBuf> {
    let newest = || place::holding(&place::runs(), JOURNAL).into_iter().next();
    let none = || Wrong("there is no run; `compare run` makes one".into());
    let folder = folder.clone().or_else(newest).ok_or_else(none)?;
    if folder.join(RESULTS).exists() {
        return write(&Results::read(&folder.join(RESULTS))?, &folder);
    }
    let journal = Journal::open(&folder)
        .map_err(|error| Wrong(format!("{} holds no run: {error}", folder.display())))?;
    write(&Results { unfinished: true, ..journal.results() }, &folder)
}

/// Returns the whole path of the report.
pub(crate) fn write(results: &Results, directory: &Path) -> Result<PathBuf> {
    let mut pictures = String::new();
    for Plot { name, about, draw } in PLOTS {
        let file = directory.join(format!("{name}.svg"));
        match draw(results) {
            Some(svg) => {
                fs::write(file, svg)?;
                pictures += &format!("\n![{about}]({name}.svg)\n\n*{about}.*\n");
            }
            // One of an earlier run would be taken for this one's.
            None => _ = fs::remove_file(file),
        }
    }
    let parts = [
        head(results),
        answers::page(results),
        design::table(results),
        pictures,
        tables::summary(results),
        tables::workloads(results),
        tables::prices(results),
    ];
    let report = directory.join(REPORT);
    fs::write(&report, parts.concat())?;
    Ok(report.canonicalize()?)
}

/// How the figures are written, and how sure they are.
const READING: &str = "Each figure is the median (least–most) of n runs, and † a single run's; × is \
theirs by ours, round by round. ≈ is no difference: the ratio is within the band ± in which ours \
differs from itself; what has neither × nor ≈ is told and not ranked. The band is of factors: ±20 % is from 0.83× to 1.20×. Two runs show little of how \
far equals are apart, so that the band of less than three is ±15 % at least; take what has n=2 or † as a \
first look, to be measured again with `--rounds 5`. CPU is of a delivery, in an echo of a round trip; \
memory is the process's own (RSS), without what the kernel holds for its sockets. Not ranked are \
runs that the generator limited, or before or after which the host had moved the two cores. Microseconds and bytes are \
this machine's alone. Ratios carry over to machines like it; for another kind, measure there and hold \
both against each other with `compare show`.";

/// What was measured, and how the figures are written.
fn head(results: &Results) -> String {
    let (minutes, runs, machine) =
        (results.minutes.max(0.1), results.samples.len(), tables::machine(&results.card));
    let mut made = format!("Made with `compare {}` in {minutes:.1} min.", results.asked());
    if results.extent == Extent::Quick {
        made += " **Short rounds only: take it as a first look.**";
    }
    made += &results.disturbed().map_or(String::new(), |said| format!(" **{said}**"));
    if results.unfinished {
        made += &format!(" **Unfinished: runs made so far: {runs}.**");
    }
    format!(
        "# Servers compared\n\nThe same three servers on several runtimes. A peer's lane says what it \
         is: *ours*, the servers of this repository, on smol; *as documented*, what its runtime's \
         own documentation shows; *same design*, log, cursors and pause of ours on that runtime; *floor*, \
         epoll by hand. {made} {machine}\n\n{READING}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::scratch;
    use crate::results::Sample;

    #[test]
    fn the_whole_path_of_the_report_is_told_and_all_pictures_in_it_are_there() {
        let folder = scratch("report");
        let up = folder.join("..").join(folder.file_name().expect("its name"));
        let report = write(&made_up::results(), &up).expect("written");
        assert!(report.is_absolute());
        assert_eq!(report, folder.canonicalize().expect("it is there").join(REPORT));
        let text = fs::read_to_string(&report).expect("it is there");
        let linked: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_suffix(".svg)")?.split("](").nth(1))
            .collect();
        assert_eq!(linked, ["cpu-latency"]);
        assert!(linked.iter().all(|name| folder.join(format!("{name}.svg")).exists()));
        fs::remove_dir_all(folder).expect("it is ours");
    }

    /// The text of a report of all that the first page asks for, by two runtimes.
    fn whole(name: &str) -> String {
        let mut results = made_up::same_design();
        let chats: Vec<Sample> =
            results.samples.iter().filter(|run| run.workload == "chat-1000").cloned().collect();
        for workload in ["stalled", "echo-50", "idle-chat"] {
            results.samples.extend(chats.iter().cloned().map(|mut run| {
                run.workload = workload.into();
                let cpu = run.outcome.metrics.get("cpu_us").copied().unwrap_or_default();
                // Nobody is sooner than one who keeps all for him who does not read.
                let cpu =
                    if run.peer == "tokio-documented" && workload == "stalled" { 1.0 } else { cpu };
                run.outcome.set("rss_client_bytes", cpu * 1000.0);
                run.outcome.set("grown_mib", cpu);
                run.outcome.set("p99_us", cpu * 100.0);
                run
            }));
        }
        let folder = scratch(name);
        let report = write(&results, &folder).expect("written");
        let text = fs::read_to_string(report).expect("it is there");
        fs::remove_dir_all(folder).expect("it is ours");
        text
    }

    /// Heads and rows of the table below a title.
    fn table<'a>(text: &'a str, title: &str) -> Vec<Vec<&'a str>> {
        let (_, below) = text.split_once(&format!("\n### {title}\n")).expect("a table");
        let lines = below.lines().skip_while(|line| !line.starts_with('|'));
        let lines = lines.take_while(|line| line.starts_with('|'));
        lines.map(|line| line.trim_matches(['|', ' ']).split(" | ").collect()).collect()
    }

    #[test]
    fn each_claim_of_the_first_page_is_a_cell_of_a_table_with_its_band() {
        let text = whole("claims");
        let (page, _) = text.split_once("\n![").expect("pictures below it");
        let (mut asked, mut claims, mut sources) = ("", 0, Vec::new());
        for line in page.lines() {
            if let Some((_, source)) = line.split_once(": [").or_else(|| line.split_once(" ([")) {
                let (name, heads) = source.split_once("), ").expect("columns");
                asked = name.split(']').next().expect("a name");
                let heads = heads.split_once(')').expect("an end").0;
                let known = &table(&text, asked)[0];
                for head in heads.split("; ") {
                    assert!(head.contains(" ±") && known.contains(&head), "{head} in {known:?}");
                }
                sources.push(asked);
            }
            for claim in line.split('`').skip(1).step_by(2).filter(|it| it.contains(": ")) {
                let (peer, cells) = claim.split_once(": ").expect("a peer");
                let rows = table(&text, asked);
                let row = rows.iter().find(|row| row[0].trim_matches('*') == peer);
                let row = row.unwrap_or_else(|| panic!("{peer} in {asked}"));
                assert!(cells.split("; ").all(|cell| row.contains(&cell)), "{claim} in {row:?}");
                claims += 1;
            }
        }
        assert_eq!(sources, ["chat-1000", "stalled", "echo-50", "idle-chat"]);
        assert_eq!(claims, 4 * 4);
    }

    #[test]
    fn the_first_page_answers_from_the_figures_and_only_what_was_measured() {
        let text = whole("answers");
        let said = |what: &str| assert!(text.contains(what), "{what} in {text}");
        said(
            "never reads?\n\n**The soonest, channels without a bound aside: ours, tokio-same-design.** ",
        );
        said("a run of seconds shows: `tokio-documented: 0.10 0.24×; 1 0.24×`");
        let best = "The least CPU: ours, tokio-same-design. The soonest: ours, tokio-same-design.";
        said(&format!("## Which runtime for an echo?\n\n**{best}**"));
        said("`\n- as ours: `tokio-same-design: 4.16 (4.08–4.24) ≈; 0.42 (0.41–0.42) ≈`");
        said("\n- more CPU, later: `tokio-documented: ");
        said(
            "\n- the floor, epoll by hand, which is no answer: `raw-epoll: 2.06 (2.02–2.10) 0.50×; ",
        );
        said("\n- not valid: asyncio (lines: 1 dropped)");
        said("| tokio | 8.24 (8.08–8.40) 2× | 4.16 (4.08–4.24) ≈ | 1.98× | 0.30 ≈ | 0.30 ≈ | ≈ |");
        said(
            "**In a room a runtime as documented takes 1.98 times the CPU of the design on the same",
        );
        said(" what is left between the runtimes, with one design, is 1.01 times at most.**\n");
        assert_eq!(design::table(&made_up::results()), "");
    }

    #[test]
    fn the_first_page_says_why_there_is_no_answer_and_who_is_none() {
        let page = |change: fn(&mut Results)| {
            let mut results = made_up::results();
            change(&mut results);
            answers::page(&results)
        };
        let said = |page: &str, what: &str| assert!(page.contains(what), "{what} in {page}");
        let apart =
            page(|results| results.samples.iter_mut().for_each(|it| it.outcome.apart = true));
        let not_measured = "It was not measured: `compare run --only echo-50`.";
        said(&apart, &format!("\n## Which runtime for an echo?\n\n{not_measured}\n"));
        let room = "\n## Which runtime for a room?\n\n**";
        said(&apart, &format!("{room}Too few runs may be ranked: there is no answer.** ("));
        let alone = page(|results| {
            let of =
                |run: &Sample| ["ours", "ours-again", "raw-epoll", "asyncio"].contains(&&*run.peer);
            results.samples.retain(of);
        });
        said(
            &alone,
            &format!("{room}Beside ours no runtime has a valid run: there is no answer.**"),
        );
        let floor = "`raw-epoll: 2.06 (2.02–2.10) 0.50×; 0.30 ≈`";
        said(&alone, "\n\n- `ours: 4.12 (4.04–4.20); 0.30`\n- the floor, epoll by hand, ");
        said(
            &alone,
            &format!("which is no answer: {floor}\n- not valid: asyncio (lines: 1 dropped)\n"),
        );
        let pause = page(|results| {
            results
                .samples
                .iter_mut()
                .filter(|it| it.peer == "node")
                .for_each(|it| it.peer = "no-pause".into());
            results
                .peers
                .iter_mut()
                .filter(|it| it.name == "node")
                .for_each(|it| it.name = "no-pause".into());
        });
        said(&pause, &format!("{room}The least CPU: ours. The soonest: ours, threads.** ("));
        said(&pause, "\n- ours without its pause: `no-pause: 4.16 (4.08–4.24) ≈; 0.30 ≈`\n");
        let mut results = made_up::results();
        for run in &mut results.samples {
            run.outcome.set("p99_us", 40e3);
            run.outcome.set("server_share", 0.1);
        }
        said(&answers::page(&results), "Nagle's");
        results.samples.iter_mut().for_each(|run| run.workload = "echo-50".into());
        assert!(!answers::page(&results).contains("Nagle's"), "an echo has nothing to hold back");
        let fewer = page(|results| results.chosen = "--only chat-1000 --clients 5".into());
        said(&fewer, "\n## Which runtime for a room? (at most 5 clients)\n");
    }
}

#[cfg(test)]
pub(crate) mod made_up {
    //! Results that nobody measured.

    use crate::peers::Lane;
    use crate::results::{Facts, OURS, OURS_AGAIN, Outcome, Results, Sample, Trace};

    /// Ours takes 4 µs, the same once more; "raw-epoll" 2 µs, "threads" 8 µs and "node" 4.04 µs.
    pub(crate) fn results() -> Results {
        let mut samples = Vec::new();
        for round in 1..=5 {
            let wobble = 1.0 + 0.01 * round as f64;
            let peers = [
                (OURS, 4.0),
                (OURS_AGAIN, 4.0),
                ("raw-epoll", 2.0),
                ("threads", 8.0),
                ("node", 4.04),
            ];
            for (peer, micros) in peers {
                for workload in ["chat-200", "chat-1000"] {
                    samples.push(sample(workload, peer, round, micros * wobble));
                }
            }
        }
        let mut lost = sample("chat-1000", "asyncio", 1, 1.0);
        lost.outcome.fault = Some("lines: 1 dropped".into());
        samples.push(lost);
        let trace = |peer: &str, calls: f64| Trace {
            workload: "chat-1000".into(),
            peer: peer.into(),
            calls: [("sendto".to_owned(), calls), ("epoll_wait".to_owned(), 0.1)].into(),
        };
        let names = [OURS, "raw-epoll", "threads", "node", "asyncio"];
        let facts = |name: &str| {
            let lanes = [(OURS, Lane::Ours), ("raw-epoll", Lane::Floor)];
            let lane = lanes.iter().find(|it| it.0 == name).map_or(Lane::AsDocumented, |it| it.1);
            Facts {
                name: name.into(),
                lane: lane.name().into(),
                runtime: "Rust".into(),
                ..Facts::default()
            }
        };
        Results {
            seed: 1,
            minutes: 1.0,
            prices: [("send".to_owned(), 1000.0), ("recv".to_owned(), 500.0)].into(),
            peers: names.map(facts).into(),
            skipped: vec![("go".into(), "go is not installed".into())],
            samples,
            traces: vec![trace(OURS, 1.0), trace("raw-epoll", 0.5), trace("threads", 1.0)],
            traced_with: Some("perf trace -s".into()),
            ..Results::default()
        }
    }

    /// The same with "threads" and "node" as the two peers of one runtime.
    pub(crate) fn same_design() -> Results {
        let mut results = results();
        let names = [("threads", "tokio-documented"), ("node", "tokio-same-design")];
        for (of, (old, new)) in [Lane::AsDocumented, Lane::SameDesign].into_iter().zip(names) {
            let renamed = results.samples.iter_mut().filter(|run| run.peer == old);
            renamed.for_each(|run| run.peer = new.into());
            let facts = results.peers.iter_mut().find(|facts| facts.name == old);
            let facts = facts.expect("it is there");
            (facts.name, facts.lane) = (new.into(), of.name().into());
        }
        results
    }

    fn sample(workload: &str, peer: &str, round: usize, micros: f64) -> Sample {
        let mut outcome = Outcome::default();
        for (metric, value) in [
            ("cpu_us", micros),
            ("p50_us", 100.0),
            ("p99_us", 300.0),
            ("messages", 500.0),
            ("rate", 1e3),
        ] {
            outcome.set(metric, value);
        }
        let (workload, peer) = (workload.into(), peer.into());
        Sample { workload, peer, round, outcome }
    }
}
