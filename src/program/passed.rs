//! The sockets that a service manager passes to the program it starts: sd_listen_fds(3), Linux.

use std::mem;
use std::os::fd::{IntoRawFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_setfd};

use super::sockets::unfit;
use super::var;

/// Sockets passed to one process, at most: they and the clients share its descriptors.
const SOCKETS: u32 = 16;

/// The sockets passed to this process; none where LISTEN_FDS or LISTEN_PID is not set. To be called
/// before this process opens a descriptor of its own.
///
/// # Errors
/// One line, when what these variables say cannot be, or is for another process.
pub(super) fn take() -> Result<Vec<OwnedFd>, String> {
    let (Some(pid), Some(fds)) = (var("LISTEN_PID"), var("LISTEN_FDS")) else {
        return Ok(Vec::new());
    };
    check(std::process::id(), &pid, &fds)?;
    let mut passed = Vec::new();
    let mut listed = sd_listen_fds::get().unwrap_or_default().into_iter();
    while let Some((_, socket)) = listed.next() {
        let socket = socket.into_std();
        // The crate trusts the numbers; here it turns out whether there is such a descriptor.
        if fcntl_setfd(&socket, FdFlags::CLOEXEC).is_err() {
            // Closing what is not open is a fault of the program, and a debug build ends at it.
            mem::forget(listed);
            return Err(unfit(socket.into_raw_fd(), &"it is not open"));
        }
        passed.push(socket);
    }
    Ok(passed)
}

/// What these variables say has to be meant for the process `own`, and to be possible.
fn check(own: u32, pid: &str, fds: &str) -> Result<(), String> {
    if pid.parse() != Ok(own) {
        return Err(format!(
            "cannot start: LISTEN_FDS passes sockets to process {pid}, and this is {own}; start it \
             without a shell between (exec), or give --listen"
        ));
    }
    if !fds.parse().is_ok_and(|count: u32| count <= SOCKETS) {
        return Err(format!(
            "cannot start: LISTEN_FDS is a number from 0 to {SOCKETS}, not '{fds}'"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_sockets_as_are_served_are_passed_and_only_to_the_process_that_is_named() {
        assert_eq!(check(7, "7", "0"), Ok(()));
        assert_eq!(check(7, "7", "16"), Ok(()));
        for (pid, fds, said) in [
            ("8", "1", "to process 8, and this is 7"),
            ("x", "1", "to process x, and this is 7"),
            ("7", "-1", "from 0 to 16, not '-1'"),
            ("7", "17", "from 0 to 16, not '17'"),
            ("7", "", "from 0 to 16, not ''"),
        ] {
            let error = check(7, pid, fds).expect_err(said);
            assert!(error.contains(said), "{error}");
        }
    }
}
