//! What holds for a request's transaction: settings that SQL sees, the pre-request function, isolation, how it ends, and
//! what SQL says of the answer.

use serde_json::{Value, json};

use super::{Plain, author, refusal};

#[tokio::test]
async fn sql_sees_the_request_and_the_settings_of_the_app() {
    let server = Plain::start(
        "create schema more; create function more.extra() returns int language sql as 'select 5';
         create function api.uses_extra() returns int language plpgsql as 'begin return extra(); end';
         grant usage on schema more to rest_anon;",
        "db_extra_search_path = [\"more\"]\napp_settings = { host = \"localhost\", quoted = \"a 'b' \\\"c\\\"\" }",
    )
    .await;
    assert_eq!(server.setting("request.method").await, json!("GET"));
    assert_eq!(server.setting("request.path").await, json!("/rpc/setting"), "without the prefix");
    assert_eq!(server.setting("search_path").await, json!("\"api\", \"more\""));
    assert_eq!(server.get("/rpc/uses_extra").await.json(), json!(5));
    assert_eq!(server.setting("app.settings.host").await, json!("localhost"));
    assert_eq!(server.setting("app.settings.quoted").await, json!("a 'b' \"c\""));
    let headers = [("cookie", "a=1; b=\"two\"; a=3"), ("x-mine", "yes"), ("authorization", "Basic x")];
    let ask = async |name: &str| -> Value {
        let path = format!("/rpc/setting?name={name}");
        let text = server.send("GET", &path, &headers, b"").await.json();
        serde_json::from_str(text.as_str().unwrap()).unwrap()
    };
    assert_eq!(ask("request.cookies").await, json!({"a": "3", "b": "two"}));
    let seen = ask("request.headers").await;
    assert_eq!(seen["x-mine"], "yes");
    assert!(seen.get("authorization").is_none() && seen.get("cookie").is_none(), "{seen}");
    assert_eq!(server.setting("request.cookies").await, json!("{}"));
}

#[tokio::test]
async fn a_time_zone_may_be_preferred() {
    let server = Plain::start("", "").await;
    let zone = async |prefer: &str| {
        server.send("GET", "/rpc/setting?name=timezone", &[("prefer", prefer)], b"").await
    };
    let answer = zone("timezone=America/Los_Angeles").await;
    assert_eq!(answer.json(), json!("America/Los_Angeles"));
    assert_eq!(answer.headers["preference-applied"], "timezone=America/Los_Angeles");
    assert_ne!(zone("timezone=Nowhere/Land").await.json(), json!("Nowhere/Land"));
    let strict = zone("handling=strict, timezone=Nowhere/Land").await;
    assert_eq!(refusal(&strict).1, "PGRST122");
}

#[tokio::test]
async fn the_pre_request_function_comes_first_in_the_same_transaction() {
    let server = Plain::start(
        "create function api.check() returns void language plpgsql as $$
         begin
             if current_setting('request.path') like '/secret%' then
                 raise exception 'not today' using hint = 'come back';
             end if;
             if current_setting('request.headers')::json ->> 'x-as' is not null then
                 perform set_config('role', current_setting('request.headers')::json ->> 'x-as', true);
             end if;
             perform set_config('response.headers', '[{\"X-Checked\": \"yes\"}]', true);
         end $$;",
        "db_pre_request = \"api.check\"",
    )
    .await;
    let answer = server.get("/items?id=eq.1").await;
    assert_eq!((answer.status, answer.headers["x-checked"].as_str()), (200, "yes"), "of a read too");
    assert_eq!(refusal(&server.get("/secrets").await), (400, "P0001".into(), "not today".into()));
    let switched = server.send("GET", "/rpc/me", &[("x-as", "rest_author")], b"").await;
    assert_eq!(switched.json(), json!("rest_author"));
    assert_eq!(server.get("/rpc/me").await.json(), json!("rest_anon"), "nothing of it stays");
}

#[tokio::test]
async fn a_pre_request_function_that_is_not_there_refuses_everything() {
    let server = Plain::start("", "db_pre_request = \"api.nothing\"").await;
    assert_eq!(refusal(&server.get("/items").await).1, "42883");
}

#[tokio::test]
async fn settings_of_roles_and_functions_hold_and_those_that_need_more_rights_do_no_harm() {
    let server = Plain::start(
        "do $$ begin
             execute format('alter role rest_author in database %I set default_transaction_isolation = ''serializable''', current_database());
             execute format('alter role rest_author in database %I set statement_timeout = ''1234ms''', current_database());
             execute format('alter role rest_author in database %I set app.mine = ''text''', current_database());
             execute format('alter role rest_author in database %I set log_min_messages = ''fatal''', current_database());
         end $$;
         create function api.isolated(name text) returns text language sql
             set default_transaction_isolation = 'repeatable read' set work_mem = '7MB'
             as $$ select current_setting(name) $$;
         create function api.outside() returns text language plpgsql as $$ begin return api.isolated('transaction_isolation'); end $$;",
        "",
    )
    .await;
    let as_author =
        async |name: &str| server.get_as(&format!("/rpc/setting?name={name}"), &author()).await.json();
    assert_eq!(as_author("transaction_isolation").await, json!("serializable"));
    assert_eq!(as_author("statement_timeout").await, json!("1234ms"));
    assert_eq!(as_author("app.mine").await, json!("text"));
    assert_eq!(server.setting("transaction_isolation").await, json!("read committed"));
    let isolated = "/rpc/isolated?name=transaction_isolation";
    assert_eq!(server.get(isolated).await.json(), json!("repeatable read"));
    assert_eq!(server.get_as(isolated, &author()).await.json(), json!("repeatable read"), "over the role's");
    assert_eq!(
        server.get("/rpc/outside").await.json(),
        json!("read committed"),
        "only when it is what is called"
    );
    let write = json!({"id": 100, "name": "x"});
    let token = format!("Bearer {}", author());
    let answer = server.post("/items", &[("authorization", &token)], &write).await;
    assert_eq!(answer.status, 201, "a write in a serializable transaction");
}

#[tokio::test]
async fn transactions_end_as_the_settings_and_the_caller_say() {
    let stored = async |server: &Plain| server.get("/items?id=gte.100&select=id&order=id").await.json();
    let prefer = |tx| [("prefer", tx)];
    let commit = Plain::start("", "").await;
    commit.post("/items", &prefer("tx=rollback"), &json!({"id": 100})).await;
    assert_eq!(stored(&commit).await, json!([{"id": 100}]), "nobody was asked");
    let chosen = Plain::start("", "db_tx_end = \"commit-allow-override\"").await;
    let undone =
        chosen.post("/items", &prefer("tx=rollback, return=representation"), &json!({"id": 100})).await;
    assert_eq!((undone.status, undone.json()), (201, json!([{"id": 100, "name": null}])));
    assert_eq!(undone.headers["preference-applied"], "return=representation, tx=rollback");
    assert_eq!(stored(&chosen).await, json!([]));
    chosen.post("/items", &[], &json!({"id": 101})).await;
    assert_eq!(stored(&chosen).await, json!([{"id": 101}]));
    let dry = Plain::start("", "db_tx_end = \"rollback\"").await;
    assert_eq!(dry.post("/items", &prefer("tx=commit"), &json!({"id": 100})).await.status, 201);
    assert_eq!(stored(&dry).await, json!([]));
    let most = [("prefer", "handling=strict, max-affected=1")];
    let refused = dry.send("DELETE", "/items?id=lt.10", &most, b"").await;
    assert_eq!(refusal(&refused).1, "PGRST124", "checked although nothing would stay");
}

#[tokio::test]
async fn sql_says_headers_and_status_of_the_answer() {
    let server = Plain::start(
        "create function api.teapot(status text, headers text) returns int language plpgsql as $$ begin
             perform set_config('response.status', status, true);
             perform set_config('response.headers', headers, true);
             return 1; end $$;
         create function api.mark() returns trigger language plpgsql as $$ begin
             perform set_config('response.headers', '[{\"X-Row\": \"' || new.id || '\"}]', true);
             return new; end $$;
         create trigger mark before insert on api.items for each row execute function api.mark();",
        "db_tx_end = \"rollback-allow-override\"",
    )
    .await;
    let call = async |status: &str, headers: &str| {
        server.post("/rpc/teapot", &[], &json!({"status": status, "headers": headers})).await
    };
    let fine = call("418", "[{\"Set-Cookie\": \"a=1\"}, {\"X-Tea\": \"green\"}]").await;
    assert_eq!((fine.status, fine.headers["x-tea"].as_str()), (418, "green"));
    assert_eq!(fine.headers["set-cookie"], "a=1");
    assert_eq!(refusal(&call("tea", "[]").await).1, "PGRST112");
    assert_eq!(refusal(&call("200", "{}").await).1, "PGRST111");
    for tx in ["tx=rollback", "tx=commit"] {
        let written = server.post("/items", &[("prefer", tx)], &json!({"id": 200})).await;
        assert_eq!((written.status, written.headers["x-row"].as_str()), (201, "200"), "{tx}");
    }
}

#[tokio::test]
async fn rows_are_bounded_where_that_is_wanted() {
    let bounded = Plain::start("", "db_max_rows = 2").await;
    assert_eq!(bounded.get("/items?select=id&order=id").await.json(), json!([{"id": 1}, {"id": 2}]));
    assert_eq!(bounded.get("/items?select=id&limit=9").await.json().as_array().unwrap().len(), 2);
    let free =
        Plain::start("insert into api.items select n from generate_series(1001, 5000) n;", "db_max_rows = 0")
            .await;
    assert_eq!(free.get("/items?select=id").await.json().as_array().unwrap().len(), 4030);
}

#[tokio::test]
async fn aggregates_and_plans_are_off_unless_they_are_wanted() {
    let closed = Plain::start("", "").await;
    assert_eq!(refusal(&closed.get("/items?select=count()").await).1, "PGRST123");
    let plan = [("accept", "application/vnd.pgrst.plan+json")];
    assert_eq!(refusal(&closed.send("GET", "/items", &plan, b"").await).1, "PGRST107");
    let open = Plain::start("", "db_aggregates_enabled = true\ndb_plan_enabled = true").await;
    assert_eq!(open.get("/items?select=count()").await.json(), json!([{"count": 30}]));
    let plan = open.send("GET", "/items", &plan, b"").await;
    assert!(plan.json()[0]["Plan"]["Total Cost"].is_number(), "{}", plan.json());
}
