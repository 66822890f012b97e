//! What a client costs that does nothing: the slope of the server's memory over their number.

use std::time::Duration;

use crate::Result;
use crate::crowd::Crowd;
use crate::machine::Machine;
use crate::server::{Memory, Server};
use crate::table::Table;
use crate::talk::Talk;

/// Measured with none, and after each of so many equal steps.
const STEPS: usize = 4;

pub(crate) fn chat(machine: &Machine, table: &mut Table) -> Result<()> {
    let server = Server::start(machine, "chat", &[])?;
    let mut talk = Talk::new()?;
    measure(machine, table, "chat", &server, |clients| talk.join(&server, clients, false))
}

pub(crate) fn echo(machine: &Machine, table: &mut Table) -> Result<()> {
    silent(machine, table, "echo")
}

pub(crate) fn time(machine: &Machine, table: &mut Table) -> Result<()> {
    silent(machine, table, "time")
}

/// Clients that throw away whatever they read.
fn silent(machine: &Machine, table: &mut Table, name: &str) -> Result<()> {
    let server = Server::start(machine, name, &[])?;
    let mut crowd = Crowd::new()?;
    measure(machine, table, name, &server, |clients| {
        for _ in 0..clients {
            crowd.connect(server.address)?;
        }
        server.settle()?;
        for _ in 0..=crowd.len() / 1024 {
            crowd.pump(Duration::ZERO, |_, _| Ok(()))?;
        }
        Ok(())
    })
}

fn measure(
    machine: &Machine,
    table: &mut Table,
    name: &str,
    server: &Server,
    mut join: impl FnMut(usize) -> Result<()>,
) -> Result<()> {
    server.settle()?;
    let Memory { rss, pss } = server.memory()?;
    let mut points = vec![(0.0, rss)];
    let mut sharing = pss;
    for step in 1..=STEPS {
        join(machine.crowd / STEPS)?;
        let Memory { rss, pss } = server.memory()?;
        points.push(((step * (machine.crowd / STEPS)) as f64, rss));
        sharing = pss;
    }
    table.add(
        format!("idle {name}, RSS of a client"),
        "bytes",
        "aim 2048",
        slope(&points) * 1024.0,
    );
    table.add(format!("idle {name}, RSS without clients"), "KiB", "", points[0].1);
    let clients = machine.crowd;
    table.add(format!("idle {name}, RSS of {clients} clients"), "KiB", "", points[STEPS].1);
    table.add(format!("idle {name}, PSS of {clients} clients"), "KiB", "", sharing);
    Ok(())
}

/// Least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let product: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    product / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}
