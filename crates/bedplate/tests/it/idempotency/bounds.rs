//! How much is kept, for how long, and who gets to it.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::process::Command;

use super::{PAYMENTS, SQL, assert_repeats, bearer, count, headers, is_replayed, payments, start};
use crate::api::server::{ALICE, Server, send};

/// Anonymous callers use the publishable key of the tests' server only where one is asked for; here none is.
fn without_token(key: &str) -> Vec<(&str, &str)> {
    vec![("idempotency-key", key), ("content-type", "application/json")]
}

#[tokio::test]
async fn p_08_without_an_identity_the_key_must_be_hard_to_guess() {
    let server = start().await;
    for path in [PAYMENTS, "/rest/v1/payments"] {
        for weak in ["1", "signup", "00000000-0000-0000-0000-000000000000", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
            let answer = server.send("POST", path, &without_token(weak), br#"{"amount":1}"#).await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (400, &json!("idempotency_key_weak")),
                "{weak}"
            );
        }
        let key = "5e1c0f5e-7b1e-4c55-9d4c-2a4a4cf2b1aa";
        let first = server.send("POST", path, &without_token(key), br#"{"amount":1}"#).await;
        let again = server.send("POST", path, &without_token(key), br#"{"amount":1}"#).await;
        assert_eq!(first.status, 201);
        assert_repeats(&first, &again);
        // Who signs in is somebody else.
        let alice = bearer(ALICE);
        let own = server.send("POST", path, &headers(&alice, key), br#"{"amount":1}"#).await;
        assert!(own.status == 201 && !is_replayed(&own));
    }
    assert_eq!(payments(&server).await, 4);
}

#[tokio::test]
async fn p_08_what_is_too_large_to_be_kept_is_undone_and_said() {
    let small = |command: &mut Command| {
        command.env("BEDPLATE_API__IDEMPOTENCY_ANSWER", "4KiB");
    };
    let server = Server::start_with(small, SQL).await;
    let alice = bearer(ALICE);
    let body = json!({ "amount": 1, "note": "n".repeat(5000) }).to_string();
    for path in [PAYMENTS, "/rest/v1/payments"] {
        let mut wanted = headers(&alice, "k");
        wanted.push(("prefer", "return=representation"));
        let answer = server.send("POST", path, &wanted, body.as_bytes()).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("idempotency_answer_too_large")));
        let mut less = headers(&alice, "k");
        less.push(("prefer", "return=minimal"));
        let answer = server.send("POST", path, &less, body.as_bytes()).await;
        assert_eq!(answer.status, 201, "the key is still free");
    }
    assert_eq!(payments(&server).await, 2);
}

#[tokio::test]
async fn p_08_large_bodies_are_part_of_the_request() {
    let server = start().await;
    let alice = bearer(ALICE);
    let body =
        |last: &str| json!({ "amount": 1, "note": format!("{}{last}", "n".repeat(500_000)) }).to_string();
    let first = server.send("POST", PAYMENTS, &headers(&alice, "k"), body("a").as_bytes()).await;
    let again = server.send("POST", PAYMENTS, &headers(&alice, "k"), body("a").as_bytes()).await;
    assert_eq!(first.status, 201);
    assert_repeats(&first, &again);
    let other = server.send("POST", PAYMENTS, &headers(&alice, "k"), body("b").as_bytes()).await;
    assert_eq!(other.status, 422);
    let larger = json!({ "note": "n".repeat(3_000_000) }).to_string();
    assert_eq!(server.send("POST", PAYMENTS, &headers(&alice, "l"), larger.as_bytes()).await.status, 413);
}

#[tokio::test]
async fn p_08_a_caller_has_only_so_many_keys() {
    let few = |command: &mut Command| {
        command.env("BEDPLATE_API__IDEMPOTENCY_KEYS_PER_USER", "1");
    };
    let server = Server::start_with(few, SQL).await;
    let alice = bearer(ALICE);
    // Counted in 256 parts with room for chance, so it takes some hundreds until one is full.
    let mut refused = None;
    for at in 0..4000 {
        let key = format!("key {at}");
        let answer =
            server.send("POST", PAYMENTS, &headers(&alice, &format!("\"{key}\"")), br#"{"amount":1}"#).await;
        if answer.status != 201 {
            refused = Some((at, answer));
            break;
        }
    }
    let (at, answer) = refused.expect("somewhere it ends");
    assert_eq!((answer.status, answer.code()), (429, "idempotency_too_many_keys".to_owned()));
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(payments(&server).await, at, "the refused one was undone");
}

#[tokio::test]
async fn p_08_records_end_with_their_time_and_are_swept() {
    let short = |command: &mut Command| {
        command.env("BEDPLATE_API__IDEMPOTENCY_KEEP", "2s");
    };
    let server = Server::start_with(short, SQL).await;
    let alice = bearer(ALICE);
    for at in 0..5 {
        let key = format!("k{at}");
        assert_eq!(
            server.send("POST", PAYMENTS, &headers(&alice, &key), br#"{"amount":1}"#).await.status,
            201
        );
    }
    assert_eq!(count(&server, "bedplate.idempotency_keys").await, 5);
    let deadline = Instant::now() + Duration::from_secs(30);
    while count(&server, "bedplate.idempotency_keys").await > 0 {
        assert!(Instant::now() < deadline, "never swept");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let answer = server.send("POST", PAYMENTS, &headers(&alice, "k0"), br#"{"amount":1}"#).await;
    assert!(answer.status == 201 && !is_replayed(&answer), "its time is over");
    assert_eq!(payments(&server).await, 6);
    let metrics = send(&server.admin, "GET", "/metrics", &[], b"").await;
    let text = String::from_utf8(metrics.body).unwrap();
    let value = |name: &str| {
        let line =
            text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {text}"));
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(value("bedplate_idempotency_requests_total"), 6);
    assert_eq!(value("bedplate_idempotency_kept_total"), 6);
    assert!(value("bedplate_idempotency_swept_total") >= 5);
}

#[tokio::test]
async fn p_08_no_role_of_the_api_gets_to_records_or_makes_any() {
    let server = start().await;
    let alice = bearer(ALICE);
    assert_eq!(server.send("POST", PAYMENTS, &headers(&alice, "k"), br#"{"amount":1}"#).await.status, 201);
    let id: Vec<u8> = {
        let row =
            server.db.superuser().await.query_one("select id from bedplate.idempotency_keys", &[]).await;
        row.unwrap().get(0)
    };
    let client = server.db.connect("authenticator").await;
    for role in ["anon", "authenticated", "service_role"] {
        client.batch_execute(&format!("set role {role}")).await.unwrap();
        let denied = async |sql: &str, code: &str| {
            let error = client.batch_execute(sql).await.expect_err(sql);
            assert_eq!(error.code().unwrap().code(), code, "{role}: {sql}");
        };
        for sql in [
            "select * from bedplate.idempotency_keys",
            "delete from bedplate.idempotency_keys",
            "insert into bedplate.idempotency_keys values ('', '', 200, '', '', now())",
            "select * from bedplate.secrets",
            "select bedplate.idempotency_sweep(1000)",
        ] {
            denied(sql, "42501").await;
        }
        // Records cannot be made: neither for a key that is free nor in place of a known one.
        for key in ["decode(repeat('ab', 32), 'hex')", "$k$\\x00$k$::bytea"] {
            let sql = format!(
                "select bedplate.idempotency_keep({key}, '\\x00', '\\x00', 200, '', '', 1e9, 1000000)"
            );
            denied(&sql, "ZI005").await;
        }
        denied("select bedplate.idempotency_keep(null, null, null, 200, '', '', 1, 1)", "ZI005").await;
        // A path of one's own changes nothing of what the functions see.
        let trap = "create temporary table idempotency_keys (id bytea, expires_at timestamptz);
            set search_path = pg_temp, bedplate; select bedplate.idempotency_begin('\\x01'); reset search_path;
            drop table pg_temp.idempotency_keys";
        client.batch_execute(trap).await.unwrap();
        let found =
            client.query("select * from bedplate.idempotency_find($1)", &[&vec![0_u8; 32]]).await.unwrap();
        assert!(found.is_empty());
        client.batch_execute("reset role").await.unwrap();
    }
    assert_eq!(id.len(), 32);
    // Over HTTP the functions do not exist.
    for path in ["/api/v1/rpc/idempotency_find", "/rest/v1/rpc/idempotency_find"] {
        let answer =
            server.call("POST", path, Some(&super::user(ALICE)), Some(json!({ "key": "\\x00" }))).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let mut elsewhere = headers(&alice, "x");
    elsewhere.push(("content-profile", "bedplate"));
    let answer = server.send("POST", "/rest/v1/rpc/idempotency_find", &elsewhere, br#"{"key":"x"}"#).await;
    assert_eq!(answer.status, 406);
}
