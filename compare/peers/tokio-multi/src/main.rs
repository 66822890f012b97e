//! As documented: the servers of `peers/tokio-documented`, on the multi-thread runtime that
//! `#[tokio::main]` starts when nothing else is said, with a worker for each core it may use (in
//! the comparison: one). Nothing else differs, its slow readers neither.

#[path = "../../tokio-documented/src/servers.rs"]
mod servers;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    servers::run().await
}
