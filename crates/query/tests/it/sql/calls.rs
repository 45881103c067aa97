//! Function calls.

use bedplate_query::request::{Arguments, BodyMedia, Count, Operation};
use bedplate_query::{Request, Value};

use super::Fixture;
use super::request::call;

fn edit(mut request: Request, change: impl FnOnce(&mut bedplate_query::request::Call)) -> Request {
    if let Operation::Call(call) = &mut request.operation {
        change(call);
    }
    request
}

fn variadic(items: &[&str]) -> Request {
    let mut request = call("total", r#"{"parts":1}"#, "");
    request.values.0[0] = Value::List(items.iter().map(|i| Some((*i).to_owned())).collect());
    request
}

/// `?parts=7`.
fn variadic_text(item: &str) -> Request {
    let mut request = call("total", r#"{"parts":1}"#, "");
    request.values.0[0] = Value::Text(item.into());
    request
}

#[tokio::test]
async fn shapes_of_calls() {
    let mut fixture = Fixture::new().await;
    let cases = [
        ("scalar", call("add", r#"{"a":1,"b":2}"#, "")),
        ("default", call("add", r#"{"a":1}"#, "")),
        ("rows of a table", call("search", r#"{"term":"1"}"#, "")),
        (
            "read over rows",
            call(
                "search",
                r#"{"term":"1"}"#,
                "select=id,author:author_id(name),comments(body)&views=gt.3&order=id&limit=2",
            ),
        ),
        (
            "rows counted",
            edit(call("search", r#"{"term":"1"}"#, "select=id&limit=2"), |c| c.count = Some(Count::Exact)),
        ),
        ("one row", call("one_user", r#"{"id":3}"#, "select=id,name")),
        ("table", call("stats", "{}", "select=status,posts&posts=gt.1&order=posts.desc")),
        ("composite", call("place", "{}", "select=city")),
        ("scalars", call("numbers", r#"{"up_to":9}"#, "limit=3")),
        (
            "scalars counted",
            edit(call("numbers", r#"{"up_to":9}"#, "limit=3"), |c| c.count = Some(Count::Exact)),
        ),
        ("void", call("touch", r#"{"post":3}"#, "")),
        ("variadic", variadic(&["1", "2.5"])),
        ("whole body", call("echo", r#"{"x":[1,2]}"#, "")),
        ("aggregate over rows", call("search", r#"{"term":"1"}"#, "select=status,count()")),
        (
            "distinct rows counted",
            edit(call("search", r#"{"term":"1"}"#, "select=status&distinct=true"), |c| {
                c.count = Some(Count::Exact);
            }),
        ),
    ];
    let texts: Vec<String> = cases.iter().map(|(title, request)| fixture.shape(title, request)).collect();
    super::snapshot!(texts.join("\n"));
}

#[tokio::test]
async fn calls_answer() {
    let mut fixture = Fixture::new().await;
    for (request, expected) in [
        (call("add", r#"{"a":1,"b":2}"#, ""), "[3]"),
        (call("add", r#"{"a":1}"#, ""), "[2]"),
        (call("numbers", r#"{"up_to":9}"#, "limit=3&offset=1"), "[2,3,4]"),
        (variadic(&["1", "2.5"]), "[3.5]"),
        (call("total", r#"{"parts":[1,2]}"#, ""), "[3]"),
        (call("total", r#"{"parts":2.5}"#, ""), "[2.5]"),
        (variadic_text("7"), "[7]"),
        (call("echo", r#"{"x":[1,2]}"#, ""), r#"[{"x":[1,2]}]"#),
        (call("place", "{}", "select=city"), r#"[{"city":"Bern"}]"#),
        (
            call("one_user", r#"{"id":3}"#, "select=id,profiles(motto)"),
            r#"[{"id":3,"profiles":{"motto":"motto 3"}}]"#,
        ),
        // The function's own order is kept.
        (call("search", r#"{"term":"number 1"}"#, "select=id&id=lt.12"), r#"[{"id":11},{"id":10},{"id":1}]"#),
    ] {
        assert_eq!(fixture.run(&request).text, expected);
    }
    let touched = fixture.run(&call("touch", r#"{"post":3}"#, ""));
    assert_eq!(touched.json, serde_json::Value::Null);

    let counted =
        edit(call("search", r#"{"term":"1"}"#, "select=id&limit=2"), |c| c.count = Some(Count::Exact));
    let planned = fixture.plan(&counted).unwrap();
    let found = fixture.execute(&planned, &counted.values);
    assert_eq!(found.page.rows, 2);
    assert_eq!(found.answer.int8(planned.main.total_column.unwrap()), 15);
}

#[tokio::test]
async fn the_right_function_or_none() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.refused(&call("nothing", "{}", "")).0, "not_found");
    let (code, hint) = fixture.refused(&call("add", r#"{"x":1}"#, ""));
    assert_eq!(code, "not_found");
    assert_eq!(hint.unwrap(), "It is add(a integer, b integer (optional))");
    let problem = fixture.plan(&call("pick", r#"{"a":1}"#, "")).unwrap_err();
    assert_eq!(problem.code().name, "ambiguous_function");
    assert_eq!(problem.fields().len(), 2);
    assert_eq!(
        fixture.refused(&edit(call("touch", r#"{"post":1}"#, ""), |c| c.read_only = true)).0,
        "method_not_allowed"
    );
    assert!(fixture.plan(&edit(call("add", r#"{"a":1}"#, ""), |c| c.read_only = true)).is_ok());
    assert_eq!(fixture.refused(&call("add", r#"{"a":1}"#, "select=x")).0, "query_syntax");
    let planned = fixture.plan(&call("slow", "{}", "")).unwrap();
    assert_eq!(planned.settings, [("statement_timeout".to_owned(), "2s".to_owned())]);
    assert!(!planned.writes);
    assert!(fixture.plan(&call("touch", r#"{"post":1}"#, "")).unwrap().writes);
    let body = edit(call("echo", "{}", ""), |c| {
        let Arguments::Object { body, .. } = c.arguments else { panic!("an object") };
        c.arguments = Arguments::Body { value: body, media: BodyMedia::Text };
    });
    assert_eq!(fixture.refused(&body).0, "not_found");
}

#[tokio::test]
async fn parameters_without_names() {
    let mut fixture = Fixture::new().await;
    let dialect = |name: &str, arguments: &str| {
        edit(call(name, arguments, ""), |call| call.style = bedplate_query::request::Style::POSTGREST)
    };
    // The empty name is the whole body, for the types that a body can be.
    assert_eq!(fixture.run(&dialect("nameless", r#"{"":7}"#)).text, r#"["text"]"#);
    assert_eq!(fixture.run(&dialect("echo", r#"{"":7}"#)).text, r#"[{"":7}]"#);
    assert_eq!(fixture.refused(&dialect("nameless", r#"{"x":7}"#)).0, "not_found");
    assert_eq!(fixture.refused(&call("nameless", r#"{"":7}"#, "")).0, "not_found");
    // PostgREST knows nothing of other functions without names.
    assert_eq!(fixture.refused(&dialect("sizeless", "{}")).0, "not_found");
    assert_eq!(fixture.run(&call("sizeless", "{}", "")).text, "[1]");
}
