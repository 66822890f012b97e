//! What the pause of our chat costs and saves: CPU of a delivery, and how long it takes, by room,
//! rate and pause. It is from this picture that the rule of the pause was chosen.

use std::fs;
use std::time::Duration;

use crate::Result;
use crate::cores::{self, Cores};
use crate::load::Job;
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::Peer;
use crate::place;
use crate::prepare;
use crate::progress::Progress;
use crate::report::svg::{Axis, Lines, Series, THIN, short};
use crate::report::table::Table;
use crate::results::{Outcome, Sample};
use crate::run::generator;
use crate::server::Server;
use crate::workload::{Extent, Load, Program};

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

/// Time for runs that do not count since the cores were apart, with `--quick` and without.
const PATIENCE: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(40)];

const LEGEND: &str = "
The pause is that of `--pause`, or 0.1 ms a member where that is less. Lines a second are of all
members together. p99 counts from when a line was due, and late is how much of it the generator took
to say the line. Where that is half of p99 or more, the machine was busy otherwise: it is not drawn.
†: the cores were apart, which makes everything slower.";

struct Trial {
    room: usize,
    rate: u32,
    /// What `--pause` is given.
    longest: u32,
    /// Milliseconds that the room pauses.
    pause: f64,
}

/// An error if any run could not be measured; what could is told nevertheless.
pub(crate) fn pauses(options: &Options) -> Result<()> {
    let (machine, peers) = prepare::ours(options)?;
    let file = place::fresh(options.out.as_deref())?.join("pauses.svg");
    let extent = usize::from(options.extent > Extent::Quick);
    let window = WINDOWS[extent];
    let trials = trials(machine.clients().min(options.clients));
    let mut progress = Progress::new(0, trials.iter().map(|trial| trial.guess(window)));
    let mut cores = Cores::new(&machine, PATIENCE[extent], &[])?;
    let mut samples = Vec::new();
    for trial in &trials {
        let workload = format!("{} members, {}/s", trial.room, trial.rate);
        let what = format!("{workload}, --pause {}", trial.longest);
        progress.begin(&what, trial.guess(window));
        let run = || trial.run(&machine, &peers[0], window).unwrap_or_else(Outcome::invalid);
        let mut outcome = cores.together(run)?;
        outcome.set("pause_ms", trial.pause);
        samples.push(Sample { workload, peer: peers[0].name.into(), round: 1, outcome });
    }
    cores::mark(&mut samples);
    println!("{}{LEGEND}", table(&samples).text());
    if let Some(svg) = picture(&samples) {
        fs::write(&file, svg)?;
        eprintln!("the picture is {}", file.display());
    }
    match samples.iter().filter(|sample| sample.outcome.fault.is_some()).count() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} runs could not be measured", trials.len()).into()),
    }
}

/// Room by room and rate by rate, each pause once: a small room does not pause for longer than its
/// members make it, whatever it is allowed.
fn trials(most_clients: usize) -> Vec<Trial> {
    let mut rooms = ROOMS.map(|room| room.min(most_clients)).to_vec();
    rooms.dedup();
    let carried = |room: usize| RATES.into_iter().filter(move |rate| room * *rate as usize <= MOST);
    let loads = rooms.into_iter().flat_map(|room| carried(room).map(move |rate| (room, rate)));
    let trial = |room: usize, rate, longest| {
        let pause = (room as f64 * FOR_EACH).min(f64::from(longest));
        Trial { room, rate, longest, pause }
    };
    let all = loads.flat_map(|(room, rate)| PAUSES.map(|longest| trial(room, rate, longest)));
    let mut trials: Vec<Trial> = all.collect();
    trials.dedup_by_key(|trial| (trial.room, trial.rate, trial.pause.to_bits()));
    trials
}

impl Trial {
    /// Seconds.
    fn guess(&self, window: u64) -> f64 {
        0.5 + self.room as f64 / 8000.0 + window as f64 / 750.0
    }

    fn run(&self, machine: &Machine, ours: &Peer, window: u64) -> Result<Outcome> {
        let longest = self.longest.to_string();
        let options = ["--rate", "0", "--history", "0", "--pause", &longest];
        let server = Server::start_ours(machine, ours, Program::Chat, &options)?;
        let (clients, speakers) = (self.room, self.room.min(SPEAKERS));
        let load = Load::Chat { clients, speakers, bytes: 56, rate: self.rate, burst: 1, deaf: 0 };
        let (pid, address, warm_up) = (server.pid(), server.address, window / 3);
        generator(&Job { load, pid, address, window, warm_up, tracer: None })
    }
}

fn figure(sample: &Sample, key: &str) -> f64 {
    sample.outcome.metrics.get(key).copied().unwrap_or(0.0)
}

fn table(samples: &[Sample]) -> Table {
    let heads = ["pause ms", "CPU µs a delivery", "p99 ms", "late ms"];
    let mut table = Table::of("members, lines/s", heads);
    for sample in samples {
        if let Some(fault) = &sample.outcome.fault {
            let pause = short(figure(sample, "pause_ms"));
            table.words(format!("{}, {pause} ms", sample.workload), fault.clone());
            continue;
        }
        let mark = if sample.outcome.apart { "†" } else { "" };
        let [pause, cpu, p99, late] = ["pause_ms", "cpu_us", "p99_us", "late_p99_us"]
            .map(|key| short(figure(sample, key) / if key.ends_with("99_us") { 1e3 } else { 1.0 }));
        table.row(vec![sample.workload.clone(), pause, cpu + mark, p99 + mark, late]);
    }
    table
}

/// A line for each room and rate, from no pause to the longest.
fn picture(samples: &[Sample]) -> Option<String> {
    let loads = samples.chunk_by(|one, other| one.workload == other.workload);
    let lines = loads.enumerate().map(|(color, load)| {
        let point = |sample| {
            let p99 = figure(sample, "p99_us") / 1e3;
            let in_time = figure(sample, "late_p99_us") / 1e3 < p99 / 2.0;
            in_time.then_some((figure(sample, "cpu_us"), p99))
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
        let trials = trials(10_000);
        let of = |room: usize, rate: u32| -> Vec<f64> {
            let chosen = trials.iter().filter(|trial| (trial.room, trial.rate) == (room, rate));
            chosen.map(|trial| trial.pause).collect()
        };
        assert_eq!(of(10, 20), [0.0, 1.0]);
        assert_eq!(of(100, 5000), [0.0, 1.0, 2.0, 5.0, 10.0]);
        assert_eq!(of(5000, 20), [0.0, 1.0, 2.0, 5.0, 10.0, 20.0]);
        assert!(of(5000, 200).is_empty() && of(1000, 1000).is_empty());
        let seconds: f64 = trials.iter().map(|trial| trial.guess(WINDOWS[1])).sum();
        assert!(seconds + PATIENCE[1].as_secs_f64() < 360.0, "{seconds}");
    }

    #[test]
    fn a_run_without_figures_has_words_in_the_table_and_a_late_one_no_point() {
        let mut samples = made_up::results().samples;
        samples.truncate(4);
        samples[3].outcome.set("late_p99_us", 200.0);
        samples.iter_mut().for_each(|sample| sample.workload = "10 members, 20/s".into());
        samples[2].outcome = Outcome::invalid("it ended");
        let text = table(&samples).text();
        assert!(text.contains("| 10 members, 20/s | 0 | 4.04 | 0.30 |"), "{text}");
        assert!(text.contains("| 10 members, 20/s, 0 ms | it ended |"), "{text}");
        let svg = picture(&samples).expect("two points");
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains(">10 members, 20/s</text>"), "{svg}");
    }
}
