//! What the kernel knows of a server's connections: who has output and acknowledges none of it
//! (sock_diag(7), Linux).
//!
//! TCP_USER_TIMEOUT (RFC 5482) is no measure of that. Of a client whose window closed Linux
//! counts the time since the first probe of it, until a window opens that the next segment fits
//! in whole, which may be never although bytes flow: one who takes a kibibyte a second, or pauses
//! twice in a day, is reset with its bytes unread.

mod stuck;
mod table;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::yield_now;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use super::limits::BUFFER_BYTES;
use super::shared::Shared;
use super::stats::CloseReason;
use crate::driver::{Timer, now};
use stuck::Stuck;
pub(crate) use table::Row;
use table::{CONNECTED, LISTENING, request, rows};

/// The shortest time between two looks at all connections.
const LOOK: Duration = Duration::from_millis(100);

/// Asks the kernel for the connections of one listening TCP socket.
pub(crate) struct Diag {
    socket: OwnedFd,
    local: SocketAddr,
}

impl Diag {
    /// `None` where the kernel does not answer, or does not know this socket: it may be of
    /// another network namespace.
    pub(crate) fn new(local: SocketAddr) -> Option<Diag> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let protocol = Some(netlink::SOCK_DIAG);
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, protocol).ok()?;
        let diag = Diag { socket, local };
        diag.ask_for(LISTENING).ok()?;
        let mut known = false;
        while diag.read(&mut [0; BUFFER_BYTES], |_| known = true).ok()? {}
        known.then_some(diag)
    }

    /// Looks at all connections each eighth of the limit `dead`, but only after something was
    /// written, and calls `end` with those that took none of it for so long. It never ends.
    pub(crate) async fn watch(self, shared: Rc<Shared>, end: impl Fn(&Row, CloseReason)) {
        let mut stuck = Stuck::new(shared.limits.dead);
        let (mut written, mut all_taken) = (0, true);
        loop {
            Timer::after((shared.limits.dead / 8).max(LOOK)).await;
            let now_written = shared.stats.bytes_out.get();
            if all_taken && written == now_written {
                continue;
            }
            written = now_written;
            // Without an answer nobody is found stuck this time.
            if self.look(&shared, &mut stuck, &end).await.is_ok() {
                all_taken = stuck.finish();
            }
        }
    }

    async fn look(
        &self,
        shared: &Rc<Shared>,
        stuck: &mut Stuck,
        end: &impl Fn(&Row, CloseReason),
    ) -> io::Result<()> {
        // Of an answer that broke off, the kernel would give the rest first.
        while self.read(&mut shared.pool.take(), |_| {}).is_ok_and(|more| more) {}
        self.ask_for(CONNECTED)?;
        let mut see = |row| {
            if let Some(reason) = stuck.see(&row, now()) {
                end(&row, reason);
            }
        };
        while self.read(&mut shared.pool.take(), &mut see)? {
            yield_now().await;
        }
        Ok(())
    }

    /// Hands the next connections to `see`; false when those were the last. The kernel gives as
    /// many as fit `buffer`, but at least a page. MUST NOT wait.
    fn read(&self, buffer: &mut [u8], mut see: impl FnMut(Row)) -> io::Result<bool> {
        let (len, _) = recv(&self.socket, &mut *buffer, RecvFlags::empty())?;
        let mut rows = rows(&buffer[..len]);
        rows.by_ref().for_each(&mut see);
        Ok(!rows.is_last())
    }

    fn ask_for(&self, states: u32) -> io::Result<()> {
        let request = request(self.local, states);
        send(&self.socket, &request, SendFlags::empty())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kernel_tells_what_a_peer_has_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let diag = Diag::new(listener.local_addr().expect("an address")).expect("an answer");
        let _reads_nothing = TcpStream::connect(diag.local).expect("accepted");
        let (mut socket, peer) = listener.accept().expect("a client");
        socket.set_nonblocking(true).expect("a socket");
        while socket.write(&[0; 4096]).is_ok() {}
        let mut all = Vec::new();
        diag.ask_for(CONNECTED).expect("an answer");
        while diag.read(&mut [0; BUFFER_BYTES], |row| all.push(row)).expect("more of it") {}
        let cookie = rustix::net::sockopt::socket_cookie(&socket).expect("a socket");
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!((all[0].peer, all[0].cookie), (peer, cookie));
        assert!(all[0].waiting > 0 && all[0].acked > 0, "{all:?}");
    }

    proptest! {
        #[test]
        fn whatever_the_kernel_answers_is_walked_through(
            answer in prop::collection::vec(any::<[u8; 4]>(), 0..200),
            lens in prop::collection::vec(0..120u32, 0..4),
        ) {
            let mut answer = answer.concat();
            let mut at = 0;
            for len in lens {
                if let Some(header) = answer.get_mut(at..at + 6) {
                    header[..4].copy_from_slice(&len.to_ne_bytes());
                    header[4..].copy_from_slice(&20_u16.to_ne_bytes());
                }
                at += len.next_multiple_of(4) as usize;
            }
            prop_assert!(rows(&answer).count() <= 200);
        }
    }
}
