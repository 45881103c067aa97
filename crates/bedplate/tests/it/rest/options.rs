//! `OPTIONS`: which methods a resource takes.

use super::{Plain, refusal};

async fn allow(server: &Plain, path: &str) -> String {
    let answer = server.send("OPTIONS", path, &[], b"").await;
    assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    assert_eq!(answer.headers["content-length"], "0", "{path}");
    answer.headers["allow"].clone()
}

#[tokio::test]
async fn methods_follow_from_what_the_object_is() {
    let sql = "
        create table api.keyless (a int);
        create view api.updatable as select id, name from api.items;
        create view api.counted as select count(*) from api.items;
        create function api.stable_one() returns int language sql stable as 'select 1';";
    let server = Plain::start(sql, "").await;
    for (path, methods) in [
        ("/", "OPTIONS,GET,HEAD"),
        ("/items", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("/keyless", "OPTIONS,GET,HEAD,POST,PATCH,DELETE"),
        ("/updatable", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("/counted", "OPTIONS,GET,HEAD"),
        ("/rpc/me", "OPTIONS,POST"),
        ("/rpc/stable_one", "OPTIONS,GET,HEAD,POST"),
    ] {
        assert_eq!(allow(&server, path).await, methods, "{path}");
    }
    let unknown = refusal(&server.send("OPTIONS", "/itemz", &[], b"").await);
    assert_eq!((unknown.0, unknown.1.as_str()), (404, "PGRST205"));
    let unknown = refusal(&server.send("OPTIONS", "/rpc/nothing", &[], b"").await);
    assert_eq!((unknown.0, unknown.1.as_str()), (404, "PGRST202"));
}

#[tokio::test]
async fn where_row_level_security_is_required_methods_are_those_that_are_served() {
    let sql = "
        create table api.notes (id int primary key);
        alter table api.notes enable row level security;
        create policy reading on api.notes for select to rest_anon using (true);
        create policy adding on api.notes for insert to rest_anon with check (true);
        grant select, insert on api.notes to rest_anon;";
    let server = Plain::start_with(sql, "", |command| {
        command.args(["--set", "access.schemas.api.require_rls=true"]);
    })
    .await;
    assert_eq!(allow(&server, "/notes").await, "OPTIONS,GET,HEAD,POST");
    assert_eq!(server.send("OPTIONS", "/items", &[], b"").await.status, 404, "not protected, so not there");
    assert_eq!(server.send("OPTIONS", "/rpc/me", &[], b"").await.status, 404);
}

#[tokio::test]
async fn a_closed_door_lets_no_script_read_it() {
    let server = Plain::start("", "").await;
    let with_origin = [("origin", "https://elsewhere.example")];
    let answer = server.send("OPTIONS", "/items", &with_origin, b"").await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}
