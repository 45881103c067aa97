//! Inserts, updates and deletes.

use bedplate_query::request::{ConflictAction, Operation, Returning, Style};
use bedplate_query::{Request, Value};

use super::Fixture;
use super::request::{delete, insert, insert_with, on_conflict, update};

fn upsert(name: &str, body: &str, action: ConflictAction, columns: &[&str], query: &str) -> Request {
    insert_with(name, body, query, |insert| insert.conflict = Some(on_conflict(action, columns)))
}

fn nothing(mut request: Request) -> Request {
    match &mut request.operation {
        Operation::Insert(insert) => insert.returning = Returning::Nothing,
        Operation::Update(update) => update.returning = Returning::Nothing,
        Operation::Delete(delete) => delete.returning = Returning::Nothing,
        Operation::Read(_) | Operation::Call(_) | Operation::Bulk(_) => {}
    }
    request
}

#[tokio::test]
async fn shapes_of_writes() {
    use ConflictAction::{Ignore, Merge, Replace};
    let mut fixture = Fixture::new().await;
    let label = r#"{"id":9,"name":"nine"}"#;
    let cases = [
        ("insert", insert("labels", label, "")),
        ("insert, nothing", nothing(insert("labels", label, ""))),
        ("insert, key", insert_with("labels", label, "", |i| i.returning = Returning::Key)),
        ("insert, defaults", insert("posts", "{}", "select=id")),
        ("insert, types", insert("posts", POST, "select=id,title,tags")),
        (
            "insert with embeds",
            insert("posts", POST, "select=id,author:author_id(name),comments(body),headline"),
        ),
        ("insert, representation", insert("profiles", r##"{"user_id":2,"paint":"#00ff00"}"##, "")),
        ("insert below", insert("users!author_id/1/posts", r#"{"title":"t"}"#, "select=id,author_id")),
        ("insert below a composite key", insert("invoices/eu,2/lines", r#"{"id":9,"amount":1}"#, "")),
        ("bulk", insert("labels", r#"[{"id":9,"name":"a"},{"name":"b","id":10}]"#, "")),
        ("bulk, defaults", insert("posts", BULK, "select=id,views,status")),
        ("bulk, nulls", insert_with("posts", BULK, "select=id,views", |i| i.missing_default = false)),
        ("bulk below", insert("users!author_id/1/posts", r#"[{"title":"t"}]"#, "select=id")),
        ("bulk of nothing", insert("log", "[{},{}]", "")),
        ("bulk, representation", insert("profiles", r##"[{"user_id":2,"paint":"#00ff00"}]"##, "")),
        ("merge", upsert("labels", label, Merge, &[], "")),
        ("merge on", upsert("users", r#"{"email":"e@x","name":"n"}"#, Merge, &["email"], "select=id")),
        ("merge, key only", upsert("labels", r#"{"id":9}"#, Merge, &[], "")),
        ("merge, nothing", nothing(upsert("labels", label, Merge, &[], ""))),
        ("ignore", upsert("labels", label, Ignore, &[], "")),
        ("ignore, bulk", upsert("labels", r#"[{"id":9,"name":"a"}]"#, Ignore, &["name"], "")),
        (
            "replace",
            upsert("posts", r#"{"id":1,"title":"t","author_id":1}"#, Replace, &[], "select=id,views"),
        ),
        ("replace with embeds", upsert("posts", POST, Replace, &[], "select=id,author_id(name)")),
        (
            "update",
            update("posts", r#"{"title":"t","tags":["a"],"meta":{"x":1}}"#, "id=eq.1&select=id,title"),
        ),
        ("update, nothing", nothing(update("posts", r#"{"views":0}"#, "views=gt.5"))),
        ("update with embeds", update("posts", r#"{"views":0}"#, "id=eq.1&select=id,comments(body)")),
        (
            "update through",
            update(
                "posts",
                r#"{"views":0}"#,
                "select=id,author:author_id()&or=(author.name.eq.user 3,id.eq.1)",
            ),
        ),
        ("update, computed", update("posts", r#"{"views":0}"#, "id=eq.1&select=id,headline")),
        ("update nothing set", update("posts", "{}", "id=eq.1&select=id,title")),
        ("update all", update("labels", r#"{"name":"same"}"#, "")),
        ("delete", delete("labels", "id=eq.1")),
        ("delete, nothing", nothing(delete("labels", "id=eq.1"))),
        ("delete with embeds", delete("comments", "id=eq.1&select=id,posts(title)")),
        ("delete, computed", delete("posts", "id=eq.1&select=id,headline,best:users!author_id(id)")),
        (
            "update, page of the answer",
            update("posts", r#"{"views":0}"#, "id=lt.9&select=id&order=id.desc&limit=2"),
        ),
    ];
    let texts: Vec<String> = cases.iter().map(|(title, request)| fixture.shape(title, request)).collect();
    super::snapshot!(texts.join("\n"));
}

const POST: &str = r#"{"id":5000,"author_id":1,"title":"it's \"new\"","tags":["a","b,c"],"meta":{"k":null},"doc":[1],
    "rating":12345678901234567890.5e-12,"published_at":null,"raw":"\\x00ff","period":"[2024-01-01,2024-02-01)"}"#;
const BULK: &str = r#"[{"author_id":1,"title":"one","views":7},{"author_id":2,"title":"two","status":"archived","id":6000}]"#;

#[tokio::test]
async fn inserts_keep_what_they_were_given() {
    let mut fixture = Fixture::new().await;
    let body = POST.replace("12345678901234567890.5e-12", "12345678.905");
    let found = fixture.run(&insert(
        "posts",
        &body,
        "select=title,tags,meta,doc,rating,raw,views,author:author_id(name)",
    ));
    assert_eq!(
        found.text,
        r#"[{"title":"it's \"new\"","tags":["a","b,c"],"meta":{"k": null},"doc":[1],"rating":12345678.91,"raw":"\\x00ff","views":0,"author":{"name":"user 1"}}]"#
    );
    assert_eq!(found.page.key, Some(vec![Some("5000".into())]));

    let found = fixture.run(&insert("posts", BULK, "select=id,views,status&order=author_id"));
    assert_eq!(found.json[0]["views"], 7);
    assert_eq!(found.json[0]["status"], "draft");
    assert!(found.json[0]["id"].as_i64().unwrap() > 1000);
    assert_eq!(found.json[1], serde_json::json!({"id": 6000, "views": 0, "status": "archived"}));
    let home = r#"{"name":"n","home":{"city":"B, \"x\"","street":null},"settings":{"a":[1]}}"#;
    let found = fixture.run(&insert("users", home, "select=home,settings"));
    assert_eq!(found.text, r#"[{"home":{"street":null,"city":"B, \"x\""},"settings":{"a": [1]}}]"#);
    let slug =
        insert("posts", r#"{"author_id":1,"title":"t","slug":"a-b","status":"archived"}"#, "select=slug");
    assert_eq!(fixture.run(&slug).text, r#"[{"slug":"a-b"}]"#);
    let slug = insert("posts", r#"{"author_id":1,"title":"t","slug":"A B"}"#, "select=slug");
    let planned = fixture.plan(&slug).unwrap();
    let refused = fixture.wire.attempt(&planned.main.sql.text, &planned.main.sql, &slug.values).unwrap_err();
    assert!(refused.contains("23514"), "{refused}");
    let found = fixture.run(&insert("log", "[{},{}]", ""));
    assert_eq!(found.text, r#"[{"at":null,"line":null},{"at":null,"line":null}]"#);
    let found = fixture.run(&insert("profiles", r##"{"user_id":2,"paint":"#00FF00"}"##, ""));
    assert_eq!(found.text, r##"[{"user_id":2,"motto":null,"paint":"#00FF00"}]"##);
}

#[tokio::test]
async fn rows_below_a_parent_belong_to_it() {
    let mut fixture = Fixture::new().await;
    let found = fixture.run(&insert("users!author_id/3/posts", r#"{"title":"t"}"#, "select=author_id,title"));
    assert_eq!(found.text, r#"[{"author_id":3,"title":"t"}]"#);
    let found = fixture.run(&insert(
        "users!author_id/3/posts",
        r#"[{"title":"t"},{"title":"u"}]"#,
        "select=author_id",
    ));
    assert_eq!(found.text, r#"[{"author_id":3},{"author_id":3}]"#);
    let found = fixture.run(&insert("invoices/eu,2/lines", r#"{"id":9,"amount":1}"#, "select=region,number"));
    assert_eq!(found.text, r#"[{"region":"eu","number":2}]"#);
    let refused =
        fixture.plan(&insert("users!author_id/3/posts", r#"{"title":"t","author_id":4}"#, "")).unwrap_err();
    assert_eq!(refused.code().name, "validation_failed");
    assert!(refused.fields().contains_key("author_id"));
    assert_eq!(
        fixture.refused(&insert("posts/3/labels", r#"{"id":77,"name":"n"}"#, "")).0,
        "method_not_allowed"
    );
}

#[tokio::test]
async fn upserts_tell_what_they_did() {
    let mut fixture = Fixture::new().await;
    for (body, inserted) in [(r#"{"id":50,"name":"fifty"}"#, 1), (r#"{"id":50,"name":"half a hundred"}"#, 0)]
    {
        let request = upsert("labels", body, ConflictAction::Merge, &[], "");
        let planned = fixture.plan(&request).unwrap();
        let found = fixture.execute(&planned, &request.values);
        assert_eq!(found.answer.cell(0, planned.main.inserted_column.unwrap()), Some(vec![inserted]));
    }
    let ignored = fixture.run(&upsert("labels", r#"{"id":50,"name":"x"}"#, ConflictAction::Ignore, &[], ""));
    assert_eq!(ignored.text, "[]");
    let replaced = upsert(
        "posts",
        r#"{"id":8,"author_id":2,"title":"t"}"#,
        ConflictAction::Replace,
        &[],
        "select=id,views,status,body,comments(id)",
    );
    let planned = fixture.plan(&replaced).unwrap();
    let found = fixture.execute(&planned, &replaced.values);
    assert_eq!(found.answer.cell(0, planned.main.inserted_column.unwrap()), Some(vec![0]));
    assert_eq!(found.json[0]["views"], 0);
    assert_eq!(found.json[0]["status"], "draft");
    assert_eq!(found.json[0]["body"], serde_json::Value::Null);
    assert_eq!(found.json[0]["comments"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn updates_and_deletes_answer_what_they_touched() {
    let mut fixture = Fixture::new().await;
    let through = update(
        "posts",
        r#"{"views":99}"#,
        "select=id,author:author_id(name)&or=(author.name.eq.user 3,id.eq.1)&order=id",
    );
    let found = fixture.run(&through);
    let ids: Vec<i64> =
        found.json.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [1, 2, 17, 32, 47]);
    assert_eq!(found.json[1]["author"]["name"], "user 3");

    let paged = update("posts", r#"{"views":0}"#, "id=lt.9&select=id&order=id.desc&limit=2");
    let planned = fixture.plan(&paged).unwrap();
    let found = fixture.execute(&planned, &paged.values);
    assert_eq!(found.text, r#"[{"id":8},{"id":7}]"#);
    assert_eq!(found.answer.int8(planned.main.affected_column.unwrap()), 8);

    let none = fixture.run(&nothing(update("posts", r#"{"views":0}"#, "id=lt.9")));
    assert_eq!(none.answer.tag, "UPDATE 8");
    let unchanged = fixture.run(&update("posts", "{}", "id=eq.3&select=id"));
    assert_eq!(unchanged.text, r#"[{"id":3}]"#);
    let silent = nothing(update("posts", "{}", "id=lt.4"));
    assert_eq!(fixture.run(&silent).page.rows, 3);
    let mut empty = update("posts", "{}", "id=eq.3&select=id");
    if let Operation::Update(update) = &mut empty.operation {
        update.style = Style::POSTGREST;
    }
    assert_eq!(fixture.run(&empty).text, "[]");

    let deleted =
        fixture.run(&delete("posts", "id=eq.4&select=id,headline,author:users!author_id(best_post(id))"));
    assert_eq!(deleted.json[0]["headline"], "POST NUMBER 4");
    let gone = fixture.run(&super::request::get("posts?id=eq.4&select=id"));
    assert_eq!(gone.text, "[]");
}

#[tokio::test]
async fn faults_of_a_body_are_told_at_once() {
    let fixture = Fixture::new().await;
    let problem = fixture.plan(&insert("posts", r#"{"titel":"t","nope":1,"title":"x"}"#, "")).unwrap_err();
    assert_eq!(problem.code().name, "unknown_column");
    assert_eq!(problem.fields().keys().collect::<Vec<_>>(), ["nope", "titel"]);
    let problem = fixture.plan(&insert("posts", r#"{"words":"x"}"#, "")).unwrap_err();
    assert_eq!(problem.code().name, "validation_failed");
    let request = insert("posts", r#"{"tags":{"a":1}}"#, "");
    let planned = fixture.plan(&request).unwrap();
    assert_eq!(planned.main.sql.bind(&request.values).unwrap_err().code().name, "validation_failed");
    let mut nul = super::request::get("posts?title=eq.x");
    nul.values.0[0] = Value::Text("a\0b".into());
    let planned = fixture.plan(&nul).unwrap();
    assert_eq!(planned.main.sql.bind(&nul.values).unwrap_err().code().name, "malformed_request");
    let loose = upsert("users", r#"{"name":"n"}"#, ConflictAction::Merge, &["name"], "");
    assert_eq!(fixture.refused(&loose).0, "malformed_request");
    assert_eq!(
        fixture.refused(&upsert("log", r#"{"line":"n"}"#, ConflictAction::Merge, &[], "")).0,
        "malformed_request"
    );
}
