//! Where the configuration wants keys, and where none can be had.

use serde_json::json;
use tokio::process::Command;

use super::{PAYMENTS, SQL, bearer, headers, payments};
use crate::api::server::{ALICE, Server, service, user};
use crate::rest::Plain;

#[tokio::test]
async fn p_08_where_keys_are_required_a_write_without_one_is_400() {
    let required = |command: &mut Command| {
        command.env("BEDPLATE_API__IDEMPOTENCY_REQUIRED", "payments,rpc/pay");
    };
    let server = Server::start_with(required, SQL).await;
    let alice = user(ALICE);
    let amount = || Some(json!({ "amount": 1 }));
    for (method, path) in [
        ("POST", PAYMENTS),
        ("PATCH", "/api/v1/payments/1"),
        ("DELETE", "/api/v1/payments/1"),
        ("POST", "/api/v1/rpc/pay"),
        ("POST", "/rest/v1/payments"),
        ("PATCH", "/rest/v1/payments?id=eq.1"),
        ("DELETE", "/rest/v1/payments?id=eq.1"),
        ("POST", "/rest/v1/rpc/pay"),
    ] {
        let body = if method == "DELETE" { None } else { amount() };
        let answer = server.call(method, path, Some(&alice), body).await;
        assert_eq!(answer.status, 400, "{method} {path}");
        assert_eq!(answer.json()["code"], "idempotency_key_required", "{method} {path}");
    }
    let operation = json!({ "method": "POST", "path": "/payments", "body": { "amount": 1 } });
    let batch = json!({ "operations": [operation] });
    let answer = server.call("POST", "/api/v1/batch", Some(&alice), Some(batch)).await;
    assert_eq!(answer.status, 400, "no way around it: {}", answer.json());
    assert_eq!(payments(&server).await, 0);
    // Reading needs none, other resources need none, and with one all is well.
    assert_eq!(server.get(PAYMENTS, Some(&alice)).await.status, 200);
    let answer = server.call("POST", "/api/v1/rpc/pay_alone", Some(&alice), amount()).await;
    assert_eq!(answer.status, 200);
    let token = bearer(ALICE);
    assert_eq!(server.send("POST", PAYMENTS, &headers(&token, "k"), br#"{"amount":1}"#).await.status, 201);
    let dry = [("authorization", &*format!("Bearer {}", service())), ("prefer", "tx=rollback")];
    let dry = [&dry[..], &[("content-type", "application/json")]].concat();
    assert_eq!(server.send("POST", PAYMENTS, &dry, br#"{"amount":1}"#).await.status, 201);
    assert_eq!(payments(&server).await, 2);
}

#[tokio::test]
async fn p_08_without_the_contract_a_key_is_refused_not_ignored() {
    let plain = Plain::start("", "").await;
    let key =
        [("idempotency-key", "5e1c0f5e-7b1e-4c55-9d4c-2a4a4cf2b1aa"), ("content-type", "application/json")];
    let answer = plain.send("POST", "/items", &key, br#"{"id":100}"#).await;
    assert_eq!((answer.status, &answer.json()["code"]), (501, &json!("idempotency_unavailable")));
    let answer = plain.send("POST", "/items", &key[1..], br#"{"id":100}"#).await;
    assert_eq!(answer.status, 201, "it was not done");
}
