//! No value ever reaches the SQL text.

use bedplate_query::{Request, Value};
use proptest::prelude::*;

use super::Fixture;
use super::request::{call, get, insert, update};

fn requests() -> Vec<Request> {
    vec![
        get("posts?select=id,comments(id)&title=eq.x&body=like.x*&id=in.(1,2)&tags=cs.{a}&limit=3&offset=1"),
        get("posts?select=meta->zzz->>yyy&or=(title.match.x,words.fts(english).x)&meta->a=gt.5"),
        get("users/1/posts?select=id,author:author_id(name)&author.name=eq.x"
            .replacen("users", "users!author_id", 1)
            .as_str()),
        get("posts?title=like(any).{a,b}&views=isdistinct.1&period=adj.[2024-01-01,2024-01-02)"),
        insert(
            "posts",
            r#"{"title":"x","meta":{"a":1},"tags":["a"],"home":1}"#.replace(r#","home":1"#, "").as_str(),
            "",
        ),
        insert("posts", r#"[{"title":"x","views":1},{"title":"y"}]"#, ""),
        update("posts", r#"{"title":"x","views":3}"#, "id=eq.1"),
        call("search", r#"{"term":"x"}"#, "select=id&title=eq.y"),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        Just("'; drop table api.users; --".to_owned()),
        Just("$1".to_owned()),
        Just("\"quoted\" \\ {a,b}".to_owned()),
    ];
    prop_oneof![
        text.clone().prop_map(Value::Text),
        prop::collection::vec(prop::option::of(text.clone()), 0..5).prop_map(Value::List),
        text.prop_map(|text| Value::Json(serde_json::Value::from(text).to_string().into())),
        any::<i64>().prop_map(Value::Int),
        Just(Value::Null),
    ]
}

#[test]
fn texts_do_not_depend_on_values() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fixture = runtime.block_on(Fixture::new());
    let requests = requests();
    let plain: Vec<_> = requests.iter().map(|request| fixture.plan(request).unwrap()).collect();
    proptest!(ProptestConfig::with_cases(200), |(values in prop::collection::vec(value(), 24))| {
        for (request, plain) in requests.iter().zip(&plain) {
            let mut changed = request.clone();
            for (slot, value) in changed.values.0.iter_mut().zip(&values) {
                *slot = value.clone();
            }
            let planned = fixture.plan(&changed).unwrap();
            prop_assert_eq!(&planned.main.sql, &plain.main.sql);
            prop_assert_eq!(&planned.guards, &plain.guards);
            // Binding gives one parameter for each, or says what is wrong.
            if let Ok(bound) = planned.main.sql.bind(&changed.values) {
                prop_assert_eq!(bound.len(), planned.main.sql.params.len());
            }
        }
    });
}

#[tokio::test]
async fn hostile_names_and_values_do_no_harm() {
    let mut fixture = Fixture::new().await;
    let hostile = "x'; drop table api.users; --\"";
    let mut request = get("posts?select=id,title&title=eq.x");
    request.values.0[0] = Value::Text(hostile.into());
    assert_eq!(fixture.run(&request).text, "[]");
    let found = fixture.run(&get("posts?select=id,\"';drop table x;--\":title&id=eq.1"));
    assert_eq!(found.text, r#"[{"id":1,"';drop table x;--":"Post number 1"}]"#);
    let found = fixture.run(&get("posts?select=comments(\"a'b;--\":body)&id=eq.2&comments.limit=1"));
    assert_eq!(found.json[0]["comments"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["a'b;--"]);
}
