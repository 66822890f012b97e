//! Clients whose network goes away: no FIN, no RST, no answer.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::harness::{Server, is_missing};

/// The idle ones by keepalive, those of the time by their unacknowledged lines, one who left bytes
/// unread by probes of its window.
#[test]
fn one_whose_network_is_gone_is_dropped_after_dead() {
    if is_missing(&["busybox", "unshare"]) {
        return;
    }
    let unread = format!("here\r\n{}", "x".repeat(30_000));
    for (name, sent) in [("chat", ""), ("echo", "here\r\n"), ("echo", &unread), ("time", "")] {
        let Some(mut network) = Network::enter() else {
            eprintln!("left out: no network of its own may be made here");
            return;
        };
        let server = Server::start(name, &["--stall", "1", "--dead", "2"]);
        let mut client = server.small_client();
        client.send(sent);
        client.line();
        network.go_down();
        let closed = server.logged("closed");
        assert!(closed.contains("reason=\"connection lost\""), "{closed}");
    }
}

/// A network of this thread and the processes it starts, with a loopback device of its own.
struct Network {
    holder: Child,
    orders: ChildStdin,
}

impl Network {
    /// `None` where that is not allowed.
    fn enter() -> Option<Network> {
        let script = "busybox ip link set lo up && echo up && read down && \
                      busybox ip link set lo down && echo down && read end";
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let orders = holder.stdin.take()?;
        let mut network = Network { holder, orders };
        network.hears("up").then_some(())?;
        let space = File::open(format!("/proc/{}/ns/net", network.holder.id())).ok()?;
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).ok()?;
        Some(network)
    }

    /// From here on no packet arrives.
    fn go_down(&mut self) {
        self.orders.write_all(b"down\n").expect("its holder waits");
        assert!(self.hears("down"));
    }

    fn hears(&mut self, word: &str) -> bool {
        let mut said = String::new();
        let holder = self.holder.stdout.as_mut().expect("it is piped");
        BufReader::new(holder).read_line(&mut said).is_ok() && said.trim() == word
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ended_already = self.holder.kill();
        let _reaped_already = self.holder.wait();
    }
}
