//! `/openapi.json`: what it says is what the router does, for each role; and who gets it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::{ALICE, Server, send, service, user};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn start(audience: &str, extra: &str) -> Server {
    let audience = audience.to_owned();
    let prepare = |command: &mut tokio::process::Command| {
        command.env("BEDPLATE_API__OPENAPI", audience);
    };
    Server::start_with(prepare, extra).await
}

async fn description(server: &Server, token: Option<&str>) -> Value {
    let answer = server.get("/openapi.json", token).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// The path with the examples of its parameters in it.
fn filled(path: &str, item: &Value) -> String {
    let mut path = path.to_owned();
    for parameter in item["parameters"].as_array().into_iter().flatten() {
        let example = parameter.get("example").unwrap_or_else(|| panic!("an example of {parameter}"));
        let example = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
        path = path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), &example);
    }
    assert!(!path.contains('{'), "{path}");
    path
}

fn operations(item: &Value) -> impl Iterator<Item = (&'static str, &Value)> {
    METHODS.into_iter().filter_map(|method| Some((method, item.get(method)?)))
}

const KINDS: &str = "
    create table public.kinds (id int primary key, parent int references public.kinds (id), name text not null, n numeric(6,2));
    create table public.pairs (a int references public.kinds (id), b uuid, note varchar(20), primary key (a, b));
    create view public.kind_names with (security_invoker = true) as select id, name from public.kinds;
    create function public.touch_kind(id int, note text default 'x') returns setof public.kinds language sql volatile
        as 'select * from public.kinds k where k.id = touch_kind.id';
    alter table public.kinds enable row level security;
    alter table public.pairs enable row level security;
    create policy own on public.kinds to authenticated using (true) with check (true);
    create policy own on public.pairs to authenticated using (true) with check (true);
    grant all on public.kinds, public.pairs, public.kind_names to authenticated;
    grant execute on function public.touch_kind to authenticated;
    insert into public.kinds values (1, null, 'one', 5);
";

#[tokio::test]
async fn b09_the_router_offers_what_the_description_says_and_no_more() {
    let server = start("public", KINDS).await;
    let (alice, admin) = (user(ALICE), service());
    for token in [None, Some(alice.as_str()), Some(admin.as_str())] {
        let document = description(&server, token).await;
        for (path, item) in document["paths"].as_object().unwrap() {
            let options = server.call("OPTIONS", &filled(path, item), token, None).await;
            assert_eq!(options.status, 204, "OPTIONS {path}");
            let offered: BTreeSet<String> = options.headers["allow"].split(", ").map(str::to_owned).collect();
            let mut described: BTreeSet<String> =
                operations(item).map(|(method, _)| method.to_uppercase()).collect();
            if described.contains("GET") {
                described.insert("HEAD".to_owned());
            }
            described.insert("OPTIONS".to_owned());
            assert_eq!(offered, described, "{path}");
        }
    }
    let resources = |document: &Value| {
        let paths = document["paths"].as_object().unwrap().keys();
        paths.filter(|path| path.matches('/').count() == 3).cloned().collect::<BTreeSet<_>>()
    };
    // Every table, view and function that there is, by name.
    let all = resources(&description(&server, Some(&admin)).await);
    for name in [
        "attachments",
        "comments",
        "kind_names",
        "kinds",
        "memberships",
        "organizations",
        "pairs",
        "profiles",
        "tickets",
    ] {
        assert!(all.contains(&format!("/api/v1/{name}")), "{name} in {all:?}");
    }
}

/// Each kind of request has a label in the metrics, whoever adds it; so a route that nobody described is noticed here.
#[tokio::test]
async fn b09_every_class_of_requests_is_described() {
    let server = start("public", "").await;
    let document = description(&server, Some(&service())).await;
    let ids: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(operations)
        .map(|(_, operation)| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    let described = |end: &str| ids.iter().any(|id| id == end || id.ends_with(&format!(".{end}")));
    let metrics = send(&server.admin, "GET", "/metrics", &[], b"").await;
    let text = String::from_utf8(metrics.body).unwrap();
    let classes: BTreeSet<&str> =
        text.split("class=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(classes.contains("api.list"), "{classes:?}");
    for class in classes {
        let operation = match class {
            // Requests that no route answers, and pages and scripts of the project.
            "unrouted" | "malformed" | "static" => continue,
            // Another dialect, which describes itself at its root.
            rest if rest == "rest" || rest.starts_with("rest.") => continue,
            // The admin listener's.
            "metrics" | "statistics" => {
                let path = format!("/{class}");
                assert_eq!(server.get(&path, Some(&service())).await.status, 404, "{path} is not public");
                continue;
            }
            // Answers of every path, not operations.
            "api" | "api.options" => continue,
            "api.rpc" => "call",
            known => known.strip_prefix("api.").unwrap_or(known),
        };
        assert!(
            described(operation),
            "{class} is not described: add it in crates/api/src/openapi (platform.rs, or where its operations are written)"
        );
    }
}

#[tokio::test]
async fn every_operation_is_answered_as_described() {
    let server = start("public", KINDS).await;
    let alice = user(ALICE);
    let document = description(&server, Some(&alice)).await;
    let mut answered = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations(item) {
            let content = &operation["requestBody"]["content"]["application/json"];
            let one = content.get("example").or_else(|| content["examples"]["one"].get("value"));
            let path = filled(path, item);
            let required = |p: &&Value| p["required"] == true;
            let parameters = operation["parameters"].as_array().into_iter().flatten().filter(required);
            let query: Vec<String> =
                parameters.map(|p| format!("{}=1", p["name"].as_str().unwrap())).collect();
            let target = if query.is_empty() { path.clone() } else { format!("{path}?{}", query.join("&")) };
            let answer = server.call(&method.to_uppercase(), &target, Some(&alice), one.cloned()).await;
            let status = answer.status.to_string();
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let said = &operation["responses"][&status];
            assert!(!said.is_null(), "{method} {target}: {status} is not described; {text}");
            // An example is valid: what only rows can decide may be in its way, nothing else.
            assert!(!matches!(answer.status, 400 | 405 | 415 | 500..), "{method} {target}: {status} {text}");
            let said = match said["$ref"].as_str() {
                Some(_) => &document["components"]["responses"][&status],
                None => said,
            };
            if !answer.body.is_empty() {
                let media = answer.headers["content-type"].split(';').next().unwrap().to_owned();
                assert!(said["content"].get(&media).is_some(), "{method} {target}: {media} in {said}");
            }
            *answered.entry(status).or_insert(0) += 1;
        }
    }
    assert!(answered["200"] > 10 && answered["201"] > 1, "{answered:?}");
}

#[tokio::test]
async fn v37_each_role_is_told_of_what_it_may_use_and_nothing_else() {
    let extra = "
        create table public.hidden_from_users (id int primary key, deep_secret text);
        alter table public.hidden_from_users enable row level security;
        comment on table public.hidden_from_users is 'nobody knows';
        create table public.half (id int primary key, shown text, concealed text);
        alter table public.half enable row level security;
        create policy r on public.half for select to authenticated using (true);
        revoke all on public.half from anon, authenticated;
        grant select (id, shown) on public.half to authenticated;
        create function public.unnamed_function() returns int language sql as 'select 1';
    ";
    let server = start("public", extra).await;
    let text = async |token: Option<&str>| description(&server, token).await.to_string();
    let anonymous = text(None).await;
    for name in [
        "tickets",
        "organizations",
        "ticket_counts",
        "half",
        "hidden_from_users",
        "ticket_status",
        "helpdesk; every",
    ] {
        assert!(!anonymous.contains(name), "{name}");
    }
    let alice = text(Some(&user(ALICE))).await;
    assert!(alice.contains("ticket_counts") && alice.contains("shown"));
    for name in ["concealed", "hidden_from_users", "deep_secret", "nobody knows", "unnamed_function"] {
        assert!(!alice.contains(name), "{name}");
    }
    let admin = text(Some(&service())).await;
    assert!(admin.contains("concealed") && admin.contains("hidden_from_users"));
    // Neither PostgreSQL's version nor ours.
    for version in ["15.", env!("CARGO_PKG_VERSION"), "PostgreSQL 1"] {
        assert!(!alice.contains(version) && !anonymous.contains(version), "{version}");
    }
}

#[tokio::test]
async fn a34_in_production_only_the_service_role_is_told_and_there_is_no_page() {
    let server = Server::start().await;
    assert_eq!(server.get("/openapi.json", None).await.status, 404);
    assert_eq!(server.get("/openapi.json", Some(&user(ALICE))).await.status, 404);
    assert_eq!(server.get("/openapi.json", Some(&service())).await.status, 200);
    for path in ["/docs", "/docs/", "/docs/page.js"] {
        assert_eq!(server.get(path, Some(&service())).await.status, 404, "{path}");
    }
    let server = start("off", "").await;
    assert_eq!(server.get("/openapi.json", Some(&service())).await.status, 404);
    let server = start("signed_in", "").await;
    let refused = server.get("/openapi.json", None).await;
    assert_eq!((refused.status, refused.code()), (401, "unauthenticated".to_owned()));
    assert_eq!(server.get("/openapi.json", Some(&user(ALICE))).await.status, 200);
}

#[tokio::test]
async fn the_page_is_self_contained() {
    let prepare = |command: &mut tokio::process::Command| {
        command.env("BEDPLATE_API__DOCS", "true");
    };
    let server = Server::start_with(prepare, "").await;
    for path in ["/docs", "/docs/page.css", "/docs/page.js", "/docs/operation.js", "/docs/schema.js"] {
        let answer = server.get(path, None).await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = &answer.headers["content-security-policy"];
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        let text = String::from_utf8(answer.body).unwrap();
        for elsewhere in
            ["http://", "https://", "<script>", "style=\"", "onclick", "innerHTML", "localStorage"]
        {
            assert!(!text.contains(elsewhere), "{elsewhere} in {path}");
        }
        let again = server.send("GET", path, &[("if-none-match", &answer.headers["etag"])], b"").await;
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
}

#[tokio::test]
async fn a_description_is_kept_until_the_schema_changes() {
    let server = start("public", "").await;
    let auth = format!("Bearer {}", user(ALICE));
    let ask = async |tag: &str| {
        let headers = [("authorization", auth.as_str()), ("if-none-match", tag)];
        server.send("GET", "/openapi.json", &headers, b"").await
    };
    let first = ask("\"other\"").await;
    assert_eq!(first.status, 200);
    assert_eq!(first.headers["cache-control"], "private, no-cache");
    let tag = first.headers["etag"].clone();
    let same = ask(&tag).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    assert_ne!(server.get("/openapi.json", None).await.headers["etag"], tag, "another role's is another");
    let owner = server.db.connect("postgres").await;
    owner.batch_execute("alter table public.tickets add check (char_length(title) <= 77)").await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let now = ask(&tag).await;
        if now.status == 200 {
            let schema = &now.json()["components"]["schemas"]["tickets.create"];
            assert_eq!(schema["properties"]["title"]["maxLength"], json!(77));
            break;
        }
        assert!(Instant::now() < deadline, "the change is not told");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
