//! The value of `--listen`. Names are not resolved: a resolver waits, which takes another thread.
//! No I/O.

use std::net::{Ipv6Addr, SocketAddr};
use std::os::unix::net;
use std::path::PathBuf;

/// The path of a unix socket, as it stands behind `unix:`.
///
/// # Errors
/// One line, when no socket can have it.
pub(super) fn read_path(path: &str) -> Result<PathBuf, String> {
    if path.is_empty() || path.starts_with('@') {
        return Err(format!(
            "--listen unix: takes the path of a file, such as unix:/run/chat.sock, not '{path}'"
        ));
    }
    let bytes = path.len();
    net::SocketAddr::from_pathname(path).map(|_| path.into()).map_err(|_| {
        format!(
            "--listen unix:{path} has {bytes} bytes, and a socket's path has room for about 100; \
             give a shorter one"
        )
    })
}

/// `ADDRESS:PORT`, `[IPV6]:PORT`, or an address alone, with or without brackets, which gets the
/// program's port.
///
/// # Errors
/// One line that offers what was probably meant.
pub(super) fn read(value: &str, port: u16) -> Result<SocketAddr, String> {
    if let Some((ip, port)) = without_brackets(value) {
        let whole = value.parse::<Ipv6Addr>();
        let or = whole.map_or_else(|_| String::new(), |ip| format!(", or [{ip}] for the address"));
        return Err(format!("--listen {value} lacks its brackets; give [{ip}]:{port}{or}"));
    }
    let forms = [value.to_owned(), format!("{value}:{port}"), format!("[{value}]:{port}")];
    forms.iter().find_map(|form| form.parse().ok()).ok_or_else(|| {
        let (host, port) = split(value).unwrap_or((value, port));
        let is_name = host.contains(char::is_alphabetic);
        let names = if is_name { "; names are not resolved" } else { "" };
        let local = if host.eq_ignore_ascii_case("localhost") {
            format!(", give 127.0.0.1:{port}")
        } else {
            String::new()
        };
        format!(
            "--listen takes a numeric address such as 0.0.0.0:{port} or [::]:{port}, \
             or unix: and a path, not '{value}'{names}{local}"
        )
    })
}

/// An IPv6 address and a port, if that is what stands here without brackets. `::1:8002` and
/// `::8002` could be addresses without a port too, but of a kind that nobody has; `::1` is one.
fn without_brackets(value: &str) -> Option<(Ipv6Addr, u16)> {
    let (host, port) = split(value)?;
    let host = if host == ":" && port != 1 { "::" } else { host };
    Some((host.parse().ok()?, port))
}

/// The host before the last colon, and the port behind it.
fn split(value: &str) -> Option<(&str, u16)> {
    let (host, port) = value.rsplit_once(':')?;
    let is_decimal = port.bytes().all(|byte| byte.is_ascii_digit());
    Some((host, port.parse().ok().filter(|_| is_decimal)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(value: &str) -> String {
        read(value, 8002).map_or_else(|error| error, |address| address.to_string())
    }

    #[test]
    fn a_path_is_taken_that_a_socket_can_have() {
        let long = |bytes| "x".repeat(bytes);
        for path in ["/run/chat.sock", "chat.sock", &long(100)] {
            assert_eq!(read_path(path), Ok(path.into()));
        }
        for (path, said) in [("", "not ''"), ("@chat", "not '@chat'"), (&long(200), "200 bytes")] {
            let error = read_path(path).expect_err("no socket has it");
            assert!(error.contains(said), "{error}");
        }
        assert!(said("/run/chat.sock").contains("or unix: and a path, not '/run/chat.sock'"));
    }

    #[test]
    fn an_address_may_leave_out_its_port() {
        for (value, address) in [
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("127.0.0.1", "127.0.0.1:8002"),
            ("::1", "[::1]:8002"),
            ("::", "[::]:8002"),
            ("[::1]", "[::1]:8002"),
            ("[::1]:0", "[::1]:0"),
            ("2001:db8::10", "[2001:db8::10]:8002"),
            ("fe80::1:face", "[fe80::1:face]:8002"),
            ("[2001:db8::1:8002]", "[2001:db8::1:8002]:8002"),
            ("2001:db8:0:0:0:0:0:8002", "[2001:db8::8002]:8002"),
        ] {
            assert_eq!(said(value), address);
        }
    }

    #[test]
    fn an_ipv6_address_that_may_end_in_a_port_wants_its_brackets() {
        for (value, offer) in [
            ("::1:8002", "give [::1]:8002, or [::1:8002] for"),
            ("::8002", "give [::]:8002, or [::8002] for"),
            (":::8002", "--listen :::8002 lacks its brackets; give [::]:8002"),
            ("2001:db8::1:80", "give [2001:db8::1]:80, or [2001:db8::1:80] for"),
            ("2001:db8:0:0:0:0:0:1:8002", "give [2001:db8::1]:8002"),
        ] {
            assert!(said(value).contains(offer), "{value}: {}", said(value));
        }
    }

    #[test]
    fn a_name_is_not_resolved_and_an_address_offered_with_its_port() {
        for (value, offer) in [
            ("localhost", "not 'localhost'; names are not resolved, give 127.0.0.1:8002"),
            ("LocalHost:80", "names are not resolved, give 127.0.0.1:80"),
            (
                "chat.example:80",
                "such as 0.0.0.0:80 or [::]:80, or unix: and a path, not 'chat.example:80'; names are",
            ),
            (":80", "such as 0.0.0.0:80"),
            ("8002", "such as 0.0.0.0:8002"),
            ("[::1:80", "such as 0.0.0.0:80"),
            ("127.0.0.1:+80", "such as 0.0.0.0:8002"),
        ] {
            assert!(said(value).contains(offer), "{value}: {}", said(value));
        }
    }
}
