//! Nested creates: the parts that a body becomes, and that each is a statement PostgreSQL takes.

use bedplate_query::plan::nested::{Cell, Nested, nested};
use bedplate_query::request::{Action, Bulk, Node, Style, Target};
use bedplate_query::validate::body;
use bedplate_query::{Operation, Request, Value, ValueRef, Values};

use super::Fixture;

fn resolve(fixture: &Fixture, relation: &str, text: &str) -> Result<Nested, bedplate_core::Problem> {
    let id = fixture.catalog.find_relation(None, relation).unwrap();
    let (rows, many) = match body::parse_rows(text.as_bytes(), &body::Limits::default()).unwrap() {
        body::Rows::One(fields) => (vec![fields], false),
        body::Rows::Many(rows) => (rows, true),
    };
    let node = Node::default();
    nested(&fixture.catalog, fixture.role, &fixture.gate, &fixture.limits, id, rows, many, &node)
}

/// What each part is, and what its rows need.
fn parts(fixture: &mut Fixture, title: &str, nested: &Nested) -> String {
    let mut text = format!("{title}\n");
    for part in &nested.parts {
        let values = Values(vec![Value::Json("[]".into())]);
        let request = Request { operation: Operation::Bulk(part.bulk.clone()), values };
        text.push_str(&fixture.shape("", &request));
        for row in &part.rows {
            let cell = |(name, cell): &(std::sync::Arc<str>, Cell)| match cell {
                Cell::Json(json) => format!("{name} = {json}"),
                Cell::Of { part, row, column } => format!("{name} = part {part} row {row} column {column}"),
            };
            let cells: Vec<String> = row.cells.iter().map(cell).collect();
            text.push_str(&format!("    {:?}: {}\n", row.place, cells.join(", ")));
        }
    }
    text
}

#[tokio::test]
async fn parts_of_nested_creates() {
    let mut fixture = Fixture::new().await;
    let cases = [
        (
            "children of children",
            "users",
            r#"{"name":"n","posts!author_id":[{"title":"a","comments":[{"body":"x"},{"body":"y"}]},{"title":"b"}]}"#,
        ),
        ("to-one", "posts", r#"[{"title":"a","author":{"name":"x"}},{"title":"b","author_id":1}]"#),
        (
            "many to many",
            "posts",
            r#"{"title":"a","author_id":1,"labels":{"create":[{"id":9,"name":"n"}],"connect":[{"id":1}]}}"#,
        ),
        (
            "composite keys",
            "invoices",
            r#"{"region":"eu","number":9,"total":1,"lines":[{"id":9,"amount":1}]}"#,
        ),
        ("itself", "users", r#"{"name":"top","users":[{"name":"below"}],"manager_id!users":{"name":"x"}}"#),
        ("connected", "users", r#"{"name":"n","users":{"connect":[{"id":1},{"id":"2"}]}}"#),
        ("no columns", "posts", r#"{"title":"a","author":{"name":"x","posts!posts_editor":[]}}"#),
    ];
    let mut texts = Vec::new();
    for (title, relation, body) in cases {
        texts.push(match resolve(&fixture, relation, body) {
            Ok(nested) => parts(&mut fixture, title, &nested),
            Err(problem) => format!("{title}\n  {problem}\n"),
        });
    }
    snapshot!(texts.join("\n"));
}

#[tokio::test]
async fn rows_are_read_in_the_order_of_their_keys() {
    let mut fixture = Fixture::new().await;
    let target = Target { schema: None, name: "users".into() };
    let action = Action::Fetch { key: vec!["id".into()], node: Node::default() };
    let bulk = Bulk { target, action, body: ValueRef(0), answer: Vec::new(), style: Style::NATIVE };
    let values = Values(vec![Value::Json(r#"[{"=id":"3"},{"=id":"1"},{"=id":"2"}]"#.into())]);
    let request = Request { operation: Operation::Bulk(bulk), values };
    let found = fixture.run(&request);
    let ids: Vec<i64> =
        found.json.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [3, 1, 2]);
}

#[tokio::test]
async fn each_row_that_is_inserted_tells_its_number() {
    let mut fixture = Fixture::new().await;
    let nested =
        resolve(&fixture, "users", r#"[{"name":"n1","users":[{"name":"below"}]},{"name":"n2"}]"#).unwrap();
    let rows: Vec<String> = (0..500).map(|n| format!("{{\"name\":\"n{n}\"}}")).collect();
    let values = Values(vec![Value::Json(format!("[{}]", rows.join(",")).into())]);
    let request = Request { operation: Operation::Bulk(nested.parts[0].bulk.clone()), values };
    let planned = fixture.plan(&request).unwrap();
    let answer = fixture.wire.run(&planned.main.sql, &request.values);
    let number = |row| String::from_utf8(answer.cell(row, 0).unwrap()).unwrap().parse().unwrap();
    let numbers: Vec<usize> = (0..answer.rows.len()).map(number).collect();
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=500).collect::<Vec<_>>());
}
