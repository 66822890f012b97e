//! What the kernel alone takes: the floor that the other stats are read against, since a
//! virtual machine is three times as slow from one minute to the next.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::Result;
use crate::machine::Machine;
use crate::server::thread_usage;
use crate::table::Table;

/// Messages of one measurement: some 100 ms.
const MESSAGES: usize = 5000;

/// Bytes of each.
const BYTES: usize = 64;

/// A thread on the server's core echoes to this one with blocking calls only.
pub(crate) fn run(machine: &Machine, table: &mut Table) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (served, _) = listener.accept()?;
    client.set_nodelay(true)?;
    served.set_nodelay(true)?;
    let echo = || thread::spawn(move || echo(served).map_err(|error| error.to_string()));
    let echo = machine.on_server_core(echo)?;
    let mut message = [0xa5; BYTES];
    for _ in 0..MESSAGES {
        client.write_all(&message)?;
        client.read_exact(&mut message)?;
    }
    drop(client);
    let cpu = echo.join().map_err(|_| "the reference panicked")??;
    table.add("reference: bare echo, CPU a round trip", "us", "", cpu * 1e6 / MESSAGES as f64);
    Ok(())
}

/// Until the end of file; returns the seconds of CPU it took.
fn echo(mut stream: TcpStream) -> Result<f64> {
    let mut message = [0; BYTES];
    let before = thread_usage()?.cpu;
    loop {
        match stream.read_exact(&mut message) {
            Ok(()) => stream.write_all(&message)?,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok((thread_usage()?.cpu - before).as_secs_f64())
}
