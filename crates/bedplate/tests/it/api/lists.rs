use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::server::{ALICE, BOB, Server, service, user};

fn ids(value: &Value) -> Vec<i64> {
    value["data"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn cursors_visit_each_row_once_forwards_and_backwards() {
    let server = Server::start().await;
    let alice = user(ALICE);
    for order in [
        "",
        "&order=priority.desc,title",
        "&order=assignee_id.asc.nullsfirst",
        "&order=status,created_at.desc",
    ] {
        let base = format!("/api/v1/tickets?select=id&limit=7{order}");
        let mut pages: Vec<Vec<i64>> = Vec::new();
        let mut path = base.clone();
        let last = loop {
            let page = server.get(&path, Some(&alice)).await.json();
            assert_eq!(page["meta"]["limit"], 7, "{page}");
            pages.push(ids(&page));
            match page["meta"]["next_cursor"].as_str() {
                Some(cursor) => path = format!("{base}&cursor={cursor}"),
                None => break page,
            }
        };
        let seen: Vec<i64> = pages.concat();
        assert_eq!(seen.len(), 20, "{order}");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 20, "{order}");
        assert_eq!(last["meta"]["has_more"], false);
        // And back to the start.
        let mut back = vec![ids(&last)];
        let mut previous = last["meta"]["prev_cursor"].as_str().map(str::to_owned);
        while let Some(cursor) = previous {
            let page = server.get(&format!("{base}&cursor={cursor}"), Some(&alice)).await.json();
            assert_eq!(page["meta"]["has_more"], true);
            back.insert(0, ids(&page));
            previous = page["meta"]["prev_cursor"].as_str().map(str::to_owned);
        }
        assert_eq!(back.concat(), seen, "{order}");
    }
}

#[tokio::test]
async fn pages_are_stable_while_rows_come_and_go() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let first = server.get("/api/v1/tickets?select=id&limit=5&order=id.desc", Some(&alice)).await.json();
    let body = json!({"organization_id": 1, "title": "in between"});
    server.call("POST", "/api/v1/tickets", Some(&alice), Some(body)).await.data();
    let gone = ids(&first)[4];
    assert_eq!(
        server.call("DELETE", &format!("/api/v1/tickets/{gone}"), Some(&alice), None).await.status,
        204
    );
    let cursor = first["meta"]["next_cursor"].as_str().unwrap();
    let path = format!("/api/v1/tickets?select=id&limit=100&order=id.desc&cursor={cursor}");
    let rest = server.get(&path, Some(&alice)).await.json();
    assert_eq!(ids(&rest).len(), 15);
    assert!(ids(&rest).iter().all(|id| *id < gone));
}

#[tokio::test]
async fn v31_a_cursor_is_good_for_its_own_list_only() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let page = server.get("/api/v1/tickets?select=id&limit=5&status=eq.open", Some(&alice)).await.json();
    let cursor = page["meta"]["next_cursor"].as_str().unwrap().to_owned();
    let ok = format!("/api/v1/tickets?select=id,title&limit=3&status=eq.open&cursor={cursor}");
    assert_eq!(server.get(&ok, Some(&alice)).await.status, 200, "columns and size may change");
    assert_eq!(server.get(&ok, Some(&user(BOB))).await.status, 200, "a position, not a right");
    let flip = |at: usize| {
        let mut bytes = cursor.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    for bad in [
        format!("/api/v1/tickets?select=id&limit=5&cursor={cursor}"),
        format!("/api/v1/tickets?select=id&status=eq.solved&cursor={cursor}"),
        format!("/api/v1/tickets?select=id&status=eq.open&order=title&cursor={cursor}"),
        format!("/api/v1/comments?select=id&status=eq.open&cursor={cursor}"),
        format!("/api/v1/tickets?select=id&status=eq.open&cursor={}", flip(3)),
        format!("/api/v1/tickets?select=id&status=eq.open&cursor={}", flip(cursor.len() - 2)),
        format!("/api/v1/tickets?select=id&status=eq.open&cursor={}", &cursor[..cursor.len() - 4]),
        "/api/v1/tickets?status=eq.open&cursor=id%3E0%20or%201%3D1".to_owned(),
        "/api/v1/tickets?status=eq.open&cursor=".to_owned(),
    ] {
        let refused = server.get(&bad, Some(&alice)).await;
        assert_eq!(refused.status, 400, "{bad}: {}", String::from_utf8_lossy(&refused.body));
    }
    let as_service = server.get(&ok, Some(&service())).await;
    assert_eq!(as_service.code(), "cursor_invalid", "bound to the role");
}

#[tokio::test]
async fn keyset_and_numbered_pages() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let all = ids(&server.get("/api/v1/tickets?select=id&limit=100", Some(&alice)).await.json());
    let after = server
        .get(&format!("/api/v1/tickets?select=id&limit=3&after_id={}", all[4]), Some(&alice))
        .await
        .json();
    assert_eq!(ids(&after), all[5..8]);
    let numbered = server.get("/api/v1/tickets?select=id&page=3&per_page=6&count=exact", Some(&alice)).await;
    let body = numbered.json();
    assert_eq!(ids(&body), all[12..18]);
    assert_eq!(body["meta"], json!({"page": 3, "per_page": 6, "has_more": true, "total": 20}));
    assert!(numbered.headers["link"].contains("page=4>; rel=\"next\""), "{}", numbered.headers["link"]);
    assert!(numbered.headers["link"].contains("page=2>; rel=\"prev\""));
    let beyond = server.get("/api/v1/tickets?select=id&page=99&per_page=6", Some(&alice)).await.json();
    assert_eq!((ids(&beyond).len(), &beyond["meta"]["has_more"]), (0, &json!(false)));
    let needs_both = server.get("/api/v1/tickets?order=title&after_id=3", Some(&alice)).await;
    assert_eq!(needs_both.code(), "paging_invalid");
    let both = server
        .get("/api/v1/tickets?select=id&order=priority&after_priority=1&after_id=0&limit=1", Some(&alice))
        .await;
    assert_eq!(both.status, 200, "{}", both.json());
}

#[tokio::test]
async fn links_can_be_followed_as_they_are() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let mut path = "/api/v1/tickets?select=id&title=not.like.*%20x*&limit=8".to_owned();
    let mut seen = 0;
    loop {
        let page = server.get(&path, Some(&alice)).await;
        seen += ids(&page.json()).len();
        let Some(link) = page.headers.get("link").filter(|link| link.contains("rel=\"next\"")) else { break };
        path = link.split_once('<').unwrap().1.split_once('>').unwrap().0.to_owned();
    }
    assert_eq!(seen, 20);
}

#[tokio::test]
async fn lists_are_bounded_and_counts_are_for_those_who_may() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let default = server.get("/api/v1/tickets?select=id", Some(&service())).await.json();
    assert_eq!((ids(&default).len(), &default["meta"]["has_more"]), (20, &json!(true)));
    let too_many = server.get("/api/v1/tickets?limit=101", Some(&alice)).await;
    assert_eq!(too_many.code(), "limit_exceeded");
    let exact =
        server.get("/api/v1/tickets?select=id&limit=2&status=eq.open&count=exact", Some(&alice)).await.json();
    let open =
        ids(&server.get("/api/v1/tickets?select=id&limit=100&status=eq.open", Some(&alice)).await.json())
            .len();
    assert_eq!(exact["meta"]["total"], open);
    for estimate in ["planned", "estimated"] {
        let path = format!("/api/v1/tickets?select=id&count={estimate}");
        assert_eq!(server.get(&path, Some(&alice)).await.code(), "count_not_allowed");
        let total = server.get(&path, Some(&service())).await.json()["meta"]["total"].clone();
        assert!(total.is_number(), "{total}");
    }
}
