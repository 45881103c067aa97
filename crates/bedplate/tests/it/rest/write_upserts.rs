//! Upserts: `POST` with a resolution, and `PUT`.

use serde_json::{Value, json};

use super::write::shop;
use super::{Plain, refusal};
use crate::api::Answer;

const FULL: (&str, &str) = ("prefer", "return=representation");
const MERGE: (&str, &str) = ("prefer", "resolution=merge-duplicates");
const IGNORE: (&str, &str) = ("prefer", "resolution=ignore-duplicates");

async fn put(server: &Plain, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
    server.send("PUT", path, headers, body.to_string().as_bytes()).await
}

#[tokio::test]
async fn merging_tells_whether_anything_is_new() {
    let server = shop().await;
    let rows = json!([{"id": 1, "name": "uno"}, {"id": 50, "name": "fifty"}]);
    let posted = server.post("/goods?select=id,name,price", &[FULL, MERGE], &rows).await;
    assert_eq!(posted.status, 201);
    assert_eq!(
        posted.json(),
        json!([{"id": 1, "name": "uno", "price": 9.5}, {"id": 50, "name": "fifty", "price": 9.5}])
    );
    assert_eq!(posted.headers["preference-applied"], "resolution=merge-duplicates, return=representation");
    assert_eq!(server.post("/goods", &[FULL, MERGE], &rows).await.status, 200, "all of them were there");
    assert_eq!(server.post("/goods", &[MERGE], &rows).await.status, 200, "also when nothing is answered");
    assert_eq!(server.post("/goods", &[MERGE], &json!({"id": 1, "name": "a"})).await.status, 200);
    assert_eq!(server.post("/goods", &[MERGE], &json!({"id": 51, "name": "a"})).await.status, 201);
    assert_eq!(server.post("/goods?select=id&order=id", &[FULL, MERGE], &rows).await.status, 200);
    assert_eq!(server.post("/goods", &[FULL, MERGE], &json!([])).await.status, 200);
    let csv = ("accept", "text/csv");
    assert_eq!(server.post("/goods?select=id", &[FULL, MERGE, csv], &rows).await.status, 200);
}

#[tokio::test]
async fn ignoring_answers_what_is_new() {
    let server = shop().await;
    let rows = json!([{"id": 1, "name": "uno"}, {"id": 50, "name": "fifty"}]);
    let posted = server.post("/goods?select=id", &[FULL, IGNORE, ("prefer", "count=exact")], &rows).await;
    assert_eq!((posted.status, posted.json()), (201, json!([{"id": 50}])));
    assert_eq!(posted.headers["content-range"], "*/1");
    let again = server.post("/goods?select=id", &[FULL, IGNORE], &rows).await;
    assert_eq!((again.status, again.json()), (201, json!([])));
    assert_eq!(server.get("/goods?id=eq.1&select=name").await.json(), json!([{"name": "one"}]));
}

#[tokio::test]
async fn conflicts_are_on_what_is_named() {
    let server = Plain::start(
        "create table api.codes (code text unique, id int, value int); grant all on api.codes to rest_anon;
         create table api.pairs (a int, b int, note text, primary key (a, b)); grant all on api.pairs to rest_anon;
         create table api.parted (id int primary key, note text) partition by range (id);
         create table api.parted_1 partition of api.parted for values from (0) to (100);
         grant all on api.parted to rest_anon;",
        "",
    )
    .await;
    let row = json!({"code": "x", "id": 1, "value": 1});
    let plain = server.post("/codes", &[FULL, MERGE], &row).await;
    assert_eq!(plain.status, 201);
    assert_eq!(plain.headers["preference-applied"], "return=representation", "there is no key to collide on");
    let merged =
        server.post("/codes?on_conflict=code", &[FULL, MERGE], &json!({"code": "x", "value": 2})).await;
    assert_eq!((merged.status, merged.json()), (200, json!([{"code": "x", "id": 1, "value": 2}])));
    let unknown = server.post("/codes?on_conflict=id", &[MERGE], &row).await;
    assert_eq!(refusal(&unknown).1, "42P10");
    assert_eq!(refusal(&server.post("/codes?on_conflict=nope", &[MERGE], &row).await).1, "42703");
    let pairs = json!([{"a": 1, "b": 1}, {"a": 1, "b": 2}]);
    assert_eq!(server.post("/pairs", &[MERGE], &pairs).await.status, 201);
    let merged = server.post("/pairs", &[FULL, MERGE], &pairs).await;
    assert_eq!((merged.status, merged.json().as_array().unwrap().len()), (200, 2), "nothing but keys is set");
    let parted = json!({"id": 5, "note": "n"});
    assert_eq!(server.post("/parted", &[MERGE], &parted).await.status, 201);
    assert_eq!(server.post("/parted", &[FULL, MERGE], &parted).await.status, 200);
    let twice = server.post("/pairs", &[MERGE], &json!([{"a": 2, "b": 1}, {"a": 2, "b": 1}])).await;
    assert_eq!(refusal(&twice).1, "21000");
}

#[tokio::test]
async fn put_writes_the_row_of_its_address() {
    let server = shop().await;
    let path = "/goods?id=eq.60&select=id,name";
    let created = put(&server, path, &[FULL], json!({"id": 60, "name": "sixty"})).await;
    assert_eq!((created.status, created.json()), (201, json!([{"id": 60, "name": "sixty"}])));
    let replaced =
        put(&server, path, &[FULL], json!([{"id": 60, "name": "LX"}, {"id": 61, "name": "other"}])).await;
    assert_eq!((replaced.status, replaced.json()), (200, json!([{"id": 60, "name": "LX"}])));
    let silent = put(&server, "/goods?id=eq.62", &[], json!({"id": 62, "name": "x"})).await;
    assert_eq!((silent.status, silent.body.len()), (204, 0));
    assert!(!silent.headers.contains_key("content-range"));
    let one = ("accept", "application/vnd.pgrst.object+json");
    assert_eq!(put(&server, path, &[FULL, one], json!({"id": 60, "name": "o"})).await.json()["name"], "o");
    let both = put(&server, "/parts?n=eq.1&good=eq.3", &[], json!({"good": 3, "n": 1, "note": "p"})).await;
    assert_eq!(both.status, 204);
    assert_eq!(server.get("/goods?id=eq.61").await.json(), json!([]), "what does not match is not written");
}

#[tokio::test]
async fn put_needs_the_whole_key_and_nothing_else() {
    let server = shop().await;
    let row = json!({"id": 1, "name": "x"});
    for path in [
        "/goods",
        "/goods?name=eq.x",
        "/goods?id=in.(1)",
        "/goods?id=not.eq.1",
        "/goods?id=eq.1&name=eq.x",
        "/goods?and=(id.eq.1)",
        "/goods?id=eq(any).{1}",
        "/parts?good=eq.1",
        "/letters?body=eq.x",
    ] {
        let refused = put(&server, path, &[], row.clone()).await;
        let message = "Filters must include all and only primary key columns with 'eq' operators";
        assert_eq!(refusal(&refused), (405, "PGRST105".into(), message.into()), "{path}");
    }
    for path in ["/goods?id=eq.1&limit=1", "/goods?id=eq.1&offset=1"] {
        assert_eq!(refusal(&put(&server, path, &[], row.clone()).await).1, "PGRST114", "{path}");
    }
    for body in [json!({"id": 2, "name": "x"}), json!({"name": "x"}), json!([]), json!({})] {
        let refused = put(&server, "/goods?id=eq.1", &[], body.clone()).await;
        let message = "Payload values do not match URL in primary key column(s)";
        assert_eq!(refusal(&refused), (400, "PGRST115".into(), message.into()), "{body}");
    }
    assert_eq!(refusal(&put(&server, "/nowhere?id=eq.1", &[], row).await).1, "PGRST205");
    assert_eq!(server.get("/goods?select=name&id=eq.1").await.json(), json!([{"name": "one"}]));
}
