//! What a role may not know of is treated as absent (security.md V-25, V-36).

use super::Fixture;
use super::request::{get, insert, postgrest, update};

#[tokio::test]
async fn an_unreadable_column_is_an_unknown_one_everywhere() {
    let mut fixture = Fixture::of("query_narrow").await;
    for query in [
        "users?select=id,{}",
        "users?select={}->x",
        "users?select=alias:{}::text",
        "users?select={}.max()",
        "users?{}=eq.1",
        "users?{}=is.null",
        "users?{}=in.(1)",
        "users?or=(id.eq.1,{}.like.a*)",
        "users?not.and=(id.eq.1,{}.fts.a)",
        "users?order={}",
        "posts?select=id,author:author_id(name,{})",
        "posts?select=id,author:author_id(name)&author.{}=eq.1",
        "posts?select=id,author:author_id(name)&order=author({})",
        "posts?select=id,author:author_id(name)&or=(author.{}.eq.1)",
        "posts?select=id,...author_id({})",
        "posts?select=id,comments(id,posts(author:author_id({})))",
    ] {
        let hidden = fixture.plan(&get(&query.replace("{}", "secret"))).unwrap_err();
        let absent = fixture.plan(&get(&query.replace("{}", "sekret"))).unwrap_err();
        assert_eq!(hidden.code().name, "unknown_column", "{query}");
        let same = |p: &bedplate_core::Problem| p.to_string().replace("sekret", "secret");
        assert_eq!(same(&hidden), same(&absent), "{query}");
        assert!(!hidden.to_string().contains("Did you mean \"secret\""));
    }
    assert_eq!(fixture.run(&get("users?id=eq.3")).text, r#"[{"id":3,"name":"user 3"}]"#);
    assert_eq!(
        fixture.run(&get("posts?select=*,author:author_id(*)&id=eq.1")).json[0]["author"]["name"],
        "user 2"
    );
    // A join through a column that is not readable is no way, and neither is a function of the whole row.
    assert_eq!(fixture.refused(&get("posts?select=id,posts_editor(name)")).0, "unknown_relationship");
    assert_eq!(fixture.refused(&get("posts?select=id,headline")).0, "unknown_column");
    assert_eq!(fixture.refused(&get("users?select=id,best_post(id)")).0, "unknown_relationship");
}

#[tokio::test]
async fn what_is_not_served_is_not_named() {
    let fixture = Fixture::new().await;
    for query in ["sealed", "secrets", "hidden.secrets", "nothing"] {
        let problem = fixture.plan(&get(query)).unwrap_err();
        assert_eq!(problem.code().name, "not_found", "{query}");
        assert_eq!(problem.detail_text().unwrap(), format!("There is no resource {query:?}"));
        assert_eq!(problem.hint_text(), None);
    }
    for name in ["sealed", "seale", "secrets", "secret"] {
        let problem = fixture.plan(&get(&format!("users?select=id,{name}(id)"))).unwrap_err();
        assert_eq!(problem.code().name, "unknown_relationship");
        assert_eq!(problem.hint_text(), None, "{name}");
    }
    let narrow = Fixture::of("query_narrow").await;
    assert_eq!(narrow.refused(&get("labels")).0, "not_found");
    assert_eq!(narrow.refused(&insert("comments", r#"{"body":"x"}"#, "")).0, "forbidden");
}

#[tokio::test]
async fn writes_need_the_columns_grant() {
    let mut fixture = Fixture::new().await;
    let columns = r#"{"id":2,"open":"o"}"#;
    assert_eq!(fixture.run(&insert("shy", columns, "")).text, r#"[{"id":2,"open":"o"}]"#);
    assert_eq!(fixture.refused(&insert("shy", r#"{"id":3,"closed":"c"}"#, "")).0, "unknown_column");
    assert_eq!(fixture.refused(&update("shy", r#"{"id":3}"#, "id=eq.2")).0, "forbidden");
    assert_eq!(fixture.refused(&update("shy", r#"{"open":"x"}"#, "closed=eq.c")).0, "unknown_column");
    assert_eq!(
        fixture.refused(&update("shy", r#"{"open":"x"}"#, "id=eq.2&select=closed")).0,
        "unknown_column"
    );
    let found = fixture.run(&update("shy", r#"{"open":"x"}"#, "id=eq.2"));
    assert_eq!(found.text, r#"[{"id":2,"open":"x"}]"#);
}

#[tokio::test]
async fn the_postgrest_dialect_leaves_grants_to_postgres() {
    let mut fixture = Fixture::of("query_narrow").await;
    for query in ["users", "users?select=id,secret", "users?select=id&secret=eq.x"] {
        let request = postgrest(query);
        let planned = fixture.plan(&request).unwrap();
        let refused =
            fixture.wire.attempt(&planned.main.sql.text, &planned.main.sql, &request.values).unwrap_err();
        assert!(refused.contains("42501"), "{refused}");
    }
    assert_eq!(
        fixture.run(&postgrest("users?select=id,name&order=id&limit=1")).text,
        r#"[{"id":1,"name":"user 1"}]"#
    );
}

#[tokio::test]
async fn where_the_gate_conceals_columns_without_a_grant_are_as_absent() {
    let mut fixture = Fixture::of("query_narrow").await;
    fixture.gate.conceals = true;
    for query in ["users?select=id,secret", "users?select=id&secret=eq.x", "users?select=id&order=secret"] {
        let hidden = fixture.refused(&postgrest(query));
        let absent = fixture.refused(&postgrest(&query.replace("secret", "absent")));
        assert_eq!(hidden.0, "unknown_column", "{query}");
        assert_eq!(hidden.1.map(|hint| hint.replace("secret", "absent")), absent.1, "{query}");
    }
    let all = fixture.plan(&postgrest("users")).unwrap();
    assert!(all.main.sql.text.contains("secret"), "`*` is PostgreSQL's to refuse, without a name");
}

#[tokio::test]
async fn limits_hold() {
    let mut fixture = Fixture::new().await;
    fixture.limits.embed_depth = 1;
    fixture.limits.embeds = 2;
    fixture.limits.filter_terms = 2;
    fixture.limits.order_keys = 1;
    fixture.limits.page_max = 7;
    fixture.limits.embed_rows_max = 2;
    for query in [
        "posts?select=id,comments(users(name))",
        "posts?select=id,comments(id),labels(id),author_id(name)",
        "posts?id=eq.1&views=eq.1&title=eq.x",
        "posts?or=(id.eq.1,id.eq.2,id.eq.3)",
        "posts?order=id,views",
    ] {
        assert_eq!(fixture.refused(&get(query)).0, "limit_exceeded", "{query}");
    }
    for query in ["posts?select=id", "posts?select=id&limit=50"] {
        assert_eq!(fixture.run(&get(query)).page.rows, 7, "{query}");
    }
    let found = fixture.run(&get("users?select=posts!author_id(id)&id=eq.2"));
    assert_eq!(found.json[0]["posts"].as_array().unwrap().len(), 2);
}
