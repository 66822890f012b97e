//! The line editor, where something waits: for the end of a pause, for a client to read, for its
//! person to come back.

use futures_lite::future::{or, yield_now};
use smol_servers::{Chat, ChatConfig, Event, Events, Limits, RateLimit, Timer};

use super::SECOND;
use crate::harness::{Host, LocalClient, serve_paused};

/// IAC DO ECHO, IAC DO SGA: the editor is wanted.
const AGREED: &[u8] = b"\xff\xfd\x01\xff\xfd\x03";

/// IAC AYT.
const ARE_YOU_THERE: &[u8] = b"\xff\xf6";

#[test]
fn one_with_the_editor_is_answered_however_much_it_is_due() {
    let (chat, events) = chat();
    serve_paused(Limits::default(), chat, async |host: Host| {
        let [ann, bob] = two(&host).await;
        begin_pause(&bob, &events).await;
        // 4,064 bytes that wait for the end of the pause.
        let long = format!("{}\r\n", "x".repeat(1000)).repeat(4);
        bob.send(format!("{long}yyyyyyyyy\r\n")).await;
        has_said(&events, "yyyyyyyyy").await;
        ann.send(ARE_YOU_THERE.repeat(5)).await;
        let read = String::from_utf8_lossy(&all_of(&ann).await).into_owned();
        assert_eq!(read.matches("still here").count(), 5);
    });
}

#[test]
fn lines_that_no_socket_took_are_not_counted() {
    let (chat, _events) = chat();
    serve_paused(Limits::default(), chat, async |host: Host| {
        let [ann, bob] = two(&host).await;
        let out = || (host.stats.lines_out.get(), host.stats.bytes_out.get());
        let mut before = (0, 0);
        while out() != before {
            before = out();
            bob.send(format!("{}\r\n", "x".repeat(900))).await;
            Timer::after(SECOND).await;
        }
        ann.send(ARE_YOU_THERE).await;
        Timer::after(SECOND).await;
        assert_eq!(out(), before);
    });
}

#[test]
fn a_timing_mark_is_answered_before_the_lines_that_are_due() {
    let (chat, events) = chat();
    serve_paused(Limits::default(), chat, async |host: Host| {
        let [ann, bob] = two(&host).await;
        begin_pause(&bob, &events).await;
        bob.send("two\r\n").await;
        has_said(&events, "two").await;
        // IAC DO TIMING-MARK, and WILL.
        ann.send(b"\xff\xfd\x06").await;
        let read = all_of(&ann).await.escape_ascii().to_string();
        let (mark, line) = (read.find("\\xff\\xfb\\x06"), read.find("two"));
        assert!(mark.expect("an answer") < line.expect("a line"), "{read}");
    });
}

#[test]
fn lines_to_be_said_again_are_kept_for_ten_minutes_and_forgotten_after_twenty_without_a_key() {
    let chat = Chat::new(ChatConfig { edit: true, ..ChatConfig::default() });
    serve_paused(Limits::default(), chat, async |host: Host| {
        let mut ann = host.connect().await;
        ann.send(AGREED).await;
        ann.send("remember\r\0").await;
        assert!(ann.said().await.ends_with("<guest1> remember"));
        let mut remembered = "<guest1> remember".to_owned();
        for _ in 0..3 {
            Timer::after(600 * SECOND - SECOND).await;
            ann.send("\x1b[A!\r\0").await;
            remembered += "!";
            assert!(ann.said().await.ends_with(&remembered));
        }
        Timer::after(1200 * SECOND).await;
        ann.send("\x1b[Aforgotten\r\0").await;
        assert!(ann.said().await.ends_with("<guest1> forgotten"));
    });
}

/// A chat without a limit on what one says, and what happens in it.
fn chat() -> (Chat, Events) {
    let rate_limit = RateLimit { rate: 0, burst: 0 };
    let config = ChatConfig { edit: true, history: 0, rate_limit, ..ChatConfig::default() };
    let chat = Chat::new(config);
    let events = chat.events();
    (chat, events)
}

/// Two guests in a chat that is quiet, of whom the first has the editor.
async fn two(host: &Host) -> [LocalClient; 2] {
    let mut ann = host.connect().await;
    ann.send(AGREED).await;
    let bob = host.connect().await;
    while !ann.line().await.expect("a line").contains("guest2 joined") {}
    Timer::after(SECOND).await;
    [ann, bob]
}

/// Says a line that the others take, and behind which the chat pauses.
async fn begin_pause(bob: &LocalClient, events: &Events) {
    bob.send("first\r\n").await;
    has_said(events, "first").await;
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Waits until somebody has said this.
async fn has_said(events: &Events, what: &str) {
    while !matches!(events.next().await, Some(Event::Said { text, .. }) if text == what) {}
}

/// All that comes to a client until it is quiet for a second.
async fn all_of(client: &LocalClient) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let read = or(
            async { client.connection.read().await.expect("the server is there").to_vec() },
            async {
                Timer::after(SECOND).await;
                Vec::new()
            },
        );
        let read = read.await;
        if read.is_empty() {
            return all;
        }
        all.extend_from_slice(&read);
    }
}
