use serde_json::json;

use super::server::{ADAM, ALICE, BOB, Server, user};

#[tokio::test]
async fn one_by_key_with_columns_relations_and_lists() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let one = server.get("/api/v1/organizations?select=id,name", Some(&alice)).await.data();
    assert_eq!(one.as_array().unwrap().len(), 1, "row level security hides the other organization: {one}");
    let query = "select=id,title,author:profiles!author_id(display_name),comments(body)&comments.order=id";
    let ticket = server.get(&format!("/api/v1/tickets/2?{query}"), Some(&alice)).await;
    assert_eq!(ticket.status, 200, "{}", String::from_utf8_lossy(&ticket.body));
    let data = ticket.data();
    assert_eq!(data["id"], 2);
    assert!(data["author"]["display_name"].is_string(), "{data}");
    assert_eq!(data["comments"], json!([{"body": "Any news on this?"}]));
    assert_eq!(ticket.headers["content-type"], "application/json; charset=utf-8");
}

#[tokio::test]
async fn the_other_tenant_sees_nothing_and_cannot_tell() {
    let server = Server::start().await;
    let (alice, bob) = (user(ALICE), user(BOB));
    let mine = server.get("/api/v1/tickets?select=id&limit=100", Some(&alice)).await.data();
    let id = &mine[0]["id"];
    let hidden = server.get(&format!("/api/v1/tickets/{id}"), Some(&bob)).await;
    let absent = server.get("/api/v1/tickets/999999", Some(&bob)).await;
    assert_eq!((hidden.status, hidden.code()), (404, "not_found".to_owned()));
    assert_eq!((absent.status, absent.code()), (404, "not_found".to_owned()));
    let theirs = server.get("/api/v1/tickets?select=id&limit=100", Some(&bob)).await.data();
    let ids =
        |v: &serde_json::Value| v.as_array().unwrap().iter().map(|r| r["id"].clone()).collect::<Vec<_>>();
    assert!(ids(&mine).iter().all(|id| !ids(&theirs).contains(id)));
    assert_eq!(ids(&mine).len() + ids(&theirs).len(), 40);
}

#[tokio::test]
async fn nested_paths_follow_foreign_keys_and_need_a_visible_parent() {
    let server = Server::start().await;
    let adam = user(ADAM);
    let nested = server.get("/api/v1/tickets/2/comments?select=body,ticket_id", Some(&adam)).await.data();
    assert_eq!(nested, json!([{"body": "Any news on this?", "ticket_id": 2}]));
    assert_eq!(server.get("/api/v1/tickets/2/comments", Some(&user(BOB))).await.status, 404);
    assert_eq!(server.get("/api/v1/tickets/999/comments", Some(&adam)).await.status, 404);
    let empty = server.get("/api/v1/tickets/1/comments", Some(&adam)).await;
    assert_eq!((empty.status, empty.data()), (200, json!([])));
    assert_eq!(server.get("/api/v1/tickets/2/organizations", Some(&adam)).await.status, 200);
    assert_eq!(
        server.get("/api/v1/comments/1/attachments", Some(&adam)).await.code(),
        "unknown_relationship"
    );
}

#[tokio::test]
async fn composite_keys_have_addresses() {
    let server = Server::start().await;
    let one = server.get(&format!("/api/v1/memberships/1,{ALICE}"), Some(&user(ALICE))).await.data();
    assert_eq!(one["role"], "agent");
    assert_eq!(server.get("/api/v1/memberships/1", Some(&user(ALICE))).await.status, 404);
}

#[tokio::test]
async fn filters_on_columns_paths_and_across_relations() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let count = async |filter: &str| {
        let answer = server.get(&format!("/api/v1/tickets?select=id&limit=100&{filter}"), Some(&alice)).await;
        answer.data().as_array().unwrap().len()
    };
    let all = count("").await;
    assert_eq!(all, 20);
    assert_eq!(count("status=eq.open").await + count("status=neq.open").await, all);
    assert_eq!(count("status=in.(open,pending)").await + count("status=not.in.(open,pending)").await, all);
    assert_eq!(count("assignee_id=is.null").await + count("assignee_id=not.is.null").await, all);
    assert_eq!(count("tags=cs.{phone}").await + count("tags=eq.{}").await, all);
    assert_eq!(count("title=ilike.*printer*").await, 4);
    assert_eq!(count("or=(title.like.Printer*,title.like.Kettle*)").await, 8);
    assert_eq!(count("priority=gt(any).{4,100}").await, count("priority=gt.4").await);
    let by_adam = count(&format!("author_id=eq.{ADAM}")).await;
    assert_eq!(by_adam, 10);
    let inner =
        "/api/v1/tickets?select=id,author:profiles!author_id!inner(id)&author.display_name=eq.Adam&limit=100";
    assert_eq!(server.get(inner, Some(&alice)).await.data().as_array().unwrap().len(), by_adam);
}

#[tokio::test]
async fn functions_are_called_by_post_and_when_they_only_read_by_get() {
    let server = Server::start().await;
    let alice = user(ALICE);
    let body = json!({"organization": 1});
    let posted =
        server.call("POST", "/api/v1/rpc/ticket_counts", Some(&alice), Some(body.clone())).await.data();
    let total: i64 = posted.as_array().unwrap().iter().map(|row| row["tickets"].as_i64().unwrap()).sum();
    assert_eq!(total, 20);
    assert_eq!(server.get("/api/v1/rpc/ticket_counts?organization=1", Some(&alice)).await.data(), posted);
    let filtered =
        server.get("/api/v1/rpc/ticket_counts?organization=1&status=eq.open&select=tickets", Some(&alice));
    assert_eq!(filtered.await.data().as_array().unwrap().len(), 1);
    let bob =
        server.call("POST", "/api/v1/rpc/ticket_counts", Some(&user(BOB)), Some(body.clone())).await.data();
    assert_eq!(bob, json!([]), "the function runs as its caller");
    assert_eq!(server.call("POST", "/api/v1/rpc/ticket_counts", None, Some(body)).await.status, 404);
    let wrong = json!({"organization": "many", "colour": 1});
    let refused = server.call("POST", "/api/v1/rpc/ticket_counts", Some(&alice), Some(wrong)).await;
    assert_eq!(refused.code(), "validation_failed");
    assert!(
        refused.json()["details"]["organization"].is_array()
            && refused.json()["details"]["colour"].is_array()
    );
    assert_eq!(server.get("/api/v1/rpc/nothing", Some(&alice)).await.status, 404);
}
