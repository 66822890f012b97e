//! As documented: tokio's tutorial and examples show this shape, here on its current_thread
//! runtime. A task per client; echo is a read and write_all loop; time is one interval and a
//! broadcast channel; chat is a shared map of unbounded channels, one per client, and a `select!`
//! over a client's channel and its lines. `peers/tokio-multi` runs the same file on all cores.
//!
//! Slow reader. Echo: it is not read from while it does not read. Time: it misses the lines that
//! the broadcast channel dropped meanwhile. Chat: its channel grows without bound.

mod servers;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    servers::run().await
}
