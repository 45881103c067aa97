//! Names and values on their way into SQL, headers and the log.

use serde_json::{Value, json};

use super::{Caller, code, start, text};

const NASTY: &[&str] = &[
    "'",
    "\"",
    "\"\"",
    "\\",
    "';select pg_sleep(9)--",
    "\");drop table public.tickets;--",
    "\" from pg_authid--",
    "$$",
    "$1",
    "/*",
    "--",
    ";",
    "\0",
    "\u{1}",
    "\n",
    "\r\n",
    "\u{202e}",
    "\u{feff}",
    "é",
    "🦀",
    "%",
    "{}",
    "(",
    ")",
    "::text",
    "a.b",
    "*",
    "pg_catalog",
    "null",
    "id)",
    ",",
    " ",
    "",
];

fn url(text: &str) -> String {
    let bytes: Vec<String> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}

/// Neither a fault of the server's, nor a syntax error of PostgreSQL's: both would tell that something was put into SQL.
#[track_caller]
fn harmless(answer: &crate::api::Answer, what: &str) {
    assert!(answer.status < 500, "{what}: {} {}", answer.status, text(answer));
    if answer.status >= 400 && !answer.body.is_empty() {
        assert_ne!(code(answer), "42601", "{what}: {}", text(answer));
        assert!(!text(answer).contains("syntax error"), "{what}: {}", text(answer));
    }
}

#[tokio::test]
async fn names_in_the_query_string_never_become_sql() {
    let server = start().await;
    let alice = Caller::alice(&server);
    for nasty in NASTY {
        let word = url(nasty);
        let quoted = url(&format!("\"{}\"", nasty.replace('\\', "\\\\").replace('"', "\\\"")));
        for word in [&word, &quoted] {
            for query in [
                "select=id,{}",
                "select={}:id",
                "select=id::{}",
                "select=id,tags->{}",
                "select=id,a:title->>{}",
                "select=id,comments!{}(id)",
                "select=id,{}(id)",
                "select=id,...{}(id)",
                "{}=eq.1",
                "title->{}=eq.1",
                "order={}",
                "order=title->{}",
                "order=comments({})",
                "or=({}.eq.1,id.eq.1)",
                "comments.{}=eq.1",
                "title=fts({}).x",
                "title=plfts(english).{}",
                "title=eq.{}",
                "title=in.({})",
                "title=like.{}",
                "title=match.{}",
                "title=like(any).{{}}",
                "tags=cs.{{}}",
                "id=is.{}",
                "limit={}",
                "offset={}",
                "select=id&{}.order=id",
                "and=({})",
                "title=isdistinct.{}",
                "tags=ov.{}",
                "created_at=gt.{}",
            ] {
                let path = format!("/tickets?{}", query.replace("{}", word));
                harmless(&alice.get(&path).await, &path);
            }
            let representation: &[(&str, &str)] =
                &[("prefer", "return=representation,resolution=merge-duplicates")];
            for query in ["columns={}", "on_conflict={}", "columns=id,{}", "select={}"] {
                let path = format!("/watched?{}", query.replace("{}", word));
                harmless(&alice.send("POST", &path, representation, r#"[{"id":1}]"#).await, &path);
            }
            for path in ["/{}", "/rpc/{}", "/rpc/echo?{}=1", "/rpc/echo?value={}"] {
                let path = path.replace("{}", word);
                harmless(&alice.get(&path).await, &path);
            }
        }
    }
    assert_eq!(alice.get("/tickets?select=count").await.status, 200, "the table is still there");
}

#[tokio::test]
async fn names_in_bodies_and_headers_never_become_sql() {
    let server = start().await;
    let alice = Caller::alice(&server);
    for nasty in NASTY {
        let one = json!({"id": 1, (*nasty): "x"}).to_string();
        let many = json!([{"id": 1, (*nasty): nasty}]).to_string();
        let deep = json!({"id": 1, "v": {(*nasty): [nasty]}}).to_string();
        for body in [&one, &many, &deep] {
            for (method, path) in [
                ("POST", "/watched"),
                ("PATCH", "/watched?id=eq.1"),
                ("PUT", "/watched?id=eq.1"),
                ("POST", "/rpc/echo"),
            ] {
                harmless(&alice.send(method, path, &[("prefer", "missing=default")], body).await, body);
            }
        }
        let csv = format!("id,\"{}\"\n1,\"{}\"", nasty.replace('"', "\"\""), nasty.replace('"', "\"\""));
        let form = format!("id=1&{}={}", url(nasty), url(nasty));
        for (kind, body) in [("text/csv", &csv), ("application/x-www-form-urlencoded", &form)] {
            for path in ["/watched", "/rpc/echo"] {
                harmless(&alice.send("POST", path, &[("content-type", kind)], body).await, body);
            }
        }
        if nasty.chars().any(|c| c.is_control()) {
            continue;
        }
        for (name, value) in [
            ("accept-profile", (*nasty).to_owned()),
            ("prefer", format!("timezone={nasty}")),
            ("prefer", format!("handling=strict,timezone={nasty}")),
            ("prefer", format!("tx={nasty},count={nasty},max-affected={nasty}")),
            ("range", (*nasty).to_owned()),
            ("range-unit", (*nasty).to_owned()),
            ("accept", format!("application/{nasty}")),
            ("accept", format!("application/vnd.pgrst.plan+json;for=\"{nasty}\";options={nasty}")),
            ("content-type", format!("text/{nasty}")),
            ("x-app", (*nasty).to_owned()),
        ] {
            harmless(&alice.send("GET", "/tickets?limit=1", &[(name, &value)], "").await, &value);
            harmless(&alice.send("POST", "/rpc/who", &[(name, &value)], "{}").await, &value);
        }
    }
}

#[tokio::test]
async fn casts_do_not_turn_numbers_into_names_of_objects() {
    let server = start().await;
    let alice = Caller::alice(&server);
    for kind in [
        "regclass",
        "regrole",
        "regproc",
        "regprocedure",
        "regnamespace",
        "regtype",
        "regconfig",
        "pg_catalog.regclass",
    ] {
        for path in [format!("/tickets?select=id::{kind}"), format!("/tickets?select=title::{kind}")] {
            let answer = alice.get(&path).await;
            assert_eq!(answer.status, 400, "{path}: {}", text(&answer));
        }
    }
}

#[tokio::test]
async fn text_that_sql_or_the_request_says_never_makes_another_header() {
    let server = start().await;
    let alice = Caller::alice(&server);
    for value in [
        "[{\"x-one\": \"a\\r\\nx-two: b\"}]",
        "[{\"x-one\\r\\nx-two\": \"a\"}]",
        "[{\"x-one: a\\nx-two\": \"b\"}]",
        "[{\"x-one\": \"a\\u0000b\"}]",
        "[{\"\": \"a\"}]",
        "[{\"x one\": \"a\"}]",
    ] {
        let body = json!({"kind": "headers", "value": value, "for_all": false});
        let answer = alice.post("/rpc/speak", &body).await;
        assert_eq!((answer.status, code(&answer)), (500, "PGRST111".into()), "{value}");
        assert!(!answer.headers.contains_key("x-two"));
    }
    for status in ["100", "101", "103", "0", "1000", "abc", "2 00"] {
        let body = json!({"kind": "status", "value": status, "for_all": false});
        let answer = alice.post("/rpc/speak", &body).await;
        assert_eq!((answer.status, code(&answer)), (500, "PGRST112".into()), "{status}");
    }
    for (status, has_body) in [("204", false), ("304", false), ("299", true), ("599", true)] {
        let body = json!({"kind": "status", "value": status, "for_all": false});
        let answer = alice.post("/rpc/speak", &body).await;
        assert_eq!((answer.status, !answer.body.is_empty()), (status.parse().unwrap(), has_body), "{status}");
    }
    let framing = "[{\"content-length\":\"1\"},{\"transfer-encoding\":\"chunked\"},{\"connection\":\"x-a\"},\
                   {\"keep-alive\":\"1\"},{\"trailer\":\"x\"},{\"proxy-connection\":\"x\"},{\"upgrade\":\"h2c\"},{\"x-fine\":\"é\"}]";
    let answer =
        alice.post("/rpc/speak", &json!({"kind": "headers", "value": framing, "for_all": false})).await;
    assert_eq!(answer.status, 200);
    for name in ["transfer-encoding", "keep-alive", "trailer", "proxy-connection", "upgrade"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
    // Names of other scripts and with line ends, in headers that are made from them.
    let owner = server.db.connect("postgres").await;
    owner
        .batch_execute(
            "create table public.\"b ☃\" (\"id\r\nx-two: a\" text primary key, \"k\r\nx-two: c\" int unique);
             alter table public.\"b ☃\" enable row level security;
             create policy p on public.\"b ☃\" using (true) with check (true);
             grant select, insert on public.\"b ☃\" to authenticated;",
        )
        .await
        .unwrap();
    let path = format!("/{}", url("b ☃"));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while alice.get(&path).await.status != 200 {
        let answer = alice.get(&path).await;
        assert!(std::time::Instant::now() < deadline, "{} {}", answer.status, text(&answer));
    }
    let read = alice.get(&format!("{path}?select={}", url("\"id\r\nx-two: a\""))).await;
    let created = alice
        .send(
            "POST",
            &path,
            &[("prefer", "return=headers-only")],
            &json!({"id\r\nx-two: a": "1\r\nx-two: d"}).to_string(),
        )
        .await;
    assert_eq!((read.status, created.status), (200, 201), "{}", text(&created));
    for answer in [&read, &created] {
        assert!(!answer.headers.contains_key("x-two"));
        for value in answer.headers.values() {
            assert!(value.is_ascii(), "{value}");
        }
    }
    assert!(
        created.headers["location"].contains("%0D%0Ax%2Dtwo")
            || created.headers["location"].contains("%0D%0Ax-two")
    );
}

#[tokio::test]
async fn invalid_text_is_refused_early() {
    let server = start().await;
    let alice = Caller::alice(&server);
    for path in [
        "/%ff",
        "/tickets?select=%ff",
        "/tickets?%ff=eq.1",
        "/tickets?title=eq.%ff",
        "/tickets?title=eq.%c0%af",
        "/tickets?title=eq.%ed%a0%80",
        "/rpc/echo?value=%ff",
        "/rpc/%ff",
        "/tickets?order=%fe",
        "/tickets?title=eq.%00",
        "/tickets?title=eq.%zz",
        "/tickets?select=%00",
        "/%00",
        "/rpc/%00",
        "/rpc/echo?value=%00",
        "/%2e%2e/%2e%2e",
        "/tickets%2f1",
        "/tickets/../vault",
        "//tickets",
        "/rpc//who",
        "/tickets/",
    ] {
        let answer = alice.get(path).await;
        assert!(answer.status < 500, "{path}: {} {}", answer.status, text(&answer));
    }
    for (kind, body) in [
        ("application/json", &b"{\"id\":\"\xff\"}"[..]),
        ("application/json", b"{\"\xc0\xaf\":1}"),
        ("application/json", b"[{\"v\":\"\\ud800\"}]"),
        ("application/json", b"[{\"v\":\"\\u0000\"}]"),
        ("application/json", b"\xef\xbb\xbf{\"id\":1}"),
        ("application/json", b"{\"id\":NaN}"),
        ("application/json", b"{\"id\":1e999999}"),
        ("application/json", b"{\"id\":1}{\"id\":2}"),
        ("text/csv", b"id,v\n1,\xff"),
        ("text/csv", b"id,v\n1,\0"),
        ("application/x-www-form-urlencoded", b"id=1&v=%ff"),
        ("application/x-www-form-urlencoded", b"id=1&v=%00"),
        ("text/plain", b"\xff"),
    ] {
        for path in ["/watched", "/rpc/echo"] {
            let answer = alice.send_bytes("POST", path, &[("content-type", kind)], body).await;
            assert!(
                (400..500).contains(&answer.status),
                "{kind} {body:?} {path}: {} {}",
                answer.status,
                text(&answer)
            );
            assert_ne!(answer.json(), Value::Null);
        }
    }
}
