//! The recipe `http`: a server for curl and browsers, and for those that mean it no good.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use proptest::prelude::*;
use rustix::process::{Pid, Signal, kill_process};

use super::{asyncio, end_of, expected, is_like, program, start, stderr, stdout};
use crate::harness::{Client, is_missing, take_turn};

/// The running server, ended with the test.
struct Http {
    child: Child,
    address: SocketAddr,
}

impl Http {
    fn start() -> Http {
        take_turn();
        let mut command = Command::new(program());
        let command = command.args(["http", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        stdout.read_line(&mut line).expect("UTF-8");
        assert!(is_like(&line, &expected("http")), "{line}");
        let address = line.trim_start_matches("http://").split('/').next();
        Http { child, address: address.and_then(|it| it.parse().ok()).expect("an address") }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// The first line of the answer to these bytes, after which the connection is closed.
    #[track_caller]
    fn refusal(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.client();
        client.send(bytes);
        let answer = answer(&mut client);
        assert!(answer.has("Connection: close"), "{:?}", answer.head);
        client.expect_eof();
        answer.head[0].clone()
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

struct Answer {
    head: Vec<String>,
    body: String,
}

impl Answer {
    fn has(&self, line: &str) -> bool {
        self.head.iter().any(|it| it == line)
    }
}

/// The next answer to anything but HEAD.
#[track_caller]
fn answer(client: &mut Client) -> Answer {
    let head = head(client);
    let length = head.iter().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.expect("a length").parse().expect("a number")];
    client.stream.read_exact(&mut body).expect("a body");
    Answer { head, body: String::from_utf8(body).expect("UTF-8") }
}

#[track_caller]
fn head(client: &mut Client) -> Vec<String> {
    let line = client.line();
    assert!(line.starts_with("HTTP/1.1 "), "{line} is no status line");
    let fields = std::iter::from_fn(|| Some(client.line()).filter(|line| !line.is_empty()));
    std::iter::once(line).chain(fields).collect()
}

/// Whether it is as `{"month": 6, "day": 3, "time": "11:36:00.986024"}`.
fn is_time(body: &str) -> bool {
    let shape: String = body.chars().map(|it| if it.is_ascii_digit() { '9' } else { it }).collect();
    let shape = shape.replace(": 99", ": 9");
    shape == r#"{"month": 9, "day": 9, "time": "99:99:99.999999"}"#
}

/// What an HTTP client prints, which goes to the server itself and not to a proxy.
fn client_prints(program: &str, arguments: &[&str]) -> String {
    stdout(&end_of(start(Command::new(program).args(arguments).env("no_proxy", "127.0.0.1"))))
}

const GET: &str = "GET /time HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn curl_reads_the_time_twice_over_one_connection() {
    if is_missing(&["curl"]) {
        return;
    }
    let server = Http::start();
    let url = server.url("/time");
    let write = "\n%{http_code} %{content_type} %{num_connects}\n";
    let printed = client_prints("curl", &["-sS", "-w", write, &url, &url]);
    let lines: Vec<&str> = printed.lines().collect();
    let [first, first_status, second, second_status] = lines[..] else { panic!("{printed}") };
    assert!(is_time(first) && is_time(second), "{printed}");
    assert_eq!(first_status, "200 application/json 1");
    assert_eq!(second_status, "200 application/json 0");
}

#[test]
fn curl_is_told_what_it_does_wrong() {
    if is_missing(&["curl"]) {
        return;
    }
    let server = Http::start();
    let long = format!("X-Long: {}", "x".repeat(17_000));
    let cases: [(&[&str], &str, &str); 5] = [
        (&["-I"], "/time", "200"),
        (&[], "/date", "404"),
        (&["-d", "now"], "/time", "405"),
        (&["-T", "/dev/null"], "/time", "405"),
        (&["-H", &long], "/time", "431"),
    ];
    for (options, path, status) in cases {
        let url = server.url(path);
        let write = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", &url];
        let printed = client_prints("curl", &[options, &write].concat());
        assert_eq!(printed, status, "{options:?} {path}");
    }
}

#[test]
fn browser_shows_the_time() {
    if is_missing(&["w3m"]) {
        return;
    }
    let server = Http::start();
    let shown = client_prints("w3m", &["-dump", &server.url("/time?now")]);
    assert!(is_time(shown.trim()), "{shown}");
}

#[test]
fn head_is_the_answer_to_get_without_its_body() {
    let server = Http::start();
    let mut client = server.client();
    client.send(GET);
    let get = answer(&mut client);
    client.send(GET.replace("GET", "HEAD"));
    let without_date = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| !line.starts_with("Date: ")).collect()
    };
    assert!(get.head.len() > without_date(get.head.clone()).len(), "RFC 9110 6.6.1");
    let head = head(&mut client);
    assert_eq!(without_date(head), without_date(get.head));
    client.send(GET);
    assert!(is_time(&answer(&mut client).body), "the next answer comes right after it");
}

#[test]
fn unknown_path_is_404_and_another_method_405_with_those_allowed() {
    let server = Http::start();
    let mut client = server.client();
    for (line, status, allows) in [
        ("GET / HTTP/1.1", "404 Not Found", false),
        ("POST /date HTTP/1.1", "404 Not Found", false),
        ("OPTIONS * HTTP/1.1", "404 Not Found", false),
        ("DELETE /time HTTP/1.1", "405 Method Not Allowed", true),
        ("get /time HTTP/1.1", "405 Method Not Allowed", true),
        ("GET http://localhost/time HTTP/1.1", "200 OK", false),
        ("GET /time?a=://b/c HTTP/1.1", "200 OK", false),
    ] {
        client.send(format!("{line}\r\nHost: localhost\r\n\r\n"));
        let answer = answer(&mut client);
        assert_eq!(answer.head[0], format!("HTTP/1.1 {status}"), "{line}");
        assert_eq!(answer.has("Allow: GET, HEAD"), allows, "{line}");
        assert!(answer.has("Connection: keep-alive"), "{line}");
    }
}

#[test]
fn what_is_no_request_is_refused_and_the_connection_closed() {
    let server = Http::start();
    let with = |field: &str| format!("GET /time HTTP/1.1\r\nHost: localhost\r\n{field}\r\n\r\n");
    for (bytes, status) in [
        ("hello\r\n\r\n".to_owned(), "400 Bad Request"),
        ("GET /time HTTP/1.1\r\n\r\n".to_owned(), "400 Bad Request"),
        (with("Host: example.com"), "400 Bad Request"),
        (with("Name : with a space"), "400 Bad Request"),
        (with("Content-Length: -1"), "400 Bad Request"),
        (with("Content-Length: +1"), "400 Bad Request"),
        (with("Content-Length: 1, 2"), "400 Bad Request"),
        (with("Content-Length: 0\r\nContent-Length: 30"), "400 Bad Request"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), "505 HTTP Version Not Supported"),
    ] {
        assert_eq!(server.refusal(&bytes), format!("HTTP/1.1 {status}"), "{bytes:?}");
    }
}

#[test]
fn head_may_have_16_kib_and_64_fields() {
    let server = Http::start();
    let of = |bytes: usize| {
        let start = "GET /time HTTP/1.1\r\nHost: localhost\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(bytes - start.len() - 4))
    };
    let fields = |count| {
        let more: String = (1..count).map(|n| format!("X-{n}: {n}\r\n")).collect();
        format!("GET /time HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")
    };
    let mut client = server.client();
    for allowed in [of(16 * 1024), fields(64)] {
        client.send(allowed);
        assert_eq!(answer(&mut client).head[0], "HTTP/1.1 200 OK");
    }
    let too_large = "HTTP/1.1 431 Request Header Fields Too Large";
    assert_eq!(server.refusal(of(16 * 1024 + 1)), too_large);
    assert_eq!(server.refusal(fields(65)), too_large);
    // Behind another request, more than the bound may have been read at once.
    client.send(format!("{GET}{}", of(16 * 1024 + 1)));
    assert_eq!(answer(&mut client).head[0], "HTTP/1.1 200 OK");
    assert_eq!(answer(&mut client).head[0], too_large);
    // Without an end, it is refused as soon as it is too long.
    assert_eq!(server.refusal(&of(20_000)[..16 * 1024]), too_large);
    let long = format!("GET /{}", "x".repeat(16 * 1024));
    assert_eq!(server.refusal(long), "HTTP/1.1 414 URI Too Long");
}

#[test]
fn requests_sent_at_once_are_answered_in_their_order() {
    let server = Http::start();
    let mut client = server.client();
    let paths: Vec<&str> = (0..300).map(|n| if n % 3 == 0 { "/time" } else { "/date" }).collect();
    let request = |path: &&str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.send(paths.iter().map(request).collect::<String>());
    for path in paths {
        let status = if path == "/time" { "HTTP/1.1 200 OK" } else { "HTTP/1.1 404 Not Found" };
        assert_eq!(answer(&mut client).head[0], status);
    }
}

#[test]
fn request_that_comes_byte_by_byte_is_answered() {
    let server = Http::start();
    let mut client = server.client();
    for byte in GET.bytes() {
        client.send([byte]);
    }
    assert!(is_time(&answer(&mut client).body));
}

#[test]
fn whatever_is_sent_is_answered_with_http() {
    let server = Http::start();
    let targets = ["/", "time", "http://", "a", "?", ":", "é", "*", " "];
    let fields = [
        "Host: a\r\n",
        "Content-Length: 2\r\n",
        "Transfer-Encoding: a\r\n",
        "Connection: close\r\n",
        "Connection: a,,keep-alive,\r\n",
        "A:\r\n",
        ":\r\n",
        " a\r\n",
        "a",
        "\n",
        "\r",
        "\0",
        "é",
    ];
    let target = prop::collection::vec(prop::sample::select(targets.to_vec()), 0..5);
    let version = prop::sample::select(vec!["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", ""]);
    let fields = prop::collection::vec(prop::sample::select(fields.to_vec()), 0..5);
    let cases = ProptestConfig::with_cases(500);
    proptest!(cases, |(target in target, version in version, fields in fields)| {
        let mut client = server.client();
        let (target, fields) = (target.concat(), fields.concat());
        client.send(format!("GET {target} {version}\r\n{fields}\r\n\r\n"));
        client.half_close();
        let mut answers = Vec::new();
        client.stream.read_to_end(&mut answers).expect("the server closes");
        prop_assert!(answers.starts_with(b"HTTP/1.1 "), "{}", answers.escape_ascii());
    });
}

#[test]
fn body_is_never_read_as_the_next_request() {
    let server = Http::start();
    for fields in [
        format!("Content-Length: {}", GET.len()),
        "Transfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding: identity".to_owned(),
        "Transfer-Encoding: chunked\r\nContent-Length: 0".to_owned(),
        "Content-Length: 0\r\nTransfer-Encoding: \x0bchunked".to_owned(),
    ] {
        let mut client = server.client();
        client.send(format!("POST /time HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n{GET}"));
        let answer = answer(&mut client);
        assert!(answer.head[0].contains(" 40"), "{fields}: {:?}", answer.head);
        assert!(answer.has("Connection: close"), "{fields}: {:?}", answer.head);
        client.expect_eof();
    }
    let mut client = server.client();
    client.send("POST /time HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert!(answer(&mut client).has("Connection: keep-alive"), "there is no body");
}

#[test]
fn long_body_does_not_take_the_answer_from_its_sender() {
    let server = Http::start();
    let mut client = server.client();
    let bytes = 1 << 20;
    client.send(format!("PUT /time HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n"));
    client.send(vec![b'x'; bytes]);
    assert_eq!(answer(&mut client).head[0], "HTTP/1.1 405 Method Not Allowed");
    client.expect_eof();
}

#[test]
fn connection_goes_on_as_the_client_wishes() {
    let server = Http::start();
    for (version, option, goes_on) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: x\r\nConnection: y, CLOSE\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let mut client = server.client();
        let request = format!("GET /time HTTP/{version}\r\nHost: localhost\r\n{option}\r\n");
        client.send(format!("{request}{request}"));
        let says = if goes_on { "Connection: keep-alive" } else { "Connection: close" };
        assert!(answer(&mut client).has(says), "{request}");
        if goes_on {
            answer(&mut client);
        } else {
            client.expect_eof();
        }
    }
}

#[test]
fn client_that_has_sent_all_it_will_is_answered() {
    let server = Http::start();
    let mut client = server.client();
    client.send(GET);
    client.half_close();
    assert!(is_time(&answer(&mut client).body));
    client.expect_eof();
}

#[test]
fn sigint_ends_the_server_in_order() {
    let mut child = start(Command::new(program()).args(["http", "127.0.0.1:0"]));
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    stdout.read_line(&mut String::new()).expect("UTF-8");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    let output = end_of(child);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).starts_with("took "), "{}", stderr(&output));
}

#[test]
fn wrong_address_is_told_what_is_one() {
    let output = asyncio(&["http", "localhost"]);
    let says = "asyncio: localhost is no address such as 127.0.0.1:8003\n";
    assert_eq!((output.status.code(), &*stderr(&output)), (Some(2), says));
}

#[test]
fn address_in_use_is_named() {
    let server = Http::start();
    let output = asyncio(&["http", &server.address.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let says = format!("asyncio: cannot listen on {}: ", server.address);
    assert!(stderr(&output).starts_with(&says), "{}", stderr(&output));
}

#[test]
fn hung_clients_beside_a_crowd_harm_nobody() {
    let server = Http::start();
    let silent: Vec<Client> = (0..100).map(|_| server.client()).collect();
    let halfway = (0..100).map(|_| {
        let mut client = server.client();
        client.send("GET /time HTTP/1.1\r\nHost: loc");
        client
    });
    let halfway: Vec<Client> = halfway.collect();
    let mut deaf = Client::connect_small(server.address);
    deaf.send_until_blocked(GET.repeat(100).as_bytes());
    let mut crowd: Vec<Client> = (0..100).map(|_| server.client()).collect();
    for _ in 0..3 {
        crowd.iter_mut().for_each(|client| client.send(GET));
        for client in &mut crowd {
            assert!(is_time(&answer(client).body));
        }
    }
    for mut client in halfway {
        client.send("alhost\r\n\r\n");
        assert!(is_time(&answer(&mut client).body), "it has only been slow");
    }
    drop((silent, deaf));
}
