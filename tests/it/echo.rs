//! What the echo server promises (RFC 862): every byte, to everyone, whatever one of them does.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::harness::{Client, Server, eventually};

#[test]
fn every_byte_comes_back_telnet_commands_too() {
    let server = Server::start("echo", &[]);
    let mut client = server.client();
    let all: Vec<u8> = (0..=255).collect();
    for bytes in [&all[..], b"\xff\xfd\x06\xff\xf4\xff\xfa\x04", b"\r\n\r\0\n\r"] {
        client.send(bytes);
        client.expect_bytes(bytes);
    }
}

#[test]
fn a_mebibyte_goes_both_ways_at_once() {
    let server = Server::start("echo", &[]);
    let mut client = server.client();
    let sent = noise(1 << 20);
    let mut socket = client.socket().try_clone().expect("a socket");
    let reader = std::thread::spawn(move || {
        let mut read = vec![0; 1 << 20];
        socket.read_exact(&mut read).expect("all comes back");
        read
    });
    client.send(&sent);
    assert!(reader.join().expect("it reads") == sent);
}

#[test]
fn a_fin_is_answered_by_all_that_was_sent_and_a_fin() {
    let server = Server::start("echo", &[]);
    let mut client = server.client();
    let noise = noise(1 << 20);
    let sent = client.send_until_blocked(&noise);
    client.half_close();
    let mut read = Vec::new();
    client.stream.read_to_end(&mut read).expect("the server closes");
    assert_eq!(read.len(), sent);
    assert!(noise.iter().cycle().zip(&read).all(|(sent, read)| sent == read));
}

#[test]
fn one_who_never_reads_is_read_from_no_more_and_costs_no_memory() {
    let server = Server::start("echo", &[]);
    let mut warm = server.client();
    for _ in 0..100 {
        warm.send([1; 16384]);
        warm.expect_bytes(&[1; 16384]);
    }
    let before = server.status("VmRSS");
    let mut client = server.client();
    let sent = client.send_until_blocked(&[0; 1 << 20]);
    let stats = server.stats();
    let held = stats["bytes_in"] - stats["bytes_out"];
    assert!(held <= 16 * 1024, "{held} bytes are held");
    assert!(stats["bytes_in"] - 100 * 16384 < sent as u64, "not all is read");
    let grown = server.status("VmRSS").saturating_sub(before);
    assert!(grown <= 256, "{grown} KiB");
}

#[test]
fn one_who_never_reads_is_cut_after_the_stall_limit() {
    let server = Server::start("echo", &["--stall", "1", "--dead", "3"]);
    let mut client = server.client();
    client.send_until_blocked(&[0; 1 << 20]);
    assert!(server.logged("closed").contains("reason=stalled"));
    client.expect_reset();
}

#[test]
fn one_who_reads_slowly_is_not_cut() {
    let server = Server::start("echo", &["--stall", "1", "--dead", "3"]);
    let mut client = server.client();
    let sent = client.send_until_blocked(&[0; 1 << 20]);
    let started = Instant::now();
    let mut read = 0;
    let mut taken = vec![0; 256 * 1024];
    while read < sent {
        // Less than the limit, so that it is never over between two reads.
        let due = Duration::from_millis(300) * (read / taken.len()) as u32;
        eventually("time to read on", || started.elapsed() >= due);
        let part = taken.len().min(sent - read);
        client.stream.read_exact(&mut taken[..part]).expect("it is not cut");
        read += part;
    }
}

/// The figure is 95 % of the round trips: single ones may meet a busy machine.
#[test]
fn one_at_full_speed_does_not_raise_a_round_trip_above_10_ms() {
    let server = Server::start("echo", &[]);
    let firehose = server.client();
    let mut writer = firehose.socket().try_clone().expect("a socket");
    let mut reader = firehose.socket().try_clone().expect("a socket");
    std::thread::spawn(move || while writer.write_all(&[7; 65536]).is_ok() {});
    std::thread::spawn(move || {
        let mut bytes = [0; 65536];
        while reader.read(&mut bytes).is_ok_and(|n| n > 0) {}
    });
    eventually("running", || server.stats()["bytes_out"] > 1 << 20);

    let before = server.stats()["bytes_out"];
    let mut client = server.client();
    let (mut all, mut slow) = (0, 0);
    eventually("met by the other one", || {
        for _ in 0..200 {
            let sent = Instant::now();
            client.send("ping");
            client.expect_bytes(b"ping");
            all += 1;
            slow += u32::from(sent.elapsed() > Duration::from_millis(10));
        }
        server.stats()["bytes_out"] - before > 1 << 20
    });
    assert!(slow <= all / 20, "{slow} of {all} round trips took more than 10 ms");
    firehose.socket().shutdown(Shutdown::Both).expect("connected");
}

#[test]
fn five_hundred_who_never_read_cost_another_nothing() {
    let server = Server::start("echo", &[]);
    let mut stuck: Vec<Client> = (0..500).map(|_| server.small_client()).collect();
    for client in &mut stuck {
        client.socket().set_nonblocking(true).expect("a socket");
        let _as_much_as_goes = client.stream.get_mut().write(&[0; 65536]);
    }
    eventually("stuck", || server.clients_behind() == 500);
    let mut client = server.client();
    for _ in 0..200 {
        let sent = Instant::now();
        client.send("ping");
        client.expect_bytes(b"ping");
        let took = sent.elapsed();
        assert!(took < Duration::from_millis(100), "{took:?}");
    }
}

/// Bytes that repeat nowhere near (xorshift).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    });
    bytes.take(len).collect()
}
