//! HTTP: a server that tells the time, and a client that waits for several answers.
//!
//! aiohttp is no part of asyncio, and smol has none. The server is the library's, with a handler
//! that speaks HTTP/1.1; the recipes ask one in their own process.

mod client;
mod request;
mod response;
mod server;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::exit;
use std::rc::Rc;
use std::time::Duration;

pub use client::Session;
use jiff::Timestamp;
use jiff::tz::TimeZone;
pub use server::{Resource, website};
use smol::{LocalExecutor, Task};
use smol_servers::{Limits, Listener, Timer, block_on, now, run, serve};

use crate::bits::{all_completed, as_completed, first_completed, wait};
use crate::recipe::{Ex, Recipe, task};
use crate::signals::interrupt;

pub const RECIPES: &[Recipe] = &[
    Recipe::plain("http", "GET /time on 127.0.0.1:8003 or a given address, until ^C", http)
        .real_time(),
    task!(fetch_status, "a client of such a server"),
    task!(fetch_as_completed, "three requests, each answer as it comes"),
    task!(fetch_all, "wait until all are answered"),
    task!(fetch_exception, "the same, where one request fails"),
    task!(fetch_first, "wait until the first is answered, three times"),
    task!(hung_clients, "the server, and clients that stop halfway"),
];

/// `web.run_app`: the handler goes to `serve` as the echo server's does, and with it come all of the
/// library's limits. The path is looked up before the method is, so that an unknown path is 404 for
/// every method, and a known one 405 for those that are not GET or HEAD. ^C stops it in order: clients
/// have two seconds to finish, and what the handler owns is dropped.
pub fn http() {
    let given = std::env::args().skip_while(|argument| argument != "http").nth(1);
    let given = given.unwrap_or("127.0.0.1:8003".to_owned());
    let Ok(address) = given.parse() else {
        eprintln!("asyncio: {given} is no address such as 127.0.0.1:8003");
        exit(2);
    };
    if let Err(error) = serve_time(address) {
        eprintln!("asyncio: {error}");
        exit(1);
    }
}

fn serve_time(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let listener = Listener::bind(&[address], Limits::default())?;
    let stop = interrupt();
    println!("http://{}/time until ^C", listener.addresses()[0]);
    let executor = Rc::new(LocalExecutor::new());
    let website = website(|path| (path == "/time").then(|| Box::pin(async { time() }) as Resource));
    Ok(block_on(run(&executor, serve(&executor, listener, stop, website)))?)
}

/// The time in UTC.
fn time() -> String {
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    let (month, day, time) = (now.month(), now.day(), now.strftime("%H:%M:%S.%6f"));
    format!(r#"{{"month": {month}, "day": {day}, "time": "{time}"}}"#)
}

/// An exception is a `Result`: the caller has to say what becomes of an error, here the end.
pub async fn fetch_status(ex: Ex) {
    let session = slow_website(&ex).await;
    let url = "http://localhost/after/1";
    let status = session.status(url).await.expect("it answers");
    println!("Состояние для {url} было равно {status}");
}

/// The awaitables that asyncio hands out raise when their time comes; this is a stream of results.
/// Its timeout= would be `wait_for` around the loop.
pub async fn fetch_as_completed(ex: Ex) {
    let session = slow_website(&ex).await;
    let urls =
        ["http://localhost/after/1", "http://localhost/after/1", "http://localhost/after/10"];
    let answers = as_completed(&ex, urls.map(|url| fetch(&ex, &session, url)));
    while let Ok(status) = answers.recv().await {
        println!("{}", status.expect("it answers"));
    }
}

/// Two sets come out of `asyncio.wait`. Here the outputs are returned, and what still runs stays in
/// `tasks`: a task has one owner, and one that has ended has nothing left but its output.
pub async fn fetch_all(ex: Ex) {
    let session = slow_website(&ex).await;
    let urls = ["http://localhost/after/1", "http://localhost/after/1"];
    let mut tasks = Vec::from(urls.map(|url| fetch(&ex, &session, url)));
    let done = wait(&mut tasks, all_completed, None).await;
    report(&done, &tasks);
}

/// A task that fails ends with an `Err`, which nobody can overlook: `done_task.exception()` is a
/// `match`. Awaiting a task that panicked panics as well.
pub async fn fetch_exception(ex: Ex) {
    let session = slow_website(&ex).await;
    let urls = ["http://localhost/after/1", "python://bad"];
    let mut tasks = Vec::from(urls.map(|url| fetch(&ex, &session, url)));
    let done = wait(&mut tasks, all_completed, None).await;
    report(&done, &tasks);
}

/// What is left in `tasks` is waited for again. The third mode, FIRST_EXCEPTION, is the predicate
/// `first_exception` in the place of `first_completed`.
pub async fn fetch_first(ex: Ex) {
    let session = slow_website(&ex).await;
    let urls = ["http://localhost/after/1", "http://localhost/after/2", "http://localhost/after/3"];
    let mut tasks = Vec::from(urls.map(|url| fetch(&ex, &session, url)));
    while !tasks.is_empty() {
        let done = wait(&mut tasks, first_completed, None).await;
        report(&done, &tasks);
    }
}

/// One says nothing, one stops halfway, and one has its request answered at once. Each has a task of
/// its own, as in asyncio. The limit of 15 s is `wait_for` around the reading.
pub async fn hung_clients(ex: Ex) {
    let session = slow_website(&ex).await;
    let started = now();
    let clients = ["", "GET /after/0 HT", "GET /after/0 HTTP/1.0\r\n\r\n"].map(|words| {
        let session = session.clone();
        ex.spawn(async move {
            let answer = session.ask(words).await.expect("it closes in the end");
            let answer = String::from_utf8_lossy(&answer);
            let status = answer.lines().next().unwrap_or("nothing");
            format!("{words:?} gets {status} after {} s", (now() - started).as_secs())
        })
    });
    let answers = as_completed(&ex, clients);
    while let Ok(answer) = answers.recv().await {
        println!("{answer}");
    }
}

fn report(done: &[io::Result<u16>], pending: &[Task<io::Result<u16>>]) {
    println!("Число завершившихся задач: {}", done.len());
    println!("Число ожидающих задач: {}", pending.len());
    for result in done {
        match result {
            Ok(status) => println!("{status}"),
            Err(error) => eprintln!("При выполнении запроса возникло исключение: {error}"),
        }
    }
}

fn fetch(ex: &Ex, session: &Rc<Session>, url: &'static str) -> Task<io::Result<u16>> {
    let session = session.clone();
    ex.spawn(async move { session.status(url).await })
}

/// A website that answers `/after/2` after two seconds.
async fn slow_website(ex: &Ex) -> Rc<Session> {
    let after = |path: &str| {
        let seconds = path.strip_prefix("/after/")?.parse().ok()?;
        Some(Box::pin(async move {
            Timer::after(Duration::from_secs(seconds)).await;
            time()
        }) as Resource)
    };
    Rc::new(Session::start(ex, website(after)).await.expect("a socket pair"))
}
