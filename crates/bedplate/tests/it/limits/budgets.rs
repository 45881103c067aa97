//! What one request may cost.

use std::time::{Duration, Instant};

use super::{metric, server};
use crate::api::server::{ALICE, service, user};

/// A table that everybody may read, large enough that reading and sorting it is seen in the plan.
const LARGE: &str = "
    create table public.large (id bigint primary key, word text not null, blob text not null);
    insert into public.large select n, md5(n::text), repeat('x', 1000) from generate_series(1, 20000) n;
    alter table public.large enable row level security;
    create policy everybody on public.large for all using (true) with check (true);
    grant select, update on public.large to anon, authenticated, service_role;
    create function public.lines(many int) returns setof text language sql volatile as
      $$ select repeat('y', 1000) from generate_series(1, many) $$;
    create function public.wait(seconds float8) returns int language sql stable as $$ select 1 from pg_sleep(seconds) $$;
    revoke execute on function public.lines(int), public.wait(float8) from public;
    grant execute on function public.lines(int), public.wait(float8) to anon, authenticated, service_role;
    analyze public.large;";

#[tokio::test]
async fn a_sequential_scan_with_a_sort_costs_more_than_anon_may_spend_and_the_key_does_not() {
    let server = server(&["budgets.roles.anon.cost=1000"], LARGE).await;
    for path in ["/api/v1/large?order=word&limit=5", "/api/v1/large?word=eq.x&limit=5"] {
        let refused = server.get(path, None).await;
        assert_eq!((refused.status, refused.code()), (400, "query_too_expensive".to_owned()), "{path}");
        let body = refused.json();
        assert_eq!(body["details"]["cost"][0], "at most 1000", "which budget");
        assert!(body["hint"].as_str().unwrap().contains("indexed column"), "how to stay in it: {body}");
        let text = body.to_string();
        assert!(!text.contains("Seq Scan") && !text.contains("20000"), "plans are not told: {text}");
        // The same shape with other values is the same plan.
        assert_eq!(server.get(&path.replace("eq.x", "eq.y"), None).await.status, 400);
    }
    let rest = server.get("/rest/v1/large?order=word&limit=5", None).await;
    assert_eq!((rest.status, &rest.json()["code"]), (400, &"query_too_expensive".into()));
    for path in
        ["/api/v1/large/17", "/api/v1/large?limit=5", "/api/v1/large?id=eq.17", "/rest/v1/large?id=eq.17"]
    {
        assert_eq!(server.get(path, None).await.status, 200, "{path}");
    }
    // Others have no such budget.
    for token in [user(ALICE), service()] {
        assert_eq!(server.get("/api/v1/large?order=word&limit=5", Some(&token)).await.status, 200);
    }
    assert!(metric(&server, "bedplate_budget_refusals_total{budget=\"cost\"}").await >= 5.0);
}

/// After the index is there the planner says something else, and is asked.
#[tokio::test]
async fn a_cost_that_refuses_is_estimated_again_soon() {
    let server = server(&["budgets.cost=1000", "budgets.roles.service_role.cost=0"], LARGE).await;
    let path = "/api/v1/large?word=eq.c4ca4238a0b923820dcc509a6f75849b&limit=5";
    for _ in 0..3 {
        assert_eq!(server.get(path, None).await.code(), "query_too_expensive");
    }
    assert_eq!(server.get(path, Some(&service())).await.status, 200, "0 is no bound");
    server.db.connect("postgres").await.batch_execute("create index on public.large (word)").await.unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while server.get(path, None).await.status != 200 {
        assert!(Instant::now() < end, "the index counts");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_answer_of_too_many_bytes_is_refused_while_it_is_made() {
    let settings = ["budgets.response_bytes=20KiB", "budgets.roles.service_role.response_bytes=1MiB"];
    let server = server(&settings, LARGE).await;
    for path in
        ["/api/v1/large?limit=50", "/rest/v1/large?limit=50", "/rest/v1/large", "/api/v1/rpc/lines?many=50"]
    {
        let answer = if path.contains("/rpc/") {
            let body = serde_json::json!({ "many": 50 });
            server.call("POST", "/api/v1/rpc/lines", None, Some(body)).await
        } else {
            server.get(path, None).await
        };
        let body = answer.json();
        assert_eq!((answer.status, &body["code"]), (400, &"answer_too_large".into()), "{path}: {body}");
        assert!(body["hint"].as_str().unwrap().contains("limit"), "{body}");
        assert_eq!(body["details"]["response_bytes"][0], "at most 20480 bytes");
    }
    assert_eq!(server.get("/api/v1/large?limit=15", None).await.status, 200);
    assert_eq!(server.get("/api/v1/large?limit=50", Some(&service())).await.status, 200);
    // A write whose answer is too large is undone.
    let body = serde_json::json!({ "word": "changed" });
    let headers = [
        ("authorization", format!("Bearer {}", user(ALICE))),
        ("content-type", "application/json".to_owned()),
        ("prefer", "return=representation".to_owned()),
    ];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer =
        server.send("PATCH", "/rest/v1/large?id=lt.100", &headers, body.to_string().as_bytes()).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &"answer_too_large".into()));
    let owner = server.db.connect("postgres").await;
    let changed = owner.query("select count(*) from public.large where word = 'changed'", &[]).await.unwrap();
    assert_eq!(changed[0].get::<_, i64>(0), 0, "on an error nothing was committed");
    assert!(metric(&server, "bedplate_budget_refusals_total{budget=\"response_bytes\"}").await >= 5.0);
}

#[tokio::test]
async fn a_role_has_its_own_time_rows_and_depth() {
    let settings = [
        "budgets.roles.anon.time=200ms",
        "budgets.roles.anon.rows=7",
        "budgets.roles.authenticated.embed_depth=1",
        "limits.page_size_max=100",
    ];
    let server = server(&settings, LARGE).await;
    let started = Instant::now();
    let late =
        server.call("POST", "/api/v1/rpc/wait", None, Some(serde_json::json!({ "seconds": 20 }))).await;
    assert_eq!(late.status, 504, "{}", String::from_utf8_lossy(&late.body));
    assert!(
        started.elapsed() < Duration::from_secs(18),
        "not the 20 s that it would take: {:?}",
        started.elapsed()
    );
    let token = user(ALICE);
    let brief = serde_json::json!({ "seconds": 0.5 });
    assert_eq!(server.call("POST", "/api/v1/rpc/wait", Some(&token), Some(brief)).await.status, 200);

    let refused = server.get("/api/v1/large?limit=8", None).await;
    assert_eq!((refused.status, refused.code()), (400, "limit_exceeded".to_owned()));
    assert_eq!(server.get("/api/v1/large?limit=7", None).await.data().as_array().unwrap().len(), 7);
    assert_eq!(server.get("/api/v1/large", None).await.data().as_array().unwrap().len(), 7);
    assert_eq!(server.get("/rest/v1/large", None).await.json().as_array().unwrap().len(), 7);
    assert_eq!(server.get("/api/v1/large?limit=8", Some(&token)).await.status, 200);

    let flat = "/api/v1/tickets?select=id,comments(id)&limit=1";
    let deep = "/api/v1/tickets?select=id,comments(id,tickets(id))&limit=1";
    assert_eq!(server.get(flat, Some(&token)).await.status, 200);
    let refused = server.get(deep, Some(&token)).await;
    assert_eq!((refused.status, refused.code()), (400, "limit_exceeded".to_owned()));
    assert!(refused.json()["detail"].as_str().unwrap().contains("At most 1 levels"));
    assert_eq!(server.get(deep, Some(&service())).await.status, 200);
}
