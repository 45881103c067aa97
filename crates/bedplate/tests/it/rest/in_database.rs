//! Settings in the database: `alter role … set pgrst.…`.

use serde_json::json;

use super::{Plain, database, sign_with};
use crate::api::server::{Server, sign};

/// `alter role rest_login in database <this one> set …`: the role is everybody's, its settings here are this test's.
async fn set(server: &Plain, name: &str, value: &str) {
    let sql = format!(
        "do $$ begin execute format('alter role rest_login in database %I set pgrst.{name} = %L', current_database(), '{value}'); end $$"
    );
    server.db.superuser().await.batch_execute(&sql).await.unwrap();
}

async fn notify(server: &Plain, text: &str) {
    server.db.superuser().await.batch_execute(&format!("notify pgrst, '{text}'")).await.unwrap();
}

const AT_START: &str = "do $$ begin
    execute format('alter role rest_login in database %I set pgrst.db_max_rows = ''3''', current_database());
    execute format('alter role rest_login in database %I set pgrst.db_tx_end = ''perhaps''', current_database());
    execute format('alter role rest_login in database %I set pgrst.db_anon_role = ''rest_author''', current_database());
    end $$;";

#[tokio::test]
async fn they_count_from_the_start_and_follow_reload_config() {
    let server = Plain::start(AT_START, "db_max_rows = 20").await;
    let rows = |answer: &crate::api::Answer| answer.json().as_array().map_or(0, Vec::len);
    assert_eq!(rows(&server.get("/items").await), 3, "the database's word counts before the file's");
    assert_eq!(server.get("/rpc/me").await.json(), json!("rest_author"));
    set(&server, "db_max_rows", "5").await;
    notify(&server, "reload config").await;
    server.until("/items", |answer| rows(answer) == 5).await;
    // What cannot be used keeps the last value, and the others are taken all the same.
    set(&server, "db_max_rows", "many").await;
    set(&server, "db_aggregates_enabled", "true").await;
    notify(&server, "reload config").await;
    server.until("/items?select=count()", |answer| answer.status == 200).await;
    assert_eq!(rows(&server.get("/items").await), 20, "the file's, since the database's cannot be read");
}

#[tokio::test]
async fn schemas_and_keys_follow() {
    let sql = "create schema next; grant usage on schema next to rest_anon;
        create table next.fresh (id int); insert into next.fresh values (1); grant select on next.fresh to rest_anon;";
    let server = Plain::start(sql, "").await;
    assert_eq!(server.get("/fresh").await.status, 404);
    // The schemas last: they may be read before the notification, and then the rest must be there too.
    let other = "another secret that has at least 32 bytes";
    set(&server, "jwt_secret", other).await;
    set(&server, "db_schemas", "next, api").await;
    notify(&server, "reload config").await;
    let found = server.until("/fresh", |answer| answer.status == 200).await;
    assert_eq!(found.json(), json!([{"id": 1}]), "its catalog is there when the schema is");
    let profile = [("accept-profile", "api")];
    assert_eq!(server.send("GET", "/items?limit=1", &profile, b"").await.status, 200);
    let token = sign_with(other, &json!({"role": "rest_author"}));
    let bearer = format!("Bearer {token}");
    let secret = [("accept-profile", "api"), ("authorization", bearer.as_str())];
    assert_eq!(server.send("GET", "/secrets", &secret, b"").await.status, 200);
    assert_eq!(
        server.get_as("/fresh", &super::author()).await.status,
        401,
        "the old secret is none any more"
    );
}

#[tokio::test]
async fn a_new_table_follows_reload_schema() {
    let server = Plain::start("", "").await;
    server
        .db
        .superuser()
        .await
        .batch_execute("create table api.late (id int); grant select on api.late to rest_anon; notify pgrst, 'reload schema'")
        .await
        .unwrap();
    server.until("/late", |answer| answer.status == 200).await;
}

#[tokio::test]
async fn the_pre_config_function_is_weaker_than_the_role() {
    let sql = "create function api.config() returns void language plpgsql as $$ begin
            perform set_config('pgrst.db_max_rows', '4', true);
            perform set_config('pgrst.db_anon_role', 'rest_anon', true);
        end $$;
        grant usage on schema api to rest_login;";
    let weaker = Plain::start(sql, "db_pre_config = \"api.config\"").await;
    assert_eq!(weaker.get("/items").await.json().as_array().unwrap().len(), 4);
    let both = Plain::start(&format!("{sql} {AT_START}"), "db_pre_config = \"api.config\"").await;
    assert_eq!(both.get("/items").await.json().as_array().unwrap().len(), 3);
    assert_eq!(both.get("/rpc/me").await.json(), json!("rest_author"));
}

#[tokio::test]
async fn they_can_be_switched_off() {
    let server = Plain::start(AT_START, "db_config = false").await;
    assert_eq!(server.get("/items").await.json().as_array().unwrap().len(), 30);
    assert_eq!(server.get("/rpc/me").await.json(), json!("rest_anon"));
}

#[tokio::test]
async fn a_key_that_cannot_be_used_stops_the_start() {
    let db = database(
        "do $$ begin execute format('alter role rest_login in database %I set pgrst.jwt_secret = ''short''', current_database()); end $$;",
    )
    .await;
    let (_dir, mut command) = super::project(&db, "");
    let out = command.args(["serve", "--set", "server.port=0"]).output().await.unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && text.contains("rest.jwt_secret"), "{text}");
}

#[tokio::test]
async fn those_of_authenticator_count_whoever_logs_in() {
    let set = "do $$ begin
        execute format('alter role authenticator in database %I set pgrst.db_aggregates_enabled = true', current_database());
        end $$";
    let as_owner = |command: &mut tokio::process::Command| {
        command.env_remove("BEDPLATE_DATABASE__API_URL");
    };
    let server = Server::start_with(as_owner, set).await;
    let token = format!("Bearer {}", sign(&json!({"role": "service_role"})));
    let answer =
        server.send("GET", "/rest/v1/tickets?select=count()", &[("authorization", &token)], b"").await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}
