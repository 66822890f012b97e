//! A pool of connections, a cursor, and an application's start-up and clean-up.
//!
//! The database is our own echo server: its answer to a query is the query.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::pin;
use std::rc::Rc;

use async_lock::Semaphore;
use futures_lite::stream::{self, StreamExt};
use smol_servers::echo;

use crate::bits::{self, OpenConnection, Server, start_server};
use crate::http::{Resource, Session, website};
use crate::python::list;
use crate::recipe::{Ex, Recipe, task};

pub const RECIPES: &[Recipe] = &[
    task!(pool, "eight queries at once, six connections"),
    task!(cursor, "1000 rows, 50 at a time"),
    task!(app, "what a website opens at its start and closes at its end"),
];

/// Connections that a pool has at most.
const CONNECTIONS: usize = 6;

/// The last row of the table, and how many rows the cursor fetches at a time.
const ROWS: usize = 1000;
const PREFETCH: usize = 50;

/// Connections to a database, each of which is one task's at a time. They are opened when they are
/// first needed.
pub struct Pool {
    database: Server,
    places: Semaphore,
    idle: RefCell<Vec<OpenConnection>>,
}

impl Pool {
    pub async fn start(ex: &Ex) -> io::Result<Pool> {
        let database = start_server(ex, &[], echo).await?;
        Ok(Pool { database, places: Semaphore::new(CONNECTIONS), idle: RefCell::default() })
    }

    /// Waits for a free connection, and then for the answer. A connection whose query fails or is
    /// cancelled is closed: the answer may still be on its way, to be read by the next query.
    pub async fn query(&self, query: &str) -> io::Result<String> {
        let _place = self.places.acquire().await;
        let idle = self.idle.borrow_mut().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.database.connect().await?,
        };
        connection.write(query.as_bytes()).await?;
        let mut answer = Vec::new();
        while answer.len() < query.len() {
            let bytes = connection.read().await?;
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(&bytes);
        }
        self.idle.borrow_mut().push(connection);
        String::from_utf8(answer).map_err(io::Error::other)
    }
}

/// `async with pool.acquire()` needs no `with`: the semaphore's guard is a variable, and where it is
/// dropped, the place is free. A semaphore and a list are all of asyncpg's pool that is needed here.
pub async fn pool(ex: Ex) {
    let pool = Rc::new(Pool::start(&ex).await.expect("a server without an address"));
    let queries = (1..=8).map(|n| {
        let pool = pool.clone();
        ex.spawn(async move { pool.query(&format!("brand {n}")).await })
    });
    let records: io::Result<Vec<String>> = bits::gather(queries).await.into_iter().collect();
    println!("{}", list(&records.expect("the database answers")));
    println!("connections: {}", pool.idle.borrow().len());
}

/// `async for` is a stream and `while let`. It asks for the next rows when those it has are used up,
/// so that nothing is fetched for a reader that stops early.
pub async fn cursor(ex: Ex) {
    let pool = Pool::start(&ex).await.expect("a server without an address");
    let queries = Cell::new(0);
    let fetched = stream::unfold(1, async |first| {
        let rows: String = (first..=ROWS).take(PREFETCH).map(|n| format!("row {n}\n")).collect();
        if rows.is_empty() {
            return None;
        }
        queries.set(queries.get() + 1);
        let rows = pool.query(&rows).await.expect("the database answers");
        let rows: Vec<String> = rows.lines().map(str::to_owned).collect();
        Some((rows, first + PREFETCH))
    });
    let mut rows = pin!(fetched.flat_map(stream::iter));
    let mut count = 0;
    while rows.next().await.is_some() {
        count += 1;
    }
    println!("{count} rows, {} queries", queries.get());
}

/// What aiohttp keeps under app[DB_KEY].
struct App {
    pool: Pool,
}

/// `on_cleanup`. There is no async drop: what has to wait, such as a goodbye to the database, is an
/// async function that its owner calls before.
impl Drop for App {
    fn drop(&mut self) {
        println!("Уничтожается пул подключений.");
    }
}

/// No dictionary of anything: the handler owns what it needs, in an `Rc`, since each request's future
/// has a share in it. `on_startup` is what is awaited before the handler is made.
pub async fn app(ex: Ex) {
    println!("Создается пул подключений.");
    let pool = Pool::start(&ex).await.expect("a server without an address");
    let app = Rc::new(App { pool });
    let brands = move |path: &str| {
        let app = app.clone();
        let answer = async move {
            app.pool.query(r#"["ACME", "Seven"]"#).await.expect("the database answers")
        };
        (path == "/brands").then(|| Box::pin(answer) as Resource)
    };
    let session = Session::start(&ex, website(brands)).await.expect("a server without an address");
    let status = session.status("http://localhost/brands").await.expect("it answers");
    assert_eq!(status, 200);
    session.close().await.expect("it ends");
}
