//! What the pause of our chat costs and saves: CPU of a delivery, and how long it takes, by room,
//! rate and pause. It is from this picture that the rule of the pause was chosen.

use std::fs;
use std::time::Duration;

use crate::Result;
use crate::options::Options;
use crate::place;
use crate::prepare;
use crate::report::svg::{Axis, Lines, Series, THIN, short};
use crate::results::Sample;
use crate::trial::{Column, Trial, chat, measure, table, verdict};
use crate::workload::{Extent, Load};

const ROOMS: [usize; 4] = [10, 100, 1000, 5000];

/// Lines a second.
const RATES: [u32; 4] = [20, 200, 1000, 5000];

/// What `--pause` is given, in milliseconds.
const PAUSES: [u32; 6] = [0, 1, 2, 5, 10, 20];

/// Milliseconds that each member adds to a pause, as `src/chat/pause.rs` has it.
const FOR_EACH: f64 = 0.1;

/// Deliveries a second that the generator reads and the server makes without a pause: a room and a
/// rate with more are left out.
const MOST: usize = 500_000;

/// Those who speak, at most, so that the generator's accounts of who heard whom stay small.
const SPEAKERS: usize = 100;

/// Milliseconds measured, with `--quick` and without; a third of it before is discarded.
const WINDOWS: [u64; 2] = [300, 3300];

/// Time for runs that do not count since the host moved the cores, with `--quick` and without.
const PATIENCE: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(40)];

const LEGEND: &str = "
The pause is that of `--pause`, or 0.1 ms a member where that is less. Lines a second are of all
members together. p99 counts from when a line was due, and late is how much of it the generator took
to say the line. Where that is half of p99 or more, the machine was busy otherwise: it is not drawn.
†: the host had moved the cores, which changes all figures.";

const COLUMNS: [Column; 3] = [
    ("CPU µs a delivery", "cpu_us", 1.0),
    ("p99 ms", "p99_us", 1e3),
    ("late ms", "late_p99_us", 1e3),
];

/// An error if any run could not be measured; what could is told nevertheless.
pub(crate) fn pauses(options: &Options) -> Result<()> {
    let (machine, peers) = prepare::ours(options)?;
    let folder = place::fresh(options.out.as_deref())?;
    let extent = usize::from(options.extent > Extent::Quick);
    let window = WINDOWS[extent];
    let trials = trials(machine.clients().min(options.clients), window);
    let run = |(load, longest): &(Load, u32)| {
        chat(&machine, &peers[0], &["--pause", &longest.to_string()], *load, window)
    };
    let samples = measure(&machine, PATIENCE[extent], 1, &trials, run)?;
    println!("{}{LEGEND}", table(&COLUMNS, &samples).text());
    if let Some(svg) = picture(&samples) {
        let file = folder.join("pauses.svg");
        fs::create_dir_all(folder)?;
        fs::write(&file, svg)?;
        eprintln!("the picture is {}", file.display());
    }
    verdict(&samples)
}

/// Room by room and rate by rate, each pause once: a small room does not pause for longer than its
/// members make it, whatever `--pause` it is given.
fn trials(most_clients: usize, window: u64) -> Vec<Trial<(Load, u32)>> {
    let mut rooms = ROOMS.map(|room| room.min(most_clients)).to_vec();
    rooms.dedup();
    let carried = |room: usize| RATES.into_iter().filter(move |rate| room * *rate as usize <= MOST);
    let loads = rooms.into_iter().flat_map(|room| carried(room).map(move |rate| (room, rate)));
    let trial = |clients: usize, rate, longest| {
        let pause = (clients as f64 * FOR_EACH).min(f64::from(longest));
        let (workload, variant) = (format!("{clients} members, {rate}/s"), short(pause) + " ms");
        let seconds = 0.5 + clients as f64 / 8000.0 + window as f64 / 750.0;
        let speakers = clients.min(SPEAKERS);
        let load = Load::Chat { clients, speakers, bytes: 56, rate, burst: 1, deaf: 0 };
        Trial { workload, variant, seconds, what: (load, longest) }
    };
    let all = loads.flat_map(|(room, rate)| PAUSES.map(|longest| trial(room, rate, longest)));
    let mut trials: Vec<_> = all.collect();
    trials.dedup_by_key(|trial| (trial.workload.clone(), trial.variant.clone()));
    trials
}

/// A line for each room and rate, from no pause to the longest.
fn picture(samples: &[Sample]) -> Option<String> {
    let loads = samples.chunk_by(|one, other| one.workload == other.workload);
    let lines = loads.enumerate().map(|(color, load)| {
        let point = |Sample { outcome, .. }: &Sample| {
            let figure = |key| outcome.metrics.get(key).copied();
            let (p99, late) = (figure("p99_us")? / 1e3, figure("late_p99_us")? / 1e3);
            (late < p99 / 2.0).then_some((figure("cpu_us")?, p99))
        };
        let (name, points) = (load[0].workload.clone(), load.iter().filter_map(point).collect());
        Series { name, color, stroke: THIN, points }
    });
    let axis = |label: &str| Axis { label: label.into(), log: true, ticks: &[] };
    let title = "Our chat, a point for each pause, from none (where the name is) to the longest";
    let (x, y) = (axis("CPU of one delivery, µs"), axis("ms, 99 % of the deliveries"));
    let series = lines.collect();
    Lines { title: title.into(), note: "", x, y, series }.draw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    #[test]
    fn each_pause_is_tried_once_where_it_is_carried_and_all_within_six_minutes() {
        let trials = trials(10_000, WINDOWS[1]);
        let of = |load: &str| -> Vec<&str> {
            let chosen = trials.iter().filter(|trial| trial.workload == load);
            chosen.map(|trial| &*trial.variant).collect()
        };
        assert_eq!(of("10 members, 20/s"), ["0 ms", "1 ms"]);
        assert_eq!(of("100 members, 5000/s"), ["0 ms", "1 ms", "2 ms", "5 ms", "10 ms"]);
        assert_eq!(of("5000 members, 20/s").last(), Some(&"20 ms"));
        assert!(of("5000 members, 200/s").is_empty() && of("1000 members, 1000/s").is_empty());
        let seconds: f64 = trials.iter().map(|trial| trial.seconds).sum();
        assert!(seconds + PATIENCE[1].as_secs_f64() < 360.0, "{seconds}");
    }

    #[test]
    fn a_run_without_figures_or_a_late_one_has_no_point() {
        let mut samples = made_up::results().samples;
        samples.truncate(4);
        samples.iter_mut().for_each(|it| it.workload = "10 members, 20/s".into());
        samples.iter_mut().for_each(|it| it.outcome.set("late_p99_us", 1.0));
        samples[3].outcome.set("late_p99_us", 200.0);
        samples[2].outcome = crate::results::Outcome::invalid("it ended");
        let svg = picture(&samples).expect("two points");
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains(">10 members, 20/s</text>"), "{svg}");
    }
}
