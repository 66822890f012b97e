//! An HTTP/1.1 server as a handler of the library: one request after the other on each connection.
//!
//! That a client which hangs or reads nothing harms nobody is the library's doing. What is left
//! to do here are the bounds of HTTP itself: a head of at most [`HEAD_BYTES`](super::request::HEAD_BYTES)
//! that comes within [`REQUEST_TIME`], and no body that would be taken for the next request.

use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::yield_now;
use smol_servers::{CloseReason, Connection, Handler};

use super::request::{Request, parse};
use super::response::{METHOD_NOT_ALLOWED, NOT_FOUND, REQUEST_TIMEOUT, Response, Status};
use crate::bits::wait_for;

/// Time that a client has for a request: from the answer to the one before, or from its coming, to
/// the end of the head. Idle connections are closed after it, so it bounds their number too.
pub const REQUEST_TIME: Duration = Duration::from_secs(15);

/// What makes the JSON of one answer. It may wait; a client that waits costs nobody anything.
pub type Resource = Pin<Box<dyn Future<Output = String>>>;

/// A server that answers GET and HEAD for the paths that `find` knows.
pub fn website(find: impl Fn(&str) -> Option<Resource> + 'static) -> impl Handler {
    let find = Rc::new(find);
    move |connection| converse(connection, find.clone())
}

async fn converse(
    connection: Connection,
    find: Rc<impl Fn(&str) -> Option<Resource>>,
) -> Result<(), CloseReason> {
    let mut input = Vec::new();
    loop {
        let request = match next(&connection, &mut input).await {
            Ok(request) => request,
            Err(End::Closed(reason)) => return Err(reason),
            Err(End::Refused(status)) => {
                return connection.write_all(&Response::error(status).bytes(None)).await;
            }
        };
        let response = answer(&request, &*find).await;
        connection.write_all(&response.bytes(Some(&request))).await?;
        if !request.keeps {
            // The library reads on for a while, so that a body's sender can read the answer.
            return Ok(());
        }
        // Many requests may have come at once.
        yield_now().await;
    }
}

async fn answer(request: &Request, find: impl Fn(&str) -> Option<Resource>) -> Response {
    match (find(&request.path), &*request.method) {
        (None, _) => Response::error(NOT_FOUND),
        (Some(resource), "GET" | "HEAD") => Response::json(resource.await),
        (Some(_), _) => Response::error(METHOD_NOT_ALLOWED),
    }
}

/// Why there is no next request.
enum End {
    Closed(CloseReason),
    Refused(Status),
}

/// The next request, of which `input` may have some bytes already.
async fn next(connection: &Connection, input: &mut Vec<u8>) -> Result<Request, End> {
    match wait_for(read_head(connection, input), REQUEST_TIME).await {
        Some(result) => result,
        // It is idle, as a browser's spare connections are.
        None if input.is_empty() => Err(End::Closed(CloseReason::Left)),
        None => Err(End::Refused(REQUEST_TIMEOUT)),
    }
}

async fn read_head(connection: &Connection, input: &mut Vec<u8>) -> Result<Request, End> {
    loop {
        if let Some((request, bytes)) = parse(input).map_err(End::Refused)? {
            // Not `drain`: an idle client is to hold no memory.
            *input = input.split_off(bytes);
            return Ok(request);
        }
        let bytes = connection.read().await.map_err(End::Closed)?;
        if bytes.is_empty() {
            return Err(End::Closed(CloseReason::Left));
        }
        input.extend_from_slice(&bytes);
    }
}
