//! Representations: what `Accept` may ask for, and how rows look then.

use serde_json::json;

use super::{Plain, refusal};
use crate::api::Answer;

const THINGS: &str = r#"
    create table api.kinds (id int primary key, name text);
    insert into api.kinds values (1, 'k "1"'), (2, null);
    create table api.things (id int primary key, name text, kind int references api.kinds, tags text[], meta jsonb);
    insert into api.things values (1, 'a,b', 1, '{x,"y z"}', '{"k": null, "l": [null, {"m": null}]}'),
      (2, '', 2, null, null), (3, null, null, '{}', 'null');
    grant select on api.things, api.kinds to rest_anon;
    grant insert on api.things to rest_anon;
    create domain api."text/plain" as text;
    create domain api."text/tab-separated-values" as text;
    create domain api."image/png" as bytea;
    create domain api."*/*" as bytea;
    create domain api."app/rows" as text;
    create function api.picture() returns api."image/png" language sql immutable as $$ select '\x89504e47'::bytea $$;
    create function api.words() returns api."text/plain" language sql immutable as $$ select 'so "be" it' $$;
    create function api.tsv_row(state api."text/tab-separated-values", r api.things) returns api."text/tab-separated-values" language sql immutable
      as $$ select coalesce(state, '') || r.id || E'\t' || coalesce(r.name, '') || E'\n' $$;
    create aggregate api.tsv(api.things) (sfunc = api.tsv_row, stype = api."text/tab-separated-values");
    create function api.any_row(state api."app/rows", r anyelement) returns api."app/rows" language sql immutable
      as $$ select coalesce(state || ';', '') || r::text $$;
    create aggregate api.any_rows(anyelement) (sfunc = api.any_row, stype = api."app/rows");
    create table api.bytes (b bytea);
    insert into api.bytes values ('\x00ff'), ('\x10');
    grant select on api.bytes to rest_anon;
    create function api.bytes_row(state api."*/*", r api.bytes) returns api."*/*" language plpgsql as $$ begin
      perform set_config('response.headers', '[{"Content-Disposition": "attachment"}]', true);
      return coalesce(state, '') || r.b; end $$;
    create aggregate api.all_bytes(api.bytes) (sfunc = api.bytes_row, stype = api."*/*");
    create function api.things_of(which int) returns setof api.things language sql stable
      as 'select * from api.things where id <= which order by id';"#;

async fn things() -> Plain {
    Plain::start(THINGS, "").await
}

async fn get(server: &Plain, path: &str, accept: &str) -> Answer {
    server.send("GET", path, &[("accept", accept)], b"").await
}

#[track_caller]
fn is(answer: &Answer, media: &str, body: &str) {
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!((answer.status, &*text), (200, body));
    assert_eq!(answer.headers["content-type"], media);
}

#[tokio::test]
async fn csv_lines_are_records() {
    let server = things().await;
    let csv = "text/csv; charset=utf-8";
    let all = get(&server, "/things?order=id", "text/csv").await;
    let lines = "id,name,kind,tags,meta\n\
        1,\"a,b\",1,\"{x,\"\"y z\"\"}\",\"{\"\"k\"\": null, \"\"l\"\": [null, {\"\"m\"\": null}]}\"\n\
        2,\"\",2,,\n\
        3,,,{},null";
    is(&all, csv, lines);
    assert_eq!(all.headers["content-range"], "0-2/*");
    let embedded = get(&server, "/things?select=id,kinds(name)&id=lt.3&order=id", "text/csv").await;
    is(
        &embedded,
        csv,
        "id,kinds\n1,\"{\"\"name\"\": \"\"k \\\\\"\"1\\\\\"\"\"\"}\"\n2,\"{\"\"name\"\": null}\"",
    );
    is(
        &get(&server, "/kinds?select=id,things(id)&id=eq.1", "text/csv").await,
        csv,
        "id,things\n1,\"[{\"\"id\"\": 1}]\"",
    );
    is(&get(&server, "/things?id=gt.7", "text/csv").await, csv, "\n");
    is(&get(&server, "/rpc/things_of?which=1&select=id", "text/csv").await, csv, "id\n1");
    let body = json!([{"id": 10, "name": "n"}]);
    let wanted = [("accept", "text/csv"), ("prefer", "return=representation")];
    let posted = server.post("/things?select=id,name", &wanted, &body).await;
    assert_eq!((posted.status, posted.body.as_slice()), (201, &b"id,name\n10,n"[..]));
}

#[tokio::test]
async fn nulls_are_stripped_at_every_depth() {
    let server = things().await;
    let array = "application/vnd.pgrst.array+json;nulls=stripped";
    let answer = get(&server, "/things?select=*,kinds(*)&order=id", array).await;
    let expected = r#"[{"id":1,"name":"a,b","kind":1,"tags":["x","y z"],"meta":{"l":[null,{}]},"kinds":{"id":1,"name":"k \"1\""}},{"id":2,"name":"","kind":2,"kinds":{"id":2}},{"id":3,"tags":[]}]"#;
    is(&answer, "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8", expected);
    let object = "application/vnd.pgrst.object+json;nulls=stripped";
    let answer = get(&server, "/kinds?id=eq.2&select=*,things(*)", object).await;
    is(&answer, &format!("{object}; charset=utf-8"), r#"{"id":2,"things":[{"id":2,"name":"","kind":2}]}"#);
    let plain = get(&server, "/kinds?id=eq.2", "application/vnd.pgrst.object").await;
    is(&plain, "application/vnd.pgrst.object+json; charset=utf-8", r#"{"id":2,"name":null}"#);
    assert_eq!(refusal(&get(&server, "/kinds", object).await).1, "PGRST116");
}

#[tokio::test]
async fn the_database_makes_representations_of_its_own() {
    let server = things().await;
    let picture = get(&server, "/rpc/picture", "image/png, */*").await;
    assert_eq!((picture.status, picture.body.as_slice()), (200, &b"\x89PNG"[..]));
    assert_eq!(picture.headers["content-type"], "image/png");
    is(&get(&server, "/rpc/words", "text/plain").await, "text/plain; charset=utf-8", "so \"be\" it");
    is(&get(&server, "/rpc/words", "*/*").await, "application/json; charset=utf-8", "\"so \\\"be\\\" it\"");
    let tsv = "text/tab-separated-values";
    let answer = get(&server, "/things?order=id&limit=2", tsv).await;
    is(&answer, tsv, "1\ta,b\n2\t\n");
    assert_eq!(answer.headers["content-range"], "0-1/*");
    is(&get(&server, "/rpc/things_of?which=1", tsv).await, tsv, "1\ta,b\n");
    let counted = server
        .send("GET", "/rpc/things_of?which=3&limit=1", &[("accept", tsv), ("prefer", "count=exact")], b"")
        .await;
    assert_eq!((counted.status, counted.headers["content-range"].as_str()), (206, "0-0/3"));
    // An aggregate of the table's rows takes whole rows only.
    assert_eq!(refusal(&get(&server, "/things?select=id", tsv).await).1, "PGRST107");
    is(
        &get(&server, "/kinds?select=name,id&order=id", "app/rows").await,
        "app/rows",
        "(\"k \"\"1\"\"\",1);(,2)",
    );
    let bytes = get(&server, "/bytes", "whatever/this, application/json").await;
    assert_eq!((bytes.status, bytes.body.as_slice()), (200, &[0, 255, 16][..]));
    assert_eq!(bytes.headers["content-type"], "application/octet-stream");
    assert_eq!(bytes.headers["content-disposition"], "attachment");
    assert_eq!(get(&server, "/bytes?select=b", "application/json").await.json().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_first_that_fits_is_answered() {
    let server = things().await;
    let json = "application/json; charset=utf-8";
    for accept in [
        "*/*",
        "application/json",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/plain, application/json",
        "text/csv;q=0.1, application/json",
        "application/vnd.pgrst.array+json",
    ] {
        is(&get(&server, "/kinds?select=id", accept).await, json, r#"[{"id":1},{"id":2}]"#);
    }
    for accept in ["text/plain", "image/png, text/xml;q=0.5", "undefined", "application/geo+json"] {
        let (status, code, message) = refusal(&get(&server, "/kinds", accept).await);
        assert_eq!((status, code.as_str()), (406, "PGRST107"), "{accept}");
        assert!(message.starts_with("None of these media types are available: "), "{message}");
    }
}

#[tokio::test]
async fn plans_are_answered_where_they_are_offered() {
    let plan = "application/vnd.pgrst.plan+json; for=\"application/json\"; options=verbose";
    let closed = things().await;
    assert_eq!(refusal(&get(&closed, "/things", plan).await).1, "PGRST107");
    let server = Plain::start(THINGS, "db_plan_enabled = true").await;
    let answer = get(&server, "/things?id=eq.1", plan).await;
    assert_eq!(answer.headers["content-type"], format!("{plan}; charset=utf-8"));
    let output = &answer.json()[0]["Plan"]["Output"][2];
    assert!(output.as_str().unwrap().starts_with("COALESCE(json_agg(ROW(things.id, things.name"), "{output}");
    let text = get(&server, "/rpc/things_of?which=1", "application/vnd.pgrst.plan").await;
    assert_eq!(
        text.headers["content-type"],
        "application/vnd.pgrst.plan+text; for=\"application/json\"; charset=utf-8"
    );
    assert!(text.body.starts_with(b"Aggregate"), "{}", String::from_utf8_lossy(&text.body));
    // It is planned, and not done.
    let planned =
        server.post("/things", &[("accept", "application/vnd.pgrst.plan+json")], &json!({"id": 50})).await;
    assert_eq!(planned.status, 200);
    assert!(planned.json()[0]["Plan"]["Total Cost"].is_number());
    assert_eq!(server.get("/things?id=eq.50").await.json(), json!([]));
}

#[tokio::test]
async fn times_are_answered_in_the_zone_that_is_preferred() {
    let sql = "create table api.times (at timestamptz, list timestamptz[]);
        insert into api.times values ('2024-07-01 12:00+00', '{2024-07-01 12:00+00}');
        grant select on api.times to rest_anon;";
    let server = Plain::start(sql, "").await;
    let zone = [("prefer", "timezone=America/Los_Angeles")];
    let answer = server.send("GET", "/times", &zone, b"").await;
    let there = "2024-07-01T05:00:00-07:00";
    assert_eq!(answer.json(), json!([{"at": there, "list": [there]}]));
    assert_eq!(answer.headers["preference-applied"], "timezone=America/Los_Angeles");
    let here = server.get("/times?select=at").await;
    assert_eq!(here.json(), json!([{"at": "2024-07-01T12:00:00+00:00"}]));
}
