//! The driver that is one epoll on the calling thread: sockets registered once, edge-triggered,
//! their readiness remembered; timers as the wait's timeout; no other thread.
//!
//! A turn is one `epoll_wait`. Between two turns tasks run until none is ready to, or the
//! executor gives way, so that sockets, timers and tasks each have their turn.

mod host;
mod source;
mod timer;

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

pub use host::{HostLoop, Turn};
pub(crate) use source::Async;
use source::Sources;
pub use timer::Timer;
use timer::Timers;

/// Events that one turn takes from the kernel; the others come with the next.
const EVENTS: usize = 512;

/// Timers that one turn wakes; the others come with the next.
const TIMERS: usize = 512;

/// Tasks that one turn wakes: a reader and a writer for each event.
const WAKERS: usize = 2 * EVENTS + TIMERS;

/// Marks the event of the eventfd; no source has it.
const WAKEUP: u64 = u64::MAX;

thread_local! {
    static DRIVER: OnceCell<Rc<Driver>> = const { OnceCell::new() };
}

/// Runs a future, and the sockets and timers beneath it, on the calling thread alone.
///
/// # Panics
/// When the system has no descriptors left for the driver (it takes two).
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let driver = Driver::current().expect("two descriptors for the driver");
    let _driven = DrivenGuard::new(&driver);
    let wake = Arc::new(Wake::new(&driver));
    // It looks before every wait, so that a wake on its own thread need not be written.
    wake.looks.store(true, Ordering::SeqCst);
    let waker = Waker::from(wake.clone());
    let mut future = pin!(future);
    loop {
        wake.woken.store(false, Ordering::SeqCst);
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let woken = wake.woken.load(Ordering::SeqCst);
        driver.turn(woken.then_some(Duration::ZERO));
    }
}

/// Makes the calling thread's driver, which the functions that cannot fail rely on. One thread
/// needs no preparation for the descriptors to come.
pub(crate) fn start(_descriptors: u64) -> io::Result<()> {
    Driver::current().map(drop)
}

/// Fails where nobody would ever take this thread's driver through its turns.
pub(crate) fn ensure_driven() -> io::Result<()> {
    if Driver::current()?.driven.get() > 0 {
        return Ok(());
    }
    Err(io::Error::other(
        "a server runs under smol_servers::block_on or HostLoop; \
         for smol's own block_on disable the default feature one-thread",
    ))
}

struct Driver {
    epoll: OwnedFd,
    foreign: Arc<OwnedFd>,
    sources: RefCell<Sources>,
    timers: RefCell<Timers>,
    /// How many `block_on` and `HostLoop` there are on this thread.
    driven: Cell<usize>,
    /// Buffers of a turn, kept for the next.
    events: Cell<Vec<epoll::Event>>,
    wakers: Cell<Vec<Waker>>,
}

impl Driver {
    /// The calling thread's driver.
    fn current() -> io::Result<Rc<Driver>> {
        DRIVER.with(|driver| match driver.get() {
            Some(driver) => Ok(driver.clone()),
            None => {
                let new = Rc::new(Driver::new()?);
                Ok(driver.get_or_init(|| new).clone())
            }
        })
    }

    fn new() -> io::Result<Driver> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let foreign = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &foreign, epoll::EventData::new_u64(WAKEUP), edges)?;
        Ok(Driver {
            epoll,
            foreign: Arc::new(foreign),
            sources: RefCell::default(),
            timers: RefCell::default(),
            driven: Cell::new(0),
            events: Cell::default(),
            wakers: Cell::new(Vec::with_capacity(WAKERS)),
        })
    }

    /// Waits until a socket is ready, a timer is due, another thread wakes, or `limit` is over,
    /// and wakes the tasks concerned. No borrow is held while they are woken. True when the kernel
    /// may have more events than a turn takes.
    fn turn(&self, limit: Option<Duration>) -> bool {
        let mut events = self.events.take();
        let mut wakers = self.wakers.take();
        events.clear();
        events.reserve(EVENTS);
        let timeout = match (limit, self.next_timer()) {
            (Some(limit), Some(timer)) => Some(limit.min(timer)),
            (limit, timer) => limit.or(timer),
        };
        // Interrupted by a signal it has waited long enough.
        let _interrupted = epoll::wait(
            &self.epoll,
            spare_capacity(&mut events),
            timeout.map(to_milliseconds).as_ref(),
        );
        let mut sources = self.sources.borrow_mut();
        for event in &events {
            sources.deliver(event.data.u64(), event.flags, &mut wakers);
        }
        drop(sources);
        self.timers.borrow_mut().expire(TIMERS, &mut wakers);
        wakers.drain(..).for_each(Waker::wake);
        let more = events.len() == events.capacity();
        self.events.set(events);
        self.wakers.set(wakers);
        more
    }

    fn next_timer(&self) -> Option<Duration> {
        let next = self.timers.borrow().next()?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}

/// As the system counts, in whole milliseconds; rounded up, so that a timer is due when it wakes.
fn to_milliseconds(duration: Duration) -> Timespec {
    let milliseconds = duration.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as u64;
    let (seconds, nanoseconds) = (milliseconds / 1000, milliseconds % 1000 * 1_000_000);
    // The width of both differs from one system to the other.
    Timespec { tv_sec: seconds as _, tv_nsec: nanoseconds as _ }
}

/// While it lives, somebody takes the driver through its turns.
struct DrivenGuard(Rc<Driver>);

impl DrivenGuard {
    fn new(driver: &Rc<Driver>) -> DrivenGuard {
        driver.driven.set(driver.driven.get() + 1);
        DrivenGuard(driver.clone())
    }
}

impl Drop for DrivenGuard {
    fn drop(&mut self) {
        self.0.driven.set(self.0.driven.get() - 1);
    }
}

/// Wakes one `block_on` or `HostLoop`: by a flag, and by the eventfd as well where nobody would
/// look at the flag before the next wait.
struct Wake {
    home: ThreadId,
    woken: AtomicBool,
    /// Set while its own thread is going to look at `woken` before it waits.
    looks: AtomicBool,
    foreign: Arc<OwnedFd>,
}

impl Wake {
    fn new(driver: &Driver) -> Wake {
        Wake {
            home: thread::current().id(),
            woken: AtomicBool::new(true),
            looks: AtomicBool::new(false),
            foreign: driver.foreign.clone(),
        }
    }
}

impl std::task::Wake for Wake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let already = self.woken.swap(true, Ordering::SeqCst);
        let looks = self.looks.load(Ordering::SeqCst) && thread::current().id() == self.home;
        if !already && !looks {
            // It fails only when the counter is full, which is a wake not yet seen.
            let _full = rustix::io::write(&*self.foreign, &1u64.to_ne_bytes());
        }
    }
}
