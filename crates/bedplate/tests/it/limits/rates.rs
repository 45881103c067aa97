//! How many requests a caller may make.

use std::time::{Duration, Instant};

use bedplate_testkit::Database;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{metric, server};
use crate::api::server::{ADAM, ALICE, Server, claims, helpdesk, service, sign, user};

const LIST: &str = "/api/v1/tickets?limit=1";

/// P-09: what the draft says of the fields, on answers that pass and on those that do not.
#[tokio::test]
async fn p09_a_user_gets_the_quota_exactly_and_others_theirs() {
    let server = server(&["rate_limit.user=3/1h", "rate_limit.address=2/1h"], "").await;
    for who in [ALICE, ADAM] {
        let token = user(who);
        for left in [2, 1, 0] {
            let answer = server.get(LIST, Some(&token)).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.headers["ratelimit-policy"], "\"user\";q=3;w=3600");
            let told = &answer.headers["ratelimit"];
            assert!(told.starts_with(&format!("\"user\";r={left};t=")), "{told}");
        }
        let refused = server.get(LIST, Some(&token)).await;
        assert_eq!((refused.status, refused.code()), (429, "quota_exceeded".to_owned()));
        let told = refused.headers["ratelimit"].strip_prefix("\"user\";r=0;t=").unwrap().to_owned();
        assert_eq!(refused.headers["retry-after"], told, "not earlier than t");
        assert_eq!(refused.json()["details"]["user"][0], "at most 3 requests in 3600 s");
        assert!(refused.json()["hint"].as_str().unwrap().contains("Retry-After"));
    }
    // A token of the same user that was issued later is the same user.
    let again = sign(&{
        let mut claims = claims("authenticated", ALICE);
        claims["iat"] = json!(claims["iat"].as_i64().unwrap() + 1);
        claims
    });
    assert_eq!(server.get(LIST, Some(&again)).await.status, 429);
    // Both doors count together.
    assert_eq!(server.get("/rest/v1/tickets?limit=1", Some(&again)).await.status, 429);
    // No limit is set for service keys.
    for _ in 0..5 {
        let answer = server.get(LIST, Some(&service())).await;
        assert_eq!((answer.status, answer.headers.contains_key("ratelimit")), (200, false));
    }
    // Who is not signed in has the address's, and health has none.
    assert_eq!(server.get("/nowhere", None).await.status, 404);
    assert_ne!(server.get(LIST, None).await.status, 429);
    assert_eq!(server.get(LIST, None).await.status, 429);
    assert_eq!(server.get("/nowhere", None).await.status, 429);
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(server.get(path, None).await.status, 200);
    }
    assert_eq!(metric(&server, "bedplate_rate_limit_refusals_total{policy=\"user\"}").await as u32, 4);
    assert_eq!(metric(&server, "bedplate_rate_limit_refusals_total{policy=\"address\"}").await as u32, 2);
}

/// The dialect says it in its own form.
#[tokio::test]
async fn at_rest_v1_the_refusal_is_one_of_postgrests() {
    let server = server(&["rate_limit.writes=1/1h"], "").await;
    let token = user(ALICE);
    let write = async || {
        let body = json!({ "slug": "x" });
        server.call("POST", "/rest/v1/nothing", Some(&token), Some(body)).await
    };
    assert_eq!(write().await.status, 404);
    let refused = write().await;
    let body = refused.json();
    assert_eq!((refused.status, &body["code"]), (429, &json!("quota_exceeded")));
    for key in ["message", "details", "hint"] {
        assert!(!body[key].is_null(), "{key} in {body}");
    }
    assert!(refused.headers.contains_key("retry-after") && refused.headers.contains_key("ratelimit"));
    // Reads go on.
    assert_eq!(server.get("/rest/v1/tickets?limit=1", Some(&token)).await.status, 200);
}

/// V-16, A-14: nothing that a caller may choose gives it another count.
#[tokio::test]
async fn v16_a14_a_spoofed_address_does_not_evade_the_limit() {
    let direct = server(&["rate_limit.address=2/1h"], "").await;
    let ask =
        async |server: &Server, headers: &[(&str, &str)]| server.send("GET", "/nowhere", headers, b"").await;
    let mut statuses = Vec::new();
    for n in 0..6 {
        let address = format!("203.0.113.{n}");
        let standard = format!("for={address}");
        let headers = [
            ("x-forwarded-for", address.as_str()),
            ("x-real-ip", address.as_str()),
            ("forwarded", standard.as_str()),
            ("apikey", address.as_str()),
        ];
        // Not the key: a wrong one is refused before it is counted as a request.
        statuses.push(ask(&direct, &headers[..3]).await.status);
    }
    assert_eq!(statuses, [404, 404, 429, 429, 429, 429]);

    let proxied = server(&["rate_limit.address=1/1h", "server.trusted_proxies=127.0.0.0/8"], "").await;
    for (hops, status) in [
        ("203.0.113.1", 404),
        ("203.0.113.2", 404),
        ("203.0.113.1", 429),
        ("198.51.100.1, 203.0.113.1", 429),
        ("198.51.100.2, 203.0.113.1, 127.0.0.1", 429),
        ("203.0.113.3, 127.0.0.9", 404),
        ("203.0.113.3", 429),
    ] {
        assert_eq!(ask(&proxied, &[("x-forwarded-for", hops)]).await.status, status, "{hops}");
    }
    // The header that the proxy does not write is the client's own word.
    let both = [("x-forwarded-for", "203.0.113.1"), ("forwarded", "for=198.51.100.3")];
    assert_eq!(ask(&proxied, &both).await.status, 429);
}

#[tokio::test]
async fn v16_guesses_are_counted_and_then_not_looked_at() {
    let server = server(&["rate_limit.failures=3/1h"], "").await;
    for n in 0..3 {
        let answer = server.get(LIST, Some(&format!("guess-{n}"))).await;
        assert_eq!(answer.status, 401);
    }
    let refused = server.send("GET", LIST, &[("apikey", "sb_secret_guess")], b"").await;
    assert_eq!((refused.status, refused.code()), (429, "quota_exceeded".to_owned()));
    assert_eq!(server.get(LIST, Some(&user(ALICE))).await.status, 429, "the right one neither");
    assert_ne!(server.get(LIST, None).await.status, 429, "who guesses nothing is served");
}

#[tokio::test]
async fn one_line_turns_it_off_and_another_gives_a_role_its_own() {
    let off = server(&["rate_limit.enabled=false", "rate_limit.user=1/1h"], "").await;
    let token = user(ALICE);
    for _ in 0..3 {
        let answer = off.get(LIST, Some(&token)).await;
        assert_eq!((answer.status, answer.headers.contains_key("ratelimit")), (200, false));
    }
    let own = [
        "rate_limit.user=1/1h",
        "rate_limit.roles.authenticated.requests=2/1h",
        "rate_limit.roles.service_role.requests=1/1h",
    ];
    let own = server(&own, "").await;
    let statuses = async |token: &str| {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(own.get(LIST, Some(token)).await.status);
        }
        statuses
    };
    assert_eq!(statuses(&token).await, [200, 200, 429]);
    assert_eq!(statuses(&service()).await, [200, 429, 429]);
}

/// with a Redis all servers count together, exactly; without it each holds alone, and nobody gets a 5xx.
#[tokio::test]
async fn r11_two_servers_share_one_count_and_each_holds_alone_when_redis_is_killed() {
    let mut redis = bedplate_testkit::Redis::start();
    let url = redis.url();
    let node = async || {
        let set = |command: &mut tokio::process::Command| {
            command.args(["--set", "rate_limit.user=5/1h"]).env("BEDPLATE_CACHE__REDIS_URL", &url);
        };
        Server::start_with(set, "").await
    };
    let (one, two) = (node().await, node().await);
    let until_up = async |node: &Server| {
        let end = Instant::now() + Duration::from_secs(20);
        while metric(node, "bedplate_cache_up{kind=\"redis\"}").await < 1.0 {
            assert!(Instant::now() < end, "Redis is never reached");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    until_up(&one).await;
    until_up(&two).await;
    let token = user(ALICE);
    let mut told = Vec::new();
    for n in 0..8 {
        let answer = (if n % 2 == 0 { &one } else { &two }).get(LIST, Some(&token)).await;
        let left = answer.headers["ratelimit"].clone();
        told.push((answer.status, left.split(';').nth(1).unwrap().to_owned()));
    }
    let expected: Vec<_> = [4, 3, 2, 1, 0, 0, 0, 0]
        .iter()
        .enumerate()
        .map(|(n, left)| (if n < 5 { 200 } else { 429 }, format!("r={left}")))
        .collect();
    assert_eq!(told, expected);
    redis.kill();
    // One has let three through by itself, and two two: each goes on to its own five.
    for (node, own) in [(&one, 2), (&two, 3)] {
        for n in 0..own + 3 {
            let answer = node.get(LIST, Some(&token)).await;
            assert_eq!(answer.status, if n < own { 200 } else { 429 }, "{n}");
        }
        assert!(metric(node, "bedplate_rate_limit_counted_alone_total").await >= 1.0);
    }
    // Somebody else is not held up by what is away.
    let started = Instant::now();
    for _ in 0..5 {
        assert_eq!(one.get(LIST, Some(&user(ADAM))).await.status, 200);
    }
    assert!(started.elapsed() < Duration::from_secs(20), "once a short wait, then none");
}

/// A limit that cannot be meant is refused at the start, with the way to write it.
#[tokio::test]
async fn a_rate_that_cannot_be_read_stops_the_start() {
    let db = Database::empty().await;
    for wrong in ["300", "0/10s", "10/0s", "10/500ms", "many"] {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_bedplate"))
            .args(["config", "show", "--set", &format!("rate_limit.user={wrong}")])
            .env("DATABASE_URL", db.url("postgres"))
            .current_dir(helpdesk())
            .output()
            .await
            .unwrap();
        let told =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && told.contains("rate_limit.user"), "{wrong}: {told}");
        assert!(told.contains("300/10s"), "{told}");
    }
}

/// DNS rebinding: the admin listener is called by address or by a local name.
#[tokio::test]
async fn a34_the_admin_listener_does_not_answer_to_foreign_names() {
    let server = server(&["server.allowed_hosts=api.example.com"], "").await;
    let port = server.admin.rsplit_once(':').unwrap().1.to_owned();
    let ask = async |host: &str| {
        let mut stream = tokio::net::TcpStream::connect(&server.admin).await.unwrap();
        let request = format!("GET /health/live HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.to_ascii_lowercase().contains("x-content-type-options: nosniff"), "{answer}");
        answer[9..12].parse::<u16>().unwrap()
    };
    for host in ["127.0.0.1", "localhost", "[::1]", "10.2.3.4", "[fd00::1]", "api.example.com", "LOCALHOST."]
    {
        assert_eq!(ask(&format!("{host}:{port}")).await, 200, "{host}");
        assert_eq!(ask(host).await, 200, "{host}");
    }
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "api.example.com.evil.example",
        "localhost.evil.example",
        "2130706433",
    ] {
        assert_eq!(ask(&format!("{host}:{port}")).await, 403, "{host}");
    }
    // The public one answers to what is listed, and to this machine, only.
    let public = async |host: &str| {
        let mut stream = tokio::net::TcpStream::connect(&server.address).await.unwrap();
        let request = format!("GET /health/live HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer[9..12].parse::<u16>().unwrap()
    };
    assert_eq!(public("api.example.com").await, 200);
    assert_eq!((public("10.2.3.4").await, public("evil.example").await), (403, 403));
}
