//! P-10 (security.md): entity tags, conditions, and what they promise under concurrency.

use serde_json::{Value, json};

use super::Answer;
use super::server::{ALICE, BOB, Server, user};

/// A table with a key that its users choose, for PUT.
const PAGES: &str = "
    create table public.pages (slug text primary key, body text not null default '', note text);
    alter table public.pages enable row level security;
    create policy everything on public.pages for all to authenticated using (true) with check (true);
    grant select, insert, update, delete on public.pages to authenticated;";

async fn ask(
    server: &Server,
    method: &str,
    path: &str,
    token: &str,
    more: &[(&str, &str)],
    body: Option<Value>,
) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(more);
    if body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    server.send(method, path, &headers, body.map(|b| b.to_string()).unwrap_or_default().as_bytes()).await
}

/// A ticket of alice's; its path.
async fn ticket(server: &Server, token: &str) -> String {
    let body = json!({"organization_id": 1, "title": "conditional"});
    let created = server.call("POST", "/api/v1/tickets", Some(token), Some(body)).await;
    assert_eq!(created.status, 201);
    created.headers["location"].clone()
}

#[tokio::test]
async fn p10_reads_have_tags_and_304_has_no_body() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let one = ticket(&server, &alice).await;
    for path in [one.clone(), format!("{one}?select=id,title"), "/api/v1/tickets?limit=2".to_owned()] {
        let first = ask(&server, "GET", &path, &alice, &[], None).await;
        let tag = first.headers["etag"].clone();
        assert!(tag.starts_with('"') && tag.len() == 24, "{tag}");
        for part in ["Authorization", "apikey", "Accept", "Accept-Encoding", "Prefer"] {
            assert!(first.headers["vary"].split(", ").any(|v| v == part), "{:?}", first.headers);
        }
        assert_eq!(first.headers["cache-control"], "no-store");
        let same = ask(&server, "GET", &path, &alice, &[], None).await;
        assert_eq!(same.headers["etag"], tag, "the same answer has the same tag");
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let unchanged = ask(&server, "GET", &path, &alice, &[("if-none-match", &known)], None).await;
            assert_eq!((unchanged.status, unchanged.body.len()), (304, 0), "{path} {known}");
            assert_eq!(unchanged.headers["etag"], tag);
            assert_eq!(unchanged.headers["vary"], first.headers["vary"]);
            assert!(!unchanged.headers.contains_key("content-type"));
        }
        let head = ask(&server, "HEAD", &path, &alice, &[], None).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        for name in ["etag", "vary", "content-type", "content-length"] {
            assert_eq!(head.headers.get(name), first.headers.get(name), "{name} of {path}");
        }
        let head = ask(&server, "HEAD", &path, &alice, &[("if-none-match", &tag)], None).await;
        assert_eq!(head.status, 304);
        let other = ask(&server, "GET", &path, &alice, &[("if-match", "\"x\"")], None).await;
        assert_eq!((other.status, other.code()), (412, "precondition_failed".to_owned()));
    }
    let whole = ask(&server, "GET", &one, &alice, &[], None).await;
    let part = ask(&server, "GET", &format!("{one}?select=id"), &alice, &[], None).await;
    assert_ne!(whole.headers["etag"], part.headers["etag"], "each representation has its own");
    // What is not there has no tag that could be asked for.
    let none = ask(&server, "GET", "/api/v1/tickets/999999", &alice, &[("if-none-match", "*")], None).await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn p10_a_tag_never_opens_what_another_user_sees() {
    let server = Server::start().await;
    let (alice, bob) = (user(ALICE), user(BOB));
    let one = ticket(&server, &alice).await;
    let tag = ask(&server, "GET", &one, &alice, &[], None).await.headers["etag"].clone();
    let stolen = ask(&server, "GET", &one, &bob, &[("if-none-match", &tag)], None).await;
    assert_eq!(stolen.status, 404, "bob is not in alice's organization");
    let list = "/api/v1/tickets?order=id";
    let tag = ask(&server, "GET", list, &alice, &[], None).await.headers["etag"].clone();
    let his = ask(&server, "GET", list, &bob, &[("if-none-match", &tag)], None).await;
    assert_eq!(his.status, 200, "another user's list is another answer");
}

#[tokio::test]
async fn compressed_answers_have_tags_of_their_own_that_hold_as_well() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let list = "/api/v1/tickets?order=id&limit=20";
    let plain = ask(&server, "GET", list, &alice, &[], None).await.headers["etag"].clone();
    let zipped = ask(&server, "GET", list, &alice, &[("accept-encoding", "gzip")], None).await;
    assert_eq!(zipped.headers["content-encoding"], "gzip");
    let tag = zipped.headers["etag"].clone();
    assert_eq!(tag, format!("{};gzip\"", plain.trim_end_matches('"')));
    let more = [("accept-encoding", "gzip"), ("if-none-match", tag.as_str())];
    let unchanged = ask(&server, "GET", list, &alice, &more, None).await;
    assert_eq!((unchanged.status, &unchanged.headers["etag"]), (304, &tag));
}

#[tokio::test]
async fn times_of_changes_are_told_when_they_are_over() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let one = ticket(&server, &alice).await;
    let fresh = ask(&server, "GET", &one, &alice, &[], None).await;
    assert!(!fresh.headers.contains_key("last-modified"), "that second may see another change");
    let id = one.rsplit('/').next().unwrap();
    let db = server.db.connect("postgres").await;
    let sql = "alter table public.tickets disable trigger touch;
        update public.tickets set updated_at = '2026-01-02 03:04:05.678+00' where id = ";
    db.batch_execute(&format!("{sql}{id}")).await.unwrap();
    let old = ask(&server, "GET", &one, &alice, &[], None).await;
    let date = "Fri, 02 Jan 2026 03:04:05 GMT";
    assert_eq!(old.headers["last-modified"], date);
    let since = ask(&server, "GET", &one, &alice, &[("if-modified-since", date)], None).await;
    assert_eq!(since.status, 304);
    let before = "Fri, 02 Jan 2026 03:04:04 GMT";
    let since = ask(&server, "GET", &one, &alice, &[("if-modified-since", before)], None).await;
    assert_eq!(since.status, 200);
    let body = Some(json!({"title": "late"}));
    let late = ask(&server, "PATCH", &one, &alice, &[("if-unmodified-since", before)], body.clone()).await;
    assert_eq!(late.status, 412);
    let on_time = ask(&server, "PATCH", &one, &alice, &[("if-unmodified-since", date)], body).await;
    assert_eq!(on_time.status, 200);
    // Rows with other rows in them change without it.
    let nested = format!("{one}?select=*,comments(id)");
    assert!(!ask(&server, "GET", &nested, &alice, &[], None).await.headers.contains_key("last-modified"));
}

#[tokio::test]
async fn writes_are_done_only_to_the_version_that_they_are_about() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let body = json!({"organization_id": 1, "title": "conditional"});
    let created = server.call("POST", "/api/v1/tickets", Some(&alice), Some(body)).await;
    let (one, tag) = (created.headers["location"].clone(), created.headers["etag"].clone());
    assert_eq!(ask(&server, "GET", &one, &alice, &[], None).await.headers["etag"], tag);
    let change = |title: &str| Some(json!({ "title": title }));
    let done = ask(&server, "PATCH", &one, &alice, &[("if-match", &tag)], change("first")).await;
    assert_eq!(done.status, 200, "{}", String::from_utf8_lossy(&done.body));
    let late = ask(&server, "PATCH", &one, &alice, &[("if-match", &tag)], change("second")).await;
    assert_eq!((late.status, late.code()), (412, "precondition_failed".to_owned()));
    // The answer's tag is that of the new version: no GET is needed in between.
    let tag = done.headers["etag"].clone();
    assert_eq!(ask(&server, "GET", &one, &alice, &[], None).await.headers["etag"], tag);
    // A failure of the write itself does not hide that it was about another version.
    let odd = Some(json!({"assignee_id": "00000000-0000-4000-8000-00000000dead"}));
    assert_eq!(ask(&server, "PATCH", &one, &alice, &[("if-match", "\"x\"")], odd.clone()).await.status, 412);
    assert_eq!(ask(&server, "PATCH", &one, &alice, &[("if-match", &tag)], odd).await.status, 403);
    // A part of it has a tag of its own, which holds where the same part is asked for.
    let part = format!("{one}?select=id,title,comments(id,body),author:profiles!author_id(display_name)");
    let seen = ask(&server, "GET", &part, &alice, &[], None).await.headers["etag"].clone();
    assert_eq!(ask(&server, "PATCH", &one, &alice, &[("if-match", &seen)], change("x")).await.status, 412);
    let done = ask(&server, "PATCH", &part, &alice, &[("if-match", &seen)], change("third")).await;
    assert_eq!(done.status, 200);
    assert_eq!(ask(&server, "GET", &part, &alice, &[], None).await.headers["etag"], done.headers["etag"]);
    // What is not there is 404, whatever is demanded of it.
    let demand = [("if-match", tag.as_str())];
    let none = ask(&server, "PATCH", "/api/v1/tickets/999999", &alice, &demand, change("x")).await;
    assert_eq!(none.status, 404);
    assert_eq!(ask(&server, "PATCH", &one, &alice, &[("if-match", "*")], change("any")).await.status, 200);
    let there = ask(&server, "PATCH", &one, &alice, &[("if-none-match", "*")], change("x")).await;
    assert_eq!(there.status, 412);
    // DELETE: the row, also with what is nested in it, and nothing is answered that was not asked for.
    let seen = ask(&server, "GET", &part, &alice, &[], None).await.headers["etag"].clone();
    assert_eq!(ask(&server, "DELETE", &one, &alice, &[("if-match", "\"x\"")], None).await.status, 412);
    assert_eq!(ask(&server, "GET", &one, &alice, &[], None).await.status, 200);
    let gone = ask(&server, "DELETE", &part, &alice, &[("if-match", &seen)], None).await;
    assert_eq!(gone.status, 200, "{}", String::from_utf8_lossy(&gone.body));
    assert!(!gone.headers.contains_key("etag"));
    let two = ticket(&server, &alice).await;
    let tag = ask(&server, "GET", &two, &alice, &[], None).await.headers["etag"].clone();
    let gone = ask(&server, "DELETE", &two, &alice, &[("if-match", &tag)], None).await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    assert_eq!(ask(&server, "DELETE", &two, &alice, &[("if-match", &tag)], None).await.status, 404);
}

#[tokio::test]
async fn put_creates_only_or_replaces_only_where_that_is_demanded() {
    let server = Server::start_with(|_| {}, PAGES).await;
    let alice = user(ALICE);
    let put = async |more: &[(&str, &str)], body: &str| {
        let body = Some(json!({ "body": body }));
        ask(&server, "PUT", "/api/v1/pages/home", &alice, more, body).await
    };
    assert_eq!(put(&[("if-match", "*")], "x").await.status, 412, "there is nothing to replace");
    let created = put(&[("if-none-match", "*")], "one").await;
    assert_eq!(created.status, 201, "{}", String::from_utf8_lossy(&created.body));
    assert_eq!(put(&[("if-none-match", "*")], "two").await.status, 412);
    let tag = created.headers["etag"].clone();
    let minimal = put(&[("if-match", &tag), ("prefer", "return=minimal")], "three").await;
    assert_eq!(minimal.status, 204);
    assert_eq!(put(&[("if-match", &tag)], "four").await.status, 412);
    let now = ask(&server, "GET", "/api/v1/pages/home", &alice, &[], None).await;
    assert_eq!(now.data()["body"], "three");
    assert_eq!(put(&[], "five").await.status, 200);
}

/// The lost update: everybody read the same version, one may write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writes_to_one_version_exactly_one_is_done() {
    let server = Server::start_with(|_| {}, PAGES).await;
    let alice = user(ALICE);
    let path = "/api/v1/pages/home";
    let body = Some(json!({"body": "0"}));
    let mut tag = ask(&server, "PUT", path, &alice, &[], body).await.headers["etag"].clone();
    for round in 0..5 {
        let racing = (0..20).map(|racer| {
            let (server, alice, tag) = (&server, &alice, &tag);
            async move {
                let body = Some(json!({ "body": format!("{round}-{racer}") }));
                let method = if racer % 4 == 0 { "PUT" } else { "PATCH" };
                ask(server, method, path, alice, &[("if-match", tag)], body).await
            }
        });
        let answers = futures_util::future::join_all(racing).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|s| **s == 412).count(), 19, "{statuses:?}");
        let winner = answers.iter().find(|answer| answer.status == 200).unwrap();
        let now = ask(&server, "GET", path, &alice, &[], None).await;
        assert_eq!(now.data(), winner.data());
        assert_eq!(now.headers["etag"], winner.headers["etag"]);
        tag.clone_from(&now.headers["etag"]);
    }
    // And writers who demand nothing come in between: whoever demands a version gets that or nothing.
    let racing = (0..20).map(|racer| {
        let (server, alice, tag) = (&server, &alice, &tag);
        async move {
            let body = Some(json!({ "note": racer.to_string() }));
            let demands = [("if-match", tag.as_str())];
            let more = if racer % 2 == 0 { &demands[..] } else { &[] };
            ask(server, "PATCH", path, alice, more, body).await.status
        }
    });
    let statuses = futures_util::future::join_all(racing).await;
    assert!(statuses.iter().skip(1).step_by(2).all(|status| *status == 200), "{statuses:?}");
    assert!(statuses.iter().step_by(2).filter(|status| **status == 200).count() <= 1, "{statuses:?}");
    let deleting = (0..10).map(|_| ask(&server, "DELETE", path, &alice, &[("if-match", "*")], None));
    let statuses: Vec<u16> =
        futures_util::future::join_all(deleting).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|s| **s == 204).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 404).count(), 9, "{statuses:?}");
}

#[tokio::test]
async fn conditions_can_be_required_and_are_refused_where_they_mean_nothing() {
    let set = |command: &mut tokio::process::Command| {
        command.args(["--set", "api.require_if_match=public.pages"]);
    };
    let server = Server::start_with(set, PAGES).await;
    let alice = user(ALICE);
    let path = "/api/v1/pages/home";
    let body = Some(json!({"body": "x"}));
    for method in ["PUT", "PATCH", "DELETE"] {
        let sent = body.clone().filter(|_| method != "DELETE");
        let refused = ask(&server, method, path, &alice, &[], sent).await;
        assert_eq!((refused.status, refused.code()), (428, "precondition_required".to_owned()), "{method}");
    }
    assert_eq!(ask(&server, "PUT", path, &alice, &[("if-none-match", "*")], body.clone()).await.status, 201);
    assert_eq!(ask(&server, "PATCH", path, &alice, &[("if-match", "*")], body.clone()).await.status, 200);
    let one = ticket(&server, &alice).await;
    let free =
        ask(&server, "PATCH", &one, &alice, &[], Some(json!({"title": "other tables are free"}))).await;
    assert_eq!(free.status, 200);
    let posted = ask(&server, "POST", "/api/v1/pages", &alice, &[("if-none-match", "*")], body).await;
    assert_eq!((posted.status, posted.code()), (400, "precondition_not_offered".to_owned()));
}

/// A slip in a name would leave open what is meant to be guarded, so the server does not start.
#[tokio::test]
async fn names_in_the_settings_must_be_there() {
    for setting in ["api.require_if_match=public.pagse", "api.require_if_match=nowhere.pages"] {
        let set = move |command: &mut tokio::process::Command| {
            command.args(["--set", setting]);
        };
        let started = tokio::spawn(async move { Server::start_with(set, PAGES).await.address.clone() }).await;
        let said = started.unwrap_err().into_panic();
        let said = said.downcast_ref::<String>().unwrap();
        assert!(said.contains("cache_resource_unknown") && said.contains("api.require_if_match"), "{said}");
    }
}

/// A column that a role may not read changes nothing that it could notice.
#[tokio::test]
async fn tags_tell_nothing_of_hidden_columns() {
    let hidden = format!(
        "{PAGES} revoke select on public.pages from authenticated;
        grant select (slug, body) on public.pages to authenticated;"
    );
    let server = Server::start_with(|_| {}, &hidden).await;
    let alice = user(ALICE);
    let path = "/api/v1/pages/home";
    let body = Some(json!({"body": "x"}));
    assert_eq!(ask(&server, "PUT", path, &alice, &[], body.clone()).await.status, 200);
    let before = ask(&server, "GET", path, &alice, &[], None).await.headers["etag"].clone();
    let db = server.db.connect("postgres").await;
    db.batch_execute("update public.pages set note = 'secret'").await.unwrap();
    assert_eq!(ask(&server, "GET", path, &alice, &[], None).await.headers["etag"], before);
    assert_eq!(ask(&server, "PATCH", path, &alice, &[("if-match", &before)], body).await.status, 200);
}
