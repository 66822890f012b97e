//! Signals.

use std::os::unix::net::UnixStream;
use std::process::exit;

use futures_lite::AsyncReadExt;
use futures_lite::future::or;
use signal_hook::consts::SIGINT;
use signal_hook::low_level::pipe;
use smol::{Async, LocalExecutor};
use smol_servers::{block_on, run};

use crate::bits::OnCancel;
use crate::python::delay;
use crate::recipe::Recipe;

pub const RECIPES: &[Recipe] =
    &[Recipe::plain("sigint", "^C cancels all tasks", sigint).real_time()];

/// It cancels by dropping the executor, and with it every task; there is no list of all tasks to go
/// through.
pub fn sigint() {
    let ex = LocalExecutor::new();
    let interrupted = interrupt();
    let sleeping = ex.spawn(async {
        let cancelled = OnCancel::new(|| eprintln!("CancelledError"));
        delay(10).await;
        cancelled.defuse();
    });
    let asleep = async {
        sleeping.await;
        false
    };
    let signalled = async {
        interrupted.await;
        true
    };
    if block_on(run(&ex, or(asleep, signalled))) {
        println!("Получен сигнал SIGINT");
        drop(ex);
        exit(1);
    }
}

/// `add_signal_handler`: ready once SIGINT has come since this was called. The signal writes a byte to
/// a socket, and the future reads it, by `smol::Async` and so by smol's reactor, a second thread.
pub fn interrupt() -> impl Future<Output = ()> {
    let (reader, writer) = UnixStream::pair().expect("two descriptors");
    pipe::register(SIGINT, writer).expect("SIGINT can be handled");
    async {
        let mut signals = Async::new(reader).expect("a socket");
        signals.read_exact(&mut [0]).await.expect("the handler has the other end");
    }
}
