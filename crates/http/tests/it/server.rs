//! An in-process server on a free port, and the two ways to talk to it: bytes and a client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bedplate_http::{
    Access, App, Builder, Config, Listener, Metrics, Mount, Response, Route, Shutdown, handler_fn,
};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

pub struct Server {
    pub address: SocketAddr,
    pub metrics: Arc<Metrics>,
    pub shutdown: Shutdown,
    pub running: JoinHandle<()>,
}

/// Short times, so that what waits for them does not.
pub fn config() -> Config {
    let mut config = Config::default();
    config.timeouts.pre_drain = Duration::ZERO;
    config.timeouts.idle_drain = Duration::from_millis(50);
    config
}

pub fn start(builder: Builder) -> Server {
    let app = builder.build().expect("the route table");
    let (metrics, shutdown) = (Arc::clone(app.metrics()), app.shutdown().clone());
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), app).expect("a free port");
    let address = listener.local_addr().unwrap();
    Server { address, metrics, shutdown, running: tokio::spawn(listener.run()) }
}

pub fn plain() -> Server {
    start(App::builder(config()).routes(routes()).mount(echo()))
}

pub fn ok() -> Route {
    let handler = handler_fn(|_, _| async { Ok(Response::json(StatusCode::OK, "{\"ok\":true}")) });
    Route::new(&[Method::GET], "/ok", "test.ok", Access::Public, handler)
}

pub fn routes() -> Vec<Route> {
    let panics = handler_fn(|_, request| async move {
        assert!(request.query().contains("calm"), "secret text of a panic");
        Ok(Response::empty(StatusCode::NO_CONTENT))
    });
    let item = handler_fn(|_, request| async move {
        let id = request.param("id").unwrap_or_default().to_owned();
        Ok(Response::text(StatusCode::OK, id))
    });
    vec![
        ok(),
        Route::new(&[Method::GET], "/panic", "test.panic", Access::Public, panics),
        Route::new(&[Method::GET, Method::PUT], "/items/{id}", "test.item", Access::Public, item),
    ]
}

/// A front door that answers with what it got.
pub fn echo() -> Mount {
    let handler =
        handler_fn(|context: bedplate_http::RequestContext, request: bedplate_http::Request| async move {
            context.report.set_class("echo.named");
            let facts = serde_json::json!({
                "method": request.method.as_str(),
                "path": request.path(),
                "query": request.query(),
                "rest": request.rest(),
                "segments": request.segments()?,
                "client": request.client.to_string(),
                "secure": request.secure,
                "request_id": &*context.ctx.request_id,
                "trace_id": request.trace.trace_id(),
                "role": &*context.ctx.principal.role,
                "sql_headers": context.ctx.request.headers,
                "forwarded": request.headers.contains_key("x-forwarded-for"),
            });
            let body = request.body.collect().await?;
            let mut facts = facts;
            facts["body"] = String::from_utf8_lossy(&body).into();
            Ok(Response::json(StatusCode::OK, facts.to_string()))
        });
    Mount::new("/echo", &["echo.any", "echo.named"], Access::Key, handler)
}

pub type Web = Client<HttpConnector, Full<Bytes>>;

pub fn web() -> Web {
    Client::builder(TokioExecutor::new()).build_http()
}

pub fn web2() -> Web {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that this is an RFC 9457 document of the given code and gives it.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> serde_json::Value {
        assert_eq!(
            (self.status, self.header("content-type")),
            (status, "application/problem+json"),
            "{self:?}"
        );
        let document = self.json();
        assert_eq!(document["code"], code, "{document}");
        assert_eq!(document["status"], status);
        assert_eq!(document["type"], format!("https://bedplate.dev/problems/{code}"));
        assert_eq!(document["request_id"], self.header("x-request-id"));
        assert!(document["title"].is_string());
        document
    }
}

impl Server {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(self.url(path)), "").await
    }

    pub async fn send(&self, request: http::request::Builder, body: &'static str) -> Answer {
        self.send_with(&web(), request, body).await
    }

    pub async fn send_with(&self, web: &Web, request: http::request::Builder, body: &'static str) -> Answer {
        let request = request.body(Full::from(body)).unwrap();
        let (head, body) = web.request(request).await.expect("an answer").into_parts();
        let body = body.collect().await.expect("the whole body").to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a new connection and reads until the server closes it.
    pub async fn raw(&self, bytes: impl AsRef<[u8]>) -> Vec<Answer> {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        read_to_close(&mut stream).await
    }
}

/// Reads until the server closes, and takes the answers apart.
pub async fn read_to_close(stream: &mut TcpStream) -> Vec<Answer> {
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes))
        .await
        .unwrap_or_else(|_| panic!("still open after {:?}", String::from_utf8_lossy(&bytes)))
        .unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)));
    answers(&bytes)
}

pub fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (answer, len) =
            answer(bytes).unwrap_or_else(|| panic!("not an answer: {:?}", String::from_utf8_lossy(bytes)));
        bytes = &bytes[len..];
        all.push(answer);
    }
    all
}

fn answer(bytes: &[u8]) -> Option<(Answer, usize)> {
    let head_len = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head_len]).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = http::HeaderMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        headers.append(http::HeaderName::try_from(name).ok()?, value.parse().ok()?);
    }
    let len: usize = headers.get("content-length").map_or(Some(0), |v| v.to_str().ok()?.parse().ok())?;
    let body = Bytes::copy_from_slice(bytes.get(head_len..head_len + len)?);
    Some((Answer { status, headers, body }, head_len + len))
}

/// Reads one answer of a connection that stays open.
pub async fn read_one(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    loop {
        if let Some((answer, _)) = answer(&bytes) {
            return Some(answer);
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

/// Polls until the condition holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
