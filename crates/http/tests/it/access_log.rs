//! One line per request, whatever becomes of it, and nothing secret in it.

use std::io::Write;
use std::sync::{Arc, Mutex};

use bedplate_http::{Access, App, Config, Health, Response, Route, Shutdown, handler_fn, health_routes};
use http::{Method, Request, StatusCode};
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::server::{Server, echo, eventually, routes, start};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn access(&self) -> Vec<Value> {
        let lines = self.text();
        let all = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|line| line["target"] == "access").map(|line| line["fields"].clone()).collect()
    }
}

/// The server runs on this test's thread, so the subscriber of the thread hears it.
fn logged() -> (Server, Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let shutdown = Shutdown::default();
    let health = health_routes(Arc::new(Health::new(shutdown.clone())));
    let never = handler_fn(|_, _| async {
        std::future::pending::<()>().await;
        Ok(Response::empty(StatusCode::OK))
    });
    let never = Route::new(&[Method::GET], "/never", "test.never", Access::Public, never);
    let mut config = Config::production();
    config.timeouts.pre_drain = std::time::Duration::from_secs(30);
    let builder = App::builder(config).routes(routes()).routes([never]).routes(health).mount(echo());
    let server = start(builder.shutdown(shutdown));
    (server, lines, guard)
}

#[tokio::test]
async fn a_line_has_the_facts_and_no_secret() {
    let (server, lines, _guard) = logged();
    let request = Request::post(server.url("/echo/a?token=s3cret1&select=s3cret2"))
        .header("authorization", "Bearer s3cret3")
        .header("cookie", "session=s3cret4")
        .header("x-request-id", "my-id")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let answer = server.send(request, "s3cret5").await;
    let line = &lines.access()[0];
    let expected = serde_json::json!({
        "method": "POST", "path": "/echo/a", "query": "token&select", "class": "echo.named", "status": 200,
        "bytes": answer.body.len(), "request_id": "my-id", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "principal": "anonymous", "client": "127.0.0.1",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&line[name], value, "{name} in {line}");
    }
    assert!(line["duration_us"].is_u64());
    assert!(!lines.text().contains("s3cret"), "{}", lines.text());
}

#[tokio::test]
async fn failures_and_refusals_have_their_line_too() {
    let (server, lines, _guard) = logged();
    let failed = server.get("/panic").await;
    server.get("/nowhere").await;
    server.raw("GET / HTTP/1.1\r\n\r\n").await;
    let seen: Vec<_> =
        lines.access().iter().map(|line| (line["class"].clone(), line["status"].clone())).collect();
    let expected = [("test.panic", 500), ("unrouted", 404), ("malformed", 400)];
    assert_eq!(seen, expected.map(|(class, status)| (Value::from(class), Value::from(status))));
    // What the caller did not get to see is in the log, under the id that the caller has.
    let error = lines.text().lines().find(|line| line.contains("secret text of a panic")).unwrap().to_owned();
    assert!(error.contains(failed.header("x-request-id")), "{error}");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_one_line() {
    let (server, lines, _guard) = logged();
    let mut stream = server.connect().await;
    stream.write_all(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    eventually("in flight", || server.metrics.in_flight() == 1).await;
    drop(stream);
    eventually("logged", || !lines.access().is_empty()).await;
    assert_eq!(lines.access()[0]["status"], 499);
    assert_eq!(lines.access().len(), 1);
}

#[tokio::test]
async fn a_probe_during_the_shutdown_is_no_error() {
    let (server, lines, _guard) = logged();
    server.shutdown.begin();
    server.get("/health/ready").await.problem(503, "shutting_down");
    let all = lines.text();
    let levels: Vec<_> = all
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["target"] != "access")
        .map(|line| line["level"].clone())
        .collect();
    assert_eq!(levels, ["INFO"], "{all}");
}
