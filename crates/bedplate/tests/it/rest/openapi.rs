//! The description of the API at the root.

use serde_json::{Value, json};

use super::{Plain, author, refusal};

async fn described(server: &Plain) -> Value {
    let answer = server.get("/").await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.headers["content-type"], "application/openapi+json; charset=utf-8");
    answer.json()
}

#[tokio::test]
async fn it_says_what_the_role_may_use_and_where() {
    let comment =
        "comment on schema api is E'Items\\nand secrets'; comment on table api.items is 'All items';";
    let server = Plain::start(comment, "").await;
    let document = described(&server).await;
    assert_eq!(document["swagger"], "2.0");
    assert_eq!(document["info"]["title"], "Items");
    assert_eq!(document["info"]["description"], "and secrets");
    assert_eq!(document["host"], server.address.as_str());
    assert_eq!(document["basePath"], "/rest/v1");
    assert_eq!(document["schemes"], json!(["http"]));
    assert_eq!(document["paths"]["/items"]["get"]["summary"], "All items");
    assert_eq!(document["definitions"]["items"]["required"], json!(["id"]));
    assert!(document["paths"]["/rpc/me"]["post"].is_object());
    assert!(document["paths"]["/secrets"].is_null(), "anonymous callers have no grant on it");
    assert!(server.get_as("/", &author()).await.json()["paths"]["/secrets"].is_object());
}

#[tokio::test]
async fn representations_of_the_root() {
    let server = Plain::start("", "").await;
    for accept in ["application/openapi+json", "application/json", "*/*", "text/csv, */*;q=0.1"] {
        let answer = server.send("GET", "/", &[("accept", accept)], b"").await;
        assert_eq!(answer.status, 200, "{accept}");
        assert_eq!(answer.headers["content-type"], "application/openapi+json; charset=utf-8", "{accept}");
    }
    let refused = server.send("GET", "/", &[("accept", "text/csv")], b"").await;
    let message = "None of these media types are available: text/csv";
    assert_eq!(refusal(&refused), (406, "PGRST107".into(), message.into()));
    let head = server.send("HEAD", "/", &[], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(!head.headers.contains_key("content-length"));
    let refused = refusal(&server.send("POST", "/", &[], b"{}").await);
    assert_eq!(refused, (405, "PGRST117".into(), "Unsupported HTTP method: POST".into()));
}

#[tokio::test]
async fn its_settings() {
    let server = Plain::start("", "openapi_mode = \"disabled\"").await;
    for method in ["GET", "OPTIONS"] {
        let refused = refusal(&server.send(method, "/", &[], b"").await);
        assert_eq!(refused, (404, "PGRST126".into(), "Root endpoint metadata is disabled".into()));
    }
    let rest = "openapi_mode = \"ignore-privileges\"\nopenapi_security_active = true\n\
                openapi_server_proxy_uri = \"https://api.example.com/v1\"";
    let server = Plain::start("", rest).await;
    let document = described(&server).await;
    assert!(document["paths"]["/secrets"].is_object());
    assert_eq!(document["host"], "api.example.com:443");
    assert_eq!(document["basePath"], "/v1");
    assert_eq!(document["security"], json!([{"JWT": []}]));
}

#[tokio::test]
async fn where_row_level_security_is_required_it_says_what_the_gate_serves() {
    let sql = "
        create table api.notes (id int primary key, item_id int references api.items);
        alter table api.notes enable row level security;
        create policy reading on api.notes for select to rest_anon using (true);
        grant select, insert, update, delete on api.notes to rest_anon;";
    let server = Plain::start_with(sql, "", |command| {
        command.args(["--set", "access.schemas.api.require_rls=true"]);
    })
    .await;
    let document = described(&server).await;
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/", "/notes"]);
    let methods: Vec<&String> = document["paths"]["/notes"].as_object().unwrap().keys().collect();
    assert_eq!(methods, ["get"]);
    let key = &document["definitions"]["notes"]["properties"]["item_id"];
    assert_eq!(
        key,
        &json!({"type": "integer", "format": "int32"}),
        "its table is not served, so the key is not told"
    );
}

#[tokio::test]
async fn a_function_may_stand_at_the_root() {
    let sql = "create function api.root() returns json language sql stable as $$ select '{\"swagger\": \"2.0\"}'::json $$;";
    let server = Plain::start(sql, "db_root_spec = \"root\"").await;
    assert_eq!(server.get("/").await.json(), json!({"swagger": "2.0"}));
}

#[tokio::test]
async fn it_changes_with_the_schema() {
    let server = Plain::start("", "").await;
    assert!(described(&server).await["paths"]["/news"].is_null());
    let sql = "create table api.news (id int primary key); grant select on api.news to rest_anon;
               notify pgrst, 'reload schema';";
    server.db.superuser().await.batch_execute(sql).await.unwrap();
    server.until("/", |answer| answer.json()["paths"]["/news"].is_object()).await;
}
