//! A database of PostgREST's kind: grants and policies alone decide, nothing is installed, nothing is applied.

use serde_json::json;

use super::{Plain, author, database, project, refusal};

#[tokio::test]
async fn grants_decide_and_nothing_is_installed() {
    let server = Plain::start(
        "create view api.owners as select id from api.secrets;
         grant select on api.owners to rest_anon;
         create function api.peek() returns bigint language sql security definer as 'select count(*) from api.secrets';
         create table api.guarded (id int primary key, who text);
         alter table api.guarded enable row level security;
         create policy own on api.guarded using (who = current_user);
         insert into api.guarded values (1, 'rest_anon'), (2, 'rest_author');
         grant select on api.guarded to rest_anon, rest_author;",
        "",
    )
    .await;
    assert_eq!(server.get("/items?select=id&limit=2&order=id").await.json(), json!([{"id": 1}, {"id": 2}]));
    let refused = server.get("/secrets").await;
    assert_eq!(refusal(&refused), (401, "42501".into(), "permission denied for table secrets".into()));
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
    assert_eq!(server.get_as("/secrets", &author()).await.json(), json!([{"id": 1}]));
    assert_eq!(server.get("/owners").await.json(), json!([{"id": 1}]), "a view with its owner's rights");
    assert_eq!(server.get("/rpc/peek").await.json(), json!(1), "a function with its owner's rights");
    assert_eq!(server.get("/guarded?select=id").await.json(), json!([{"id": 1}]));
    assert_eq!(server.get_as("/guarded?select=id", &author()).await.json(), json!([{"id": 2}]));
    let there = "select count(*) from pg_namespace where nspname in ('bedplate', 'auth', 'storage')";
    let found: i64 = server.db.superuser().await.query_one(there, &[]).await.unwrap().get(0);
    assert_eq!(found, 0, "schemas of the contract");
}

#[tokio::test]
async fn where_row_level_security_is_required_the_platforms_rules_hold() {
    let server = Plain::start_with("", "", |command| {
        command.args(["--set", "access.schemas.api.require_rls=true"]);
    })
    .await;
    assert_eq!(server.get("/items").await.status, 404, "a table without row-level security");
    assert_eq!(server.get("/rpc/me").await.status, 404, "a function that only PUBLIC may call");
}

#[tokio::test]
async fn what_needs_the_contract_says_so() {
    let db = database("").await;
    for arguments in [&["migrate", "up"][..], &["migrate", "status"], &["seed"]] {
        let (_dir, mut command) = project(&db, "");
        let out = command.args(arguments).args(["--env", "production"]).output().await.unwrap();
        let text = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
        assert!(!out.status.success(), "{arguments:?}: {text}");
        assert!(text.contains("database.contract"), "{arguments:?}: {text}");
    }
    let (_dir, mut command) = project(&db, "");
    let out = command.arg("dev").output().await.unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    assert!(!out.status.success() && text.contains("bedplate serve"), "{text}");
    let left = "select count(*) from pg_namespace where nspname = 'bedplate'";
    assert_eq!(db.superuser().await.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn other_schemas_than_those_of_the_platform() {
    let sql = "create schema v2; grant usage on schema v2 to rest_anon;
        create table v2.things (id int primary key); grant select on v2.things to rest_anon;
        create table v2.items (id int primary key); grant select on v2.items to rest_anon; insert into v2.items values (7);";
    let server = Plain::start_with(sql, "db_schemas = [\"v2\", \"api\"]", |command| {
        command.args(["--set", "api.enabled=true", "--set", "auth.anon_role=rest_anon"]);
    })
    .await;
    assert_eq!(server.get("/items").await.json(), json!([{"id": 7}]), "the first schema is the default");
    let in_api = server.send("GET", "/items?id=eq.3", &[("accept-profile", "api")], b"").await;
    assert_eq!(in_api.json(), json!([{"id": 3, "name": "item 3"}]));
    let native = crate::api::server::send(&server.address, "GET", "/api/v1/things", &[], b"").await;
    assert_eq!(native.status, 404, "v2 is not offered by /api/v1");
    let other = server.send("GET", "/items", &[("accept-profile", "pg_catalog")], b"").await;
    assert_eq!(refusal(&other).1, "PGRST106");
}
