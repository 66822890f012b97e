//! What `-h` prints. No I/O.

use super::args::{DEAD_SECONDS, MAX_PER_IP, STALL_SECONDS, ends};
use super::{Program, ServerOptions};
use crate::server::limits::{Limits, RESERVED_DESCRIPTORS};

const MIB: usize = 1024 * 1024;

/// The help of a program under the name it is called by, where at most so many clients fit.
pub(super) fn text<O: ServerOptions>(program: &Program, called: &str, clients: usize) -> String {
    let Program { about, port, .. } = program;
    let Limits { max_per_ip, stall, dead, .. } = Limits::default();
    let (stall, dead) = (stall.as_secs(), dead.as_secs());
    format!(
        "{called}: {about}\n\n\
         Usage: {called} [OPTIONS]\n\n\
         Examples:\n{examples}\n\
         Options:\n{own}\
         \x20 --listen ADDR      address to listen on, repeatable; numeric IPv4 or IPv6 (127.0.0.1:{port})\n\
         \x20 --max-clients N    clients at once, 1 to {clients}, the descriptor limit minus {RESERVED_DESCRIPTORS} ({clients})\n\
         \x20 --max-per-ip N     clients at once from one IPv4 address or IPv6 /64, loopback exempt,\n\
         \x20                    {per_ip}; 0 is no limit ({max_per_ip})\n\
         \x20 --stall SECONDS    drop a client that has output waiting and takes none for so long,\n\
         \x20                    {stall_ends}, below --dead ({stall})\n\
         \x20 --dead SECONDS     find a peer that vanished without a word in this time, {dead_ends} ({dead})\n\
         \x20 --log FORM         log on standard error as text or json (text)\n\
         \x20 --quiet            log warnings and errors only\n\
         \x20 -h, --help         print this and exit\n\
         \x20 -V, --version      print the version and exit\n\n\
         Signals: SIGINT, SIGTERM and SIGHUP (the terminal is closed) end it within 2 s, a second\n\
         SIGINT or SIGTERM at once; nohup keeps SIGHUP from it.\n\
         SIGUSR1 writes one line of stats to standard error.\n\n\
         {clients} clients cost at most {memory} MiB in this process and {kernel} MiB in the kernel's buffers.\n",
        examples = examples(program, called),
        own = O::help(),
        memory = O::default().memory().of_clients(clients).div_ceil(MIB),
        // A buffer for sending and one for receiving, and Linux doubles both.
        kernel = clients.saturating_mul(4 * program.kernel_buffer).div_ceil(MIB),
        per_ip = ends(&MAX_PER_IP),
        stall_ends = ends(&STALL_SECONDS),
        dead_ends = ends(&DEAD_SECONDS),
    )
}

fn examples(program: &Program, called: &str) -> String {
    let width = program.examples.iter().map(|(arguments, _)| arguments.len()).max();
    let width = width.unwrap_or_default();
    let line = |(arguments, remark): &(&str, &str)| {
        let line = format!("  {called} {arguments:<width$}   {remark}");
        line.trim_end().to_owned() + "\n"
    };
    program.examples.iter().map(line).collect()
}
