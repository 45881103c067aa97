//! What is not served is as what is not there, on every road.

use serde_json::json;

use super::{Caller, code, observable, start, text};
use crate::api::server::service;

/// The same request for something hidden and for something that does not exist, which must look the same.
async fn same(caller: &Caller<'_>, request: (&str, &str, &[(&str, &str)], &str), hidden: &str, absent: &str) {
    let (method, path, headers, body) = request;
    let swap = |text: &str| text.replace("{}", absent);
    let put = |text: &str| text.replace("{}", hidden);
    let found = caller.send(method, &put(path), headers, &put(body)).await;
    let missing = caller.send(method, &swap(path), headers, &swap(body)).await;
    assert!(
        (400..500).contains(&found.status),
        "{method} {path} {}: {} {}",
        put(body),
        found.status,
        text(&found)
    );
    assert_eq!(
        observable(&found, hidden, absent),
        observable(&missing, hidden, absent),
        "{method} {path} {headers:?} {body}"
    );
}

const WRITES: &str = r#"[{"id":1,"v":"x"}]"#;

#[tokio::test]
async fn v30_objects_that_are_not_served_cannot_be_told_from_none() {
    let server = start().await;
    let representation: &[(&str, &str)] = &[("prefer", "return=representation,count=planned")];
    let explain: &[(&str, &str)] = &[("accept", "application/vnd.pgrst.plan+json")];
    for hidden in ["open_table", "no_policy", "definer_view", "stored_view", "parted_one", "wyvern"] {
        let absent = &"zq0xj7wk8vy9".repeat(2)[..hidden.len()];
        for caller in [Caller::alice(&server), Caller::nobody(&server)] {
            for (method, path, headers, body) in [
                ("GET", "/{}", &[][..], ""),
                ("HEAD", "/{}", &[], ""),
                ("GET", "/{}?select=id&id=eq.1&order=id&limit=1", representation, ""),
                ("GET", "/{}?select=count()", &[], ""),
                ("GET", "/{}", explain, ""),
                ("GET", "/{}", &[("range", "5-9"), ("prefer", "count=exact")], ""),
                ("GET", "/{}", &[("accept", "application/vnd.pgrst.object+json")], ""),
                ("OPTIONS", "/{}", &[], ""),
                ("POST", "/{}", representation, WRITES),
                ("POST", "/{}?columns=id,nothing", representation, WRITES),
                ("POST", "/{}?on_conflict=id", &[("prefer", "resolution=merge-duplicates")], WRITES),
                ("PATCH", "/{}?id=eq.1", representation, "{\"v\":\"x\"}"),
                ("PATCH", "/{}?id=eq.1", &[], "{\"nothing\":\"x\"}"),
                ("PUT", "/{}?id=eq.1", representation, WRITES),
                ("PUT", "/{}?v=eq.1", &[], WRITES),
                ("PUT", "/{}?id=eq.2", &[], WRITES),
                ("PUT", "/{}", &[], WRITES),
                ("DELETE", "/{}?id=eq.1", representation, ""),
                ("DELETE", "/{}?id=eq.1", &[("prefer", "max-affected=0,handling=strict")], ""),
                ("GET", "/rpc/{}", &[], ""),
            ] {
                same(&caller, (method, path, headers, body), hidden, absent).await;
            }
        }
        let alice = Caller::alice(&server);
        for path in [
            "/tickets?select=id,{}(*)",
            "/tickets?select=id,x:{}!inner(id)",
            "/tickets?select=id,...{}(id)",
            "/tickets?select=id,comments!{}(id)",
            "/tickets?select=id&order={}(id)",
            "/tickets?select=id&{}=is.null",
            "/tickets?select=id&{}.id=eq.1",
            "/tickets?select=id,title::{}",
            "/vault?select=id,{}(id)",
        ] {
            same(&alice, ("GET", path, &[], ""), hidden, absent).await;
        }
    }
}

#[tokio::test]
async fn v30_functions_that_are_not_served_cannot_be_told_from_none() {
    let server = start().await;
    for hidden in ["by_default", "definer"] {
        let absent = &"zq0xj7wk8vy9"[..hidden.len()];
        for caller in [Caller::alice(&server), Caller::nobody(&server)] {
            for (method, path, body) in [
                ("GET", "/rpc/{}", ""),
                ("HEAD", "/rpc/{}", ""),
                ("GET", "/rpc/{}?x=1", ""),
                ("POST", "/rpc/{}", "{}"),
                ("POST", "/rpc/{}", r#"{"nothing":1}"#),
                ("OPTIONS", "/rpc/{}", ""),
                ("PUT", "/rpc/{}", "{}"),
                ("GET", "/{}", ""),
            ] {
                let body = body.replace("{}", "{ }");
                same(&caller, (method, path, &[], &body), hidden, absent).await;
            }
        }
    }
    let alice = Caller::alice(&server);
    // Functions of a row: one that needs a column which the role may not read and one that was never granted on purpose.
    for (path, hidden) in [
        ("/vault?select=id,{}", "whole"),
        ("/vault?select=id&{}=eq.x", "whole"),
        ("/vault?select=id&order={}", "whole"),
        ("/tickets?select=id,{}", "ungranted"),
        ("/tickets?select=id&{}=eq.x", "ungranted"),
        ("/tickets?select=id&or=({}.eq.x,id.eq.1)", "ungranted"),
    ] {
        same(&alice, ("GET", path, &[], ""), hidden, &"zq0xj7wk8v"[..hidden.len()]).await;
    }
}

#[tokio::test]
async fn v25_columns_without_a_grant_do_not_exist_on_any_road() {
    let server = start().await;
    let alice = Caller::alice(&server);
    let row = r#"{"id":1,"{}":"x"}"#;
    let merge: &[(&str, &str)] = &[("prefer", "resolution=merge-duplicates")];
    let back: &[(&str, &str)] = &[("prefer", "return=representation")];
    for (method, path, headers, body) in [
        ("GET", "/vault?select={}", &[][..], ""),
        ("GET", "/vault?select=id,x:{}::text", &[], ""),
        ("GET", "/vault?select=id,{}-%3Ea-%3E%3Eb", &[], ""),
        ("GET", "/vault?select=id,{}.max()", &[], ""),
        ("GET", "/vault?select=id&{}=eq.hidden", &[], ""),
        ("GET", "/vault?select=id&{}=not.is.null", &[], ""),
        ("GET", "/vault?select=id&{}-%3E%3Ea=eq.x", &[], ""),
        ("GET", "/vault?select=id&{}=like(any).{h*,x*}", &[], ""),
        ("GET", "/vault?select=id&{}=fts.hidden", &[], ""),
        ("GET", "/vault?select=id&or=({}.like.h*,id.eq.9)", &[], ""),
        ("GET", "/vault?select=id&not.and=({}.like.h*,id.eq.9)", &[], ""),
        ("GET", "/vault?select=id&order={}", &[], ""),
        ("GET", "/vault?select=id&order={}-%3Ea.desc.nullslast", &[], ""),
        ("GET", "/vault?select=id&distinct=true&order={}", &[], ""),
        ("GET", "/vault?select=id&{}=eq.x", &[("prefer", "count=exact")], ""),
        ("HEAD", "/vault?select=id&{}=eq.x", &[("prefer", "count=exact")], ""),
        ("GET", "/keyring?select=id,vault({})", &[], ""),
        ("GET", "/keyring?select=id,...vault({})", &[], ""),
        ("GET", "/keyring?select=id,vault!inner(id)&vault.{}=eq.x", &[], ""),
        ("GET", "/keyring?select=id,vault(id)&or=(vault.{}.eq.x,id.eq.9)", &[], ""),
        ("GET", "/keyring?select=id,vault(id)&order=vault({})", &[], ""),
        ("POST", "/vault", &[], row),
        ("POST", "/vault?columns=id,{}", &[], row),
        ("POST", "/vault?select={}", back, r#"{"id":7}"#),
        ("POST", "/vault?on_conflict={}", merge, r#"{"id":7}"#),
        ("PATCH", "/vault?id=eq.1", &[], r#"{"{}":"x"}"#),
        ("PATCH", "/vault?id=eq.1&columns={}", &[], r#"{"shown":"x"}"#),
        ("PATCH", "/vault?{}=eq.hidden", &[], r#"{"shown":"x"}"#),
        ("PATCH", "/vault?id=eq.1&select={}", back, r#"{"shown":"x"}"#),
        ("DELETE", "/vault?{}=eq.hidden", &[], ""),
        ("DELETE", "/vault?id=eq.1&select={}", back, ""),
    ] {
        same(&alice, (method, path, headers, body), "hidden", "absent").await;
    }
    // The key of the hidden table is a column that may be written, but not read: no way leads over it.
    same(&alice, ("GET", "/vault?select=id,{}(id)", &[], ""), "no_policy", "zq0xj7wk8").await;
    let rows = alice.get("/vault?select=id,shown,doc-%3Ea&order=id").await;
    assert_eq!(rows.json()[0], json!({"id": 1, "shown": "shown", "a": 1}));
    // `*` is PostgreSQL's to refuse, as with PostgREST, without a word on which column.
    let star = alice.get("/vault").await;
    assert_eq!((star.status, code(&star)), (403, "42501".into()));
    assert!(!text(&star).contains("hidden"));
    let service = Caller { server: &server, token: Some(service()) };
    assert_eq!(service.get("/vault?select=hidden").await.status, 200);
}

#[tokio::test]
async fn schemas_that_are_not_exposed_are_refused_alike() {
    let server = start().await;
    let alice = Caller::alice(&server);
    for (method, header, body) in
        [("GET", "accept-profile", ""), ("HEAD", "accept-profile", ""), ("POST", "content-profile", "{}")]
    {
        for place in ["/wyvern", "/tickets", "/rpc/who", "/"] {
            if place == "/" && method == "POST" {
                continue;
            }
            let told = async |schema: &str| {
                let answer = alice.send(method, place, &[(header, schema)], body).await;
                observable(&answer, schema, "SCHEMA")
            };
            let absent = told("zq0xj7wk").await;
            assert_eq!(absent.0, 406, "{absent:?}");
            for schema in ["internal", "pg_catalog", "information_schema", "auth", "PUBLIC"] {
                assert_eq!(told(schema).await, absent, "{method} {place} {schema}");
            }
        }
    }
}

#[tokio::test]
async fn the_description_and_the_methods_name_only_what_is_served() {
    let server = start().await;
    for caller in [Caller::alice(&server), Caller::nobody(&server)] {
        let document = text(&caller.get("/").await);
        assert!(document.contains("swagger"));
        for secret in [
            "open_table",
            "no_policy",
            "definer_view",
            "stored_view",
            "parted_one",
            "internal",
            "by_default",
            "definer",
            "hidden",
            "shadow",
            "whole",
            "ungranted",
            "trail",
            "leak",
        ] {
            // A column that may be written may be known of.
            let document = document.replace("shadow_id", "");
            assert!(!document.contains(secret), "{secret}");
        }
        let options = caller.send("OPTIONS", "/vault", &[], "").await;
        match &caller.token {
            Some(_) => assert_eq!(options.headers["allow"], "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"),
            None => assert_eq!(options.status, 404),
        }
    }
}

#[tokio::test]
async fn aggregates_of_the_database_run_only_where_they_were_granted() {
    let server = start().await;
    let alice = Caller::alice(&server);
    let leak: &[(&str, &str)] = &[("accept", "application/x-leak")];
    let unknown: &[(&str, &str)] = &[("accept", "application/x-none")];
    for (method, path, body) in
        [("GET", "/tickets", ""), ("DELETE", "/tickets?id=eq.0", ""), ("POST", "/tickets", "[]")]
    {
        let refused = alice.send(method, path, leak, body).await;
        let absent = alice.send(method, path, unknown, body).await;
        assert_eq!((refused.status, code(&refused)), (406, "PGRST107".into()), "{method} {}", text(&refused));
        assert_eq!(observable(&refused, "x-leak", "x-none"), observable(&absent, "x-leak", "x-none"));
    }
    let owner = server.db.connect("postgres").await;
    owner
        .batch_execute("grant execute on function public.leaking(public.tickets) to authenticated")
        .await
        .unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while alice.send("GET", "/tickets", leak, "").await.status != 200 {
        assert!(std::time::Instant::now() < deadline, "a grant on purpose is enough");
    }
}

#[tokio::test]
async fn foreign_tables_are_not_served_and_cannot_be_told_from_none() {
    let server = start().await;
    let alice = Caller::alice(&server);
    server
        .db
        .superuser()
        .await
        .batch_execute(
            "create foreign data wrapper nowhere; create server far foreign data wrapper nowhere;
             create foreign table public.distant (id int) server far;
             create table public.marker (id int primary key);
             alter table public.marker enable row level security;
             create policy p on public.marker using (true);
             grant select on public.distant, public.marker to authenticated;",
        )
        .await
        .unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while alice.get("/marker").await.status != 200 {
        let answer = alice.get("/marker").await;
        assert!(std::time::Instant::now() < deadline, "{} {}", answer.status, text(&answer));
    }
    for (method, path, body) in [
        ("GET", "/{}", ""),
        ("OPTIONS", "/{}", ""),
        ("POST", "/{}", "{\"id\":1}"),
        ("DELETE", "/{}?id=eq.1", ""),
    ] {
        same(&alice, (method, path, &[], body), "distant", "zq0xj7w").await;
    }
}
