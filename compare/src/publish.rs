//! Makes a run's report the one that is committed: nothing else writes there. The results stay
//! below the target directory, where the next one that is published is held against them.

use std::path::PathBuf;

use crate::Result;
use crate::place::{self, RESULTS};
use crate::report;
use crate::results::{Results, Sample};
use crate::workload::Extent;
use crate::wrong::Wrong;

/// The results that the published report was made of, where this machine has them.
const PUBLISHED: &str = "published.json";

/// Returns the report's path.
///
/// # Errors
/// When the run is not a whole one, or would take something out of the published report, as far as
/// the results of that are here.
pub(crate) fn publish(folder: &Option<PathBuf>) -> Result<PathBuf> {
    let newest = || place::holding(&place::runs(), RESULTS).into_iter().next();
    let none = || Wrong("there is no finished run; `compare run --full` makes one".into());
    let folder = folder.clone().or_else(newest).ok_or_else(none)?;
    let results = Results::read(&folder.join(RESULTS))?;
    let file = place::runs().join(PUBLISHED);
    let published = if file.exists() { Some(Results::read(&file)?) } else { None };
    if let Some(why) = lack(&results, published.as_ref()) {
        let folder = folder.display();
        return Err(Wrong(format!("{folder} is not published: {why}")).into());
    }
    std::fs::create_dir_all(place::published())?;
    let report = report::write(&results, &place::published())?;
    std::fs::create_dir_all(place::runs())?;
    results.write(&file)?;
    Ok(report)
}

/// What a run lacks to be published in the other's place.
fn lack(results: &Results, published: Option<&Results>) -> Option<String> {
    let parts = ["--only", "--peers", "--clients", "--own"];
    let is_short = matches!(results.extent, Extent::Quick | Extent::Bench);
    if is_short || parts.iter().any(|part| results.chosen.contains(part)) {
        return Some(format!("it is only a part, made with `compare {}`", results.asked()));
    }
    let published = published?;
    if results.extent < published.extent {
        return Some(format!("the published one is longer, made with `{}`", published.asked()));
    }
    for theirs in &published.samples {
        let (workload, peer) = (&theirs.workload, &theirs.peer);
        let (here, there) = (results.rounds(workload), published.rounds(workload));
        if here < there {
            return Some(format!("it has {here} rounds of {workload}, the published one {there}"));
        }
        let same = |ours: &&Sample| ours.workload == *workload && ours.peer == *peer;
        if !results.samples.iter().any(|ours| same(&ours)) {
            return Some(format!("it lacks {peer} in {workload}"));
        }
    }
    let uncounted = !published.traces.is_empty() && results.traces.is_empty();
    uncounted.then(|| "no system calls were counted in it".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    #[test]
    fn a_part_is_not_published() {
        let mut results = made_up::results();
        assert_eq!(lack(&results, None), None);
        results.chosen = "--only start --peers go".into();
        let why = lack(&results, None).expect("a part");
        assert!(why.contains("`compare run --only start --peers go`"), "{why}");
        results.chosen = String::new();
        results.extent = Extent::Quick;
        assert!(lack(&results, None).expect("short").contains("--quick"));
        results.extent = Extent::Bench;
        assert!(lack(&results, None).expect("ours alone").contains("`compare bench`"));
    }

    #[test]
    fn nothing_is_taken_out_of_the_published_report() {
        let published = made_up::results();
        let lacks = |change: fn(&mut Results)| {
            let mut results = made_up::results();
            change(&mut results);
            lack(&results, Some(&published))
        };
        assert_eq!(lacks(|_| {}), None);
        assert_eq!(lacks(|results| results.extent = Extent::Full), None);
        let lost = lacks(|results| results.samples.retain(|run| run.peer != "node"));
        assert_eq!(lost.as_deref(), Some("it lacks node in chat-200"));
        let fewer = lacks(|results| results.samples.retain(|run| run.round < 3)).expect("less");
        assert_eq!(fewer, "it has 2 rounds of chat-200, the published one 5");
        assert!(lacks(|results| results.traces.clear()).expect("less").contains("system calls"));
    }
}
