//! What is answered: the first answer again, a refusal, or an answer of one's own.

use serde_json::json;

use super::{PAYMENTS, SQL, assert_repeats, bearer, count, essence, headers, is_replayed, payments, start};
use crate::api::server::{ADAM, ALICE, BOB, Server, service};

#[tokio::test]
async fn p_08_a_repeated_request_gets_the_first_answer_whatever_it_was() {
    let server = start().await;
    let alice = bearer(ALICE);
    let rest = |path: &str| format!("/rest/v1/{path}");
    let row = |n: i32| json!({ "amount": n }).to_string();
    let many = json!([{ "amount": 1 }, { "amount": 2 }]).to_string();
    let requests: Vec<(&str, String, &str, String, i64)> = vec![
        ("POST", PAYMENTS.into(), "", row(1), 1),
        ("POST", PAYMENTS.into(), "return=minimal", row(1), 1),
        ("POST", PAYMENTS.into(), "", many.clone(), 2),
        ("POST", format!("{PAYMENTS}?select=token"), "", row(1), 1),
        ("PATCH", format!("{PAYMENTS}/1"), "", json!({ "note": "x" }).to_string(), 0),
        ("DELETE", format!("{PAYMENTS}/1"), "", String::new(), -1),
        ("POST", "/api/v1/rpc/pay".into(), "", row(3), 1),
        ("POST", rest("payments"), "return=representation", row(1), 1),
        ("POST", rest("payments?select=id"), "return=headers-only", row(1), 1),
        ("POST", rest("payments"), "return=representation", many, 2),
        ("PATCH", rest("payments?id=eq.2"), "return=representation", json!({ "note": "y" }).to_string(), 0),
        ("PATCH", rest("payments?id=eq.2"), "", json!({ "note": "y" }).to_string(), 0),
        ("POST", rest("rpc/pay"), "", row(3), 1),
        ("DELETE", rest("payments?id=eq.2"), "", String::new(), -1),
    ];
    for (at, (method, path, prefer, body, effect)) in requests.iter().enumerate() {
        let key = format!("\"request {at}\"");
        let mut headers = headers(&alice, &key);
        headers.push(("prefer", prefer));
        let before = payments(&server).await;
        let first = server.send(method, path, &headers, body.as_bytes()).await;
        assert!((200..300).contains(&first.status), "{method} {path}: {:?}", essence(&first));
        for _ in 0..2 {
            let again = server.send(method, path, &headers, body.as_bytes()).await;
            assert_repeats(&first, &again);
        }
        assert_eq!(payments(&server).await - before, *effect, "{method} {path}");
    }
    assert_eq!(count(&server, "bedplate.idempotency_keys").await, requests.len() as i64);
}

#[tokio::test]
async fn p_08_a_key_is_one_callers_in_one_place() {
    let server = start().await;
    let body = json!({ "amount": 5 }).to_string();
    let tokens = [bearer(ALICE), bearer(ADAM), bearer(BOB), format!("Bearer {}", service())];
    let mut answers = Vec::new();
    for token in &tokens {
        for path in [PAYMENTS, "/rest/v1/payments", "/api/v1/payments?select=id,token", "/api/v1/rpc/pay"] {
            let mut headers = headers(token, "the-same-key");
            headers.push(("prefer", "return=representation"));
            let answer = server.send("POST", path, &headers, body.as_bytes()).await;
            assert!((200..300).contains(&answer.status), "{path}: {:?}", essence(&answer));
            assert!(!is_replayed(&answer), "{path}");
            answers.push(String::from_utf8_lossy(&answer.body).into_owned());
        }
    }
    let made = answers.len();
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), made, "no answer was somebody else's");
    assert_eq!(payments(&server).await, made as i64);
}

#[tokio::test]
async fn p_08_the_same_key_with_another_request_is_422() {
    let server = start().await;
    let alice = bearer(ALICE);
    let send = async |path: &str, body: &str, more: Option<(&str, &str)>| {
        let mut headers = headers(&alice, "k");
        headers.extend(more);
        server.send("POST", path, &headers, body.as_bytes()).await
    };
    let first = send(PAYMENTS, r#"{"amount":1}"#, None).await;
    assert_eq!(first.status, 201);
    for (body, more) in [
        (r#"{"amount":2}"#, None),
        (r#"{"amount": 1}"#, None),
        (r#"{"amount":1}"#, Some(("prefer", "return=minimal"))),
        (r#"{"amount":1}"#, Some(("accept", "application/json"))),
    ] {
        let answer = send(PAYMENTS, body, more).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "idempotency_key_reused".to_owned()),
            "{body} {more:?}"
        );
    }
    let first = send("/rest/v1/payments", r#"{"amount":1}"#, None).await;
    assert_eq!(first.status, 201);
    let answer = send("/rest/v1/payments", r#"{"amount":2}"#, None).await;
    assert_eq!((answer.status, &answer.json()["code"]), (422, &json!("idempotency_key_reused")));
    // What says nothing of the request may differ: another connection, another program.
    assert!(is_replayed(&send(PAYMENTS, r#"{"amount":1}"#, Some(("user-agent", "other"))).await));
    assert_eq!(payments(&server).await, 2);
}

#[tokio::test]
async fn p_08_a_key_that_cannot_be_read_is_400_and_nothing_happens() {
    let server = start().await;
    let alice = bearer(ALICE);
    let long = "x".repeat(256);
    for key in ["", "\"\"", "\"", "\"a", "a b", "a, b", "\"a\"; b", "\"a\\b\"", "a;b", &long] {
        for path in [PAYMENTS, "/rest/v1/payments"] {
            let answer = server.send("POST", path, &headers(&alice, key), br#"{"amount":1}"#).await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (400, &json!("idempotency_key_invalid")),
                "{key}"
            );
        }
    }
    let mut twice = headers(&alice, "a");
    twice.push(("idempotency-key", "b"));
    assert_eq!(server.send("POST", PAYMENTS, &twice, br#"{"amount":1}"#).await.status, 400);
    assert_eq!(payments(&server).await, 0);
    // With quotation marks and without it is the same key.
    let plain = server.send("POST", PAYMENTS, &headers(&alice, "abc"), br#"{"amount":1}"#).await;
    let quoted = server.send("POST", PAYMENTS, &headers(&alice, "\"abc\""), br#"{"amount":1}"#).await;
    assert_repeats(&plain, &quoted);
    // What changes nothing has no key to be read.
    assert_eq!(server.send("GET", PAYMENTS, &headers(&alice, "\""), b"").await.status, 200);
}

#[tokio::test]
async fn p_08_what_failed_leaves_no_record() {
    let server = start().await;
    let alice = bearer(ALICE);
    for path in [PAYMENTS, "/rest/v1/payments"] {
        let send = async |body: &str| server.send("POST", path, &headers(&alice, "k"), body.as_bytes()).await;
        for bad in [r#"{"amount":-1}"#, r#"{"amount":"x"}"#, r#"{"amount":null}"#, "{", r#"{"what":1}"#] {
            for _ in 0..2 {
                let answer = send(bad).await;
                assert!((400..500).contains(&answer.status) && !is_replayed(&answer), "{bad}");
            }
        }
        assert_eq!(count(&server, "bedplate.idempotency_keys where true").await, 0, "{path}");
        let (right, again) = (send(r#"{"amount":1}"#).await, send(r#"{"amount":1}"#).await);
        assert_eq!(right.status, 201);
        assert_repeats(&right, &again);
        server.db.superuser().await.batch_execute("truncate bedplate.idempotency_keys").await.unwrap();
    }
    // Nothing to change is a failure too, and is asked anew.
    let gone = format!("{PAYMENTS}/99");
    let answer = server.send("DELETE", &gone, &headers(&alice, "d"), b"").await;
    assert_eq!(answer.status, 404);
    assert_eq!(count(&server, "bedplate.idempotency_keys").await, 0);
}

#[tokio::test]
async fn p_08_a_dry_run_keeps_nothing() {
    let server = start().await;
    let token = format!("Bearer {}", service());
    let mut dry = headers(&token, "k");
    dry.push(("prefer", "tx=rollback"));
    for _ in 0..2 {
        let answer = server.send("POST", PAYMENTS, &dry, br#"{"amount":1}"#).await;
        assert_eq!(answer.status, 201);
        assert!(!is_replayed(&answer));
    }
    let answer = server.send("POST", PAYMENTS, &headers(&token, "k"), br#"{"amount":1}"#).await;
    assert_eq!(answer.status, 201);
    assert_eq!(payments(&server).await, 1);
}

#[tokio::test]
async fn p_08_behind_a_transaction_pooler_it_is_the_same() {
    let pooled = |command: &mut tokio::process::Command| {
        command.env("BEDPLATE_DATABASE__POOLER", "transaction");
    };
    let server = Server::start_with(pooled, SQL).await;
    let alice = bearer(ALICE);
    for path in [PAYMENTS, "/rest/v1/payments", "/api/v1/rpc/pay_alone"] {
        let first = server.send("POST", path, &headers(&alice, "k"), br#"{"amount":1}"#).await;
        let again = server.send("POST", path, &headers(&alice, "k"), br#"{"amount":1}"#).await;
        assert_repeats(&first, &again);
        let other = server.send("POST", path, &headers(&alice, "k"), br#"{"amount":2}"#).await;
        assert_eq!(other.status, 422);
    }
    assert_eq!(payments(&server).await, 3);
}

#[tokio::test]
async fn p_08_a_batch_is_one_request() {
    let server = start().await;
    let alice = bearer(ALICE);
    let one = |n: i32| json!({ "method": "POST", "path": "/payments", "body": { "amount": n } });
    let body = json!({ "operations": [one(1), one(2)] }).to_string();
    let send =
        async |body: &str| server.send("POST", "/api/v1/batch", &headers(&alice, "b"), body.as_bytes()).await;
    let (first, again) = (send(&body).await, send(&body).await);
    assert_eq!(first.status, 200, "{:?}", essence(&first));
    assert_repeats(&first, &again);
    assert_eq!(send(&json!({ "operations": [one(1)] }).to_string()).await.status, 422);
    assert_eq!(payments(&server).await, 2);
}
