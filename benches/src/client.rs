//! A small HTTP/1.1 client: one keep-alive connection, one request at a time, no more work than the load needs.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Outcome;

pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The longest head that is read.
const MOST_HEAD: usize = 64 * 1024;

impl Client {
    pub async fn connect(address: &str) -> Outcome<Self> {
        let stream =
            TcpStream::connect(address).await.map_err(|error| format!("connect to {address}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| format!("set TCP_NODELAY: {error}"))?;
        Ok(Self { stream, buffer: Vec::with_capacity(128 * 1024) })
    }

    /// Sends a whole request and reads a whole answer: the status, and the length of the body.
    pub async fn send(&mut self, request: &[u8]) -> Outcome<(u16, usize)> {
        self.stream.write_all(request).await.map_err(|error| format!("send: {error}"))?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if self.buffer.len() > MOST_HEAD {
                return Err("the head of an answer is too long".to_owned());
            }
            self.fill().await?;
        };
        let text = String::from_utf8_lossy(&self.buffer[..head]).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| format!("not HTTP: {text}"))?;
        match body_length(&text)? {
            Some(length) => {
                while self.buffer.len() < head + length {
                    self.fill().await?;
                }
                Ok((status, length))
            }
            None => Ok((status, self.chunks(head).await?)),
        }
    }

    /// The last answer's bytes, head included.
    pub fn answer(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    async fn fill(&mut self) -> Outcome<()> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err("the server closed the connection".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("read: {error}")),
        }
    }

    /// RFC 9112 §7.1: sizes in hexadecimal, each chunk followed by a line end; ends with a chunk of nothing.
    async fn chunks(&mut self, mut at: usize) -> Outcome<usize> {
        let mut length = 0;
        loop {
            let line = loop {
                if let Some(end) = memchr::memmem::find(&self.buffer[at..], b"\r\n") {
                    break end;
                }
                self.fill().await?;
            };
            let size = String::from_utf8_lossy(&self.buffer[at..at + line]).into_owned();
            let size = usize::from_str_radix(size.split(';').next().unwrap_or("").trim(), 16);
            let size = size.map_err(|error| format!("a chunk's size: {error}"))?;
            at += line + 2 + size + 2;
            while self.buffer.len() < at {
                self.fill().await?;
            }
            length += size;
            if size == 0 {
                return Ok(length);
            }
        }
    }
}

/// `None`: the body comes in chunks.
fn body_length(head: &str) -> Outcome<Option<usize>> {
    let status_without_body = matches!(head.split(' ').nth(1), Some("204" | "304"));
    for line in head.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            return value.trim().parse().map(Some).map_err(|error| format!("Content-Length: {error}"));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(None);
        }
    }
    if status_without_body { Ok(Some(0)) } else { Err("an answer without a length".to_owned()) }
}
