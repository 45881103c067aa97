//! Running it: health, metrics, headers, shutdown.

use std::time::{Duration, Instant};

use super::server::{ALICE, Server, send, user};

#[tokio::test]
async fn health_and_metrics_and_headers() {
    let server = Server::start().await;
    assert_eq!(server.get("/health/live", None).await.status, 200);
    assert_eq!(server.get("/health/ready", None).await.status, 200);
    assert_eq!(server.get("/metrics", None).await.status, 404, "metrics are on the admin listener only");
    server.get("/api/v1/tickets", Some(&user(ALICE))).await;
    let metrics = send(&server.admin, "GET", "/metrics", &[], b"").await;
    let text = String::from_utf8(metrics.body).unwrap();
    for name in
        ["bedplate_pool_connections", "bedplate_catalog_relations", "api.list", "bedplate_plans_cached"]
    {
        assert!(text.contains(name), "{name} in {text}");
    }
    let answer = server.get("/api/v1/tickets", None).await;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(
        answer.headers.contains_key("content-security-policy") && answer.headers.contains_key("x-request-id")
    );
    assert!(!answer.headers.contains_key("server"));
    let kept = server.send("GET", "/api/v1/x", &[("x-request-id", "abc-1")], b"").await;
    assert_eq!(kept.headers["x-request-id"], "abc-1");
    let foreign = server.send("GET", "/api/v1/x", &[("origin", "https://evil.example")], b"").await;
    assert!(!foreign.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn head_and_options() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let head = server.call("HEAD", "/api/v1/tickets", Some(&alice), None).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(head.headers["content-length"].parse::<usize>().unwrap() > 10);
    let allow = async |path: &str, token| {
        let answer = server.call("OPTIONS", path, token, None).await;
        assert_eq!(answer.status, 204, "{path}");
        answer.headers["allow"].clone()
    };
    assert_eq!(allow("/api/v1/tickets", Some(alice.as_str())).await, "GET, HEAD, POST, OPTIONS");
    assert_eq!(allow("/api/v1/organizations", Some(alice.as_str())).await, "GET, HEAD, OPTIONS");
    assert_eq!(allow("/api/v1/comments/1", Some(alice.as_str())).await, "GET, HEAD, OPTIONS");
    assert_eq!(allow("/api/v1/rpc/ticket_counts", Some(alice.as_str())).await, "GET, HEAD, POST, OPTIONS");
    assert_eq!(server.call("OPTIONS", "/api/v1/tickets", None, None).await.status, 404);
}

#[tokio::test]
async fn a_terminated_server_answers_what_it_took_and_ends_with_zero() {
    let mut server = Server::start().await;
    let alice = user(ALICE);
    let address = server.address.clone();
    let load = tokio::spawn(async move {
        let auth = format!("Bearer {alice}");
        let mut answered = 0;
        loop {
            let Ok(mut stream) = tokio::net::TcpStream::connect(&address).await else { return answered };
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let request = format!(
                "GET /api/v1/tickets?limit=1 HTTP/1.1\r\nhost: x\r\nauthorization: {auth}\r\nconnection: close\r\n\r\n"
            );
            if stream.write_all(request.as_bytes()).await.is_err() {
                return answered;
            }
            let mut answer = Vec::new();
            let read = stream.read_to_end(&mut answer).await;
            assert!(
                read.is_ok() && answer.starts_with(b"HTTP/1.1 200"),
                "{}",
                String::from_utf8_lossy(&answer)
            );
            answered += 1;
        }
    });
    let started = Instant::now();
    while !load.is_finished() && started.elapsed() < Duration::from_secs(1) {
        tokio::task::yield_now().await;
    }
    let pid = rustix::process::Pid::from_raw(server.child.id().unwrap() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = tokio::time::timeout(Duration::from_secs(20), server.child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
    assert!(load.await.unwrap() > 0);
}
