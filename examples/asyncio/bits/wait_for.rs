//! `asyncio.wait_for` and `asyncio.timeout`.

use std::time::Duration;

use futures_lite::future::or;
use smol_servers::Timer;

/// The output of the future, or `None` once the time is over: the future is dropped then, which
/// cancels it.
///
/// It takes a task as well, and `&mut task` is `asyncio.shield`: only the borrow is dropped.
pub async fn wait_for<T>(future: impl Future<Output = T>, timeout: Duration) -> Option<T> {
    let timer = async {
        Timer::after(timeout).await;
        None
    };
    or(async { Some(future.await) }, timer).await
}
