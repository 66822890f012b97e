//! The driver that is one epoll on the calling thread. A socket is registered once, edge-triggered,
//! and its readiness is remembered; the next timer is the timeout of the wait; there is no other
//! thread.
//!
//! A turn is one `epoll_wait`. Between two turns tasks run until none is ready, or until the
//! executor yields, so that sockets, timers and tasks each have their turn.

#[cfg(feature = "paused-clock")]
pub(super) mod clock;
mod host;
mod source;
mod timer;

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use slab::Slab;

pub use host::{HostLoop, Turn};
pub(crate) use source::Async;
use source::Source;
pub use timer::Timer;
use timer::Timers;

/// Events that one turn takes from the kernel; the others come with the next.
const EVENTS: usize = 512;

/// Timers that one turn wakes; the others come with the next.
const TIMERS: usize = 512;

/// Marks the event of the wakeup descriptor; no socket has this key.
const WAKEUP: u64 = u64::MAX;

/// The longest wait: what epoll_wait(2) takes. Kernels before 5.11 have no call for a longer one.
const LONGEST_WAIT: Duration = Duration::from_millis(i32::MAX as u64);

thread_local! {
    static DRIVER: OnceCell<Rc<Driver>> = const { OnceCell::new() };
}

/// Runs a future to its end on the calling thread, and drives the sockets and timers of that thread
/// meanwhile. Servers and timers work only under this or a [`HostLoop`], not under
/// `smol::block_on`: for that, turn the feature `one-thread` off.
///
/// # Panics
/// When the system has no descriptors left for the driver (it takes two).
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut root = HostLoop::new(future).expect("two descriptors for the driver");
    // It stays set, since this loop polls before every wait.
    root.wake.will_poll.store(true, Ordering::SeqCst);
    loop {
        if let Poll::Ready(output) = root.poll() {
            return output;
        }
        let woken = root.wake.woken.load(Ordering::SeqCst);
        root.driver.turn(woken.then_some(Duration::ZERO));
    }
}

/// Creates the calling thread's driver, so that an error shows here and not in later functions that
/// cannot return one. This driver has nothing to prepare for the descriptors.
pub(crate) fn start(_descriptors: u64) -> io::Result<()> {
    Driver::current().map(drop)
}

/// Fails on a thread without a `block_on` or a `HostLoop`: its sockets and timers would never
/// wake anyone.
pub(crate) fn ensure_driven() -> io::Result<()> {
    if Rc::strong_count(&Driver::current()?.driven) > 1 {
        return Ok(());
    }
    Err(io::Error::other(
        "a server runs under smol_servers::block_on or HostLoop; \
         for smol's own block_on disable the default feature one-thread",
    ))
}

/// The epoll of a thread, and the sockets and timers that its tasks wait for.
struct Driver {
    epoll: OwnedFd,
    /// An eventfd in `epoll`: written to, it ends a wait.
    wakeup: Arc<OwnedFd>,
    sources: RefCell<Slab<Source>>,
    timers: RefCell<Timers>,
    /// A copy for each `block_on` and `HostLoop` of the thread, so that [`ensure_driven`] can
    /// tell whether there are any.
    driven: Rc<()>,
    /// Empty between two turns; kept for its allocation.
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
        let wakeup = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &wakeup, epoll::EventData::new_u64(WAKEUP), edges)?;
        Ok(Driver {
            epoll,
            wakeup,
            sources: RefCell::default(),
            timers: RefCell::default(),
            driven: Rc::default(),
            wakers: Cell::default(),
        })
    }

    /// Waits until a socket is ready, a timer is due, another thread wakes, or `limit` is over,
    /// and wakes the tasks concerned. Where the thread's clock is paused, it does not wait for a
    /// timer but jumps to it, unless there is a `limit`. No borrow is held while they are woken.
    /// True when the kernel may have more events than a turn takes.
    fn turn(&self, limit: Option<Duration>) -> bool {
        let next = self.timers.borrow().next_in();
        let wait = limit.into_iter().chain(next).min();
        #[cfg(feature = "paused-clock")]
        let wait = wait.map(|wait| if clock::paused().is_some() { Duration::ZERO } else { wait });
        let wait = wait.and_then(|wait| Timespec::try_from(wait.min(LONGEST_WAIT)).ok());
        let mut buffer = [MaybeUninit::uninit(); EVENTS];
        // It fails when a signal interrupts it, which is a wait that brings no events.
        let events = epoll::wait(&self.epoll, &mut buffer, wait.as_ref())
            .map_or(&mut [][..], |(events, _)| events);
        #[cfg(feature = "paused-clock")]
        if limit.is_none() && events.is_empty() {
            clock::jump(next.unwrap_or_default());
        }
        let mut wakers = self.wakers.take();
        let mut sources = self.sources.borrow_mut();
        for event in &*events {
            if let Some(source) = sources.get_mut(event.data.u64() as usize) {
                source.deliver(event.flags, &mut wakers);
            }
        }
        drop(sources);
        self.timers.borrow_mut().expire(TIMERS, &mut wakers);
        wakers.drain(..).for_each(Waker::wake);
        self.wakers.set(wakers);
        events.len() == EVENTS
    }
}

/// Wakes one `block_on` or `HostLoop`: by a flag, and by the wakeup descriptor as well where
/// nobody would look at the flag before the next wait.
struct Wake {
    home: ThreadId,
    woken: AtomicBool,
    /// Set while its own thread is going to look at `woken` before it waits: a wake on that
    /// thread then needs no write to the wakeup descriptor, which is a system call.
    will_poll: AtomicBool,
    wakeup: Arc<OwnedFd>,
}

impl std::task::Wake for Wake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let already = self.woken.swap(true, Ordering::SeqCst);
        let seen = self.will_poll.load(Ordering::SeqCst) && thread::current().id() == self.home;
        if !already && !seen {
            // It fails only when the counter is full, which is a wake not yet seen.
            let _full = rustix::io::write(&*self.wakeup, &1u64.to_ne_bytes());
        }
    }
}
