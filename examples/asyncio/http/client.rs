//! What aiohttp's `ClientSession` is to a recipe: it asks a website, here one in this process.

use std::io;

use httparse::{EMPTY_HEADER, Response};
use smol_servers::Handler;

use crate::bits::{Server, start_server};
use crate::recipe::Ex;

/// Bytes of an answer at most.
const ANSWER_BYTES: usize = 64 * 1024;

/// Header fields of an answer at most.
const HEADERS: usize = 32;

/// A website and its client.
pub struct Session(Server);

impl Session {
    pub async fn start(ex: &Ex, website: impl Handler) -> io::Result<Session> {
        Ok(Session(start_server(ex, &[], website).await?))
    }

    pub async fn close(self) -> io::Result<()> {
        self.0.stop().await
    }

    /// The status of a URL such as `http://localhost/time`. Whatever its host is called, it is
    /// this session's website that is asked.
    pub async fn status(&self, url: &str) -> io::Result<u16> {
        let address = url.strip_prefix("http://").and_then(|it| it.split_once('/'));
        let (host, path) = address.ok_or_else(|| io::Error::other(format!("not HTTP: {url}")))?;
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = self.ask(&request).await?;
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut head = Response::new(&mut headers);
        head.parse(&answer).map_err(io::Error::other)?;
        head.code.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// What the website answers to these words until it closes the connection.
    pub async fn ask(&self, words: &str) -> io::Result<Vec<u8>> {
        let connection = self.0.connect().await?;
        connection.write(words.as_bytes()).await?;
        let mut answer = Vec::new();
        while answer.len() < ANSWER_BYTES {
            let bytes = connection.read().await?;
            if bytes.is_empty() {
                break;
            }
            answer.extend_from_slice(&bytes);
        }
        Ok(answer)
    }
}
