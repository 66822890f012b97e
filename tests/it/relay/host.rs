//! What a host reads and awaits that gives its chat a relay.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use smol_servers::{Chat, ChatConfig, EngineAddress, Relay, block_on, run};

use super::engine::Engine;
use super::{chat, hears_all, say};
use crate::harness::{Client, Executor, eventually, serve_during};

fn relay(engine: &Engine) -> Relay {
    let engine = EngineAddress::Unix(engine.socket());
    Relay { engine, room: "lobby".to_owned(), password: None }
}

#[test]
fn what_is_said_last_in_a_hosts_chat_is_passed_on_before_its_relay_ends() {
    let Some(engine) = Engine::start("relay-host", &[]) else { return };
    let engine = Arc::new(engine);
    let other = chat(&engine, &[]);
    let mut bob = other.guest(&mut []);
    let executor = Executor::default();
    let own = Chat::default();
    let passed_on = executor.spawn(own.relay(relay(&engine)));
    let another = own.relay(relay(&engine));
    let beside = engine.clone();
    let (name_is, name) = mpsc::channel();
    serve_during(&executor, own, move |address, _trigger| {
        let mut ann = Client::connect(address);
        let welcome = ann.line();
        let name =
            welcome.strip_prefix("*** welcome, you are ").and_then(|it| it.split('.').next());
        name.expect("a name").clone_into(&mut ann.name);
        let mut carl = Client::connect(address);
        carl.line();
        ann.send("hello\r\n");
        for listener in [&mut bob, &mut carl] {
            listener.skip_to(format_args!("<{}> hello", ann.name));
        }
        beside.hold();
        say(&mut ann, 1..=100);
        hears_all(&mut carl, &ann.name, 100);
        name_is.send(ann.name).expect("it is waited for");
    });
    let name = name.recv().expect("a name");
    engine.go_on();
    block_on(run(&executor, passed_on));
    block_on(run(&executor, another));
    let later = chat(&engine, &["--history", "100"]);
    hears_all(&mut later.client(), &name, 100);
}

#[test]
fn who_waits_for_a_name_gets_it_when_a_host_ends_the_relay() {
    let Some(engine) = Engine::start("relay-ended", &[]) else { return };
    let engine = Arc::new(engine);
    let executor = Executor::default();
    let chat = Chat::new(ChatConfig { ask_names: true, ..ChatConfig::default() });
    let relay = executor.spawn(chat.relay(relay(&engine)));
    let (end, ended) = async_channel::bounded::<()>(1);
    let until_ended = async move {
        let _closed = ended.recv().await;
        relay.cancel().await;
    };
    executor.spawn(until_ended).detach();
    serve_during(&executor, chat, move |address, _trigger| {
        let chooses = |name: &str| {
            let mut client = Client::connect(address);
            client.line();
            client.send(format!("{name}\r\n"));
            client
        };
        eventually("shared", || chooses("Ann").line().starts_with("*** welcome, you are Ann."));
        engine.hold();
        let mut bob = chooses("Bob");
        bob.expect_silence(Duration::from_millis(100));
        end.close();
        let welcome = bob.line();
        assert!(welcome.starts_with("*** welcome, you are Bob."), "{welcome}");
        let welcome = chooses("Carl").line();
        assert!(welcome.starts_with("*** welcome, you are Carl."), "{welcome}");
    });
}
