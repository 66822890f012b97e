//! Echo: every byte comes back, at once, to all clients, until they end.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::{Check, DUE, ONE_AT_A_TIME, connect, ends, in_time};
use crate::Result;

pub(super) const CHECKS: [Check; 4] = [every_byte, in_good_time, fin, two_at_a_time];

/// In pieces, and the last with a FIN right behind it.
fn every_byte(address: SocketAddr) -> Result<()> {
    let mut stream = connect(address)?;
    let sent: Vec<u8> = (0..100_000_u32).map(|n| (n + n / 251) as u8).collect();
    let mut before = 0;
    for piece in sent.chunks(7001) {
        stream.write_all(piece)?;
        let is_last = before + piece.len() == sent.len();
        if is_last {
            stream.shutdown(Shutdown::Write)?;
        }
        let back = read(&mut stream, piece.len());
        if let Some(at) = (0..back.len()).find(|&at| back[at] != piece[at]) {
            return Err(format!("byte {} came back as another than was sent", before + at).into());
        }
        if back.len() < piece.len() {
            let end = if is_last { ", with a FIN behind them" } else { "" };
            let (all, back, due) = (piece.len(), back.len(), DUE.as_secs_f64());
            return Err(format!("of {all} bytes{end}, {back} came back within {due} s").into());
        }
        before += piece.len();
    }
    Ok(())
}

fn in_good_time(address: SocketAddr) -> Result<()> {
    let mut stream = connect(address)?;
    in_time(|| stream.write_all(b"x").is_ok() && read(&mut stream, 1) == b"x")
}

fn fin(address: SocketAddr) -> Result<()> {
    let mut stream = connect(address)?;
    stream.write_all(b"goodbye")?;
    stream.shutdown(Shutdown::Write)?;
    ends(stream)
}

fn two_at_a_time(address: SocketAddr) -> Result<()> {
    let (mut one, mut two) = (connect(address)?, connect(address)?);
    one.write_all(b"1")?;
    let first = read(&mut one, 1);
    two.write_all(b"2")?;
    if first == b"1" && read(&mut two, 1) != b"2" {
        return Err(ONE_AT_A_TIME.into());
    }
    Ok(())
}

/// What comes of so many bytes, until none comes any more.
fn read(stream: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut back = Vec::with_capacity(bytes);
    let _ended = stream.take(bytes as u64).read_to_end(&mut back);
    back
}
