//! An HTTP/2 client that is nothing but frames (RFC 9113 §4.1). Unlike a library's client it knows for certain
//! which requests went out and what came back: hyper's reports a request that was sent just before the first
//! GOAWAY as failed, although it is on its way and is answered.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;

const ACK: u8 = 0x1;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// `:status: 200` of the static table (RFC 7541 appendix A).
const STATUS_200: u8 = 0x88;

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: BytesMut,
}

pub struct Wire {
    socket: TcpStream,
    unread: BytesMut,
    next_stream: u32,
    /// The paths that are not answered yet, by stream.
    open: HashMap<u32, String>,
}

/// What became of a connection at its end, by path.
#[derive(Default)]
pub struct Fate {
    pub answered: Vec<String>,
    /// Sent, and not answered when the server closed.
    pub lost: Vec<String>,
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        let mut wire = Self { socket, unread: BytesMut::new(), next_stream: 1, open: HashMap::new() };
        let mut bytes = BytesMut::from(PREFACE);
        put(&mut bytes, SETTINGS, 0, 0, b"");
        // Room for all answers of the connection, so that the window need not be looked after.
        put(&mut bytes, WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
        wire.socket.write_all(&bytes).await?;
        Ok(wire)
    }

    async fn get(&mut self, path: String) -> io::Result<()> {
        // GET, http, and literals without indexing for :authority and :path (RFC 7541 §6.2.2).
        let mut block = BytesMut::from(&[0x82, 0x86, 0x01, 1, b'x', 0x04, path.len() as u8][..]);
        block.put_slice(path.as_bytes());
        let mut bytes = BytesMut::new();
        put(&mut bytes, HEADERS, END_HEADERS | END_STREAM, self.next_stream, &block);
        self.open.insert(self.next_stream, path);
        self.next_stream += 2;
        self.socket.write_all(&bytes).await
    }

    /// None when the server has closed.
    async fn frame(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = take(&mut self.unread) {
                return Ok(Some(frame));
            }
            if self.socket.read_buf(&mut self.unread).await? == 0 {
                assert!(self.unread.is_empty(), "closed within a frame");
                return Ok(None);
            }
        }
    }

    /// Keeps `at_once` requests under way until the server says GOAWAY, then opens no more, as RFC 9113 §6.8
    /// demands, and reads to the end. `path` makes the paths, each answer is told to `answered`.
    pub async fn get_until_told_to_go(
        mut self,
        at_once: usize,
        mut path: impl FnMut() -> String,
        mut answered: impl FnMut(),
    ) -> io::Result<Fate> {
        let mut fate = Fate::default();
        let mut told_to_go = false;
        loop {
            while !told_to_go && self.open.len() < at_once {
                self.get(path()).await?;
            }
            let Some(frame) = self.frame().await? else { break };
            match frame.kind {
                HEADERS => assert_eq!(frame.payload[0], STATUS_200),
                SETTINGS | PING if frame.flags & ACK == 0 => {
                    let mut bytes = BytesMut::new();
                    let echo: &[u8] = if frame.kind == PING { &frame.payload } else { b"" };
                    put(&mut bytes, frame.kind, ACK, 0, echo);
                    self.socket.write_all(&bytes).await?;
                }
                GOAWAY => {
                    assert_eq!((&frame.payload[4..]).get_u32(), 0, "NO_ERROR");
                    told_to_go = true;
                }
                DATA | SETTINGS | PING | WINDOW_UPDATE => {}
                other => panic!("a frame of type {other} on stream {}", frame.stream),
            }
            if matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0 {
                fate.answered.push(self.open.remove(&frame.stream).expect("an answer to what was asked"));
                answered();
            }
        }
        fate.lost.extend(self.open.into_values());
        Ok(fate)
    }
}

fn put(bytes: &mut BytesMut, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    bytes.put_uint(payload.len() as u64, 3);
    bytes.put_u8(kind);
    bytes.put_u8(flags);
    bytes.put_u32(stream);
    bytes.put_slice(payload);
}

fn take(bytes: &mut BytesMut) -> Option<Frame> {
    let mut head = bytes.get(..9)?;
    let length = head.get_uint(3) as usize;
    let (kind, flags, stream) = (head.get_u8(), head.get_u8(), head.get_u32() & (u32::MAX >> 1));
    if bytes.len() < 9 + length {
        return None;
    }
    bytes.advance(9);
    Some(Frame { kind, flags, stream, payload: bytes.split_to(length) })
}
