//! JSON to parameter text and back through a real server.

use std::sync::Arc;

use bedplate_query::ident::Ident;
use bedplate_query::pgtext::{Target, from_json, list};
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::random::Random;

async fn comes_back(client: &Client, kind: &str, target: &Target, value: &Value) {
    let sent = value.to_string();
    let text = from_json(&sent, target).unwrap_or_else(|problem| panic!("{sent}: {problem}"));
    let sql = format!("select coalesce(to_json($1::text::{kind}), 'null')::text");
    let row = client.query_one(&sql, &[&text.as_deref()]).await;
    let row = row.unwrap_or_else(|error| panic!("{kind} {sent} as {text:?}: {error:?}"));
    let back: Value = serde_json::from_str(row.get(0)).unwrap();
    assert_eq!(&back, value, "{kind} as {text:?}");
}

fn array(of: Target) -> Target {
    Target::Array(Arc::new(of))
}

#[tokio::test]
async fn arrays_and_composites_come_back() {
    let database = bedplate_testkit::Database::empty().await;
    let client = database.superuser().await;
    client
        .batch_execute("create type inner_t as (a text, b int[]); create type outer_t as (\"x y\" inner_t, l inner_t[], j jsonb)")
        .await
        .unwrap();
    let texts = array(Target::Scalar);
    let mut random = Random::new(5);
    for value in [
        json!([]),
        json!([null, "null", "NULL", "", " ", "a,b", "{}", "\"\\\""]),
        json!(null),
        json!([["a", null], ["b", "c"]]),
    ] {
        comes_back(&client, "text[]", &texts, &value).await;
    }
    comes_back(&client, "numeric[]", &texts, &json!([1, 2.5, null])).await;
    comes_back(&client, "jsonb[]", &array(Target::Json), &json!([{"a": [1, "x\"y"]}, null, "s", [1, 2]]))
        .await;
    let inner = Target::Composite(
        vec![(Ident::from_catalog("a"), Target::Scalar), (Ident::from_catalog("b"), array(Target::Scalar))]
            .into(),
    );
    let outer = Target::Composite(
        vec![
            (Ident::from_catalog("x y"), inner.clone()),
            (Ident::from_catalog("l"), array(inner.clone())),
            (Ident::from_catalog("j"), Target::Json),
        ]
        .into(),
    );
    comes_back(&client, "inner_t", &inner, &json!({"a": null, "b": null})).await;
    for _ in 0..200 {
        let (one, other) = (random.text(12), random.text(12));
        comes_back(&client, "text[]", &texts, &json!([one, other, null])).await;
        let inner = json!({"a": one, "b": [1, null, 3]});
        let value = json!({"x y": inner, "l": [inner, null, {"a": other, "b": []}], "j": {"k": other}});
        comes_back(&client, "outer_t", &outer, &value).await;
    }
}

#[tokio::test]
async fn lists_become_array_literals() {
    let database = bedplate_testkit::Database::empty().await;
    let client = database.superuser().await;
    let mut random = Random::new(6);
    for _ in 0..200 {
        let items: Vec<Option<String>> =
            (0..random.below(5)).map(|_| (random.below(5) > 0).then(|| random.text(9))).collect();
        let row = client.query_one("select $1::text::text[]", &[&list(&items)]).await.unwrap();
        assert_eq!(row.get::<_, Vec<Option<String>>>(0), items);
    }
}

#[test]
fn scalars_are_exact_and_shapes_are_checked() {
    let scalar = |json| from_json(json, &Target::Scalar).map(|text| text.map(|text| text.into_owned()));
    assert_eq!(scalar(" 12345678901234567890.1200 ").unwrap().as_deref(), Some("12345678901234567890.1200"));
    assert_eq!(scalar("true").unwrap().as_deref(), Some("true"));
    assert_eq!(scalar("null").unwrap(), None);
    assert_eq!(scalar(r#""a\n\u00e9\"""#).unwrap().as_deref(), Some("a\né\""));
    assert_eq!(from_json(" null", &Target::Json).unwrap(), None);
    assert_eq!(from_json(" [null]", &Target::Json).unwrap().as_deref(), Some("[null]"));
    assert_eq!(scalar("[0.1, 0.20]").unwrap().as_deref(), Some("[0.1, 0.20]"), "pgvector reads this");
    for bad in [r#""a\u0000""#, "", "x", r#""\ud800""#] {
        let problem = scalar(bad).unwrap_err();
        assert_eq!(problem.code().name, "validation_failed", "{bad}");
    }
    assert!(from_json("1", &array(Target::Scalar)).is_err());
    assert!(from_json("{\"a\":1}", &array(Target::Scalar)).is_err());
    assert_eq!(from_json("\"{1,2}\"", &array(Target::Scalar)).unwrap().as_deref(), Some("{1,2}"));
    let row = Target::Composite(vec![(Ident::from_catalog("a"), Target::Scalar)].into());
    assert!(from_json("{\"b\":1}", &row).is_err());
    assert!(from_json("[1]", &row).is_err());
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    assert!(from_json(&deep, &array(Target::Scalar)).is_err());
}
