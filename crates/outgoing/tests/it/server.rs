//! A server that answers as it is told, and counts; and a name server.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bedplate_outgoing::{Allowed, Client, Config, Resolve, Resolving};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is answered to the request with this head, which is the n-th (from 0). Nothing: the connection is left open.
pub type Answer = dyn Fn(&str, usize) -> Option<Vec<u8>> + Send + Sync;

pub struct Server {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub async fn start(answer: impl Fn(&str, usize) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", answer).await
    }

    pub async fn start_at(
        at: &str,
        answer: impl Fn(&str, usize) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, heads) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counted, kept, answer) = (
            Arc::clone(&connections),
            Arc::clone(&heads),
            Arc::<Answer>::from(Box::new(answer) as Box<Answer>),
        );
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(talk(stream, Arc::clone(&kept), Arc::clone(&answer)));
            }
        });
        Self { address, connections, heads }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn talk(mut stream: TcpStream, heads: Arc<Mutex<Vec<String>>>, answer: Arc<Answer>) {
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            let mut piece = [0; 4096];
            match stream.read(&mut piece).await {
                Ok(1..) => read.extend(piece.iter().take_while(|byte| **byte != 0)),
                _ => return,
            }
        };
        let head = String::from_utf8(read.drain(..end).collect()).unwrap();
        let n = {
            let mut heads = heads.lock().unwrap();
            heads.push(head.clone());
            heads.len() - 1
        };
        let Some(bytes) = answer(&head, n) else { continue };
        if stream.write_all(&bytes).await.is_err() || bytes.is_empty() {
            return;
        }
    }
}

pub fn ok(body: &str) -> Option<Vec<u8>> {
    answer(200, "", body)
}

/// An answer with further header lines, each with its line break.
#[allow(clippy::unnecessary_wraps, reason = "it is what an `Answer` gives")]
pub fn answer(status: u16, headers: &str, body: &str) -> Option<Vec<u8>> {
    Some(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

/// Knows some names, counts the questions, and may answer each time differently.
#[derive(Default)]
pub struct Names {
    known: HashMap<&'static str, Vec<Vec<IpAddr>>>,
    pub asked: AtomicUsize,
}

impl Names {
    /// `answers`: to the first question, to the second, …; the last one stays.
    pub fn with(mut self, name: &'static str, answers: &[&[&str]]) -> Self {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        self.known.insert(name, answers.iter().map(parse).collect());
        self
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        let n = self.asked.fetch_add(1, Ordering::SeqCst);
        let answers = self.known.get(name);
        let found = answers.and_then(|answers| answers.get(n).or(answers.last())).cloned();
        Box::pin(async move { found.ok_or_else(|| std::io::Error::other("unknown name")) })
    }
}

pub fn allow(entries: &[String]) -> Vec<Allowed> {
    entries.iter().map(|text| text.parse().unwrap()).collect()
}

pub fn client(names: Arc<Names>, entries: &[String]) -> Client {
    Client::new(Config { names, allow: allow(entries), ..Config::default() })
}
