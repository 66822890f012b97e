//! The answers, and their bytes.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::request::Request;

/// The code of a status and its name: RFC 9110 15, and RFC 6585 for 431.
pub type Status = &'static str;

pub const OK: Status = "200 OK";
pub const BAD_REQUEST: Status = "400 Bad Request";
pub const NOT_FOUND: Status = "404 Not Found";
pub const METHOD_NOT_ALLOWED: Status = "405 Method Not Allowed";
pub const REQUEST_TIMEOUT: Status = "408 Request Timeout";
pub const TARGET_TOO_LONG: Status = "414 URI Too Long";
pub const HEADERS_TOO_LARGE: Status = "431 Request Header Fields Too Large";
pub const VERSION_NOT_SUPPORTED: Status = "505 HTTP Version Not Supported";

/// An answer.
pub struct Response {
    status: Status,
    content_type: &'static str,
    body: String,
}

impl Response {
    pub fn json(body: String) -> Response {
        Response { status: OK, content_type: "application/json", body }
    }

    /// Says what is wrong in words, too: for a person with a browser.
    pub fn error(status: Status) -> Response {
        Response { status, content_type: "text/plain", body: format!("{status}\n") }
    }

    /// The bytes that answer `request`; without one, those that refuse what was no request.
    pub fn bytes(&self, request: Option<&Request>) -> Vec<u8> {
        let Response { status, content_type, body } = self;
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now());
        let connection = if request.is_some_and(|it| it.keeps) { "keep-alive" } else { "close" };
        let allow = if *status == METHOD_NOT_ALLOWED { "Allow: GET, HEAD\r\n" } else { "" };
        // The answer to HEAD tells the length of the body that GET would have: RFC 9110 9.3.2.
        let is_head = request.is_some_and(|it| it.method == "HEAD");
        format!(
            "HTTP/1.1 {status}\r\nDate: {}\r\n{allow}Connection: {connection}\r\n\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{}",
            date.unwrap_or_default(),
            body.len(),
            if is_head { "" } else { body },
        )
        .into_bytes()
    }
}
