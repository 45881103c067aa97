use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::server::{ALICE, Server, sign, user};

#[tokio::test]
async fn p07_every_failure_is_a_problem_document() {
    let server = Server::start().await;
    let alice = user(ALICE);
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("GET", "/api/v2/tickets", 404),
        ("GET", "/api/v1", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/tickets/", 404),
        ("GET", "/api/v1/pg_class", 404),
        ("GET", "/api/v1/tickets/7/", 404),
        ("GET", "/api/v1/rpc", 404),
        ("DELETE", "/api/v1/tickets", 405),
        ("PATCH", "/api/v1/tickets", 405),
        ("POST", "/api/v1/tickets/7", 405),
        ("TRACE", "/api/v1/tickets", 405),
        ("GET", "/api/v1/tickets?status", 400),
        ("GET", "/api/v1/tickets?status=open", 400),
        ("GET", "/api/v1/tickets?nothing=eq.1", 400),
        ("GET", "/api/v1/tickets?select=id,", 400),
        ("GET", "/api/v1/tickets?select=nothing(*)", 400),
        ("GET", "/api/v1/tickets?order=id.sideways", 400),
        ("GET", "/api/v1/tickets?offset=3", 400),
        ("GET", "/api/v1/tickets?priority=eq.high", 400),
        ("GET", "/api/v1/tickets/abc", 400),
        ("GET", "/api/v1/tickets/%ff", 400),
        ("GET", "/api/v1/tickets/%00", 400),
        ("GET", "/api/v1/tickets?title=eq.%00", 400),
        ("GET", "/api/v1/tickets?title=eq.%ff", 400),
    ] {
        let answer = server.call(method, path, Some(&alice), None).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        answer.code();
        if status == 405 {
            assert!(answer.headers.contains_key("allow"), "{method} {path}");
        }
        let text = String::from_utf8_lossy(&answer.body).to_lowercase();
        for leak in ["select ", "pg_catalog", "syntax error", "src/"] {
            assert!(!text.contains(leak) || path.contains(leak.trim()), "{leak} in {text}");
        }
    }
}

#[tokio::test]
async fn credentials_are_right_or_refused() {
    let server = Server::start().await;
    let ok = |answer: &super::Answer| answer.status == 200;
    assert!(ok(&server.get("/api/v1/tickets", Some(&user(ALICE))).await));
    for claims in [
        json!({"role": "authenticated", "exp": 1}),
        json!({"role": "postgres"}),
        json!({"role": "supabase_admin"}),
        json!({"role": "authenticator"}),
        json!({"role": "pg_read_all_data"}),
        json!({"role": "none"}),
        json!({"role": "nobody"}),
        json!({"role": "authenticated\"; drop table tickets"}),
    ] {
        let answer = server.get("/api/v1/tickets", Some(&sign(&claims))).await;
        assert_eq!(answer.status, 401, "{claims}");
        answer.code();
    }
    assert_eq!(server.get("/api/v1/tickets", Some("not.a.token")).await.status, 401);
    // Nobody in particular: the resource is not for anon, and so not to be known of.
    assert_eq!(server.get("/api/v1/tickets", None).await.code(), "not_found");
}

#[tokio::test]
async fn limits_answer_early() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let in_list = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    for (path, code) in [
        (format!("/api/v1/tickets?id=in.({})", in_list(1001)), "limit_exceeded"),
        (format!("/api/v1/tickets?{}", vec!["id=gt.0"; 51].join("&")), "limit_exceeded"),
        (format!("/api/v1/tickets?or=({}id.eq.1{})", "and(".repeat(20), ")".repeat(20)), "limit_exceeded"),
        (format!("/api/v1/tickets?order={}", ["id"; 6].join(",")), "limit_exceeded"),
        ("/api/v1/tickets?select=comments(ticket:tickets(comments(ticket:tickets(comments(ticket:tickets(id))))))".to_owned(), "limit_exceeded"),
        (format!("/api/v1/tickets?title=eq.{}", "x".repeat(9000)), "uri_too_long"),
    ] {
        let answer = server.get(&path, Some(&alice)).await;
        assert_eq!(answer.code(), code, "{}", &path[..60.min(path.len())]);
    }
    let auth = format!("Bearer {alice}");
    let headers = [("authorization", auth.as_str()), ("content-type", "application/json")];
    let big = format!("{{\"title\":\"{}\"}}", "x".repeat(3 << 20));
    assert_eq!(server.send("POST", "/api/v1/tickets", &headers[..1], b"").await.status, 415);
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let head = format!(
        "POST /api/v1/tickets HTTP/1.1\r\nhost: {}\r\nauthorization: {auth}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        server.address,
        big.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    tokio::time::timeout(Duration::from_secs(10), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, b"HTTP/1.1 413", "refused before the body is sent");
    let deep = format!("{{\"title\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    assert_eq!(
        server.send("POST", "/api/v1/tickets", &headers, deep.as_bytes()).await.code(),
        "limit_exceeded"
    );
    let twice = br#"{"title":"a","title":"b"}"#;
    assert_eq!(server.send("POST", "/api/v1/tickets", &headers, twice).await.code(), "malformed_request");
}

#[tokio::test]
async fn a_slow_statement_is_cancelled_and_the_connection_serves_on() {
    let extra = "create function public.slow() returns int language plpgsql as $$ begin perform pg_sleep(30); return 1; end $$; \
        revoke execute on function public.slow() from public; grant execute on function public.slow() to authenticated;";
    let prepare = |c: &mut tokio::process::Command| {
        c.args(["--set", "database.statement_timeout_authenticated=300ms"]);
    };
    let server = Server::start_with(prepare, extra).await;
    let alice = user(ALICE);
    for _ in 0..3 {
        let slow = server.call("POST", "/api/v1/rpc/slow", Some(&alice), Some(json!({}))).await;
        assert_eq!(slow.status, 504, "{}", String::from_utf8_lossy(&slow.body));
        slow.code();
    }
    assert_eq!(server.get("/api/v1/tickets?limit=1", Some(&alice)).await.status, 200);
}

#[tokio::test]
async fn an_error_raised_by_the_app_reaches_the_caller() {
    let extra = "create function public.refuse() returns int language plpgsql as \
        $$ begin raise exception 'the shop is closed' using hint = 'come back tomorrow'; end $$; \
        revoke execute on function public.refuse() from public; grant execute on function public.refuse() to authenticated;";
    let server = Server::start_with(|_| {}, extra).await;
    let refused = server.call("POST", "/api/v1/rpc/refuse", Some(&user(ALICE)), Some(json!({}))).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["detail"], "the shop is closed");
}
