//! The help: of all commands, or of one.

use crate::flood::{FLOODS, Flood};
use crate::options::{Command, find, to_choose};
use crate::peers::{PEERS, Peer};
use crate::workload::{WORKLOADS, Workload};
use crate::wrong::Wrong;

/// Of all commands, or of one: what it does, and the options that it takes.
///
/// # Errors
/// When there is no such command.
pub(crate) fn help(of: Option<&String>) -> Result<String, Wrong> {
    let of = of.map(|name| find(name)).transpose()?;
    let takes = |option: &str| of.is_none_or(|command| command.takes(option));
    let chooses = |what| takes("--only") && of.is_none_or(|it| to_choose(it.name).0 == what);
    let all = include_str!("help.txt");
    let mut help = of.map_or_else(|| all.to_owned(), |command| part(all, command));
    if chooses("workload") {
        help += "\nWorkloads, each with the server that it is for:\n";
        for Workload { name, program, about, .. } in WORKLOADS {
            help += &format!("  {name:<16} {:<5} {about}\n", program.name());
        }
    }
    if chooses("flood") {
        let told = |it: &Flood| format!("  {:<16} {}\n", it.name, it.about);
        help += &format!("\nFloods:\n{}", FLOODS.iter().map(told).collect::<String>());
    }
    if takes("--peers") {
        let told = |it: &Peer| format!("  {:<20} {} ({})\n", it.name, it.runtime, it.lane.name());
        help += &format!("\nPeers:\n{}", PEERS.iter().map(told).collect::<String>());
    }
    Ok(help)
}

/// Of the help the lines of a command, and of the options that it takes.
fn part(help: &str, command: &Command) -> String {
    let (name, mut is_its) = (format!("compare {} ", command.name), false);
    let its = help.lines().filter(|line| {
        is_its = match line.strip_prefix("  ") {
            Some(rest) if rest.starts_with(' ') => is_its,
            Some(option) => command.takes(option.split(' ').next().unwrap_or_default()),
            None => line.starts_with(&name),
        };
        is_its
    });
    its.map(|line| line.to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::COMMANDS;
    use crate::options::parse;

    #[test]
    fn every_command_and_option_stands_in_the_help() {
        let help = help(None).expect("all of it");
        for Command { name, takes, .. } in
            COMMANDS.iter().filter(|it| !["generate", "wire"].contains(&it.name))
        {
            assert!(*name == "help" || help.contains(&format!("compare {name} ")), "{name}");
            let mut options = takes.split(' ').filter(|option| option.starts_with('-'));
            assert!(options.all(|it| help.contains(&format!("  {it} "))), "{takes}");
        }
    }

    #[test]
    fn help_of_a_command_has_its_options_and_no_others() {
        let said = |line: &str| match parse(line.split(' ').map(str::to_owned).collect()) {
            Ok((Command { name: "help", .. }, options)) => {
                help(options.named.first()).map_err(|Wrong(why)| why)
            }
            _ => panic!("{line} asks for help"),
        };
        for line in ["help load", "load --help", "load echo 127.0.0.1:1 -h --rate"] {
            let said = said(line).expect("it is known");
            let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
            let heads: Vec<_> = said.lines().filter(|line| !line.starts_with("   ")).collect();
            let heads: Vec<_> = heads.into_iter().filter_map(first).collect();
            assert_eq!(heads, ["compare", "--seconds", "--rate", "--clients"], "{said}");
        }
        assert!(said("run --help").expect("known").contains("  start            chat  from "));
        assert!(said("floods -h").expect("known").contains("\nFloods:\n  none "));
        assert_eq!(said("--help"), help(None).map_err(|Wrong(why)| why));
        let unknown = said("help talk").expect_err("there is none");
        assert_eq!(unknown, "unknown command talk; see `compare help`");
    }
}
