//! Functions called over `/rest/v1/rpc`: arguments, overloads, results, and what a call may do.

use serde_json::{Value, json};

use super::{Plain, author, refusal};
use crate::api::Answer;

const FUNCTIONS: &str = "
    create table api.notes (id int primary key, body text, owner int);
    insert into api.notes values (1, 'one', 10), (2, 'two', 10), (3, 'three', 20);
    create table api.owners (id int primary key, name text);
    insert into api.owners values (10, 'ann'), (20, 'bob');
    alter table api.notes add foreign key (owner) references api.owners;
    grant select, insert, update, delete on api.notes, api.owners to rest_anon;
    create function api.add(a int, b int default 5) returns int language sql immutable as 'select a + b';
    create function api.sum_of(start int, variadic parts int[]) returns int language sql immutable
      as 'select start + coalesce(sum(p), 0)::int from unnest(parts) p';
    create function api.notes_from(first int) returns setof api.notes language sql stable
      as 'select * from api.notes where id >= first order by id';
    create function api.one_note(which int) returns api.notes language sql stable
      as 'select * from api.notes where id = which';
    create function api.pairs() returns table (n int, square int) language sql immutable
      as 'select n, n * n from generate_series(1, 3) n';
    create function api.numbers() returns setof int language sql immutable as 'select generate_series(1, 4)';
    create function api.anything() returns record language sql immutable as $$ select 1 as a, 'x'::text as b $$;
    create function api.anythings() returns setof record language sql immutable
      as $$ select n as a, 'x'::text as b from generate_series(1, 2) n $$;
    create function api.nothing() returns void language sql as '';
    create function api.no_number() returns int language sql immutable as 'select null::int';
    create function api.both(inout x int, out y text) language sql immutable as $$ select x + 1, 'y' $$;
    create function api.whole(jsonb) returns jsonb language sql immutable as 'select $1';
    create function api.said(text) returns text language sql immutable as $$ select '<' || $1 || '>' $$;
    create function api.size_of(bytea) returns int language sql immutable as 'select length($1)';
    create function api.which(a int) returns text language sql immutable as $$ select 'a' $$;
    create function api.which(a int, b int) returns text language sql immutable as $$ select 'ab' $$;
    create function api.unclear(a int) returns text language sql immutable as $$ select 'int' $$;
    create function api.unclear(a text) returns text language sql immutable as $$ select 'text' $$;
    create function api.remember(body text) returns setof api.notes language sql
      as $$ insert into api.notes values (100, body, 10), (101, body, 10) returning * $$;
    create function api.bits(flags bit(3)) returns text language sql immutable as 'select flags::text';
    create function api.answers() returns int language plpgsql as $$ begin
      perform set_config('response.status', '299', true),
        set_config('response.headers', '[{\"X-A\": \"1\"}, {\"Set-Cookie\": \"a=1\"}, {\"Set-Cookie\": \"b=2\"}]', true);
      return 7; end $$;
    create function api.answers_badly() returns int language plpgsql as $$ begin
      perform set_config('response.headers', '{\"X-A\": \"1\"}', true); return 7; end $$;
    create function api.slow_limit() returns text language sql stable set statement_timeout to '7s'
      as $$ select current_setting('statement_timeout') $$;";

async fn functions() -> Plain {
    Plain::start(FUNCTIONS, "db_tx_end = \"commit-allow-override\"").await
}

#[track_caller]
fn answered(answer: &Answer, expected: &Value) {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.json(), *expected);
}

#[tokio::test]
async fn arguments_come_in_the_query_string_in_json_and_in_forms() {
    let server = functions().await;
    answered(&server.get("/rpc/add?a=1").await, &json!(6));
    answered(&server.get("/rpc/add?a=1&b=2").await, &json!(3));
    // Of a key given several times the last counts, unless the argument is variadic.
    answered(&server.get("/rpc/add?a=1&a=7&b=2").await, &json!(9));
    answered(&server.get("/rpc/sum_of?start=1&parts=2").await, &json!(3));
    answered(&server.get("/rpc/sum_of?start=1&parts=2&parts=3").await, &json!(6));
    answered(&server.get("/rpc/bits?flags=101").await, &json!("101"));
    answered(&server.post("/rpc/add", &[], &json!({"a": 1, "b": 2})).await, &json!(3));
    answered(&server.post("/rpc/sum_of", &[], &json!({"start": 1, "parts": [2, 3]})).await, &json!(6));
    // Of an array the first object; with columns nothing else.
    answered(&server.post("/rpc/add", &[], &json!([{"a": 1, "b": 2}, {"a": 5, "b": 6}])).await, &json!(3));
    answered(&server.post("/rpc/add?columns=a", &[], &json!({"a": 1, "z": 2})).await, &json!(6));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    answered(&server.send("POST", "/rpc/sum_of", &form, b"start=1&parts=2&parts=3").await, &json!(6));
    answered(
        &server.send("POST", "/rpc/add", &[("content-type", "text/csv")], b"a,b\n1,2\n9,9").await,
        &json!(3),
    );
    answered(&server.send("POST", "/rpc/numbers", &[], b"").await, &json!([1, 2, 3, 4]));
}

#[tokio::test]
async fn one_unnamed_parameter_takes_the_whole_body() {
    let server = functions().await;
    let body = json!({"b": [1, null]});
    answered(&server.post("/rpc/whole", &[], &body).await, &body);
    let as_text = [("content-type", "text/plain")];
    answered(&server.send("POST", "/rpc/said", &as_text, "déjà".as_bytes()).await, &json!("<déjà>"));
    let bytes = [("content-type", "application/octet-stream")];
    answered(&server.send("POST", "/rpc/size_of", &bytes, &[0, 255, 10, 92]).await, &json!(4));
    let refused = server.send("POST", "/rpc/add", &as_text, b"x").await;
    assert_eq!(refusal(&refused).1, "PGRST202");
    assert!(refused.json()["details"].as_str().unwrap().contains("with a single unnamed text parameter"));
    let refused = server.send("POST", "/rpc/said", &[("content-type", "image/png")], b"x").await;
    assert_eq!(refusal(&refused), (400, "PGRST102".into(), "Content-Type not acceptable: image/png".into()));
    let refused = server.send("POST", "/rpc/said", &as_text, b"\xff").await;
    assert_eq!(refusal(&refused).1, "PGRST102");
}

#[tokio::test]
async fn an_overload_is_chosen_by_the_names_of_its_arguments() {
    let server = functions().await;
    answered(&server.get("/rpc/which?a=1").await, &json!("a"));
    answered(&server.get("/rpc/which?a=1&b=2").await, &json!("ab"));
    let unclear = server.get("/rpc/unclear?a=1").await;
    let (status, code, message) = refusal(&unclear);
    assert_eq!((status, code.as_str()), (300, "PGRST203"));
    assert!(message.ends_with("api.unclear(a => integer), api.unclear(a => text)"), "{message}");
    let missing = server.get("/rpc/ad?a=1").await.json();
    assert_eq!(missing["message"], "Could not find the function api.ad(a) in the schema cache");
    let wrong = server.get("/rpc/which?a=1&c=2").await.json();
    assert_eq!(wrong["hint"], "Perhaps you meant to call the function api.which(a, b)");
}

#[tokio::test]
async fn results_have_the_form_of_their_type() {
    let server = functions().await;
    for (call, expected) in [
        ("/rpc/one_note?which=2", json!({"id": 2, "body": "two", "owner": 10})),
        ("/rpc/pairs", json!([{"n": 1, "square": 1}, {"n": 2, "square": 4}, {"n": 3, "square": 9}])),
        ("/rpc/numbers", json!([1, 2, 3, 4])),
        ("/rpc/anything", json!({"a": 1, "b": "x"})),
        ("/rpc/anythings", json!([{"a": 1, "b": "x"}, {"a": 2, "b": "x"}])),
        ("/rpc/no_number", json!(null)),
        ("/rpc/both?x=1", json!({"x": 2, "y": "y"})),
        ("/rpc/numbers?limit=2&offset=1", json!([2, 3])),
        (
            "/rpc/notes_from?first=2&select=id,who:owners(name)",
            json!([
            {"id": 2, "who": {"name": "ann"}}, {"id": 3, "who": {"name": "bob"}}]),
        ),
        ("/rpc/notes_from?first=1&id=gt.1&order=id.desc&limit=1&select=body", json!([{"body": "three"}])),
        ("/rpc/notes_from?first=1&owner=eq.20&select=id", json!([{"id": 3}])),
    ] {
        answered(&server.get(call).await, &expected);
    }
    let nothing = server.post("/rpc/nothing", &[], &json!({})).await;
    assert_eq!((nothing.status, nothing.body.len()), (204, 0));
    assert!(!nothing.headers.contains_key("content-type"));
    let head = server.send("HEAD", "/rpc/numbers", &[], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.headers["content-type"], "application/json; charset=utf-8");
}

#[tokio::test]
async fn rows_are_counted_without_their_page_even_when_it_is_behind_the_last() {
    let server = functions().await;
    let exact = [("prefer", "count=exact")];
    let counted = |path: &'static str| server.send("GET", path, &exact, b"");
    for (path, status, range) in [
        ("/rpc/pairs?limit=2", 206, "0-1/3"),
        ("/rpc/pairs?limit=2&offset=1", 206, "1-2/3"),
        ("/rpc/pairs?offset=3", 206, "*/3"),
        ("/rpc/pairs?offset=4", 416, "*/3"),
        ("/rpc/pairs?n=gt.1&offset=1&limit=1&select=n", 206, "1-1/2"),
        ("/rpc/pairs?n=gt.7", 200, "*/0"),
        ("/rpc/add?a=1", 200, "0-0/1"),
        ("/rpc/numbers?offset=1&limit=2", 206, "1-2/4"),
        ("/rpc/numbers?offset=4", 206, "*/4"),
        ("/rpc/numbers?offset=5", 416, "*/4"),
        ("/rpc/one_note?which=1&offset=3", 416, "*/1"),
    ] {
        let answer = counted(path).await;
        assert_eq!((answer.status, answer.headers["content-range"].as_str()), (status, range), "{path}");
    }
    assert_eq!(counted("/rpc/numbers?offset=1&limit=2").await.json(), json!([2, 3]));
    assert_eq!(counted("/rpc/numbers?offset=4").await.json(), json!([]));
    let page = counted("/rpc/notes_from?first=1&offset=1&limit=1&select=id,owners(name)").await;
    assert_eq!(page.json(), json!([{"id": 2, "owners": {"name": "ann"}}]));
    let ranged = server.send("GET", "/rpc/pairs", &[("range", "1-1")], b"").await;
    assert_eq!((ranged.status, ranged.headers["content-range"].as_str()), (200, "1-1/*"));
    let posted = server.send("POST", "/rpc/pairs", &[("range", "1-1"), exact[0]], b"").await;
    assert_eq!(posted.headers["content-range"], "0-2/3");
}

#[tokio::test]
async fn get_writes_nothing_and_refused_calls_leave_nothing() {
    let server = functions().await;
    let notes = || async { server.get("/notes?select=id&id=gte.100").await.json().as_array().unwrap().len() };
    let read = server.get("/rpc/remember?body=x").await;
    assert_eq!((read.status, read.json()["code"].as_str()), (405, Some("25006")));
    let call = |headers: &'static [(&'static str, &'static str)]| {
        server.send("POST", "/rpc/remember", headers, br#"{"body": "x"}"#)
    };
    let bounded = call(&[("prefer", "handling=strict, max-affected=1")]).await;
    assert_eq!(refusal(&bounded).1, "PGRST124");
    assert_eq!(notes().await, 0);
    let single = call(&[("accept", "application/vnd.pgrst.object+json")]).await;
    assert_eq!(refusal(&single).1, "PGRST116");
    assert_eq!(single.json()["details"], "The result contains 2 rows");
    assert_eq!(notes().await, 0);
    let undone = call(&[("prefer", "tx=rollback")]).await;
    assert_eq!((undone.status, undone.json().as_array().unwrap().len()), (200, 2));
    assert_eq!(undone.headers["preference-applied"], "tx=rollback");
    assert_eq!(notes().await, 0);
    let kept = call(&[("prefer", "handling=strict, max-affected=2")]).await;
    assert_eq!(kept.headers["preference-applied"], "handling=strict, max-affected=2");
    assert_eq!(notes().await, 2);
    let value = server
        .send("POST", "/rpc/add", &[("prefer", "handling=strict, max-affected=2")], br#"{"a":1}"#)
        .await;
    assert_eq!(refusal(&value).1, "PGRST128");
    for method in ["PUT", "PATCH", "DELETE"] {
        let refused = server.send(method, "/rpc/add?a=1", &[], b"").await;
        assert_eq!(refusal(&refused).1, "PGRST101", "{method}");
    }
}

#[tokio::test]
async fn sql_says_status_and_headers() {
    let server = functions().await;
    let answer = server.post("/rpc/answers", &[], &json!({})).await;
    assert_eq!((answer.status, answer.json()), (299, json!(7)));
    assert_eq!(answer.headers["x-a"], "1");
    let bad = server.post("/rpc/answers_badly", &[], &json!({})).await;
    assert_eq!((refusal(&bad).0, refusal(&bad).1.as_str()), (500, "PGRST111"));
    answered(&server.get("/rpc/slow_limit").await, &json!("7s"));
}

#[tokio::test]
async fn who_may_not_execute_is_told_so() {
    let sql = "create function api.hidden() returns int language sql as 'select 1';
        revoke execute on function api.hidden() from public; grant execute on function api.hidden() to rest_author;";
    let server = Plain::start(sql, "").await;
    let anonymous = server.post("/rpc/hidden", &[], &json!({})).await;
    assert_eq!(refusal(&anonymous), (401, "42501".into(), "permission denied for function hidden".into()));
    answered(&server.get_as("/rpc/hidden", &author()).await, &json!(1));
}
