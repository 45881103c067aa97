//! What a review by attack found: requests that must not do more, or say more, than they are asked to.

use serde_json::{Value, json};

use super::server::{ADAM, ALICE, BOB, Server, user};

const EXTRA: &str = "
    create table public.keyless (secret_key int primary key, shown text);
    insert into public.keyless values (1, 'a'), (2, 'b');
    alter table public.keyless enable row level security;
    create policy p on public.keyless using (true) with check (true);
    revoke all on public.keyless from anon, authenticated;
    grant select (shown), update (shown), delete on public.keyless to authenticated;

    create table public.trail (id int generated always as identity, note text, secret_column text not null);
    create table public.watched (id int primary key, v text, doc json, search tsvector);
    alter table public.watched enable row level security;
    create policy p on public.watched using (true) with check (true);
    create function app.watch() returns trigger language plpgsql security definer set search_path = '' as $$
      begin
        if new.v = 'skip' then return null; end if;
        if new.v = 'fail' then insert into public.trail (note) values ('x'); end if;
        return new;
      end $$;
    create trigger watch before insert on public.watched for each row execute function app.watch();
    insert into public.watched values (1, 'a', '{}'), (2, 'b', null);

    create table public.\"Größe ☃\" (id int primary key, \"Länge\" text);
    alter table public.\"Größe ☃\" enable row level security;
    create policy p on public.\"Größe ☃\" using (true);
    insert into public.\"Größe ☃\" values (1, 'ö');
    alter role authenticated set client_encoding = 'LATIN1';
";

#[tokio::test]
async fn a_write_never_depends_on_what_only_shapes_its_answer() {
    let server = Server::start_with(|_| {}, EXTRA).await;
    let alice = user(ALICE);
    let call = async |method: &str, path: &str, body: Value| {
        server.call(method, path, Some(&alice), (!body.is_null()).then_some(body)).await
    };
    for query in ["v=eq.other", "or=(v.eq.other,id.eq.9)", "order=id", "limit=1", "distinct=true"] {
        let path = format!("/api/v1/watched/1?{query}");
        for (method, body) in
            [("PATCH", json!({"v": "changed"})), ("PUT", json!({"v": "changed"})), ("DELETE", json!(null))]
        {
            assert_eq!(call(method, &path, body).await.code(), "paging_invalid", "{method} {query}");
        }
        let created = call("POST", &format!("/api/v1/watched?{query}"), json!({"id": 7})).await;
        assert_eq!(created.code(), "paging_invalid", "{query}");
    }
    assert_eq!(server.get("/api/v1/watched/1?select=v", Some(&alice)).await.data(), json!({"v": "a"}));
    assert_eq!(server.get("/api/v1/watched/7", Some(&alice)).await.status, 404);

    let inner = "select=id,comments!inner(id)";
    let ticket = json!({"organization_id": 1, "title": "inner"});
    assert_eq!(call("POST", &format!("/api/v1/tickets?{inner}"), ticket).await.code(), "paging_invalid");
    let patch = json!({"title": "inner"});
    assert_eq!(call("PATCH", &format!("/api/v1/tickets/1?{inner}"), patch).await.code(), "paging_invalid");
    assert_eq!(server.get("/api/v1/tickets?title=eq.inner", Some(&alice)).await.data(), json!([]));

    let headers = [
        ("authorization", format!("Bearer {alice}")),
        ("content-type", "application/json".to_owned()),
        ("prefer", "return=minimal".to_owned()),
    ];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let unread = server.send("PATCH", "/api/v1/watched/1?select=nonsense", &headers, b"{\"v\":\"z\"}").await;
    assert_eq!(unread.code(), "paging_invalid");
    let deleted = call("DELETE", "/api/v1/watched/1?select=v", json!(null)).await;
    assert_eq!((deleted.status, deleted.data()), (200, json!({"v": "a"})));
}

#[tokio::test]
async fn a_row_that_a_trigger_drops_is_an_answer_too() {
    let server = Server::start_with(|_| {}, EXTRA).await;
    let body = json!({"id": 5, "v": "skip"});
    let dropped = server.call("POST", "/api/v1/watched", Some(&user(ALICE)), Some(body)).await;
    assert_eq!((dropped.status, dropped.data()), (200, json!(null)));
    assert!(!dropped.headers.contains_key("location"));
}

#[tokio::test]
async fn v36_columns_and_tables_that_the_caller_may_not_know_are_never_named() {
    let server = Server::start_with(|_| {}, EXTRA).await;
    let alice = user(ALICE);
    let body = json!({"id": 6, "v": "fail"});
    let failed = server.call("POST", "/api/v1/watched", Some(&alice), Some(body)).await;
    assert_eq!(failed.code(), "not_null_violation");
    let mut answers = vec![failed];
    for path in ["keyless/1", "keyless?order=shown&after_shown=a"] {
        answers.push(server.get(&format!("/api/v1/{path}"), Some(&alice)).await);
    }
    let path = "/api/v1/keyless/1";
    answers.push(server.call("PATCH", path, Some(&alice), Some(json!({"shown": "x"}))).await);
    answers.push(server.call("DELETE", path, Some(&alice), None).await);
    answers.push(server.call("OPTIONS", path, Some(&alice), None).await);
    for answer in answers {
        assert!((400..500).contains(&answer.status), "{}", answer.status);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        for secret in ["secret_key", "secret_column", "trail"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn questions_that_make_no_sense_are_faults_of_the_request() {
    let server = Server::start_with(|_| {}, EXTRA).await;
    let alice = user(ALICE);
    for query in ["page=18446744073709551615&per_page=0", "page=9223372036854775809&per_page=1"] {
        let answer = server.get(&format!("/api/v1/watched?{query}"), Some(&alice)).await;
        assert_eq!(answer.code(), "paging_invalid", "{query}");
    }
    for query in ["order=doc", "doc=gt.1"] {
        let answer = server.get(&format!("/api/v1/watched?{query}"), Some(&alice)).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_query".to_owned()), "{query}");
    }
    for text in ["%27;select", "%5C", "a%20b", "(", "!", "a%26", "a:x"] {
        for filter in [format!("v=fts.{text}"), format!("search=eq.{text}%27"), format!("search=fts.{text}")]
        {
            let answer = server.get(&format!("/api/v1/watched?{filter}"), Some(&alice)).await;
            assert!(matches!(answer.status, 200 | 400), "{filter}: {}", answer.status);
        }
    }
    let options = server.call("OPTIONS", "/api/v1/tickets/1", Some(&alice), None).await;
    assert_eq!(options.headers["allow"], "GET, HEAD, PATCH, DELETE, OPTIONS");
}

#[tokio::test]
async fn many_large_shapes_do_not_fill_the_memory() {
    let server = Server::start().await;
    let service = super::server::service();
    let metrics = async || {
        let answer = super::server::send(&server.admin, "GET", "/metrics", &[], b"").await;
        let text = String::from_utf8(answer.body).unwrap();
        let plans = text.lines().find_map(|line| line.strip_prefix("bedplate_plans_cached "));
        plans.unwrap().parse::<f64>().unwrap()
    };
    for n in 0..600 {
        let columns: Vec<String> = (0..95).map(|k| format!("{}{n}_{k}:title", "z".repeat(50))).collect();
        let answer = server
            .get(&format!("/api/v1/tickets?limit=0&select={}", columns.join(",")), Some(&service))
            .await;
        assert_eq!(answer.status, 200);
    }
    let plans = metrics().await;
    assert!((1.0..400.0).contains(&plans), "{plans} large plans are kept");
}

#[tokio::test]
async fn a_server_of_another_address_and_name_finds_itself_ready() {
    let set = |command: &mut tokio::process::Command| {
        command.args(["--set", "server.host=127.0.0.2", "--set", "server.allowed_hosts=[\"app.example\"]"]);
    };
    let server = Server::start_with(set, "").await;
    let answer = server.get("/health/ready", None).await;
    assert_eq!(answer.code(), "host_not_allowed", "strangers' names are still refused");
}

#[tokio::test]
async fn settings_of_a_role_hold_but_not_for_the_protocol() {
    let server = Server::start_with(|_| {}, EXTRA).await;
    let rows =
        server.get("/api/v1/Gr%C3%B6%C3%9Fe%20%E2%98%83?L%C3%A4nge=eq.%C3%B6", Some(&user(ALICE))).await;
    let rows = rows.data();
    assert_eq!(rows, json!([{"id": 1, "Länge": "ö"}]));
}

#[tokio::test]
async fn a_ticket_of_one_tenant_is_never_assigned_to_another_tenants_user() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let assign = async |who: &str| {
        let body = json!({"assignee_id": who});
        server.call("PATCH", "/api/v1/tickets/1", Some(&alice), Some(body)).await
    };
    let (foreign, absent) = (assign(BOB).await, assign("a1a1a1a1-0000-4000-8000-00000000ffff").await);
    assert_eq!((foreign.status, foreign.code()), (403, "forbidden".to_owned()));
    assert_eq!(
        (absent.status, absent.code()),
        (403, "forbidden".to_owned()),
        "nor can the two be told apart"
    );
    assert_eq!(assign(ADAM).await.status, 200);
}
