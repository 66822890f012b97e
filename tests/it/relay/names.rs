//! Names that people choose, on several servers.

use std::collections::HashSet;

use super::engine::{Engine, Reply};
use super::{CUT_OFF, chat};
use crate::harness::{Client, Server, eventually};

const ASK: &[&str] = &["--ask-names"];

/// A client that is asked for a name.
#[track_caller]
fn asked(server: &Server) -> Client {
    let mut client = server.client();
    assert!(client.line().starts_with("*** what name shall the others read?"));
    client
}

/// What the client reads that wants this name.
#[track_caller]
fn choose(client: &mut Client, name: &str) -> String {
    client.send(format!("{name}\r\n"));
    client.line()
}

#[test]
fn a_chosen_name_is_taken_on_every_server_until_its_guest_leaves() {
    let Some(engine) = Engine::start("relay-names", &[]) else { return };
    let servers = [chat(&engine, ASK), chat(&engine, ASK)];
    let mut ann = asked(&servers[0]);
    assert!(choose(&mut ann, "Ann").starts_with("*** welcome, you are Ann."));
    let mut other = asked(&servers[1]);
    assert_eq!(choose(&mut other, "ANN"), "*** that name is taken");
    assert_eq!(choose(&mut other, "ann"), "*** that name is taken");
    ann.half_close();
    ann.expect_eof();
    eventually("free", || choose(&mut other, "ann").starts_with("*** welcome, you are ann."));
    let mut third = asked(&servers[0]);
    assert_eq!(choose(&mut third, "Ann"), "*** that name is taken");
}

/// The engine forgets names by itself, so that those of a server that is gone are free again.
#[test]
fn a_chosen_name_stays_taken_however_long_its_guest_is_here() {
    let Some(engine) = Engine::start("relay-renewed", &[]) else { return };
    let servers = [chat(&engine, ASK), chat(&engine, ASK)];
    let mut ann = asked(&servers[0]);
    assert!(choose(&mut ann, "Ann").starts_with("*** welcome, you are Ann."));
    let time_left = || engine.count(&["PTTL", "room:lobby:name:ann"]);
    assert!((50_000..=60_000).contains(&time_left()));
    engine.ask(&["PEXPIRE", "room:lobby:name:ann", "30000"]);
    eventually("renewed", || time_left() > 30_000);
    engine.ask(&["DEL", "room:lobby:name:ann"]);
    eventually("taken again", || time_left() > 0);
    // As it is where another server gave it while this one was cut off for long.
    engine.ask(&["SET", "room:lobby:name:ann", "b", "PX", "30000"]);
    eventually("renewed", || time_left() > 30_000);
    assert_eq!(engine.ask(&["GET", "room:lobby:name:ann"]), Reply::Text("b".to_owned()));
}

#[test]
fn after_an_engine_has_forgotten_all_no_name_of_a_guest_is_given_again() {
    let Some(engine) = Engine::start("relay-forgets", &[]) else { return };
    let asking = [chat(&engine, ASK), chat(&engine, ASK)];
    let servers = [chat(&engine, &[]), chat(&engine, &[])];
    let mut ann = asked(&asking[0]);
    assert!(choose(&mut ann, "Ann").starts_with("*** welcome, you are Ann."));
    let (mut guests, mut names) = (Vec::new(), HashSet::new());
    let mut come = |server: &Server| {
        let guest = server.guest(&mut []);
        assert!(names.insert(guest.name.clone()), "{} is here already", guest.name);
        let is_numbered = guest.name.ends_with(|c: char| c.is_ascii_digit());
        guests.push(guest);
        is_numbered
    };
    (0..20).for_each(|_| servers.iter().for_each(|server| _ = come(server)));
    engine.ask(&["FLUSHALL"]);
    for server in asking.iter().chain(&servers) {
        server.logged("has lost its log");
    }
    eventually("taken", || engine.ask(&["EXISTS", "room:lobby:name:ann"]) == Reply::Number(1));
    // What is left of the old numbers goes first, and then names carry letters for a while.
    servers.iter().for_each(|server| while come(server) {});
    let given = || engine.count(&["INCRBY", "room:lobby:guests", "0"]);
    let before = given();
    for server in &servers {
        eventually("given", || given() > before);
        (0..100).for_each(|_| _ = come(server));
    }
    assert_eq!(choose(&mut asked(&asking[1]), "ann"), "*** that name is taken");
}

#[test]
fn a_name_that_is_chosen_while_cut_off_carries_the_servers_letters() {
    let Some(mut engine) = Engine::start("relay-letters", &[]) else { return };
    let servers = [chat(&engine, ASK), chat(&engine, ASK)];
    let mut inside = [0, 1].map(|n| asked(&servers[n]));
    for guest in &mut inside {
        guest.send("\r\n");
        guest.line();
    }
    inside[0].line();
    engine.kill();
    for guest in &mut inside {
        guest.expect(format_args!("{CUT_OFF}nobody else reads you"));
    }
    for (server, letters) in servers.iter().zip(["a", "b"]) {
        let mut ann = asked(server);
        let welcome = choose(&mut ann, "Ann");
        assert!(welcome.starts_with(&format!("*** welcome, you are Ann-{letters}.")), "{welcome}");
        assert_eq!(choose(&mut asked(server), "ann"), "*** that name is taken");
    }
}
