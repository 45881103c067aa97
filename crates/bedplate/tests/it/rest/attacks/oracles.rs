//! What can be learned of other people's rows from counts, estimates, plans and PostgreSQL's own words.

use serde_json::{Value, json};

use super::{Caller, code, start, start_with, text};

fn total(answer: &crate::api::Answer) -> String {
    answer.headers["content-range"].rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn counts_are_of_the_rows_that_the_caller_may_see() {
    let server = start().await;
    let alice = Caller::alice(&server);
    for kind in ["exact", "planned", "estimated"] {
        for (method, path) in [("GET", "/names"), ("HEAD", "/names"), ("GET", "/names?name=like.of%20bob*")] {
            let answer = alice.send(method, path, &[("prefer", &format!("count={kind}"))], "").await;
            let own = if path.contains('?') { "0" } else { "1" };
            assert_eq!((answer.status, total(&answer).as_str()), (200, own), "{kind} {method} {path}");
            assert_eq!(answer.headers["preference-applied"], "count=exact", "what was done is told");
        }
        let behind = alice.send("GET", "/names?offset=7", &[("prefer", &format!("count={kind}"))], "").await;
        assert_eq!((behind.status, behind.headers["content-range"].as_str()), (416, "*/1"));
        assert!(text(&behind).contains("only 1 rows"), "{}", text(&behind));
    }
    let opened = start_with(|command| {
        command.args(["--set", "api.counts=[\"exact\", \"planned\"]", "--set", "api.counts_anon=[]"]);
    })
    .await;
    let planned = Caller::alice(&opened).send("GET", "/names", &[("prefer", "count=planned")], "").await;
    assert_eq!(planned.headers["preference-applied"], "count=planned");
    let anonymous = Caller::nobody(&opened);
    let uncounted = anonymous.send("GET", "/organizations", &[("prefer", "count=exact")], "").await;
    if uncounted.status == 200 {
        assert_eq!(total(&uncounted), "*");
        assert!(!uncounted.headers.contains_key("preference-applied"));
    }
}

#[tokio::test]
async fn plans_are_not_shown() {
    let server = start().await;
    let alice = Caller::alice(&server);
    for accept in [
        "application/vnd.pgrst.plan",
        "application/vnd.pgrst.plan+json",
        "application/vnd.pgrst.plan+text; for=\"application/json\"; options=analyze|verbose|buffers",
        "APPLICATION/VND.PGRST.PLAN+JSON",
    ] {
        for (method, path, body) in [
            ("GET", "/names", ""),
            ("POST", "/rpc/who", "{}"),
            ("DELETE", "/names?id=eq.1", ""),
            ("POST", "/names", "[]"),
        ] {
            let answer = alice.send(method, path, &[("accept", accept)], body).await;
            assert_eq!((answer.status, code(&answer)), (406, "PGRST107".into()), "{method} {accept}");
        }
        let both =
            alice.send("GET", "/names", &[("accept", &format!("{accept}, application/json"))], "").await;
        assert_eq!(
            both.json(),
            json!([{"id": 1001, "tenant": crate::api::server::ALICE, "name": "of alice"}])
        );
    }
}

#[tokio::test]
async fn aggregates_and_groups_are_off_and_see_only_own_rows() {
    let server = start().await;
    let alice = Caller::alice(&server);
    for query in [
        "select=count()",
        "select=id.max()",
        "select=name,id.sum()::text",
        "select=name,n:count()&having=(n.gt.1)",
        "select=name,n:count()&n=gt.1",
        "select=names:tenant.count()",
    ] {
        let answer = alice.get(&format!("/names?{query}")).await;
        assert_eq!((answer.status, code(&answer)), (400, "PGRST123".into()), "{query}: {}", text(&answer));
    }
    assert_eq!(
        alice.get("/names?select=count").await.json(),
        json!([{"count": 1}]),
        "as PostgREST, of own rows"
    );
    let on = start_with(|command| {
        command.args(["--set", "rest.db_aggregates_enabled=true"]);
    })
    .await;
    let alice = Caller::alice(&on);
    assert_eq!(alice.get("/names?select=count(),id.max()").await.json(), json!([{"count": 1, "max": 1001}]));
    let hidden = alice.get("/vault?select=hidden.max()").await;
    assert_eq!((hidden.status, code(&hidden)), (400, "42703".into()));
}

#[tokio::test]
async fn a_key_of_another_tenant_is_not_shown() {
    let server = start().await;
    let alice = Caller::alice(&server);
    let taken = alice.post("/names", &json!({"id": 2000, "name": "of bob 7"})).await;
    assert_eq!((taken.status, code(&taken)), (409, "23505".into()));
    assert_eq!(
        taken.json()["details"],
        Value::Null,
        "PostgreSQL keeps keys to itself under row level security"
    );
    // An upsert can neither change, nor read, nor count the row that it collides with.
    for (prefer, status) in [("resolution=merge-duplicates", 403), ("resolution=ignore-duplicates", 201)] {
        let prefer = format!("{prefer},return=representation,count=exact");
        let headers: &[(&str, &str)] = &[("prefer", &prefer)];
        let body = r#"[{"id":3,"name":"mine now"}]"#;
        let answer = alice.send("POST", "/names", headers, body).await;
        assert_eq!(answer.status, status, "{prefer}: {}", text(&answer));
        assert!(!text(&answer).contains("bob"));
    }
    let put = alice.send("PUT", "/names?id=eq.4", &[], r#"{"id":4,"name":"mine now"}"#).await;
    assert_eq!((put.status, code(&put)), (403, "42501".into()), "{}", text(&put));
    for (method, body) in [("PATCH", r#"{"name":"x"}"#), ("DELETE", "")] {
        let strict: &[(&str, &str)] =
            &[("prefer", "handling=strict,max-affected=0,count=exact,return=representation")];
        let answer = alice.send(method, "/names?id=lt.100", strict, body).await;
        assert_eq!((answer.status, text(&answer).as_str()), (200, "[]"), "{method}");
    }
    let bob = Caller::bob(&server);
    assert_eq!(bob.get("/names?select=count").await.json(), json!([{"count": 500}]));
    // An inner embed through rows that are not visible answers as one without any.
    let inner = alice.get("/tickets?select=id,organizations!inner(id)&organizations.id=eq.2").await;
    assert_eq!(inner.json(), json!([]));
}

#[tokio::test]
async fn v36_errors_of_postgresql_name_only_what_the_caller_may_know_of() {
    let server = start().await;
    let alice = Caller::alice(&server);
    let put = async |v: &str| alice.post("/watched", &json!({"id": 5, "v": v})).await;
    let failed = put("fail").await;
    let body = json!({
        "code": "23502", "details": null, "hint": null, "message": "null value violates not-null constraint"
    });
    assert_eq!(
        (failed.status, failed.json()),
        (400, body),
        "a trigger with its owner's rights wrote elsewhere"
    );
    let denied = put("denied").await;
    assert_eq!((denied.status, denied.json()["message"].as_str()), (403, Some("permission denied")));
    let policy = put("invoker").await;
    let message = "new row violates row-level security policy";
    assert_eq!((policy.status, policy.json()["message"].as_str()), (403, Some(message)));
    let said = put("say").await;
    assert_eq!(
        (said.status, said.json()["message"].as_str()),
        (403, Some("only on Mondays")),
        "the app's own words"
    );
    let key = alice.post("/vault", &json!({"id": 9, "shadow_id": 77})).await;
    assert_eq!((key.status, code(&key)), (409, "23503".into()));
    for answer in [&failed, &denied, &policy, &key] {
        for secret in ["trail", "secret_column", "another tenant", "no_policy"] {
            assert!(!text(answer).contains(secret), "{}", text(answer));
        }
    }
    // What the caller knows of is told as PostgREST tells it.
    let own = alice.post("/names", &json!({"id": 1, "tenant": crate::api::server::BOB})).await;
    assert!(text(&own).contains("\\\"names\\\""), "{}", text(&own));
    let known = alice.post("/watched", &json!({"id": null})).await;
    let message = "null value in column \"id\" of relation \"watched\" violates not-null constraint";
    assert_eq!(known.json()["message"], message);
}

#[tokio::test]
async fn hints_name_only_what_the_caller_may_know_of() {
    let server = start().await;
    let alice = Caller::alice(&server);
    for (path, secret) in [
        ("/open_tabl", "open_table"),
        ("/stored_vie", "stored_view"),
        ("/parted_on", "parted_one"),
        ("/rpc/definr", "definer"),
        ("/rpc/by_defaul", "by_default"),
        ("/vault?select=id,hiden", "hidden"),
        ("/vault?select=id,no_polic(id)", "no_policy"),
        ("/tickets?select=id,lea(id)", "leak"),
    ] {
        let answer = alice.get(path).await;
        assert!((400..500).contains(&answer.status), "{path}");
        let told = text(&answer).replace(path.trim_start_matches("/rpc/").trim_start_matches('/'), "");
        assert!(!told.contains(secret), "{path}: {told}");
    }
    assert!(text(&alice.get("/ticket").await).contains("Perhaps you meant the table 'public.tickets'"));
}
