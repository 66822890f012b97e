//! The sockets that a service manager passes to the program it starts: sd_listen_fds(3), Linux.

use std::os::fd::OwnedFd;

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::sockets::Passed;

/// Sockets passed to one process, at most: they and the clients share its descriptors.
const SOCKETS: i32 = 16;

/// The number of the first one.
const FIRST: i32 = 3;

/// The sockets passed to this process; none where LISTEN_FDS or LISTEN_PID is not set. To be called
/// before this process opens a descriptor of its own.
///
/// # Errors
/// One line, when what these variables say cannot be, or is for another process.
pub(super) fn take() -> Result<Vec<Passed>, String> {
    let var = |name| std::env::var(name).ok();
    let (Some(pid), Some(fds)) = (var("LISTEN_PID"), var("LISTEN_FDS")) else {
        return Ok(Vec::new());
    };
    let count = count(std::process::id(), &pid, &fds)?;
    let names = var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut passed = Vec::new();
    for number in FIRST..FIRST + count {
        let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unknown").to_owned();
        passed.push(Passed { number, name, socket: own(number)? });
    }
    Ok(passed)
}

/// A descriptor of this process, of which only the number is known. Trusting that takes unsafe
/// code, so the kernel duplicates it. The original stays open.
fn own(number: i32) -> Result<OwnedFd, String> {
    let this = pidfd_open(getpid(), PidfdFlags::empty()).and_then(out_of_the_way);
    let own = this.and_then(|this| pidfd_getfd(this, number, PidfdGetfdFlags::empty()));
    own.and_then(out_of_the_way).map_err(|error| {
        format!(
            "cannot start: descriptor {number} of LISTEN_FDS: {}",
            match error {
                Errno::BADF => "it is not open".to_owned(),
                Errno::NOSYS => "taking it needs Linux 5.6; give --listen".to_owned(),
                Errno::PERM | Errno::ACCESS => format!(
                    "{error}; allow pidfd_getfd(2), with systemd by SystemCallFilter=, and in a \
                     container by its own filter (systemd-nspawn --system-call-filter=)"
                ),
                _ => error.to_string(),
            }
        )
    })
}

/// Moves a descriptor of ours behind all that can be passed: it must not be taken for one of them.
fn out_of_the_way(descriptor: OwnedFd) -> rustix::io::Result<OwnedFd> {
    fcntl_dupfd_cloexec(descriptor, FIRST + SOCKETS)
}

/// How many sockets these variables pass to the process `own`.
fn count(own: u32, pid: &str, fds: &str) -> Result<i32, String> {
    if pid != own.to_string() {
        return Err(format!(
            "cannot start: LISTEN_FDS passes sockets to process {pid}, and this is {own}; start it \
             without a shell between (exec), or give --listen"
        ));
    }
    fds.parse().ok().filter(|count| (0..=SOCKETS).contains(count)).ok_or_else(|| {
        format!("cannot start: LISTEN_FDS is a number from 0 to {SOCKETS}, not '{fds}'")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_sockets_as_are_served_are_passed_and_only_to_the_process_that_is_named() {
        assert_eq!(count(7, "7", "0"), Ok(0));
        assert_eq!(count(7, "7", "16"), Ok(16));
        for (pid, fds, said) in [
            ("8", "1", "to process 8, and this is 7"),
            ("x", "1", "to process x, and this is 7"),
            ("7", "-1", "from 0 to 16, not '-1'"),
            ("7", "17", "from 0 to 16, not '17'"),
            ("7", "", "from 0 to 16, not ''"),
        ] {
            let error = count(7, pid, fds).expect_err(said);
            assert!(error.contains(said), "{error}");
        }
    }
}
