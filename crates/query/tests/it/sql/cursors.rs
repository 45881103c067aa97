//! Cursor paging visits each row exactly once, whatever the order, NULLs and ties.

use bedplate_query::request::{Operation, Seek};
use bedplate_query::{Request, Value};

use super::request::get;
use super::{Fixture, shapes};
use crate::random::Random;

fn with_page(query: &str, limit: i64, keys: Option<&[Option<String>]>, backward: bool) -> Request {
    let mut request = get(query);
    let limit = request.values.push(Value::Int(limit)).unwrap();
    let seek = keys.map(|keys| {
        let push =
            |key: &Option<String>| key.clone().map(|text| request.values.push(Value::Text(text)).unwrap());
        Seek { keys: keys.iter().map(push).collect(), backward }
    });
    let Operation::Read(read) = &mut request.operation else { panic!("a read") };
    read.node.page.limit = Some(limit);
    read.node.page.probe = true;
    read.node.page.seek = seek;
    request
}

/// All rows in one answer.
fn whole(fixture: &mut Fixture, query: &str) -> Vec<serde_json::Value> {
    fixture.run(&get(query)).json.as_array().unwrap().clone()
}

fn walk(fixture: &mut Fixture, query: &str, limit: i64) {
    let expected = whole(fixture, query);
    let mut forward = Vec::new();
    let mut keys: Option<Vec<Option<String>>> = None;
    loop {
        let found = fixture.run(&with_page(query, limit, keys.as_deref(), false));
        forward.extend(found.json.as_array().unwrap().iter().cloned());
        assert!(forward.len() <= expected.len(), "{query}: rows come twice");
        if !found.page.has_more {
            keys = found.page.last.or(keys);
            break;
        }
        keys = found.page.last;
    }
    assert_eq!(forward, expected, "{query} forward by {limit}");
    // Back from the last row: all before it.
    let mut backward: Vec<serde_json::Value> = Vec::new();
    let mut last = keys;
    loop {
        let found = fixture.run(&with_page(query, limit, last.as_deref(), true));
        let mut page = found.json.as_array().unwrap().clone();
        page.append(&mut backward);
        backward = page;
        assert!(backward.len() < expected.len(), "{query}: rows come twice");
        if !found.page.has_more {
            break;
        }
        last = found.page.first;
    }
    assert_eq!(backward, expected[..expected.len() - 1], "{query} backward by {limit}");
}

#[tokio::test]
async fn each_row_comes_once_in_any_order() {
    let mut fixture = Fixture::new().await;
    let mut random = Random::new(42);
    let keys = [
        "views",
        "rating",
        "published_at",
        "title",
        "status",
        "editor_id",
        "score",
        "body",
        "meta->a",
        "tags",
        "took",
        "author(name)",
        "editor(bio)",
        "headline",
        "period",
    ];
    for _ in 0..60 {
        let mut order = Vec::new();
        for _ in 0..=random.below(3) {
            let key = keys[random.below(keys.len() as u64) as usize];
            if order.iter().any(|o: &String| o.starts_with(key)) {
                continue;
            }
            let direction = ["", ".asc", ".desc"][random.below(3) as usize];
            let nulls = ["", ".nullsfirst", ".nullslast"][random.below(3) as usize];
            order.push(format!("{key}{direction}{nulls}"));
        }
        let id = if random.below(4) == 0 { ",id.desc" } else { "" };
        let query = format!(
            "posts?select=id,author:author_id(),editor:editor_id(bio)&order={}{id}&id=lt.{}",
            order.join(","),
            20 + random.below(40)
        );
        walk(&mut fixture, &query, 1 + random.below(9) as i64);
    }
    walk(&mut fixture, "posts?select=id", 7);
    walk(&mut fixture, "invoices?order=total.desc", 1);
    walk(&mut fixture, "pairs?order=note", 5);
    walk(&mut fixture, "authors?select=id,name&order=name", 4);
    walk(&mut fixture, "users!author_id/1/posts?select=id", 1);
}

#[tokio::test]
async fn shapes_of_seeks() {
    let mut fixture = Fixture::new().await;
    let some = Some("1".to_owned());
    let cases = [
        ("posts?select=id", vec![some.clone()], false),
        ("posts?select=id&order=views,id", vec![some.clone(), some.clone()], false),
        ("posts?select=id&order=views.desc,id.desc", vec![some.clone(), some.clone()], false),
        ("posts?select=id&order=views.desc,id.desc", vec![some.clone(), some.clone()], true),
        ("posts?select=id&order=views.desc", vec![some.clone(), some.clone()], false),
        ("posts?select=id&order=editor_id", vec![some.clone(), some.clone()], false),
        ("posts?select=id&order=editor_id", vec![None, some.clone()], false),
        ("posts?select=id&order=editor_id", vec![None, some.clone()], true),
        ("posts?select=id&order=editor_id.nullsfirst", vec![some.clone(), some.clone()], false),
        ("posts?select=id&order=editor_id.desc,id.desc", vec![some.clone(), some.clone()], false),
    ];
    let mut texts = Vec::new();
    for (query, keys, backward) in &cases {
        let request = with_page(query, 5, Some(keys), *backward);
        texts.push(
            fixture.shape(&format!("{query} {keys:?}{}", if *backward { " backward" } else { "" }), &request),
        );
    }
    super::snapshot!(texts.join("\n"));
    // The same shape without a cursor ends the same way.
    assert!(
        shapes(&mut fixture, &["posts?select=id&order=views,id"])
            .contains("views.asc.nullslast,id.asc.nullslast")
    );
}

#[tokio::test]
async fn a_uniform_order_is_one_index_range() {
    let mut fixture = Fixture::new().await;
    fixture.wire.simple("reset role");
    fixture.wire.simple(
        "insert into api.posts (author_id, title, published_at) select 1 + i % 15, 'more', now() - i * interval '1 second' \
         from generate_series(1, 20000) i; analyze api.posts",
    );
    fixture.wire.simple("set role query_reader");
    let keys = [Some("2024-03-01 12:00:00+00".to_owned()), Some("500".to_owned())];
    let query = "posts?select=id&order=published_at.desc.nullsfirst,id.desc";
    let request = with_page(query, 20, Some(&keys), false);
    let planned = fixture.plan(&request).unwrap();
    let plan = fixture.wire.explain(&planned.main.sql, &request.values);
    assert!(plan.contains("Index Cond: (ROW(published_at, id) <"), "{plan}");
    assert!(!plan.contains("Sort"), "{plan}");
}

#[tokio::test]
async fn a_cursor_must_fit() {
    let fixture = Fixture::new().await;
    let keys = [Some("1".to_owned())];
    for query in ["log", "posts?order=views,id", "posts?select=status&distinct=true", "posts?select=count()"]
    {
        assert_eq!(fixture.refused(&with_page(query, 5, Some(&keys), false)).0, "cursor_invalid", "{query}");
    }
}
