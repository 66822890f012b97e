//! What a program tells the service manager that started it: sd_notify(3).

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::rc::Rc;
use std::time::Duration;

use super::var;
use crate::driver::Timer;
use crate::server::stats::{CloseReason, Stats};

/// The manager's status line is at most as old as this.
const STATUS_PAUSE: Duration = Duration::from_secs(60);

/// The shortest time between two messages, whatever the manager asks for.
const LEAST_PAUSE: Duration = Duration::from_millis(10);

/// The socket of the service manager; without one there is nobody to tell.
pub(super) struct Notify {
    manager: Option<UnixDatagram>,
    pause: Duration,
}

impl Notify {
    /// The one that NOTIFY_SOCKET names. A message goes at least twice in the time after which the
    /// manager takes a service for hung, which it says in WATCHDOG_USEC: sd_watchdog_enabled(3).
    pub(super) fn new() -> Notify {
        let is_ours = var("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let watchdog = var("WATCHDOG_USEC").and_then(|usec| usec.parse().ok());
        let watchdog = watchdog.filter(|usec| is_ours && *usec > 0);
        let pause = watchdog.map_or(STATUS_PAUSE, |usec| Duration::from_micros(usec) / 2);
        Notify {
            manager: var("NOTIFY_SOCKET").and_then(manager),
            pause: pause.clamp(LEAST_PAUSE, STATUS_PAUSE),
        }
    }

    /// Says that the program is ready, and then from time to time that it is alive and how many
    /// clients it has.
    pub(super) async fn keep(self: Rc<Self>, stats: Rc<Stats>) {
        self.send(&format!("READY=1\n{}", status(&stats)));
        while self.manager.is_some() {
            Timer::after(self.pause).await;
            // A manager without a watchdog does nothing at it.
            self.send(&format!("WATCHDOG=1\n{}", status(&stats)));
        }
    }

    /// Says that the program is about to end.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// MUST NOT wait; what the manager does not take is lost.
    fn send(&self, state: &str) {
        if let Some(manager) = &self.manager {
            let _nobody_hears_it = manager.send(state.as_bytes());
        }
    }
}

/// The socket of this name; `None`, with a warning in the log, where nobody has it.
fn manager(name: String) -> Option<UnixDatagram> {
    let connect = || {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address(&name)?)?;
        Ok(socket)
    };
    let warn = |error: &io::Error| {
        ::log::warn!("no service manager hears of this program: NOTIFY_SOCKET is {name}: {error}");
    };
    connect().inspect_err(warn).ok()
}

/// A path, or on Linux the name of a socket without a file behind `@`.
fn address(name: &str) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(name)
}

fn status(stats: &Stats) -> String {
    let (clients, accepted) = (stats.clients.get(), stats.accepted.get());
    let refused = stats.closed(CloseReason::Full).get();
    format!("STATUS=clients now: {clients}; since the start {accepted} accepted, {refused} refused")
}
