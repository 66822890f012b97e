//! The head of a request: httparse splits it, RFC 9110 and 9112 decide what becomes of it. Knows
//! nothing about sockets.

use httparse::{EMPTY_HEADER, Error};

use super::response::{
    BAD_REQUEST, HEADERS_TOO_LARGE, Status, TARGET_TOO_LONG, VERSION_NOT_SUPPORTED,
};

/// Bytes of a request's head at most; RFC 9112 3 wants 8,000 for its first line alone.
pub const HEAD_BYTES: usize = 16 * 1024;

/// Header fields at most; a browser sends about twenty.
const HEADERS: usize = 64;

/// What the server needs to know of a request.
#[derive(Debug, PartialEq)]
pub struct Request {
    pub method: String,
    /// Without the query, and without the scheme and host that a proxy is told.
    pub path: String,
    /// Whether the connection goes on after the answer.
    pub keeps: bool,
}

/// The first request in `input` and the bytes it takes, or `None` while its head is incomplete.
///
/// # Errors
/// The status to refuse it with. Where the next request begins is not known then, so the connection
/// MUST be closed.
pub fn parse(input: &[u8]) -> Result<Option<(Request, usize)>, Status> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    match head.parse(input) {
        Ok(httparse::Status::Complete(bytes)) if bytes <= HEAD_BYTES => {
            Ok(Some((judge(&head)?, bytes)))
        }
        Ok(httparse::Status::Partial) if input.len() < HEAD_BYTES => Ok(None),
        Ok(_) if !input[..HEAD_BYTES].trim_ascii_start().contains(&b'\n') => Err(TARGET_TOO_LONG),
        Ok(_) | Err(Error::TooManyHeaders) => Err(HEADERS_TOO_LARGE),
        Err(Error::Version) => Err(VERSION_NOT_SUPPORTED),
        Err(_) => Err(BAD_REQUEST),
    }
}

fn judge(head: &httparse::Request) -> Result<Request, Status> {
    let (Some(method), Some(target), Some(minor)) = (head.method, head.path, head.version) else {
        return Err(BAD_REQUEST);
    };
    // RFC 9112 3.2
    let hosts = values(head, "host").count();
    if hosts > 1 || (hosts == 0 && minor == 1) {
        return Err(BAD_REQUEST);
    }
    let asks = |option: &str| {
        let mut options = values(head, "connection").flat_map(|it| it.split(|byte| *byte == b','));
        options.any(|it| it.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    };
    // RFC 9112 9.3: HTTP/1.1 goes on unless asked not to, HTTP/1.0 the other way about. A body is
    // to be read, or else the connection closed; nobody here has a use for bodies.
    let goes_on = (minor == 1 || asks("keep-alive")) && !asks("close");
    let keeps = !has_body(head)? && goes_on;
    Ok(Request { method: method.to_owned(), path: path(target).to_owned(), keeps })
}

/// Whether a body follows the head: RFC 9112 6.3.
fn has_body(head: &httparse::Request) -> Result<bool, Status> {
    let mut lengths = values(head, "content-length");
    let (length, second) = (lengths.next(), lengths.next());
    let is_number = |it: &[u8]| !it.is_empty() && it.iter().all(u8::is_ascii_digit);
    // Two servers that took one of several lengths each would not agree where the body ends.
    if second.is_some() || length.is_some_and(|it| !is_number(it)) {
        return Err(BAD_REQUEST);
    }
    let is_long = length.is_some_and(|it| it.iter().any(|digit| *digit != b'0'));
    Ok(is_long || values(head, "transfer-encoding").next().is_some())
}

/// The values of all header fields of this name.
fn values<'a>(head: &'a httparse::Request, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let fields = head.headers.iter().filter(move |it| it.name.eq_ignore_ascii_case(name));
    fields.map(|it| it.value)
}

/// `/time` of `/time?now` and of `http://localhost/time`, which a server has to accept as well:
/// RFC 9112 3.2.2.
fn path(target: &str) -> &str {
    let target = target.split('?').next().unwrap_or_default();
    match target.split_once("://") {
        Some((scheme, rest)) if !scheme.starts_with('/') => {
            rest.find('/').map_or("/", |slash| &rest[slash..])
        }
        _ => target,
    }
}
