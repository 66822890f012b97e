//! The report as a whole, and results to make one of.

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
    let linked: Vec<&str> =
        text.lines().filter_map(|line| line.strip_suffix(".svg)")?.split("](").nth(1)).collect();
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
            let cpu = run.outcome.get("cpu_us").unwrap_or_default();
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
        "never reads?\n\n**The lowest latency, channels without a bound aside: ours, tokio-same-design.** ",
    );
    said("a run of seconds shows: `tokio-documented: 0.10 0.24×; 1 0.24×`");
    let best =
        "The least CPU: ours, tokio-same-design. The lowest latency: ours, tokio-same-design.";
    said(&format!("## Which runtime for an echo?\n\n**{best}**"));
    said("`\n- as ours: `tokio-same-design: 4.16 (4.08–4.24) ≈; 0.42 (0.41–0.42) ≈`");
    said("\n- more CPU, higher latency: `tokio-documented: ");
    said("\n- the floor, epoll by hand: `raw-epoll: 2.06 (2.02–2.10) 0.50×; ");
    said("\n- not valid: asyncio (lines: 1 dropped)");
    said("| tokio | 8.24 (8.08–8.40) 2× | 4.16 (4.08–4.24) ≈ | 1.98× | 0.30 ≈ | 0.30 ≈ | ≈ |");
    said(
        "**In a room at 1,000 lines a second a runtime as documented takes 1.98 times the CPU of the",
    );
    said(" with one design the runtimes differ by 1.01 times at most.**\n");
    assert_eq!(design::table(&made_up::results()), "");
}

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
            rename(&mut results, old, new);
            let facts = results.peers.iter_mut().find(|facts| facts.name == new);
            facts.expect("it is there").lane = of.name().into();
        }
        results
    }

    /// Has a peer go by another name.
    pub(crate) fn rename(results: &mut Results, old: &str, new: &str) {
        let runs = results.samples.iter_mut().filter(|run| run.peer == old);
        runs.for_each(|run| run.peer = new.into());
        let facts = results.peers.iter_mut().filter(|facts| facts.name == old);
        facts.for_each(|facts| facts.name = new.into());
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
