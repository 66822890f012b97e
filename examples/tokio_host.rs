//! The chat inside a tokio program of one thread, which stays one: what comes as a datagram on the
//! chat's port is said there, such as news of other programs.
//!
//! `cargo run --example tokio_host`, then `telnet localhost 8002`, and `echo built | nc -uN localhost
//! 8002` for news; another address may be given. ctrl-C ends it.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(all(target_os = "linux", feature = "one-thread"))]
    return host::main();
    #[cfg(not(all(target_os = "linux", feature = "one-thread")))]
    Err("only our own driver has a HostLoop: Linux, with the feature one-thread".into())
}

#[cfg(all(target_os = "linux", feature = "one-thread"))]
mod host {
    use std::io;
    use std::rc::Rc;

    use futures_lite::future::or;
    use smol::LocalExecutor;
    use smol_servers::{Chat, HostLoop, Limits, Listener, Room, Turn, run, serve};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::net::UdpSocket;
    use tokio::time::timeout;

    pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
        let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8002".to_owned());
        let listener = Listener::bind(&[address.parse()?], Limits::default())?;
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(host(listener))?;
        println!("threads at the end: {}", std::fs::read_dir("/proc/self/task")?.count());
        Ok(())
    }

    async fn host(listener: Listener) -> io::Result<()> {
        let address = listener.addresses()[0];
        let news = UdpSocket::bind(address).await?;
        println!("listening on {address}");
        let executor = Rc::new(LocalExecutor::new());
        let chat = Chat::default();
        let room = chat.room().clone();
        let servers = HostLoop::new(async move {
            run(&executor, serve(&executor, listener, tokio::signal::ctrl_c(), chat)).await
        })?;
        or(drive(servers), announce(news, room)).await
    }

    /// Takes a server's turns as a tokio future.
    async fn drive(servers: HostLoop<impl Future<Output = io::Result<()>>>) -> io::Result<()> {
        // In tokio 1.53.3 and later, AsyncFd::register_with_interest is in its place, but unsafe code
        // is forbidden here. What it asks for holds: a HostLoop keeps its descriptor as long as it lives.
        #[allow(deprecated)]
        let mut servers = AsyncFd::with_interest(servers, Interest::READABLE)?;
        loop {
            let time = match servers.get_mut().turn() {
                Turn::Done(result) => return result,
                Turn::Wait(time) => time,
            };
            let readable = servers.readable();
            // tokio tells of edges, so this is cleared before the turn and not after it.
            match time {
                None => readable.await?.clear_ready(),
                Some(time) => {
                    if let Ok(ready) = timeout(time, readable).await {
                        ready?.clear_ready();
                    }
                }
            }
        }
    }

    /// Says each datagram in the chat, as one line.
    async fn announce(news: UdpSocket, room: Room) -> io::Result<()> {
        let mut line = b"*** news: ".to_vec();
        let mut datagram = [0; 1024];
        loop {
            let n = news.recv(&mut datagram).await?;
            line.truncate(b"*** news: ".len());
            line.extend_from_slice(&datagram[..n]);
            room.publish(&line);
        }
    }
}
