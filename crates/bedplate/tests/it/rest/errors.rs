//! Refusals in PostgREST's form.

use serde_json::{Value, json};

use super::{Plain, author, refusal};

#[tokio::test]
async fn query_strings_are_refused_in_parsecs_words() {
    let server = Plain::start("", "").await;
    for (query, message, details) in [
        (
            "select=id,name(",
            "\"failed to parse select parameter (id,name()\" (line 1, column 9)",
            "unexpected end of input expecting \"...\", field name (* or [a..z0..9_$]), \"*\", \"count()\" or \")\"",
        ),
        (
            "order=id.asc.nullslasttt",
            "\"failed to parse order (id.asc.nullslasttt)\" (line 1, column 17)",
            "unexpected 't' expecting \",\" or end of input",
        ),
        (
            "id=0",
            "\"failed to parse filter (0)\" (line 1, column 1)",
            "unexpected \"0\" expecting \"not\" or operator (eq, gt, ...)",
        ),
        (
            "or=()",
            "\"failed to parse logic tree (())\" (line 1, column 4)",
            "unexpected \")\" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)",
        ),
        (
            "a..b=eq.1",
            "\"failed to parse tree path (a..b)\" (line 1, column 3)",
            "unexpected \".\" expecting field name (* or [a..z0..9_$])",
        ),
    ] {
        let answer = server.get(&format!("/items?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        let expected = json!({"code": "PGRST100", "message": message, "details": details, "hint": null});
        assert_eq!(answer.json(), expected, "{query}");
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_was_meant() {
    let server = Plain::start("", "").await;
    let body: Value = server.get("/itemz").await.json();
    let expected = json!({
        "code": "PGRST205",
        "details": null,
        "hint": "Perhaps you meant the table 'api.items'",
        "message": "Could not find the table 'api.itemz' in the schema cache",
    });
    assert_eq!(body, expected);
    let answer = server.get("/a/b/c").await;
    assert_eq!(refusal(&answer), (404, "PGRST125".into(), "Invalid path specified in request URL".into()));
    assert_eq!(answer.headers["proxy-status"], "PostgREST; error=PGRST125");
    let nested = refusal(&server.get("/items?nothing.id=eq.1").await);
    let message = "'nothing' is not an embedded resource in this request";
    assert_eq!(nested, (400, "PGRST108".into(), message.into()));
    let operator = refusal(&server.get("/items?id=fts.x").await);
    assert_eq!((operator.0, operator.1.as_str()), (404, "42883"));
}

#[tokio::test]
async fn a_hint_names_nothing_without_a_grant() {
    let server = Plain::start("", "").await;
    assert_eq!(server.get("/secretz").await.json()["hint"], Value::Null);
    let told = server.get_as("/secretz", &author()).await.json();
    assert_eq!(told["hint"], "Perhaps you meant the table 'api.secrets'");
}

#[tokio::test]
async fn a_hint_names_nothing_that_is_hidden() {
    let server = Plain::start_with("", "", |command| {
        command.args(["--set", "access.schemas.api.require_rls=true"]);
    })
    .await;
    for path in ["/itemz", "/secretz", "/items"] {
        let body = server.get(path).await.json();
        assert_eq!((&body["code"], &body["hint"]), (&json!("PGRST205"), &Value::Null), "{path}");
    }
    assert_eq!(server.get("/rpc/mee").await.json()["hint"], Value::Null);
}

#[tokio::test]
async fn methods_that_are_not_offered() {
    let server = Plain::start("", "").await;
    let answer = server.send("PROPFIND", "/items", &[], b"").await;
    assert_eq!(refusal(&answer), (405, "PGRST117".into(), "Unsupported HTTP method: PROPFIND".into()));
    assert_eq!(answer.headers["allow"], "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE");
    let answer = server.send("DELETE", "/rpc/me", &[], b"").await;
    assert_eq!(refusal(&answer), (405, "PGRST101".into(), "Cannot use the DELETE method on RPC".into()));
    assert_eq!(answer.headers["allow"], "OPTIONS,GET,HEAD,POST");
}

#[tokio::test]
async fn sql_says_status_and_body() {
    let sql = r#"
        create function api.pay() returns void language plpgsql as $$
        begin raise sqlstate 'PT402' using message = 'Payment Required', detail = 'Quota exceeded', hint = 'Upgrade'; end $$;
        create function api.own() returns void language plpgsql as $$
        begin
            raise sqlstate 'PGRST' using
                message = '{"code": "123", "message": "ABC", "details": "DEF", "hint": "XYZ"}',
                detail = '{"status": 418, "headers": {"X-Tea": "none"}}';
        end $$;
        create function api.broken() returns void language plpgsql as $$
        begin raise sqlstate 'PGRST' using message = 'x'; end $$;"#;
    let server = Plain::start(sql, "").await;
    let answer = server.post("/rpc/pay", &[], &json!({})).await;
    assert_eq!(answer.status, 402);
    let expected = json!({"code": "PT402", "message": "Payment Required", "details": "Quota exceeded", "hint": "Upgrade"});
    assert_eq!(answer.json(), expected);
    let answer = server.post("/rpc/own", &[], &json!({})).await;
    assert_eq!((answer.status, answer.headers["x-tea"].as_str()), (418, "none"));
    assert_eq!(answer.headers["proxy-status"], "PostgREST; error=123");
    assert_eq!(answer.json(), json!({"code": "123", "message": "ABC", "details": "DEF", "hint": "XYZ"}));
    let broken = refusal(&server.post("/rpc/broken", &[], &json!({})).await);
    assert_eq!((broken.0, broken.1.as_str()), (500, "PGRST121"));
}

#[tokio::test]
async fn heads_of_refusals_have_no_body() {
    let server = Plain::start("", "").await;
    let get = server.get("/nothing").await;
    let head = server.send("HEAD", "/nothing", &[], b"").await;
    assert_eq!((head.status, head.body.len()), (404, 0));
    assert_eq!(head.headers["content-length"], get.body.len().to_string());
    assert_eq!(head.headers["proxy-status"], get.headers["proxy-status"]);
}

#[tokio::test]
async fn a_wrong_api_key_is_refused_as_supabases_gateway_does() {
    let server = Plain::start("", "").await;
    let answer = server.send("GET", "/items", &[("apikey", "sb_publishable_wrong")], b"").await;
    assert_eq!(answer.status, 401);
    let body = answer.json();
    assert_eq!(body["message"], "Invalid API key");
    assert_eq!(body["hint"], "Double check your Supabase `anon` or `service_role` API key.");
    assert_eq!(body["code"], "auth_api_key_invalid");
}

#[tokio::test]
async fn times_are_told_where_they_are_asked_for() {
    let server = Plain::start("", "server_timing_enabled = true").await;
    for (method, path) in
        [("GET", "/items?limit=1"), ("OPTIONS", "/items"), ("HEAD", "/"), ("POST", "/rpc/me")]
    {
        let timing = server.send(method, path, &[], b"{}").await.headers["server-timing"].clone();
        for stage in ["jwt;dur=", "parse;dur=", "plan;dur=", "transaction;dur=", "response;dur="] {
            assert!(timing.contains(stage), "{method} {path}: {timing}");
        }
    }
    let silent = Plain::start("", "").await;
    assert!(!silent.get("/items?limit=1").await.headers.contains_key("server-timing"));
}
