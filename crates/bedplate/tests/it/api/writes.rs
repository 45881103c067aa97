use serde_json::{Value, json};

use super::server::{ADAM, ALICE, BOB, Server, service, user};

async fn create(server: &Server, token: &str, body: Value) -> super::Answer {
    server.call("POST", "/api/v1/tickets", Some(token), Some(body)).await
}

#[tokio::test]
async fn create_change_and_delete_one() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let created =
        create(&server, &alice, json!({"organization_id": 1, "title": "New", "tags": ["a", "b\"c"]})).await;
    assert_eq!(created.status, 201, "{}", String::from_utf8_lossy(&created.body));
    let row = created.data();
    assert_eq!(
        (&row["title"], &row["author_id"], &row["status"]),
        (&json!("New"), &json!(ALICE), &json!("open"))
    );
    assert_eq!(row["tags"], json!(["a", "b\"c"]));
    let path = created.headers["location"].clone();
    assert_eq!(path, format!("/api/v1/tickets/{}", row["id"]));
    assert_eq!(server.get(&path, Some(&alice)).await.data(), row);

    let patched =
        server.call("PATCH", &path, Some(&alice), Some(json!({"status": "solved", "assignee_id": ALICE})));
    let patched = patched.await.data();
    assert_eq!((&patched["status"], &patched["assignee_id"]), (&json!("solved"), &json!(ALICE)));
    assert_ne!(patched["updated_at"], row["updated_at"], "the trigger ran");
    let cleared = server.call("PATCH", &path, Some(&alice), Some(json!({"assignee_id": null}))).await.data();
    assert_eq!(cleared["assignee_id"], Value::Null);

    assert_eq!(server.call("DELETE", &path, Some(&alice), None).await.status, 204);
    assert_eq!(server.call("DELETE", &path, Some(&alice), None).await.status, 404);
    assert_eq!(server.get(&path, Some(&alice)).await.status, 404);
}

#[tokio::test]
async fn many_rows_are_one_transaction() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let rows = json!([
        {"organization_id": 1, "title": "one", "priority": 1},
        {"organization_id": 1, "title": "two"},
    ]);
    let created = create(&server, &alice, rows).await;
    assert_eq!(created.status, 201, "{}", String::from_utf8_lossy(&created.body));
    let data = created.data();
    assert_eq!(
        (&data[0]["priority"], &data[1]["priority"]),
        (&json!(1), &json!(3)),
        "missing means the default"
    );
    let before =
        server.get("/api/v1/tickets?count=exact&limit=1", Some(&alice)).await.json()["meta"]["total"].clone();
    // The second row belongs to an organization that alice is not in: nothing of it stays.
    let refused = create(
        &server,
        &alice,
        json!([{"organization_id": 1, "title": "x"}, {"organization_id": 2, "title": "y"}]),
    );
    assert_eq!(refused.await.status, 403);
    let after =
        server.get("/api/v1/tickets?count=exact&limit=1", Some(&alice)).await.json()["meta"]["total"].clone();
    assert_eq!(before, after);
}

#[tokio::test]
async fn faults_are_reported_all_at_once_by_field() {
    let server = Server::start().await;
    let body = json!({"title": "x".repeat(121), "priority": 9, "tags": 7, "colour": 1, "author_id": BOB});
    let refused = create(&server, &user(ALICE), body).await;
    assert_eq!((refused.status, refused.code()), (400, "validation_failed".to_owned()));
    let details = refused.json()["details"].clone();
    for field in ["title", "priority", "tags", "colour", "author_id", "organization_id"] {
        assert!(details[field][0].is_string(), "{field} in {details}");
    }
    let in_rows = create(
        &server,
        &user(ALICE),
        json!([{"organization_id": 1, "title": ""}, {"title": "x", "priority": 0.5}]),
    )
    .await;
    let details = in_rows.json()["details"].clone();
    assert!(details["0.title"].is_array() && details["1.priority"].is_array(), "{details}");
    assert!(details["1.organization_id"].is_array(), "{details}");
}

#[tokio::test]
async fn what_only_the_database_sees_is_named_by_field_without_values() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let missing = create(&server, &alice, json!({"organization_id": 1, "title": "t"})).await.data();
    let path = format!("/api/v1/tickets/{}", missing["id"]);
    let nobody = "c3c3c3c3-0000-4000-8000-000000000009";
    // A user's own policy refuses this before the foreign key does; the service has no policies.
    let admin = service();
    let refused = server.call("PATCH", &path, Some(&admin), Some(json!({"assignee_id": nobody}))).await;
    assert_eq!(refused.status, 422);
    assert!(refused.json()["details"]["assignee_id"].is_array(), "{}", refused.json());
    assert!(!String::from_utf8_lossy(&refused.body).contains(nobody));
    let twin = server
        .call("POST", "/api/v1/organizations", Some(&admin), Some(json!({"name": "x", "slug": "acme"})))
        .await;
    assert_eq!(twin.status, 409);
    assert!(twin.json()["details"]["slug"].is_array(), "{}", twin.json());
}

#[tokio::test]
async fn rights_are_the_databases() {
    let server = Server::start().await;
    let (adam, bob) = (user(ADAM), user(BOB));
    let alices = server
        .get(&format!("/api/v1/tickets?author_id=eq.{ALICE}&select=id&limit=1"), Some(&adam))
        .await
        .data();
    let path = format!("/api/v1/tickets/{}", alices[0]["id"]);
    // A customer may change only what is their own, and a stranger sees nothing.
    for token in [&adam, &bob] {
        assert_eq!(
            server.call("PATCH", &path, Some(token), Some(json!({"title": "hijacked"}))).await.status,
            404
        );
        assert_eq!(server.call("DELETE", &path, Some(token), None).await.status, 404);
    }
    // Columns without a grant cannot be set, on any road.
    for body in [
        json!({"author_id": ADAM}),
        json!({"organization_id": 2}),
        json!({"id": 1}),
        json!({"created_at": "2020-01-01"}),
    ] {
        assert_eq!(
            server.call("PATCH", &path, Some(&user(ALICE)), Some(body.clone())).await.status,
            400,
            "{body}"
        );
    }
    let foreign = create(&server, &bob, json!({"organization_id": 1, "title": "x"})).await;
    assert_eq!(foreign.status, 403);
}

#[tokio::test]
async fn creating_below_a_parent_fills_the_foreign_key() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let comment =
        server.call("POST", "/api/v1/tickets/1/comments", Some(&alice), Some(json!({"body": "hello"}))).await;
    assert_eq!(comment.status, 201, "{}", String::from_utf8_lossy(&comment.body));
    assert_eq!(comment.data()["ticket_id"], 1);
    for (path, token) in
        [("/api/v1/tickets/999/comments", &alice), ("/api/v1/tickets/1/comments", &user(BOB))]
    {
        let refused = server.call("POST", path, Some(token), Some(json!({"body": "hello"}))).await;
        assert_eq!(refused.status, 404, "{path}");
    }
    let count = server.db.superuser().await;
    let row =
        count.query_one("select count(*) from public.comments where body = 'hello'", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn put_creates_or_replaces() {
    let extra = "create table public.notes (id text primary key, body text not null, stars int default 3); \
        alter table public.notes enable row level security; \
        create policy own on public.notes to authenticated using (true) with check (true);";
    let server = Server::start_with(|_| {}, extra).await;
    let alice = user(ALICE);
    let put = async |body: Value| server.call("PUT", "/api/v1/notes/a%20b", Some(&alice), Some(body)).await;
    let created = put(json!({"body": "one", "stars": 5})).await;
    assert_eq!((created.status, created.data()), (201, json!({"id": "a b", "body": "one", "stars": 5})));
    let replaced = put(json!({"body": "two"})).await;
    assert_eq!((replaced.status, replaced.data()), (200, json!({"id": "a b", "body": "two", "stars": 3})));
    assert_eq!(put(json!({"id": "other", "body": "x"})).await.code(), "key_mismatch");
    assert_eq!(put(json!({"stars": 1})).await.code(), "validation_failed");
    let generated = server.call("PUT", "/api/v1/tickets/1", Some(&alice), Some(json!({"title": "x"}))).await;
    assert_eq!(generated.status, 405);
    assert!(!generated.headers["allow"].contains("PUT"));
}

#[tokio::test]
async fn preferences_and_dry_runs() {
    let server = Server::start().await;
    let alice = format!("Bearer {}", user(ALICE));
    let post = async |prefer: &str, token: &str| {
        let headers = [("authorization", token), ("content-type", "application/json"), ("prefer", prefer)];
        let body = json!({"organization_id": 1, "title": "preferred"}).to_string();
        server.send("POST", "/api/v1/tickets", &headers, body.as_bytes()).await
    };
    let minimal = post("return=minimal", &alice).await;
    assert_eq!((minimal.status, minimal.body.len()), (201, 0));
    assert!(!minimal.headers.contains_key("location"));
    assert_eq!(minimal.headers["preference-applied"], "return=minimal");
    assert_eq!(post("handling=strict, shiny", &alice).await.code(), "preference_unknown");
    assert_eq!(post("tx=rollback", &alice).await.code(), "rollback_not_allowed");
    let admin = format!("Bearer {}", service());
    let headers =
        [("authorization", admin.as_str()), ("content-type", "application/json"), ("prefer", "tx=rollback")];
    let dry =
        server.send("POST", "/api/v1/organizations", &headers, br#"{"name":"Dry","slug":"dry-run"}"#).await;
    assert_eq!(dry.status, 201, "{}", String::from_utf8_lossy(&dry.body));
    let left = server.get("/api/v1/organizations?slug=eq.dry-run", Some(&service())).await.data();
    assert_eq!(left, json!([]));
}

#[tokio::test]
async fn numbers_keep_their_digits_and_types_come_back_as_they_went() {
    let extra = "create table public.kinds (id int primary key, n numeric, big bigint, f float8, j jsonb, js json, ts timestamptz, \
        d date, u uuid, by bytea, i interval, r int4range, a int[], aa text[], inet inet, b boolean); \
        alter table public.kinds enable row level security; \
        create policy own on public.kinds to authenticated using (true) with check (true);";
    let server = Server::start_with(|_| {}, extra).await;
    let alice = user(ALICE);
    let body = r#"{"id":1,"n":12345678901234567890.123456789012345678901,"big":9223372036854775807,"f":1e-7,
        "j":{"a":[1,2.50]},"js":{"z":1,"a":2},"ts":"2026-01-02T03:04:05.123456+02:00","d":"2026-02-28",
        "u":"A1A1A1A1-0000-4000-8000-000000000001","by":"\\xDEADbeef","i":"1 day 2 hours","r":"[1,5)","a":[1,null,3],
        "aa":["x,y","q\"",null],"inet":"10.0.0.1","b":true}"#;
    let auth = format!("Bearer {alice}");
    let headers = [("authorization", auth.as_str()), ("content-type", "application/json")];
    let created = server.send("POST", "/api/v1/kinds", &headers, body.as_bytes()).await;
    assert_eq!(created.status, 201, "{}", String::from_utf8_lossy(&created.body));
    let text = String::from_utf8(created.body.clone()).unwrap();
    for part in [
        r#""n":12345678901234567890.123456789012345678901"#,
        r#""big":9223372036854775807"#,
        r#""f":1e-07"#,
        r#""ts":"2026-01-02T01:04:05.123456+00:00""#,
        r#""by":"\\xdeadbeef""#,
        r#""i":"1 day 02:00:00""#,
        r#""r":"[1,5)""#,
        r#""a":[1,null,3]"#,
        r#""aa":["x,y","q\"",null]"#,
        r#""js":{"z":1,"a":2}"#,
        r#""inet":"10.0.0.1""#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // The same rows through PostgreSQL's own JSON.
    let row = server
        .db
        .superuser()
        .await
        .query_one("select to_json(k)::text from public.kinds k", &[])
        .await
        .unwrap();
    let reference: Value = serde_json::from_str(row.get(0)).unwrap();
    assert_eq!(created.data(), reference);
}
