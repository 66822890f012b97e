//! What people on several servers read of each other while all goes well, and what stays of it.

use std::process::Command;

use super::engine::Engine;
use super::{chat, hears_all, met, pair, past, say, unix};
use crate::harness::{Server, binary, speaks};

#[test]
fn what_is_said_on_one_server_is_read_on_the_other_once_and_in_order() {
    let Some(engine) = Engine::start("relay-talk", &[]) else { return };
    let (_servers, [mut ann, mut bob]) = pair(&engine);
    say(&mut ann, 1..=1000);
    say(&mut bob, 1..=1000);
    hears_all(&mut bob, &ann.name, 1000);
    hears_all(&mut ann, &bob.name, 1000);
    speaks(&mut ann, &mut bob, "and nothing else came");
    speaks(&mut bob, &mut ann, "and nothing else came");
}

#[test]
fn who_comes_and_goes_is_read_on_the_other_server_and_counted_in_the_welcome() {
    let Some(engine) = Engine::start("relay-presence", &[]) else { return };
    let servers = [chat(&engine, &[]), chat(&engine, &[])];
    let [mut ann, mut bob] = met([0, 1].map(|n| servers[n].guest(&mut [])));
    let mut carl = servers[0].client();
    let welcome = "*** welcome, you are guest2. 2 others here (1 on this server)";
    carl.expect(format_args!("{welcome}: guest1, {}", bob.name));
    for guest in [&mut ann, &mut bob] {
        guest.expect("*** guest2 joined (3 here)");
    }
    carl.half_close();
    for guest in [&mut ann, &mut bob] {
        guest.expect("*** guest2 left");
    }
    let welcome = servers[1].client().line();
    let others = format!("2 others here (1 on this server): {}, guest1", bob.name);
    assert!(welcome.ends_with(&others), "{welcome}");
}

#[test]
fn a_newcomer_reads_the_same_past_on_every_server_and_on_one_that_comes_later() {
    let Some(engine) = Engine::start("relay-past", &[]) else { return };
    let (mut servers, [mut ann, mut bob]) = pair(&engine);
    for n in 1..=15 {
        speaks(&mut ann, &mut bob, &format!("{n}"));
        speaks(&mut bob, &mut ann, &format!("{n}"));
    }
    let expected = past(&mut servers[0].guest(&mut []));
    assert_eq!(expected.len(), 22, "{expected:?}");
    assert_eq!(expected[0], "*** the last 20 lines:");
    assert_eq!(past(&mut servers[1].guest(&mut [])), expected);
    servers[0] = chat(&engine, &[]);
    assert_eq!(past(&mut servers[0].guest(&mut [])), expected);
    let fewer = chat(&engine, &["--history", "2"]);
    assert_eq!(past(&mut fewer.guest(&mut []))[1..], expected[19..]);
}

#[cfg(feature = "local-time")]
#[test]
fn lines_of_yesterday_have_their_time_and_day_on_a_server_that_came_later() {
    use std::time::{SystemTime, UNIX_EPOCH};

    use crate::harness::eventually;

    let Some(engine) = Engine::start("relay-days", &[]) else { return };
    let seconds = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let start = seconds();
    // A zone in which midnight is three seconds away.
    let east = 86_400 - 3 - start % 86_400;
    let zone = format!("<here>-{}:{:02}:{:02}", east / 3600, east / 60 % 60, east % 60);
    let stamped = || {
        let mut command = Command::new(binary("chat"));
        command.args(["--timestamps", "--relay", &unix(&engine.socket())]).env("TZ", &zone);
        let server = Server::start_command(&mut command);
        server.logged("shares its room");
        server
    };
    let servers = [stamped(), stamped()];
    let [mut ann, mut bob] = [0, 1].map(|n| servers[n].client());
    ann.line();
    bob.line();
    ann.send("good night\r\n");
    bob.skip_to("23:59 <guest1> good night");
    eventually("midnight", || seconds() >= start + 3);
    ann.send("good morning\r\n");
    bob.skip_to("00:00 <guest1> good morning");
    for server in [&servers[0], &servers[1], &stamped()] {
        let lines = past(&mut server.guest(&mut []));
        let day = &lines[1];
        assert!(day.starts_with("*** ") && day.ends_with(':') && day.contains("day, "), "{day}");
        assert_eq!(
            lines[2..],
            ["23:59 <guest1> good night", "*** today:", "00:00 <guest1> good morning", "*** now:"]
        );
    }
}

#[test]
fn on_four_servers_each_reads_every_line_of_the_others_once() {
    let Some(engine) = Engine::start("relay-four", &[]) else { return };
    let servers = [(); 4].map(|()| chat(&engine, &[]));
    let mut guests = met([0, 1, 2, 3].map(|n| servers[n].guest(&mut [])));
    let names: Vec<String> = guests.iter().map(|guest| guest.name.clone()).collect();
    for guest in &mut guests {
        say(guest, 1..=100);
    }
    for guest in &mut guests {
        let mut heard = vec![super::Heard::default(); names.len()];
        for _ in 0..300 {
            let line = guest.line();
            heard.iter_mut().zip(&names).for_each(|(heard, author)| heard.take(author, &line));
        }
        for (heard, author) in heard.iter().zip(&names) {
            let said = if *author == guest.name { 0 } else { 100 };
            heard.accounts_for(said);
            assert_eq!(heard.missed, 0, "{author}");
        }
    }
}

#[test]
fn a_server_that_is_killed_takes_its_guests_with_it() {
    let Some(engine) = Engine::start("relay-gone", &[]) else { return };
    let ([first, second], [_ann, mut bob]) = pair(&engine);
    let _carl = first.guest(&mut [&mut bob]);
    drop(first);
    bob.expect("*** server a is gone, and 2 with it (1 here)");
    let mut dora = second.guest(&mut [&mut bob]);
    bob.send("only us\r\n");
    dora.skip_to(format_args!("<{}> only us", bob.name));
}
