//! Writes of the PostgREST dialect, where they differ from the native ones.

use bedplate_query::fault::Fault;
use bedplate_query::request::{ConflictAction, Insert, Operation, Returning, Rows, Style};
use bedplate_query::{Request, Value};

use super::Fixture;
use super::request::{insert, insert_with, on_conflict, update};

fn dialect(mut request: Request) -> Request {
    match &mut request.operation {
        Operation::Insert(insert) => {
            insert.style = Style::POSTGREST;
            insert.missing_default = false;
        }
        Operation::Update(update) => update.style = Style::POSTGREST,
        Operation::Delete(delete) => delete.style = Style::POSTGREST,
        Operation::Read(_) | Operation::Call(_) | Operation::Bulk(_) => {}
    }
    request
}

fn dialect_insert(name: &str, body: &str, query: &str, change: impl FnOnce(&mut Insert)) -> Request {
    let mut request = dialect(insert(name, body, query));
    if let Operation::Insert(insert) = &mut request.operation {
        change(insert);
    }
    request
}

fn merge(insert: &mut Insert) {
    insert.conflict = Some(on_conflict(ConflictAction::Merge, &[]));
}

/// Rows whose column is the value.
fn matching(mut request: Request, column: &str, value: &str) -> Request {
    let value = request.values.push(Value::Text(value.into())).unwrap();
    if let Operation::Insert(Insert { rows: Rows::Many { matching, .. }, .. }) = &mut request.operation {
        matching.push((column.into(), value));
    }
    request
}

fn reset(mut request: Request, column: &str) -> Request {
    if let Operation::Update(update) = &mut request.operation {
        update.reset.push(column.into());
    }
    request
}

const USER: &str =
    r#"{"name":"n","email":"d@x","home":{"city":"B","street":null,"extra":1},"settings":{"a":1,"a":2}}"#;

#[tokio::test]
async fn shapes_of_dialect_writes() {
    let mut fixture = Fixture::new().await;
    let label = r#"[{"id":9,"name":"nine"}]"#;
    let profile = r##"[{"user_id":2,"paint":"#00ff00"}]"##;
    let cases = [
        ("one", dialect(insert("users", USER, "select=id,name"))),
        ("one, headers", dialect_insert("labels", r#"{"id":9}"#, "", |i| i.returning = Returning::Key)),
        ("one, merged", dialect_insert("labels", r#"{"id":9,"name":"x"}"#, "select=name", merge)),
        (
            "many, merged, minimal",
            dialect_insert("labels", label, "", |insert| {
                merge(insert);
                insert.returning = Returning::Nothing;
            }),
        ),
        ("many, merged, ordered", dialect_insert("labels", label, "select=name&order=name", merge)),
        ("many, merged, inner", dialect_insert("labels", label, "select=name,posts!inner(id)", merge)),
        ("nothing, merged", dialect_insert("log", "[{}]", "", merge)),
        (
            "defaults",
            dialect_insert(
                "posts",
                r#"[{"title":"t","id":7000,"views":3,"status":"draft"}]"#,
                "select=id",
                |i| {
                    i.missing_default = true;
                },
            ),
        ),
        ("put", matching(dialect_insert("labels", label, "", merge), "id", "9")),
        ("put, representation", matching(dialect_insert("profiles", profile, "", merge), "paint", "#00ff00")),
        ("update", dialect(update("users", r#"{"home":["a"],"settings":null}"#, "id=eq.1&select=id"))),
        (
            "update, defaults",
            reset(dialect(update("posts", r#"{"title":"t"}"#, "id=eq.1&select=id")), "views"),
        ),
    ];
    let texts: Vec<String> = cases.iter().map(|(title, request)| fixture.shape(title, request)).collect();
    super::snapshot!(texts.join("\n"));
}

#[tokio::test]
async fn postgresql_reads_what_json_says() {
    let mut fixture = Fixture::new().await;
    let found = fixture.run(&dialect(insert("users", USER, "select=home,settings")));
    assert_eq!(found.text, r#"[{"home":{"street":null,"city":"B"},"settings":{"a": 2}}]"#);
    let array = r#"{"author_id":1,"title":"t","tags":"{a,\"b c\"}"}"#;
    let found = fixture.run(&dialect(insert("posts", array, "select=tags")));
    assert_eq!(found.text, r#"[{"tags":["a","b c"]}]"#);
    let wrong = dialect(insert("posts", r#"{"author_id":1,"title":"t","tags":7}"#, "select=tags"));
    let planned = fixture.plan(&wrong).unwrap();
    let refused = fixture.wire.attempt(&planned.main.sql.text, &planned.main.sql, &wrong.values).unwrap_err();
    assert!(refused.contains("22P02"), "{refused}");
    let null = dialect(update("users", r#"{"home":null}"#, "id=eq.3&select=home"));
    assert_eq!(fixture.run(&null).text, r#"[{"home":null}]"#);
}

#[tokio::test]
async fn upserts_tell_of_each_row_whether_it_is_new() {
    let mut fixture = Fixture::new().await;
    let mut flags = |body: &str, query: &str, action: ConflictAction| {
        let request = dialect(insert_with("labels", body, query, |insert| {
            insert.conflict = Some(on_conflict(action, &[]));
        }));
        let planned = fixture.plan(&request).unwrap();
        let found = fixture.execute(&planned, &request.values);
        let column = planned.main.inserted_column;
        let rows = found.answer.rows.len();
        column
            .map(|column| (0..rows).map(|row| found.answer.cell(row, column).unwrap()[0]).collect::<Vec<_>>())
    };
    let new = r#"[{"id":50,"name":"a"},{"id":51,"name":"b"}]"#;
    let mixed = r#"[{"id":52,"name":"c"},{"id":50,"name":"d"},{"id":53,"name":"e"},{"id":51,"name":"f"}]"#;
    assert_eq!(flags(new, "", ConflictAction::Merge), Some(vec![1, 1]));
    assert_eq!(flags(mixed, "", ConflictAction::Merge), Some(vec![1, 0, 1, 0]));
    assert_eq!(flags(mixed, "", ConflictAction::Merge), Some(vec![0, 0, 0, 0]));
    assert_eq!(flags(mixed, "order=id.desc", ConflictAction::Merge), Some(vec![0, 0, 0, 0]));
    assert_eq!(flags(mixed, "", ConflictAction::Ignore), None);
}

#[tokio::test]
async fn rows_that_do_not_match_are_left_out() {
    let mut fixture = Fixture::new().await;
    let two = r#"[{"id":70,"name":"seventy"},{"id":71,"name":"other"}]"#;
    let put = |key| matching(dialect_insert("labels", two, "", merge), "id", key);
    assert_eq!(fixture.run(&put("70")).text, r#"[{"id":70,"name":"seventy"}]"#);
    assert_eq!(fixture.run(&put("72")).text, "[]");
    let lacking = matching(dialect_insert("labels", r#"[{"name":"x"}]"#, "", merge), "id", "1");
    assert_eq!(fixture.refused(&lacking).0, "malformed_request");
}

#[tokio::test]
async fn missing_keys_are_null_or_the_default() {
    let mut fixture = Fixture::new().await;
    let body = r#"[{"author_id":1,"title":"a","views":7,"meta":{"x":1,"x":2}},{"author_id":1,"title":"b"}]"#;
    let mut request = dialect(insert("posts", body, "select=views,meta"));
    if let Operation::Insert(insert) = &mut request.operation {
        insert.missing_default = true;
    }
    assert_eq!(fixture.run(&request).text, r#"[{"views":7,"meta":{"x": 2}},{"views":0,"meta":null}]"#);
    let update = reset(dialect(update("posts", r#"{"title":"t"}"#, "id=eq.5&select=title,views")), "views");
    assert_eq!(fixture.run(&update).text, r#"[{"title":"t","views":0}]"#);
}

#[tokio::test]
async fn each_row_uses_up_a_number() {
    let mut fixture = Fixture::new().await;
    let mut request =
        dialect(insert("users", r#"[{"name":"a"},{"name":"b","id":9000},{"name":"c"}]"#, "select=id"));
    if let Operation::Insert(insert) = &mut request.operation {
        insert.missing_default = true;
    }
    let found = fixture.run(&request).json;
    let id = |at: usize| found[at]["id"].as_i64().unwrap();
    assert_eq!((id(1), id(2) - id(0)), (9000, 2), "{found}");
}

#[tokio::test]
async fn the_first_unknown_column_is_told() {
    let fixture = Fixture::new().await;
    for request in [
        insert("labels", r#"{"zeta":1,"alpha":2,"id":3}"#, ""),
        insert("labels", r#"[{"zeta":1,"alpha":2,"id":3}]"#, ""),
        update("labels", r#"{"zeta":1,"alpha":2}"#, "id=eq.1"),
        reset(update("labels", r#"{"name":"x"}"#, "id=eq.1"), "alpha"),
    ] {
        let problem = fixture.plan(&dialect(request)).unwrap_err();
        let fault = Fault::UnknownWrittenColumn { relation: "labels".into(), column: "alpha".into() };
        assert_eq!(problem.cause::<Fault>(), Some(&fault));
    }
}
