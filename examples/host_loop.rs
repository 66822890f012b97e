//! A host with an event loop of its own, here a plain `poll(2)`: the chat runs in it without
//! being given a thread.
//!
//! `cargo run --example host_loop`, then `telnet localhost 8002`; what is typed here is said there.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(all(target_os = "linux", feature = "one-thread"))]
    return host::main();
    #[cfg(not(all(target_os = "linux", feature = "one-thread")))]
    Err("only our own driver has a HostLoop: Linux, with the feature one-thread".into())
}

#[cfg(all(target_os = "linux", feature = "one-thread"))]
mod host {
    use std::io::{self, Read};
    use std::os::fd::AsFd;
    use std::rc::Rc;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use smol::LocalExecutor;
    use smol_servers::{Chat, HostLoop, Limits, Listener, Turn, run, serve};

    pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
        let executor = Rc::new(LocalExecutor::new());
        let listener = Listener::bind(&["127.0.0.1:8002".parse()?], Limits::default())?;
        println!("listening on {:?}; end of file ends it", listener.addresses());
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let chat = Chat::default();
        let room = chat.room().clone();
        let mut servers = HostLoop::new(async move {
            run(&executor, serve(&executor, listener, stopped.recv(), chat)).await
        })?;
        let mut stdin = std::fs::File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let (mut typed, mut typing) = (Vec::new(), true);
        loop {
            let timeout = match servers.turn() {
                Turn::Done(result) => return Ok(result?),
                Turn::Wait(timeout) => timeout.map(Timespec::try_from).transpose()?,
            };
            let mut waiting = [
                PollFd::new(&servers, PollFlags::IN),
                PollFd::new(&stdin, if typing { PollFlags::IN } else { PollFlags::empty() }),
            ];
            poll(&mut waiting, timeout.as_ref())?;
            if typing && !waiting[1].revents().is_empty() {
                let mut bytes = [0; 1024];
                let n = stdin.read(&mut bytes)?;
                typed.extend_from_slice(&bytes[..n]);
                while let Some(end) = typed.iter().position(|&byte| byte == b'\n') {
                    room.publish([b"*** the host says: ", &typed[..end]].concat());
                    typed.drain(..=end);
                }
                typing = n > 0;
                if !typing {
                    stop.close();
                }
            }
        }
    }
}
