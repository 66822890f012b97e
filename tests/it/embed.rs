//! What the library promises to a host that runs a server on its own executor.

use std::fs::File;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_lite::future::{or, zip};
use smol_servers::{
    Chat, ChatConfig, CloseReason, Connection, Event, Limits, Listener, TimeZone, Timer, block_on,
    echo, run, serve,
};

use crate::harness::{Client, Executor, Server, Trigger, listen, serve_during, take_turn, trigger};

#[test]
fn a_host_hears_the_clients_and_speaks_to_them() {
    let executor = Executor::default();
    let chat = Chat::default();
    let host = chat.room().join();
    let answer = async move {
        while let Some(line) = host.line().await {
            if line.bytes == b"<guest1> hello, host\r\n" {
                host.publish("<host> hello, guest");
            }
        }
    };
    executor.spawn(answer).detach();
    serve_during(&executor, chat, |address, _trigger| {
        let mut guest = Client::connect(address);
        guest.line();
        guest.send("hello, host\r\n");
        guest.expect("<host> hello, guest");
    });
}

#[test]
fn a_line_published_in_the_room_reaches_every_client() {
    let executor = Executor::default();
    let chat = Chat::default();
    let (ask, asked) = async_channel::bounded(1);
    let room = chat.room().clone();
    let announce = async move {
        while let Ok(line) = asked.recv().await {
            room.publish(line);
        }
    };
    executor.spawn(announce).detach();
    serve_during(&executor, chat, move |address, _trigger| {
        let mut ann = Client::connect(address);
        ann.line();
        let mut bob = Client::connect(address);
        bob.line();
        ann.expect("*** guest2 joined (2 here)");
        ask.try_send("*** lunch is ready").expect("the host listens");
        ann.expect("*** lunch is ready");
        bob.expect("*** lunch is ready");
    });
}

#[test]
fn whatever_a_host_publishes_is_one_line_to_its_clients() {
    let executor = Executor::default();
    let chat = Chat::default();
    let host = chat.room().join();
    let room = chat.room().clone();
    let answer = async move {
        while let Some(line) = host.line().await {
            if line.bytes == b"<guest1> any news?\r\n" {
                room.publish("*** news\r\n<guest7> forged\r\n");
                host.publish("<host> \x1b[2J\nforged");
            }
        }
    };
    executor.spawn(answer).detach();
    serve_during(&executor, chat, |address, _trigger| {
        let mut guest = Client::connect(address);
        guest.line();
        guest.send("any news?\r\n");
        guest.expect("*** news <guest7> forged");
        guest.expect("<host> [2J forged");
    });
}

#[test]
fn a_host_reads_what_happens_as_typed_events() {
    let executor = Executor::default();
    let chat = Chat::default();
    let events = chat.events();
    let (tell, told) = async_channel::bounded(8);
    let watch = async move {
        while let Some(event) = events.next().await {
            tell.try_send(event).expect("the session takes them");
        }
    };
    executor.spawn(watch).detach();
    serve_during(&executor, chat, move |address, _trigger| {
        let name = || "guest1".to_owned();
        let mut guest = Client::connect(address);
        guest.line();
        assert_eq!(told.recv_blocking(), Ok(Event::Joined { name: name() }));
        guest.send("hello\x1b[2J\r\n");
        let text = "hello[2J".to_owned();
        assert_eq!(told.recv_blocking(), Ok(Event::Said { name: name(), text }));
        drop(guest);
        let reason = CloseReason::Left;
        assert_eq!(told.recv_blocking(), Ok(Event::Left { name: name(), reason }));
    });
}

#[test]
fn a_host_sees_who_is_here_and_removes_one_for_a_reason_that_the_others_read() {
    let executor = Executor::default();
    let chat = Chat::default();
    let events = chat.events();
    let host = chat.clone();
    let moderate = async move {
        let mut removed = None;
        while let Some(event) = events.next().await {
            match event {
                Event::Said { name, text } => {
                    assert_eq!((&*name, &*text), ("guest2", "buy pills"));
                    let here = host.participants();
                    let guest = here.iter().find(|it| it.name() == name).expect("it is here");
                    let traffic = guest.traffic();
                    assert_eq!((here.len(), traffic.bytes_in, traffic.missed), (2, 11, 0));
                    assert!(
                        traffic.bytes_out > 50
                            && guest.peer().ip().is_some_and(|ip| ip.is_loopback())
                    );
                    assert!(traffic.connected_for < Duration::from_secs(20));
                    assert!(host.remove(guest, "no advertising\r\nplease"));
                    removed = Some(guest.clone());
                }
                Event::Left { name, reason: CloseReason::Removed } => {
                    assert_eq!(&*name, "guest2");
                    let guest = removed.take().expect("it was removed");
                    assert!(!host.remove(&guest, "it has gone"));
                }
                _ => {}
            }
        }
    };
    let moderating = executor.spawn(moderate);
    let stats = serve_during(&executor, chat, move |address, _trigger| {
        let mut ann = Client::connect(address);
        ann.line();
        let mut spammer = Client::connect(address);
        spammer.line();
        ann.expect("*** guest2 joined (2 here)");
        spammer.send("buy pills\r\n");
        ann.expect("<guest2> buy pills");
        ann.expect("*** guest2 left (no advertising please)");
        spammer.expect("*** you were removed: no advertising please");
        spammer.expect_eof();
    });
    assert_eq!(stats.closed(CloseReason::Removed).get(), 1);
    drop(moderating);
}

#[test]
fn what_a_host_says_has_the_form_of_the_chats_lines() {
    let executor = Executor::default();
    let timestamps = Some(TimeZone::UTC);
    let chat = Chat::new(ChatConfig { ascii: true, timestamps, ..ChatConfig::default() });
    let (host, events) = (chat.clone(), chat.events());
    let answer = async move {
        while let Some(event) = events.next().await {
            if matches!(event, Event::Said { .. }) {
                host.say("*** \x1b[2Jcaf\u{e9}\r\nis open");
            }
        }
    };
    executor.spawn(answer).detach();
    serve_during(&executor, chat, |address, _trigger| {
        let mut guest = Client::connect(address);
        guest.line();
        guest.send("coffee?\r\n");
        let line = guest.line();
        let (stamp, said) = line.split_once(' ').expect("a stamp");
        assert_eq!((stamp.len(), stamp.as_bytes()[2], said), (5, b':', "*** [2Jcaf? is open"));
    });
}

#[test]
fn a_guest_is_removed_once_for_the_first_reason_given() {
    let executor = Executor::default();
    let chat = Chat::default();
    let (host, events) = (chat.clone(), chat.events());
    let moderate = async move {
        while let Some(event) = events.next().await {
            if matches!(event, Event::Said { .. }) {
                let guest = &host.participants()[0];
                assert!(host.remove(guest, "the first"));
                assert!(!host.remove(guest, "the second"));
            }
        }
    };
    executor.spawn(moderate).detach();
    serve_during(&executor, chat, |address, _trigger| {
        let mut guest = Client::connect(address);
        guest.line();
        guest.send("hello\r\n");
        guest.expect("*** you were removed: the first");
        guest.expect_eof();
    });
}

/// Not a test but the host that those below start: the README's lines, in a process that has
/// descriptor limits of its own, and opens HOST_OPENS files of its own later.
#[test]
fn host() {
    let Ok(files) = std::env::var("HOST_OPENS") else { return };
    let executor = Executor::default();
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = Listener::bind(&[loopback], Limits::default()).expect("a free port");
    // As the log of the programs has it, which the harness reads.
    eprintln!("{:.3} host: listening on {}", jiff::Timestamp::now(), listener.addresses()[0]);
    let (_trigger, stop) = trigger();
    let chat = Chat::default();
    let own = async move {
        let files = 0..files.parse().expect("a number");
        let _open: Vec<_> = files.map(|_| File::open("/dev/null").expect("a descriptor")).collect();
        std::future::pending::<()>().await
    };
    executor.spawn(own).detach();
    let serving = serve(&executor, listener, stop.recv(), chat);
    block_on(run(&executor, serving)).expect("it serves");
}

/// What each of 160 who come at once reads first from a host that starts under `limit`.
fn crowd_at_host(limit: &str, opens: &str) -> Vec<String> {
    let mut command = Command::new("sh");
    command.args(["-c", &format!(r#"{limit}; exec "$0" "$@""#)]);
    command.arg(std::env::current_exe().expect("this test"));
    // What the harness appends names no further test.
    command.args(["embed::host", "--exact", "--nocapture", "--"]).env("HOST_OPENS", opens);
    let server = Server::start_command(&mut command);
    let started = Instant::now();
    let mut crowd: Vec<Client> = (0..160).map(|_| server.client()).collect();
    let first = crowd.iter_mut().map(Client::line).collect();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    first
}

fn welcomed(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.starts_with("*** welcome, you are guest")).count()
}

#[test]
fn a_host_serves_as_many_as_its_descriptors_allow_and_tells_the_others_why() {
    let lines = crowd_at_host("ulimit -n 128", "0");
    assert_eq!(welcomed(&lines), 128 - 32);
    let full = "*** server full (96 clients), please try again later";
    assert_eq!(lines.iter().filter(|line| *line == full).count(), 160 - 96, "{lines:?}");
}

#[test]
fn a_host_that_opens_files_later_has_its_clients_served_or_told_why_at_once() {
    let lines = crowd_at_host("ulimit -n 128", "60");
    assert!((40..96).contains(&welcomed(&lines)), "{lines:?}");
    let full = lines.iter().filter(|line| line.starts_with("*** server full")).count();
    assert_eq!(welcomed(&lines) + full, 160, "{lines:?}");
}

#[test]
fn a_host_has_its_soft_descriptor_limit_raised_as_far_as_it_needs() {
    assert_eq!(welcomed(&crowd_at_host("ulimit -S -n 128", "60")), 160);
}

#[test]
fn pulling_the_trigger_ends_serve_and_says_goodbye() {
    chat_during(|address, trigger| {
        let mut guest = Client::connect(address);
        guest.line();
        trigger.pull();
        guest.expect("*** the server is going down, goodbye");
        guest.expect_eof();
    });
}

#[test]
fn dropping_the_trigger_ends_serve_too() {
    chat_during(|address, trigger| {
        let mut guest = Client::connect(address);
        guest.line();
        drop(trigger);
        guest.expect("*** the server is going down, goodbye");
        guest.expect_eof();
    });
}

#[test]
fn a_trigger_pulled_before_serve_ends_it_at_once() {
    take_turn();
    let started = Instant::now();
    let executor = Executor::default();
    let (trigger, stop) = trigger();
    trigger.pull();
    let (listener, _) = listen();
    let served = serve(&executor, listener, stop.recv(), echo);
    block_on(run(&executor, served)).expect("it serves");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn dropping_serve_closes_its_connections_and_is_no_defect_of_theirs() {
    take_turn();
    let executor = Executor::default();
    let (_trigger, stop) = trigger();
    let (listener, address) = listen();
    let stats = listener.stats();
    let (tell, told) = async_channel::bounded(1);
    let client = std::thread::spawn(move || {
        let mut client = Client::connect(address);
        client.send("hello");
        client.expect_bytes(b"hello");
        tell.try_send("greeted").expect("the host listens");
        client.expect_eof();
    });
    let served = serve(&executor, listener, stop.recv(), echo);
    let host = async {
        let greeted = async {
            told.recv().await.expect("the client is greeted");
            Ok(())
        };
        or(served, greeted).await.expect("it serves");
        told.recv().await.expect_err("the client has nothing more to tell");
    };
    block_on(run(&executor, host));
    client.join().expect("its connection is closed");
    assert_eq!(stats.closed(CloseReason::Failed).get(), 0);
    assert_eq!(stats.closed(CloseReason::GoingDown).get(), 1);
}

#[test]
fn a_listener_counts_what_comes_through_it() {
    let stats = serve_during(&Executor::default(), echo, |address, _trigger| {
        for said in ["hello", "hi"] {
            let mut client = Client::connect(address);
            client.send(said);
            client.half_close();
            client.expect_bytes(said.as_bytes());
            client.expect_eof();
        }
    });
    assert_eq!(stats.clients.get(), 0);
    assert_eq!(stats.accepted.get(), 2);
    assert_eq!(stats.bytes_in.get(), 7);
    assert_eq!(stats.bytes_out.get(), 7);
    assert_eq!(stats.closed(CloseReason::Left).get(), 2);
}

#[test]
fn one_executor_runs_two_servers() {
    take_turn();
    let executor = Executor::default();
    let (trigger, stop) = trigger();
    let (first, echo_address) = listen();
    let (second, chat_address) = listen();
    let stats = first.stats();
    let clients = std::thread::spawn(move || {
        let _until_the_end = trigger;
        let mut guest = Client::connect(chat_address);
        guest.expect("*** welcome, you are guest1. nobody else is here yet");
        let mut client = Client::connect(echo_address);
        client.send("echo");
        client.expect_bytes(b"echo");
    });
    let echo = serve(&executor, first, stop.recv(), echo);
    let chat = serve(&executor, second, stop.recv(), Chat::default());
    let (echo, chat) = block_on(run(&executor, zip(echo, chat)));
    echo.and(chat).expect("they serve");
    clients.join().expect("both answer");
    assert_eq!(stats.accepted.get(), 1, "each counts its own");
}

#[test]
fn a_panic_ends_its_own_connection_only() {
    let executor = Executor::default();
    let handler = async |connection: Connection| {
        let bytes = connection.read().await?;
        assert!(&bytes[..] != b"panic!", "as the client asks");
        connection.write_all(b"no panic\r\n").await?;
        Err(connection.closing().await)
    };
    let stats = serve_during(&executor, handler, |address, _trigger| {
        let mut before = Client::connect(address);
        let mut panicking = Client::connect(address);
        panicking.send("panic!");
        panicking.expect_reset();
        let mut after = Client::connect(address);
        for client in [&mut before, &mut after] {
            client.send("hello");
            client.expect("no panic");
        }
    });
    assert_eq!(stats.closed(CloseReason::Failed).get(), 1);
}

#[test]
fn a_guest_whose_task_panics_leaves_the_room_and_the_others_read_so() {
    let executor = Executor::default();
    let chat = Chat::default();
    let host = chat.room().join();
    let (panic, told_to_panic) = async_channel::bounded(1);
    let ask = async move {
        while let Some(line) = host.line().await {
            if line.bytes == b"<guest2> panic!\r\n" {
                panic.try_send(()).expect("guest1 is here");
            }
        }
    };
    executor.spawn(ask).detach();
    let first = std::cell::Cell::new(true);
    let handler = move |connection| {
        let panic = told_to_panic.clone();
        let panics = first.replace(false);
        or(chat.handle(connection), async move {
            if panics && panic.recv().await.is_ok() {
                panic!("as guest2 asks");
            }
            std::future::pending().await
        })
    };
    serve_during(&executor, handler, |address, _trigger| {
        let mut panicking = Client::connect(address);
        panicking.line();
        let mut other = Client::connect(address);
        other.expect("*** welcome, you are guest2. 1 other here: guest1");
        other.send("panic!\r\n");
        other.expect("*** guest1 left (internal error)");
        let mut next = Client::connect(address);
        next.expect("*** welcome, you are guest3. 1 other here: guest2");
    });
}

/// Serves a chat during `session`.
fn chat_during(session: impl FnOnce(SocketAddr, Trigger) + Send + 'static) {
    let chat = Chat::default();
    serve_during(&Executor::default(), chat, session);
}

#[test]
fn a_host_may_drop_a_crowded_chat_and_its_executor() {
    let executor = Executor::default();
    let (listener, address) = listen();
    let (_trigger, stop) = trigger();
    let chat = Chat::default();
    let room = chat.room().clone();
    let crowd: Vec<_> =
        std::thread::spawn(move || (0..80).map(|_| Client::connect(address)).collect::<Vec<_>>())
            .join()
            .expect("the kernel accepts");
    let everybody = async {
        while room.len() < crowd.len() {
            Timer::after(Duration::from_millis(1)).await;
        }
        Ok(())
    };
    let serving = serve(&executor, listener, stop.recv(), chat);
    block_on(run(&executor, or(serving, everybody))).expect("it serves");
    drop(executor);
    assert!(room.is_empty());
}

#[cfg(feature = "one-thread")]
#[test]
fn a_host_drives_a_server_from_another_reactor() {
    use std::os::fd::{AsFd, AsRawFd};

    use smol_servers::{HostLoop, Turn};

    /// What tokio's `AsyncFd` takes.
    fn fits<T: AsRawFd>(io: &T) -> i32 {
        io.as_raw_fd()
    }

    let (listener, address) = listen();
    let (trigger, stop) = trigger();
    let session = std::thread::spawn(move || {
        let mut client = Client::connect(address);
        client.send("there and back\r\n");
        client.expect("there and back");
        trigger.pull();
        client.expect_eof();
    });
    let executor = Executor::default();
    let tasks = executor.clone();
    let serving = async move { tasks.run(serve(&tasks, listener, stop.recv(), echo)).await };
    let mut servers = HostLoop::new(serving).expect("descriptors");
    assert_eq!(fits(&servers), servers.as_fd().as_raw_fd());
    let descriptor = servers.as_fd().try_clone_to_owned().expect("a descriptor");
    smol::block_on(async {
        let descriptor = smol::Async::new(descriptor).expect("smol's reactor");
        loop {
            let timeout = match servers.turn() {
                Turn::Done(result) => return result.expect("it serves"),
                Turn::Wait(timeout) => timeout,
            };
            let later = async {
                match timeout {
                    Some(timeout) => drop(smol::Timer::after(timeout).await),
                    None => std::future::pending().await,
                }
                Ok(())
            };
            or(descriptor.readable(), later).await.expect("smol's reactor");
        }
    });
    session.join().expect("the client was served");
}

#[cfg(feature = "one-thread")]
#[test]
fn what_a_host_says_between_two_turns_makes_the_descriptor_readable() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use smol_servers::{HostLoop, Turn};

    let (listener, address) = listen();
    let (trigger, stop) = trigger();
    // In a pause the descriptor would become readable at its end only.
    let chat = Chat::new(ChatConfig { pause: Duration::ZERO, ..ChatConfig::default() });
    let room = chat.room().clone();
    let session = std::thread::spawn(move || {
        let mut client = Client::connect(address);
        client.line();
        client.expect("*** the host says hello");
        client.expect("*** the server is going down, goodbye");
    });
    let executor = Executor::default();
    let tasks = executor.clone();
    let mut servers =
        HostLoop::new(async move { tasks.run(serve(&tasks, listener, stop.recv(), chat)).await })
            .expect("descriptors");
    let is_readable = |servers: &HostLoop<_>, seconds| {
        let timeout = Timespec { tv_sec: seconds, tv_nsec: 0 };
        poll(&mut [PollFd::new(servers, PollFlags::IN)], Some(&timeout)).expect("poll") > 0
    };
    while room.is_empty() || is_readable(&servers, 0) {
        assert!(matches!(servers.turn(), Turn::Wait(_)));
    }
    while matches!(servers.turn(), Turn::Wait(Some(Duration::ZERO))) {}
    room.publish("*** the host says hello");
    assert!(is_readable(&servers, 20), "nobody would take the next turn");
    while matches!(servers.turn(), Turn::Wait(Some(Duration::ZERO))) {}
    trigger.pull();
    assert!(is_readable(&servers, 20), "nobody would take the next turn");
    while matches!(servers.turn(), Turn::Wait(_)) {}
    session.join().expect("the client heard both");
}

#[cfg(feature = "one-thread")]
#[test]
fn a_server_that_nobody_would_drive_says_so() {
    let (listener, _) = listen();
    let (_trigger, stop) = trigger();
    let executor = Executor::default();
    let serving = serve(&executor, listener, stop.recv(), echo);
    let error = smol::block_on(executor.run(serving)).expect_err("smol drives its own reactor");
    assert!(error.to_string().contains("smol_servers::block_on"), "{error}");
}
