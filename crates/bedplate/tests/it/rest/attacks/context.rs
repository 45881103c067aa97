//! What holds for one request holds for no other: few connections, many callers, and everything that can go wrong.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Caller, start_with, text};
use crate::api::server::{ADAM, ALICE, BOB, Server, user};

/// One connection for reads and one for writes: whatever is left behind, the next request finds.
async fn narrow() -> Server {
    start_with(|command| {
        command.args(["--set", "database.pool_read=1", "--set", "database.pool_write=1"]).args([
            "--set",
            "rest.db_tx_end=commit-allow-override",
            "--set",
            "database.statement_timeout_authenticated=300ms",
        ]);
    })
    .await
}

const NAMES: [&str; 9] = [
    "role",
    "request.jwt.claims",
    "request.headers",
    "response.headers",
    "response.status",
    "app.mark",
    "timezone",
    "search_path",
    "statement_timeout",
];

/// What a caller finds in its transaction.
async fn found(caller: &Caller<'_>) -> Vec<Value> {
    let mut values = Vec::new();
    for name in NAMES {
        let answer = caller.send("POST", "/rpc/setting", &[], &json!({"name": name}).to_string()).await;
        assert_eq!(answer.status, 200, "{name}: {}", text(&answer));
        // A setting that was there once is empty afterwards, which is all that PostgreSQL keeps of it.
        values.push(if answer.json().is_null() { json!("") } else { answer.json() });
    }
    values
}

#[tokio::test]
async fn v28_nothing_of_a_request_is_left_for_the_next() {
    let server = narrow().await;
    let (alice, bob, nobody) = (Caller::alice(&server), Caller::bob(&server), Caller::nobody(&server));
    let clean = found(&nobody).await;
    let of_bob = found(&bob).await;
    let hit = async |what: &str| {
        let zone: &[(&str, &str)] = &[("prefer", "timezone=Asia/Tokyo"), ("x-secret", "of-alice")];
        let answer = match what {
            "zone" => alice.send("POST", "/rpc/who", zone, "{}").await,
            "rollback" => alice.send("POST", "/watched", &[("prefer", "tx=rollback")], r#"{"id":77}"#).await,
            "error" => alice.send("POST", "/rpc/boom", zone, "{}").await,
            "division" => alice.get("/tickets?title=match.(").await,
            "timeout" => alice.send("POST", "/rpc/nap", zone, r#"{"seconds":5}"#).await,
            "headers" => {
                alice
                    .post(
                        "/rpc/speak",
                        &json!({"kind": "headers", "value": "[{\"x-mine\":\"1\"}]", "for_all": false}),
                    )
                    .await
            }
            "session headers" => alice
                .post(
                    "/rpc/speak",
                    &json!({"kind": "headers", "value": "[{\"set-cookie\":\"alice=1\"}]", "for_all": true}),
                )
                .await,
            "session status" => {
                alice.post("/rpc/speak", &json!({"kind": "status", "value": "299", "for_all": true})).await
            }
            "bad headers" => {
                alice.post("/rpc/speak", &json!({"kind": "headers", "value": "x", "for_all": true})).await
            }
            "single" => {
                alice.send("GET", "/tickets", &[("accept", "application/vnd.pgrst.object+json")], "").await
            }
            "affected" => {
                let strict: &[(&str, &str)] = &[("prefer", "handling=strict,max-affected=0")];
                alice.send("PATCH", "/watched?id=gt.-1", strict, r#"{"v":"x"}"#).await
            }
            _ => unreachable!(),
        };
        (answer.status, answer.headers.get("x-mine").cloned())
    };
    for what in [
        "zone",
        "rollback",
        "error",
        "division",
        "timeout",
        "headers",
        "session headers",
        "session status",
        "bad headers",
        "single",
        "affected",
    ] {
        let (status, _) = hit(what).await;
        assert_ne!(status, 0);
        let after = nobody.post("/rpc/echo", &json!({"value": "x"})).await;
        assert_eq!((after.status, after.json()), (200, json!("x")), "after {what}");
        assert!(
            !after.headers.contains_key("set-cookie") && !after.headers.contains_key("x-mine"),
            "after {what}"
        );
        assert_eq!(found(&nobody).await, clean, "after {what}");
        assert_eq!(found(&bob).await, of_bob, "after {what}");
        let read = bob.get("/names?select=tenant&limit=1").await;
        assert_eq!(read.json(), json!([{"tenant": BOB}]), "after {what}");
    }
    assert_eq!(alice.get("/watched?id=eq.77").await.json(), json!([]), "rolled back");
}

#[tokio::test]
async fn v28_callers_who_hang_up_leave_nothing_behind() {
    let server = narrow().await;
    let (bob, nobody) = (Caller::bob(&server), Caller::nobody(&server));
    let (clean, of_bob) = (found(&nobody).await, found(&bob).await);
    for round in 0..6 {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        let body = r#"{"seconds":0.2}"#;
        let request = format!(
            "POST /rest/v1/rpc/nap HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nprefer: timezone=Asia/Tokyo\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            user(ALICE),
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(15 * round)).await;
        drop(stream);
        assert_eq!(found(&nobody).await, clean, "round {round}");
        assert_eq!(found(&bob).await, of_bob, "round {round}");
    }
}

#[tokio::test]
async fn v28_many_callers_at_once_see_only_themselves() {
    let server = std::sync::Arc::new(narrow().await);
    let mut tasks = Vec::new();
    for (subject, role) in [
        (Some(ALICE), "authenticated"),
        (Some(BOB), "authenticated"),
        (Some(ADAM), "authenticated"),
        (None, "anon"),
    ] {
        let server = std::sync::Arc::clone(&server);
        tasks.push(tokio::spawn(async move {
            let caller = Caller { server: &server, token: subject.map(user) };
            for round in 0..25 {
                let _ = match round % 5 {
                    0 => caller.send("POST", "/rpc/boom", &[("prefer", "timezone=Asia/Tokyo")], "{}").await,
                    1 => caller.get("/tickets?title=match.(").await,
                    2 => caller.send("POST", "/rpc/who", &[("prefer", "tx=rollback")], "{}").await,
                    3 => caller.get("/nothing").await,
                    _ => caller.post("/watched", &json!({"id": "x"})).await,
                };
                let who = caller.send("POST", "/rpc/who", &[], "{}").await;
                assert_eq!((who.status, who.json()), (200, json!(role)));
                let body = json!({"name": "request.jwt.claims"});
                let claims = caller.post("/rpc/setting", &body).await.json();
                let claims: Value = serde_json::from_str(claims.as_str().unwrap_or("{}")).unwrap_or_default();
                assert_eq!(claims["sub"].as_str(), subject);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_pre_request_function_that_refuses_leaves_nothing_behind() {
    let server = Server::start_with(
        |command| {
            command.args(["--set", "database.pool_read=1", "--set", "database.pool_write=1"]);
            command.args(["--set", "rest.db_pre_request=public.check_request"]);
        },
        &format!(
            "{} create function public.check_request() returns void language plpgsql as $$ begin
               perform set_config('app.mark', 'seen', true);
               if current_setting('request.headers', true)::json->>'x-stop' = '1' then
                 perform set_config('response.headers', '[{{\"x-stopped\":\"1\"}}]', true);
                 raise sqlstate 'PT418' using message = 'stopped';
               end if; end $$;
             grant execute on function public.check_request() to anon, authenticated, service_role;",
            super::TRAPS
        ),
    )
    .await;
    let (alice, nobody) = (Caller::alice(&server), Caller::nobody(&server));
    let (clean, of_alice) = (found(&nobody).await, found(&alice).await);
    for (method, path, body) in [
        ("GET", "/", ""),
        ("HEAD", "/", ""),
        ("GET", "/tickets", ""),
        ("POST", "/watched", r#"{"id":8}"#),
        ("POST", "/rpc/who", "{}"),
    ] {
        let stopped = alice.send(method, path, &[("x-stop", "1")], body).await;
        assert_eq!(stopped.status, 418, "{method} {path}: {}", text(&stopped));
        assert_eq!(found(&nobody).await, clean);
        assert_eq!(found(&alice).await, of_alice);
        let next = alice.get("/tickets?limit=1").await;
        assert!(next.status == 200 && !next.headers.contains_key("x-stopped"));
    }
    assert_eq!(alice.get("/watched?id=eq.8").await.json(), json!([]));
    // A function that cannot be run refuses everything: it fails closed.
    server.db.connect("postgres").await.batch_execute("drop function public.check_request()").await.unwrap();
    assert!(alice.get("/tickets?limit=1").await.status >= 400);
}
