//! What is served to whom: closed unless protected.

use serde_json::json;

use super::server::{ALICE, Server, service, user};

const EXTRA: &str = "
    create table public.open_table (id int primary key, secret text);
    insert into public.open_table values (1, 'x');
    create table public.no_policy (id int primary key);
    alter table public.no_policy enable row level security;
    create table public.read_only (id int primary key, shown text, hidden text);
    insert into public.read_only values (1, 'shown', 'hidden');
    alter table public.read_only enable row level security;
    revoke all on public.read_only from anon, authenticated;
    grant select (id, shown) on public.read_only to authenticated, anon;
    create policy r on public.read_only for select using (true);
    create view public.definer_view as select * from public.tickets;
    create view public.invoker_view with (security_invoker = true) as select id, title, organization_id from public.tickets;
    create materialized view public.matview as select 1 as id;
    grant select on public.definer_view, public.invoker_view, public.matview to authenticated;
    create function public.by_default() returns int language sql as 'select 1';
    create function public.definer() returns bigint language sql security definer set search_path = '' as 'select count(*) from public.tickets';
    revoke execute on function public.definer() from public;
    grant execute on function public.definer() to authenticated;
";

#[tokio::test]
async fn v30_unprotected_objects_are_not_served_to_users() {
    let server = Server::start_with(|_| {}, EXTRA).await;
    let alice = user(ALICE);
    for name in ["open_table", "no_policy", "definer_view", "matview"] {
        for token in [None, Some(alice.as_str())] {
            let answer = server.get(&format!("/api/v1/{name}"), token).await;
            assert!(matches!(answer.status, 401 | 403 | 404), "{name} {}", answer.status);
            answer.code();
            let body = json!({"id": 5});
            let write = server.call("POST", &format!("/api/v1/{name}"), token, Some(body)).await;
            assert!(matches!(write.status, 401 | 403 | 404 | 405), "{name} {}", write.status);
        }
    }
    for name in ["by_default", "definer"] {
        let answer = server.call("POST", &format!("/api/v1/rpc/{name}"), Some(&alice), Some(json!({}))).await;
        assert!(matches!(answer.status, 403 | 404), "{name} {}", answer.status);
    }
    let embedded = server.get("/api/v1/tickets?select=id,open_table(*)", Some(&alice)).await;
    assert_eq!(embedded.status, 400);
    let invoker = server.get("/api/v1/invoker_view?select=organization_id&limit=100", Some(&alice)).await;
    assert_eq!(invoker.status, 200, "{}", String::from_utf8_lossy(&invoker.body));
    assert!(invoker.data().as_array().unwrap().iter().all(|row| row["organization_id"] == 1));
    // The service role bypasses row level security: only grants count.
    assert_eq!(server.get("/api/v1/open_table", Some(&service())).await.status, 200);
}

#[tokio::test]
async fn v25_columns_without_a_grant_do_not_exist_on_any_road() {
    let server = Server::start_with(|_| {}, EXTRA).await;
    let alice = user(ALICE);
    let star = server.get("/api/v1/read_only", Some(&alice)).await.data();
    assert_eq!(star, json!([{"id": 1, "shown": "shown"}]));
    for query in [
        "select=hidden",
        "hidden=eq.hidden",
        "order=hidden",
        "or=(hidden.eq.x,id.eq.1)",
        "select=id&hidden=like.h*",
        "select=id,x:hidden::text",
        "order=hidden.desc&after_hidden=1&after_id=1",
    ] {
        let refused = server.get(&format!("/api/v1/read_only?{query}"), Some(&alice)).await;
        let unknown = server
            .get(&format!("/api/v1/read_only?{}", query.replace("hidden", "missing")), Some(&alice))
            .await;
        assert_eq!((refused.status, refused.code()), (400, unknown.code()), "{query}");
        let text = |a: &super::Answer| a.json()["detail"].to_string().replace("hidden", "missing");
        assert_eq!(text(&refused), text(&unknown), "the same words as for a column that does not exist");
    }
    let write = server.call("PATCH", "/api/v1/read_only/1", Some(&alice), Some(json!({"shown": "x"}))).await;
    assert_eq!(write.status, 403);
    let anonymous = server.call("PATCH", "/api/v1/read_only/1", None, Some(json!({"shown": "x"}))).await;
    assert_eq!(anonymous.status, 401, "signing in may help");
    assert!(anonymous.json()["hint"].is_null(), "hints about grants are for developers");
}

#[tokio::test]
async fn serve_refuses_to_start_with_an_exposed_object_that_is_open() {
    let db = super::server::database().await;
    db.connect("postgres")
        .await
        .batch_execute("alter table public.tickets disable row level security")
        .await
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(super::server::helpdesk().join("bedplate.toml"), dir.path().join("bedplate.toml")).unwrap();
    std::fs::create_dir(dir.path().join("migrations")).unwrap();
    for file in std::fs::read_dir(super::server::helpdesk().join("migrations")).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), dir.path().join("migrations").join(file.file_name())).unwrap();
    }
    let out = tokio::process::Command::new(env!("CARGO_BIN_EXE_bedplate"))
        .args(["serve", "--text", "--set", "server.port=0", "--set", "server.admin_port=0"])
        .env("DATABASE_URL", db.url("postgres"))
        .envs(super::server::keys())
        .current_dir(dir.path())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success());
    assert!(text.contains("public.tickets") && text.contains("enable row level security"), "{text}");
}

#[tokio::test]
async fn a_policy_that_is_made_is_served_at_once_and_one_that_goes_is_not() {
    let server = Server::start_with(|_| {}, EXTRA).await;
    let alice = user(ALICE);
    let owner = server.db.connect("postgres").await;
    assert_ne!(server.get("/api/v1/no_policy", Some(&alice)).await.status, 200);
    owner.batch_execute("create policy p on public.no_policy using (true)").await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while server.get("/api/v1/no_policy", Some(&alice)).await.status != 200 {
        assert!(std::time::Instant::now() < deadline, "the catalog was not read again");
    }
    owner.batch_execute("drop policy p on public.no_policy").await.unwrap();
    while server.get("/api/v1/no_policy", Some(&alice)).await.status == 200 {
        assert!(std::time::Instant::now() < deadline, "the catalog was not read again");
    }
}
