//! What comes at its moment exactly, on a paused clock: hours that take no time.

mod editor;

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use async_channel::{Receiver, bounded};
use futures_lite::future::zip;
use jiff::Timestamp;
use smol_servers::{
    Chat, ChatConfig, Clock, CloseReason, Connection, Event, Events, Handler, Limits, Listener,
    RateLimit, TimeZone, Timer, block_on_paused, echo, now, run, serve,
};

use crate::harness::{Executor, Host, LocalClient, serve_paused};

const NANOSECOND: Duration = Duration::from_nanos(1);
const MICROSECOND: Duration = Duration::from_micros(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn each_second_of_a_day_is_told_once_to_everyone_a_millisecond_behind_its_beginning() {
    let clock = Clock::new(TimeZone::UTC, Some("%s %N"), SECOND).expect("a format");
    serve_paused(Limits::default(), clock, async |host: Host| {
        let mut clients = [host.connect().await, host.connect().await];
        let mut first = 0;
        for client in &mut clients {
            let line = client.line().await.expect("the moment of connecting");
            first = line.split(' ').next().and_then(|it| it.parse().ok()).expect("seconds");
        }
        for second in first + 1..=first + DAY.as_secs() {
            for client in &mut clients {
                assert_eq!(client.line().await, Some(format!("{second} 001000000")));
            }
        }
    });
}

#[test]
fn every_other_second_is_every_even_one() {
    let clock = Clock::new(TimeZone::UTC, Some("%s"), 2 * SECOND).expect("a format");
    serve_paused(Limits::default(), clock, async |host: Host| {
        let mut client = host.connect().await;
        let connected: u64 = seconds(&mut client).await;
        let first = connected - connected % 2 + 2;
        for n in 0..1000 {
            assert_eq!(seconds(&mut client).await, first + 2 * n);
        }
    });
}

async fn seconds(client: &mut LocalClient) -> u64 {
    client.line().await.and_then(|line| line.parse().ok()).expect("seconds")
}

#[test]
fn one_who_takes_nothing_is_dropped_after_exactly_the_stall_limit() {
    let (handler, told) = echo_that_tells();
    serve_paused(Limits::default(), handler, async |host: Host| {
        let started = now();
        let client = host.connect().await;
        let unread = vec![0; 1 << 20];
        let (_cut, told) = zip(client.connection.write_all(&unread), told.recv()).await;
        let (ended, result) = told.expect("its handler is done");
        assert_eq!((ended - started, result), (STALL, Err(CloseReason::Stalled)));
    });
}

#[test]
fn one_who_takes_a_little_just_before_the_stall_limit_stays_for_another() {
    let (handler, told) = echo_that_tells();
    serve_paused(Limits::default(), handler, async |host: Host| {
        let started = now();
        let client = host.connect().await;
        let unread = vec![0; 1 << 20];
        let a_little = async {
            Timer::after(STALL - NANOSECOND).await;
            client.connection.read().await.expect("the server has written");
            told.recv().await.expect("its handler is done")
        };
        let (_cut, (ended, result)) = zip(client.connection.write_all(&unread), a_little).await;
        assert_eq!((ended - started, result), (2 * STALL, Err(CloseReason::Stalled)));
    });
}

/// The default limit.
const STALL: Duration = Duration::from_secs(30);

type Ended = (Instant, Result<(), CloseReason>);

/// Echoes, and tells when that was done and how it ended.
fn echo_that_tells() -> (impl Handler, Receiver<Ended>) {
    let (tell, told) = bounded(1);
    let handler = move |connection: Connection| {
        let tell = tell.clone();
        async move {
            let result = echo(connection).await;
            tell.try_send((now(), result)).expect("one client");
            result
        }
    };
    (handler, told)
}

#[test]
fn one_who_is_sent_away_and_stays_is_closed_after_exactly_its_grace() {
    let grace = Limits::default().grace;
    serve_paused(Limits::default(), Chat::default(), async |host: Host| {
        let mut browser = host.connect().await;
        browser.send("GET / HTTP/1.1\r\n").await;
        while browser.line().await.is_some() {}
        Timer::after(grace - NANOSECOND).await;
        assert_eq!(host.stats.clients.get(), 1);
        Timer::after(2 * NANOSECOND).await;
        assert_eq!(host.stats.clients.get(), 0);
    });
}

#[test]
fn one_who_came_too_late_has_exactly_a_second_for_reading_why() {
    let limits = Limits { max_clients: 1, ..Limits::default() };
    serve_paused(limits, echo, async |host: Host| {
        let _first = host.connect().await;
        let mut second = host.connect().await;
        let full = "*** server full (1 client), please try again later".to_owned();
        assert_eq!(second.line().await, Some(full));
        assert_eq!(second.line().await, None);
        Timer::after(SECOND - NANOSECOND).await;
        assert_eq!(second.connection.try_write(b"still here"), Ok(10));
        Timer::after(2 * NANOSECOND).await;
        assert_eq!(second.connection.try_write(b"and now?"), Err(CloseReason::Lost));
    });
}

#[test]
fn a_shutdown_waits_1800_ms_for_clients_but_for_25_us_each() {
    for clients in [1, 40] {
        let listener = Listener::bind(&[], Limits::default()).expect("nothing to bind");
        let handle = listener.handle();
        let (stay, theirs): (Vec<_>, Vec<_>) =
            (0..clients).map(|_| UnixStream::pair().expect("descriptors")).unzip();
        let stop = async { theirs.into_iter().for_each(|it| handle.admit(it).expect("it serves")) };
        let executor = Executor::default();
        block_on_paused(run(&executor, async {
            let started = now();
            serve(&executor, listener, stop, echo).await.expect("it serves");
            assert_eq!(now() - started, 1800 * MILLISECOND - clients * Duration::from_micros(25));
        }));
        drop(stay);
    }
}

#[test]
fn one_who_gives_no_name_comes_in_after_exactly_a_minute() {
    let chat = Chat::new(ChatConfig { ask_names: true, ..ChatConfig::default() });
    let events = chat.events();
    serve_paused(Limits::default(), chat, async |host: Host| {
        let started = now();
        let _silent = host.connect().await;
        let name = "guest1".to_owned();
        assert_eq!(events.next().await, Some(Event::Joined { name }));
        assert_eq!(now() - started, 60 * SECOND);
    });
}

#[test]
fn one_who_gives_its_name_in_a_single_line_comes_in_200_ms_later() {
    let chat = Chat::new(ChatConfig { ask_names: true, ..ChatConfig::default() });
    let events = chat.events();
    serve_paused(Limits::default(), chat, async |host: Host| {
        let started = now();
        let ann = host.connect().await;
        // Her last moment for it.
        Timer::after(60 * SECOND - 201 * MILLISECOND).await;
        ann.send("Ann\r\n").await;
        let name = "Ann".to_owned();
        assert_eq!(events.next().await, Some(Event::Joined { name }));
        assert_eq!(now() - started, 60 * SECOND - MILLISECOND);
    });
}

#[test]
fn one_over_its_rate_is_slowed_to_it_exactly_and_loses_nothing() {
    let rate_limit = RateLimit { rate: 10, burst: 5 };
    let chat = Chat::new(ChatConfig { rate_limit, ..ChatConfig::default() });
    let events = chat.events();
    serve_paused(Limits::default(), chat, async |host: Host| {
        let mut bob = host.connect().await;
        let ann = host.connect().await;
        let started = now();
        let paste: String = (0..20).map(|n| format!("{n}\r\n")).collect();
        ann.send(paste).await;
        // The burst at once and the line that is over it, and then one in a tenth of a second.
        let due: Vec<Duration> = (0..20).map(|n| TENTH * u32::saturating_sub(n, 5)).collect();
        assert_eq!(moments_of_lines(&events, started, 20).await, due);
        for n in 0..20 {
            assert_eq!(bob.said().await, format!("<guest2> {n}"));
        }
    });
}

#[test]
fn one_who_comes_again_has_of_its_burst_what_was_earned_meanwhile() {
    let rate_limit = RateLimit { rate: 10, burst: 20 };
    let chat = Chat::new(ChatConfig { rate_limit, ..ChatConfig::default() });
    let events = chat.events();
    serve_paused(Limits::default(), chat, async |host: Host| {
        let ann = host.connect().await;
        ann.send("before\r\n".repeat(20)).await;
        drop(ann);
        while !matches!(events.next().await, Some(Event::Left { .. })) {}
        Timer::after(SECOND).await;
        let started = now();
        let again = host.connect().await;
        again.send("again\r\n".repeat(20)).await;
        // Ten more at once.
        let due: Vec<Duration> = (0..20).map(|n| TENTH * u32::saturating_sub(n, 10)).collect();
        assert_eq!(moments_of_lines(&events, started, 20).await, due);
    });
}

#[test]
fn more_than_fifty_who_come_at_once_are_told_of_after_exactly_a_second() {
    serve_paused(Limits::default(), Chat::default(), async |host: Host| {
        let mut ann = host.connect().await;
        ann.line().await;
        let started = now();
        let mut crowd = Vec::new();
        for _ in 0..60 {
            crowd.push(host.connect().await);
        }
        for n in 2..=50 {
            assert_eq!(ann.line().await, Some(format!("*** guest{n} joined ({n} here)")));
        }
        assert_eq!(ann.line().await, Some("*** 11 joined (61 here)".to_owned()));
        assert_eq!(now() - started, SECOND);
    });
}

/// So many that a pause is as long as it gets by default.
const CROWD: u32 = 100;

#[test]
fn the_second_line_of_a_busy_chat_is_read_when_the_pause_behind_the_first_one_is_over() {
    for (guests, pause) in [(CROWD, 10 * MILLISECOND), (2, 200 * MICROSECOND)] {
        serve_paused(Limits::default(), Chat::default(), async |host: Host| {
            let mut crowd = crowd(&host, guests).await;
            let [ann, bob] = crowd.first_chunk_mut().expect("two");
            for _ in 0..20 {
                let started = now();
                ann.send("how are you?\r\n").await;
                bob.said().await;
                assert_eq!(now(), started);
                bob.send("fine\r\n").await;
                ann.said().await;
                assert_eq!(now() - started, pause);
                Timer::after(SECOND).await;
            }
        });
    }
}

#[test]
fn a_newcomer_is_welcomed_without_awaiting_the_end_of_a_pause() {
    serve_paused(Limits::default(), Chat::default(), async |host: Host| {
        let mut crowd = crowd(&host, CROWD).await;
        let started = now();
        crowd[0].send("a line, behind which a pause begins\r\n").await;
        crowd[1].said().await;
        let welcome = host.connect().await.line().await.expect("a line");
        assert!(welcome.starts_with("*** welcome, you are guest101."), "{welcome}");
        assert_eq!(now(), started);
    });
}

#[test]
fn lines_of_yesterday_are_told_with_their_day() {
    let chat = Chat::new(ChatConfig { timestamps: Some(TimeZone::UTC), ..ChatConfig::default() });
    // Half a minute before the end of tomorrow, whatever the time is.
    let today = Timestamp::now().as_second().div_euclid(86_400);
    let evening = Timestamp::from_second((today + 2) * 86_400 - 30).expect("a time");
    let wait = evening.duration_since(Timestamp::now()).unsigned_abs();
    serve_paused(Limits::default(), chat, async |host: Host| {
        Timer::after(wait).await;
        let ann = host.connect().await;
        let mut bob = host.connect().await;
        ann.send("good night\r\n").await;
        assert_eq!(bob.said().await, "23:59 <guest1> good night");
        Timer::after(60 * SECOND).await;
        ann.send("good morning\r\n").await;
        assert_eq!(bob.said().await, "00:00 <guest1> good morning");
        let mut newcomer = host.connect().await;
        newcomer.line().await;
        for line in [
            "*** the last 2 lines:",
            &evening.strftime("*** %A, %-d %B %Y:").to_string(),
            "23:59 <guest1> good night",
            "*** today:",
            "00:00 <guest1> good morning",
            "*** now:",
        ] {
            assert_eq!(newcomer.line().await.as_deref(), Some(line));
        }
    });
}

/// Guests in a chat in which it is quiet.
async fn crowd(host: &Host, guests: u32) -> Vec<LocalClient> {
    let mut crowd = Vec::new();
    for _ in 0..guests {
        crowd.push(host.connect().await);
    }
    Timer::after(10 * SECOND).await;
    crowd
}

/// When the next lines are said.
async fn moments_of_lines(events: &Events, started: Instant, lines: usize) -> Vec<Duration> {
    let mut moments = Vec::new();
    while moments.len() < lines {
        if let Some(Event::Said { .. }) = events.next().await {
            moments.push(now() - started);
        }
    }
    moments
}
