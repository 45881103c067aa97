//! Several operations in one transaction: `POST /api/v1/batch`.

use serde_json::{Value, json};

use super::server::{ALICE, BOB, Server, service, user};

async fn batch(server: &Server, token: &str, operations: Value) -> super::Answer {
    let body = json!({ "operations": operations });
    server.call("POST", "/api/v1/batch", Some(token), Some(body)).await
}

/// How many tickets there are, whoever may see them.
async fn tickets(server: &Server) -> i64 {
    let db = server.db.connect("postgres").await;
    db.query_one("select count(*) from public.tickets", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn later_operations_use_the_results_of_earlier_ones() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let done = batch(
        &server,
        &alice,
        json!([
            {"method": "POST", "path": "/tickets", "body": {"organization_id": 1, "title": "From a batch"}},
            {"method": "POST", "path": "/comments", "body": {"ticket_id": {"$ref": "0.data.id"}, "body": "first"}},
            {"method": "POST", "path": "/tickets/{$ref:0.data.id}/comments", "body": [{"body": "second"}, {"body": "third"}]},
            {"method": "PATCH", "path": "/tickets/{$ref:0.data.id}", "body": {"priority": 1}},
            {"method": "GET", "path": "/comments?ticket_id=eq.{$ref:0.data.id}&id=in.({$ref:1.data.id},{$ref:2.data.1.id})&select=body&order=id"},
            {"method": "DELETE", "path": "/tickets/{$ref:0.data.id}", "headers": {"Prefer": "return=representation"}},
        ]),
    )
    .await;
    assert_eq!(done.status, 200, "{}", String::from_utf8_lossy(&done.body));
    let data = done.data();
    let statuses: Vec<i64> = data.as_array().unwrap().iter().map(|e| e["status"].as_i64().unwrap()).collect();
    assert_eq!(statuses, [201, 201, 201, 200, 200, 200]);
    let id = &data[0]["data"]["id"];
    assert_eq!(data[0]["headers"]["location"], format!("/api/v1/tickets/{id}"));
    assert_eq!(data[1]["data"]["ticket_id"], *id);
    assert_eq!(data[4]["data"], json!([{"body": "first"}, {"body": "third"}]), "what came before is seen");
    assert_eq!(data[4]["meta"]["has_more"], false);
    assert_eq!((&data[5]["data"]["priority"], &data[5]["data"]["author_id"]), (&json!(1), &json!(ALICE)));
    assert_eq!(server.get(&format!("/api/v1/tickets/{id}"), Some(&alice)).await.status, 404);
}

#[tokio::test]
async fn all_or_nothing_and_the_problem_names_the_operation() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let before = tickets(&server).await;
    let good =
        json!({"method": "POST", "path": "/tickets", "body": {"organization_id": 1, "title": "Stays not"}});
    let cases = [
        // Refused by row level security.
        (json!({"method": "POST", "path": "/tickets", "body": {"organization_id": 2, "title": "x"}}), 403),
        // Not there, or another tenant's.
        (json!({"method": "PATCH", "path": "/tickets/99999999", "body": {"title": "x"}}), 404),
        (json!({"method": "GET", "path": "/tickets/99999999"}), 404),
        (json!({"method": "POST", "path": "/tickets/99999999/comments", "body": {"body": "x"}}), 404),
        // Refused by a foreign key that the database alone can check.
        (
            json!({"method": "PATCH", "path": "/tickets/1", "body": {"assignee_id": "00000000-0000-4000-8000-000000000000"}}),
            403,
        ),
        (
            json!({"method": "POST", "path": "/comments", "body": {"ticket_id": {"$ref": "0.data.nothing"}, "body": "x"}}),
            400,
        ),
    ];
    for (bad, status) in cases {
        let refused = batch(&server, &alice, json!([good, bad, good])).await;
        assert_eq!(refused.status, status, "{bad}: {}", String::from_utf8_lossy(&refused.body));
        let inner = refused.json()["details"]["problem"].clone();
        assert_eq!(refused.json()["details"]["operation"], 1, "{bad}");
        assert_eq!(inner["status"], status);
        assert_eq!(inner["code"], refused.code());
        assert!(inner["instance"].as_str().unwrap().starts_with("/api/v1/"), "{inner}");
    }
    assert_eq!(tickets(&server).await, before, "nothing of any of them stays");
}

#[tokio::test]
async fn a28_a_batch_gives_no_more_rights_than_single_requests() {
    let server = Server::start().await;
    let (alice, bob) = (user(ALICE), user(BOB));
    let own = server.get("/api/v1/tickets?limit=1&organization_id=eq.1", Some(&alice)).await.data();
    let path = format!("/tickets/{}", own[0]["id"]);
    for (operation, status) in [
        (json!({"method": "GET", "path": path}), 404),
        (json!({"method": "PATCH", "path": path, "body": {"title": "stolen"}}), 404),
        (json!({"method": "DELETE", "path": path}), 404),
        (json!({"method": "POST", "path": format!("{path}/comments"), "body": {"body": "x"}}), 404),
        // Columns without a grant (V-15), unknown ones, and tables that are not served to the role.
        (
            json!({"method": "POST", "path": "/tickets", "body": {"organization_id": 2, "title": "x", "author_id": ALICE}}),
            400,
        ),
        (
            json!({"method": "POST", "path": "/memberships", "body": {"organization_id": 1, "user_id": BOB}}),
            403,
        ),
        (json!({"method": "GET", "path": "/users"}), 404),
        (json!({"method": "GET", "path": "/tickets?no_such=eq.1"}), 400),
        (json!({"method": "GET", "path": "/tickets?limit=1000"}), 400),
    ] {
        let refused = batch(&server, &bob, json!([operation])).await;
        assert_eq!(refused.status, status, "{operation}: {}", String::from_utf8_lossy(&refused.body));
    }
    let nobody = server.call("POST", "/api/v1/batch", None, Some(json!({"operations": []}))).await;
    assert!(matches!(nobody.status, 400 | 401), "{}", nobody.status);
}

#[tokio::test]
async fn what_can_be_known_beforehand_is_told_at_once() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let refused = batch(
        &server,
        &alice,
        json!([
            {"method": "POST", "path": "/tickets", "body": {"organization_id": 1, "title": ""}},
            {"method": "POST", "path": "/tickets", "body": {"organization_id": 1, "title": "fine"}},
            {"method": "POST", "path": "/comments", "body": {"ticket_id": {"$ref": "1.data.id"}, "text": "x"}},
            {"method": "GET", "path": "/nothing"},
        ]),
    )
    .await;
    assert_eq!((refused.status, refused.code()), (400, "validation_failed".to_owned()));
    let details = refused.json()["details"].clone();
    let named: Vec<i64> =
        details["operations"].as_array().unwrap().iter().map(|o| o["operation"].as_i64().unwrap()).collect();
    assert_eq!(named, [0, 2, 3]);
    assert!(details["operations"][0]["problem"]["details"]["title"].is_array(), "{details}");
    assert!(details["operations"][1]["problem"]["details"]["text"].is_array(), "{details}");
    assert!(details["operations"][1]["problem"]["details"]["body"].is_array(), "{details}");
    let shape = server.call(
        "POST",
        "/api/v1/batch",
        Some(&alice),
        Some(json!({"operations": [{"method": "TRACE", "path": "x"}]})),
    );
    let shape = shape.await;
    assert_eq!(shape.code(), "validation_failed");
    assert!(shape.json()["details"]["operations.0.method"].is_array());
}

#[tokio::test]
async fn a01_references_are_values_and_never_syntax() {
    let server = Server::start().await;
    let alice = user(ALICE);
    // A title that would end a string, a path, a list or a statement.
    for hostile in [
        "1/../../memberships?select=*",
        "x\"),id.gt.0",
        "') or true --",
        "a&organization_id=gt.0#",
        "{\"$ref\":\"0.data.id\"}",
    ] {
        let done = batch(
            &server,
            &alice,
            json!([
                {"method": "POST", "path": "/tickets", "body": {"organization_id": 1, "title": hostile}},
                {"method": "POST", "path": "/tickets", "body": {"organization_id": 1, "title": {"$ref": "0.data.title"}}},
                {"method": "GET", "path": "/tickets?title=eq.{$ref:0.data.title}&select=title"},
                {"method": "GET", "path": "/tickets?title=in.(nothing,{$ref:0.data.title})&select=title"},
            ]),
        )
        .await
        .data();
        assert_eq!(done[1]["data"]["title"], hostile);
        let both = json!([{"title": hostile}, {"title": hostile}]);
        assert_eq!((&done[2]["data"], &done[3]["data"]), (&both, &both), "{hostile}");
        let as_key = batch(
            &server,
            &alice,
            json!([
                {"method": "POST", "path": "/tickets", "body": {"organization_id": 1, "title": hostile}},
                {"method": "GET", "path": "/tickets/{$ref:0.data.title}"},
            ]),
        )
        .await;
        assert!(matches!(as_key.status, 400 | 404), "{hostile}: {}", String::from_utf8_lossy(&as_key.body));
    }
    for syntax in [
        "/{$ref:0.data.title}",
        "/tickets?select={$ref:0.data.title}",
        "/tickets?or=(id.eq.{$ref:0.data.id})",
    ] {
        let refused = batch(
            &server,
            &alice,
            json!([{"method": "GET", "path": "/tickets/1"}, {"method": "GET", "path": syntax}]),
        )
        .await;
        assert_eq!(refused.status, 400, "{syntax}");
        assert!(refused.json()["details"]["operations.1.path"].is_array(), "{syntax}");
    }
}

#[tokio::test]
async fn limits_and_methods() {
    let server = Server::start_with(
        |command| {
            command.args(["--set", "limits.batch_operations=3", "--set", "limits.batch_bytes=64KiB"]);
        },
        "",
    )
    .await;
    let alice = user(ALICE);
    let one = json!({"method": "GET", "path": "/tickets?limit=1"});
    assert_eq!(batch(&server, &alice, json!([one, one, one])).await.status, 200);
    let many = batch(&server, &alice, json!([one, one, one, one])).await;
    assert_eq!(many.code(), "limit_exceeded");
    let large = json!({"method": "POST", "path": "/tickets", "body": {"title": "x".repeat(70_000)}});
    assert_eq!(batch(&server, &alice, json!([large])).await.status, 413);
    let get = server.get("/api/v1/batch", Some(&alice)).await;
    assert_eq!((get.status, get.headers["allow"].as_str()), (405, "POST, OPTIONS"));
    let nested =
        batch(&server, &alice, json!([{"method": "POST", "path": "/batch", "body": {"operations": []}}]))
            .await;
    assert_eq!(nested.code(), "validation_failed");
    let deep = format!(
        "{{\"operations\":[{{\"method\":\"POST\",\"path\":\"/tickets\",\"body\":{}1{}}}]}}",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let bearer = format!("Bearer {alice}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let deep = server.send("POST", "/api/v1/batch", &headers, deep.as_bytes()).await;
    assert_eq!(deep.code(), "limit_exceeded");
}

#[tokio::test]
async fn sql_sees_each_operation_as_the_request_it_is() {
    let sql = "create table public.seen (id bigint generated always as identity primary key,
                 said text default current_setting('request.method') || ' ' || current_setting('request.path'), note text);
               alter table public.seen enable row level security;
               create policy all_see on public.seen for all to authenticated using (true)
                 with check (current_setting('request.method') = 'POST');
               grant select, insert (note), update (note) on public.seen to authenticated;
               create function public.slow_setting() returns text language sql volatile
                 set statement_timeout = '7s' as $$ select current_setting('statement_timeout') $$;
               create function public.plain_setting() returns text language sql volatile
                 as $$ select current_setting('statement_timeout') $$;
               revoke execute on function public.slow_setting(), public.plain_setting() from public;
               grant execute on function public.slow_setting(), public.plain_setting() to authenticated;";
    let server = Server::start_with(|_| {}, sql).await;
    let alice = user(ALICE);
    let done = batch(
        &server,
        &alice,
        json!([
            {"method": "POST", "path": "/rpc/plain_setting"},
            {"method": "POST", "path": "/seen", "body": {"note": "a"}},
            {"method": "POST", "path": "/rpc/slow_setting"},
            {"method": "POST", "path": "/rpc/plain_setting"},
            {"method": "GET", "path": "/seen/{$ref:1.data.id}"},
        ]),
    )
    .await
    .data();
    assert_eq!(done[1]["data"]["said"], "POST /api/v1/seen");
    assert_eq!(done[2]["data"], "7s");
    assert_eq!(done[0]["data"], done[3]["data"], "a function's settings end with its call");
    // The policy allows changes by POST only, whatever the batch itself is sent with.
    let patch = json!([{"method": "PATCH", "path": format!("/seen/{}", done[1]["data"]["id"]), "body": {"note": "b"}}]);
    assert_eq!(batch(&server, &alice, patch).await.status, 403);
}

/// What one operation's function makes of who asks ends with the operation: a role that it took, claims that it wrote.
#[tokio::test]
async fn a28_an_operation_is_the_callers_whatever_a_function_before_it_became() {
    let sql = "create function public.become(someone text) returns text language plpgsql volatile as $$ begin
                 perform set_config('role', someone, true);
                 perform set_config('request.jwt.claims', '{\"role\":\"service_role\",\"sub\":null}', true);
                 return current_user;
               end $$;
               revoke execute on function public.become(text) from public;
               grant execute on function public.become(text) to authenticated;";
    let server = Server::start_with(|_| {}, sql).await;
    let bob = user(BOB);
    let mine = server.get("/api/v1/tickets?limit=100&order=id", Some(&bob)).await.data();
    for together in [
        json!([{"method": "POST", "path": "/rpc/become", "body": {"someone": "service_role"}},
               {"method": "GET", "path": "/tickets?limit=100&order=id"}]),
        // In a message of its own, because of the reference.
        json!([{"method": "POST", "path": "/rpc/become", "body": {"someone": "service_role"}},
               {"method": "GET", "path": "/tickets?limit=100&order=id&title=neq.{$ref:0.data}"}]),
    ] {
        let done = batch(&server, &bob, together).await.data();
        assert_eq!(done[0]["data"], "service_role");
        assert_eq!(done[1]["data"], mine, "no more than alone");
    }
}

#[tokio::test]
async fn preferences_and_dry_runs() {
    let server = Server::start().await;
    let before = tickets(&server).await;
    let body = json!({"operations": [
        {"method": "POST", "path": "/tickets", "body": {"organization_id": 1, "title": "dry", "author_id": ALICE}},
        {"method": "GET", "path": "/tickets/{$ref:0.data.id}?select=title"},
    ]});
    let service = format!("Bearer {}", service());
    let headers = [
        ("authorization", service.as_str()),
        ("content-type", "application/json"),
        ("prefer", "tx=rollback"),
    ];
    let dry = server.send("POST", "/api/v1/batch", &headers, body.to_string().as_bytes()).await;
    assert_eq!(dry.data()[1]["data"]["title"], "dry");
    assert_eq!(dry.headers["preference-applied"], "tx=rollback");
    assert_eq!(tickets(&server).await, before);
    let alice = format!("Bearer {}", user(ALICE));
    let headers =
        [("authorization", alice.as_str()), ("content-type", "application/json"), ("prefer", "tx=rollback")];
    assert_eq!(server.send("POST", "/api/v1/batch", &headers, body.to_string().as_bytes()).await.status, 403);
    let headers = [
        ("authorization", alice.as_str()),
        ("content-type", "application/json"),
        ("prefer", "return=minimal"),
    ];
    let quiet = json!({"operations": [
        {"method": "POST", "path": "/tickets", "body": {"organization_id": 1, "title": "quiet"}},
        {"method": "GET", "path": "/tickets?title=eq.quiet&select=title"},
    ]});
    let quiet = server.send("POST", "/api/v1/batch", &headers, quiet.to_string().as_bytes()).await.data();
    assert_eq!(
        quiet,
        json!([{"status": 201}, {"status": 200, "headers": quiet[1]["headers"], "data": [{"title": "quiet"}], "meta": quiet[1]["meta"]}])
    );
}

#[tokio::test]
async fn deferred_constraints_are_checked_for_all_operations_together() {
    let sql = "create table public.slots (id int primary key, position int not null,
                 constraint slots_position unique (position) deferrable initially deferred);
               insert into public.slots values (1, 1), (2, 2);
               alter table public.slots enable row level security;
               create policy all_see on public.slots for all to authenticated using (true) with check (true);
               grant select, insert, update on public.slots to authenticated;";
    let server = Server::start_with(|_| {}, sql).await;
    let alice = user(ALICE);
    let swap = json!([
        {"method": "PATCH", "path": "/slots/1", "body": {"position": 2}},
        {"method": "PATCH", "path": "/slots/2", "body": {"position": 1}},
    ]);
    assert_eq!(batch(&server, &alice, swap).await.status, 200, "in between two are equal, at the end none");
    let clash =
        batch(&server, &alice, json!([{"method": "PATCH", "path": "/slots/1", "body": {"position": 1}}]))
            .await;
    assert_eq!((clash.status, clash.code()), (409, "unique_violation".to_owned()));
}

#[tokio::test]
async fn conditions_of_operations_hold_in_the_transaction() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let made = server
        .call("POST", "/api/v1/tickets", Some(&alice), Some(json!({"organization_id": 1, "title": "tagged"})))
        .await;
    let path = made.headers["location"].strip_prefix("/api/v1").unwrap().to_owned();
    let tag = server.get(&format!("/api/v1{path}"), Some(&alice)).await.headers["etag"].clone();
    let patch = |tag: &str| json!({"method": "PATCH", "path": path, "headers": {"If-Match": tag}, "body": {"priority": 2}});
    let new =
        json!({"method": "POST", "path": "/tickets", "body": {"organization_id": 1, "title": "beside"}});
    let before = tickets(&server).await;
    let refused = batch(&server, &alice, json!([new, patch("\"0000000000000000000000\"")])).await;
    assert_eq!(refused.status, 412, "{}", String::from_utf8_lossy(&refused.body));
    assert_eq!(tickets(&server).await, before);
    let done = batch(&server, &alice, json!([new, patch(&tag)])).await.data();
    assert_eq!(done[1]["data"]["priority"], 2);
    assert_eq!(tickets(&server).await, before + 1);
}

#[tokio::test]
async fn a_hundred_batches_at_once() {
    let server = std::sync::Arc::new(Server::start().await);
    let before = tickets(&server).await;
    let mut running = tokio::task::JoinSet::new();
    for n in 0..100 {
        let server = std::sync::Arc::clone(&server);
        running.spawn(async move {
            // Every third fails at its end, and must leave nothing.
            let organization = if n % 3 == 0 { 2 } else { 1 };
            let done = batch(
                &server,
                &user(ALICE),
                json!([
                    {"method": "POST", "path": "/tickets", "body": {"organization_id": 1, "title": format!("batch {n}")}},
                    {"method": "POST", "path": "/tickets/{$ref:0.data.id}/comments", "body": {"body": format!("of {n}")}},
                    {"method": "GET", "path": "/tickets/{$ref:0.data.id}?select=title,comments(body)"},
                    {"method": "POST", "path": "/tickets", "body": {"organization_id": organization, "title": format!("second {n}")}},
                ]),
            )
            .await;
            if organization == 2 {
                assert_eq!(done.status, 403, "{}", String::from_utf8_lossy(&done.body));
                assert_eq!(done.json()["details"]["operation"], 3);
                return 0;
            }
            let data = done.data();
            let seen = json!({"title": format!("batch {n}"), "comments": [{"body": format!("of {n}")}]});
            assert_eq!(data[2]["data"], seen, "each sees its own");
            2
        });
    }
    let mut written = 0;
    while let Some(done) = running.join_next().await {
        written += done.unwrap();
    }
    assert_eq!(tickets(&server).await, before + written);
}

#[tokio::test]
async fn a_batch_is_idempotent_as_a_whole() {
    let server = Server::start().await;
    let before = tickets(&server).await;
    let alice = format!("Bearer {}", user(ALICE));
    let headers = [
        ("authorization", alice.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "\"3f1c1f0e-8a53-4a7e-9d8f-0c2f4f1f9a11\""),
    ];
    let body = json!({"operations": [
        {"method": "POST", "path": "/tickets", "body": {"organization_id": 1, "title": "once", "comments": [{"body": "c"}]}},
        {"method": "PATCH", "path": "/tickets/{$ref:0.data.id}", "body": {"priority": 1}},
    ]})
    .to_string();
    let first = server.send("POST", "/api/v1/batch", &headers, body.as_bytes()).await;
    assert_eq!(first.data()[1]["data"]["priority"], 1);
    let again = server.send("POST", "/api/v1/batch", &headers, body.as_bytes()).await;
    assert_eq!((again.headers["idempotency-replayed"].as_str(), again.body), ("true", first.body));
    assert_eq!(tickets(&server).await, before + 1);
}
