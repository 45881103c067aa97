//! Reads of the PostgREST dialect: shapes, answers against plain SQL, and refusals as faults.

use bedplate_query::fault::Fault;
use bedplate_query::limits::Limits;
use bedplate_query::request::{Read, Style};
use bedplate_query::syntax::{self, Kind, Options};
use bedplate_query::{Operation, Request};

use super::{Fixture, request};

/// The dialect with its extensions.
fn extended(query: &str) -> Request {
    let (name, query) = query.split_once('?').unwrap();
    let options = Options { extensions: true, ..Options::POSTGREST };
    let parsed =
        syntax::parse(query, &Limits::default(), &options).unwrap_or_else(|e| panic!("{query}: {e}"));
    let read = Read {
        target: request::target(name),
        parents: Vec::new(),
        node: parsed.node,
        count: None,
        style: Style { extensions: true, ..Style::POSTGREST },
    };
    Request { operation: Operation::Read(read), values: parsed.values }
}

/// The rows equal what a plain statement gives, in the same order.
fn same(fixture: &mut Fixture, request: &Request, naive: &str) {
    let found = fixture.run(request);
    let sql = format!("select coalesce(json_agg(q.*), '[]') from ({naive}) q");
    let expected = fixture.wire.simple(&sql).text(0).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(found.json, expected, "{naive}");
}

fn refusal(fixture: &Fixture, query: &str) -> Fault {
    let problem = fixture.plan(&request::postgrest(query)).unwrap_err();
    problem.cause::<Fault>().unwrap_or_else(|| panic!("{query}: {problem}")).clone()
}

#[tokio::test]
async fn shapes() {
    let mut fixture = Fixture::new().await;
    let queries = [
        // Lists without an order come in the order of the table: no semi-join may change it.
        "posts?select=id,comments!inner(id)",
        "posts?select=id,comments(id,users())&comments.users=not.is.null",
        "posts?select=id,comments!inner()",
        "posts?select=id,comments!inner(id)&count=exact",
        "posts?select=id,comments!inner(id)&order=id",
        // Groups: by objects and lists as a whole, and by what is spread.
        "posts?select=status,count(),author_id(name)",
        "posts?select=count(),labels(name)",
        "posts?select=...author_id(name),views.sum()",
        "posts?select=...editor_id(name,count())&order=editor_id(name)",
        "posts?select=...author_id(writer:name),n:count()&order=author_id(writer).desc",
        "comments?select=...posts(status,...author_id(name)),stars.max()",
        "posts?select=id,...comments(stars,...users(name))&comments.order=id.desc",
        // Pages of to-one embeds, and of embeds that filter.
        "posts?select=id,author:author_id(name)&author.offset=1",
        "posts?select=id,comments!inner(id)&comments.offset=2",
        // Nothing below is answered, so nothing above it is.
        "posts?select=id,comments(users(),posts())",
        // The domain's representation is what a cast starts from; patterns are left as they are written.
        "profiles?select=paint,shade:paint::text&paint=eq.%230003E8",
        "profiles?select=user_id&paint=isdistinct.1000",
        "posts?select=id,tags::text[],views::_int4&limit=1",
        "posts?select=count&status=eq.draft",
        "posts?select=title,id.max()&order=id",
    ];
    let each: Vec<String> = queries
        .iter()
        .map(|query| {
            // PostgreSQL refuses these when they run; what is asked of it is what matters.
            if query.contains("_int4") || query.contains("max()&order=id") {
                format!("{query}\n  {}\n", fixture.plan(&request::postgrest(query)).unwrap().main.sql.text)
            } else {
                fixture.shape(query, &request::postgrest(query))
            }
        })
        .collect();
    super::snapshot!(each.join("\n"));
}

#[tokio::test]
async fn answers_equal_plain_sql() {
    let mut fixture = Fixture::new().await;
    let cases = [
        (
            "users?select=id,...posts!author_id(titles:title,views)&posts.order=views.desc,id&posts.status=eq.draft\
             &order=id",
            "select u.id, coalesce((select json_agg(title order by views desc, id) from api.posts p where author_id = \
             u.id and status = 'draft'), '[]') titles, coalesce((select json_agg(views order by views desc, id) from \
             api.posts p where author_id = u.id and status = 'draft'), '[]') as views from api.users u order by id",
        ),
        (
            "posts?select=id,...comments(stars)&id=lt.4&comments.order=id&order=id",
            "select p.id, coalesce((select json_agg(stars order by c.id) from api.comments c where post_id = p.id), \
             '[]') stars from api.posts p where id < 4 order by id",
        ),
        (
            "labels?select=name,...posts(id,...comments(stars))&posts.order=id&posts.comments.order=id&posts.limit=2\
             &order=id",
            "select l.name, x.i as id, x.s as stars from api.labels l left join lateral (select \
             coalesce(json_agg(q.id order by q.id), '[]') i, coalesce(json_agg(q.s order by q.id), '[]') s from (select \
             p.id, coalesce((select json_agg(stars order by c.id) from api.comments c where c.post_id = p.id), '[]') s \
             from api.posts p join api.post_labels j on j.post_id = p.id where j.label_id = l.id order by p.id limit 2) \
             q) x on true order by l.id",
        ),
        (
            "posts?select=status,count(),author:author_id(name)&order=status,count.desc&author_id=eq.3",
            "select status, count(*) as count, (select json_build_object('name', u.name) from api.users u where u.id = \
             author_id) author from api.posts where author_id = 3 group by status, author_id order by status, count(*) \
             desc",
        ),
        (
            "posts?select=...editor_id(name,there:count()),rows:count()&order=editor_id(name)",
            "select u.name, count(u.id) there, count(*) as rows from api.posts p left join api.users u on u.id = \
             p.editor_id group by u.name order by u.name",
        ),
        (
            "posts?select=id,author:author_id(name)&author.limit=0&id=lt.3&order=id",
            "select id, null::json author from api.posts where id < 3 order by id",
        ),
        (
            "posts?select=id,comments!inner(id)&comments.offset=3&comments.order=id&order=id",
            "select p.id, (select json_agg(json_build_object('id', q.id)) from (select c.id from api.comments c where \
             c.post_id = p.id order by id offset 3) q) as comments from api.posts p where (select count(*) from \
             api.comments c where c.post_id = p.id) > 3 order by id",
        ),
        ("posts?select=id,comments(users(),posts())&id=eq.1", "select 1 as id"),
        (
            "profiles?select=user_id,shade:paint::text&paint=eq.%230003E8",
            "select 1 as user_id, '\"#0003E8\"' as shade",
        ),
        (
            "posts?select=count&status=eq.draft",
            "select count(*) as count from api.posts where status = 'draft'",
        ),
    ];
    for (query, naive) in cases {
        same(&mut fixture, &request::postgrest(query), naive);
    }
}

#[tokio::test]
async fn without_an_order_rows_stay_in_the_order_of_the_table() {
    let mut fixture = Fixture::new().await;
    for query in [
        "posts?select=id,comments!inner(id)",
        "posts?select=id,comments(id)&comments=not.is.null",
        "posts?select=id,labels!inner(id)&labels.id=lt.3",
    ] {
        let found = fixture.run(&request::postgrest(query));
        let ids: Vec<i64> =
            found.json.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
        assert!(ids.len() > 10 && ids.is_sorted(), "{query}: {ids:?}");
    }
}

#[tokio::test]
async fn extensions_filter_groups_and_across_relations() {
    let mut fixture = Fixture::new().await;
    let having = "select status, count(*) as n, sum(views) as total from api.posts group by status";
    for (query, naive) in [
        (
            "posts?select=status,n:count(),total:views.sum()&having=(n.gte.20,total.gt.80)&order=status",
            format!("{having} having count(*) >= 20 and sum(views) > 80 order by status"),
        ),
        (
            "posts?select=status,n:count(),total:views.sum()&having=(or(n.lt.1,not.and(total.lt.85,n.eq.20)))\
             &order=status",
            format!("{having} having count(*) < 1 or not (sum(views) < 85 and count(*) = 20) order by status"),
        ),
        (
            "users?select=id,posts!author_id(status,n:count())&posts.having=(n.gt.1)&posts.order=status&order=id",
            "select u.id, coalesce((select json_agg(q.*) from (select status, count(*) n from api.posts p where \
             author_id = u.id group by status having count(*) > 1 order by status) q), '[]') as posts from api.users u \
             order by id"
                .to_owned(),
        ),
        (
            "posts?select=status&distinct=true&order=status",
            "select distinct status from api.posts order by status".to_owned(),
        ),
        (
            "posts?select=id,comments(),editor:editor_id()&or=(comments.stars.eq.5,editor.name.eq.user%202)&order=id",
            "select p.id from api.posts p where exists (select from api.comments c where c.post_id = p.id and stars = 5) \
             or exists (select from api.users u where u.id = p.editor_id and name = 'user 2') order by id"
                .to_owned(),
        ),
    ] {
        same(&mut fixture, &extended(query), &naive);
    }
    let problem =
        fixture.plan(&extended("posts?select=status,n:count()&having=(status.eq.draft)")).unwrap_err();
    assert_eq!(problem.code().name, "query_syntax");
    assert!(problem.hint_text().unwrap().contains("having=("), "{problem}");
    // Strictly PostgREST: a filter on a column that is not there.
    let strict = syntax::parse("having=(n.gt.1)", &Limits::default(), &Options::POSTGREST).unwrap_err();
    assert!(matches!(strict.kind, Kind::Syntax { .. }), "{strict:?}");
}

#[tokio::test]
async fn refusals_are_faults_in_the_order_of_postgrest() {
    let mut fixture = Fixture::new().await;
    let named = |text: &str| text.into();
    assert_eq!(
        refusal(&fixture, "posts?select=nothing,editors(id)"),
        Fault::NoRelationship {
            schema: "api".into(),
            origin: "posts".into(),
            target: named("editors"),
            hint: None,
            similar: Some("authors".into()),
        }
    );
    assert_eq!(
        refusal(&fixture, "posts?select=nothing,coments(id)"),
        Fault::NoRelationship {
            schema: "api".into(),
            origin: "posts".into(),
            target: named("coments"),
            hint: None,
            similar: Some("comments".into()),
        }
    );
    assert!(matches!(
        refusal(&fixture, "posts?select=comments!nothing(id)"),
        Fault::NoRelationship { hint: Some(_), similar: None, .. }
    ));
    let Fault::ManyRelationships { origin, target, candidates } =
        refusal(&fixture, "posts?select=nothing,users(name)")
    else {
        panic!("not ambiguous")
    };
    assert_eq!((origin.as_str(), &*target), ("posts", "users"));
    let told: Vec<(&str, &str)> =
        candidates.iter().map(|c| (c.cardinality, c.relationship.as_str())).collect();
    assert_eq!(
        told,
        [
            ("many-to-one", "posts_author_id_fkey using posts(author_id) and users(id)"),
            ("many-to-one", "posts_editor using posts(editor_id) and users(id)"),
            (
                "many-to-many",
                "comments using comments_post_id_fkey(post_id) and comments_user_id_fkey(user_id)"
            ),
        ][..told.len()]
    );
    assert_eq!(candidates[0].spelling, "users!posts_author_id_fkey");
    assert_eq!(
        refusal(&fixture, "posts?select=nothing,comments(id)&order=comments(id)"),
        Fault::OrderNotToOne { origin: "posts".into(), target: named("comments") }
    );
    assert_eq!(
        refusal(&fixture, "posts?select=nothing&order=comments(id)"),
        Fault::NotEmbedded { name: named("comments") }
    );
    assert!(matches!(
        refusal(&fixture, "users?select=nothing,...posts!author_id(views.sum())"),
        Fault::NotOffered { .. }
    ));
    assert_eq!(
        refusal(&fixture, "posts?select=id,comments(id)&comments=eq.1"),
        Fault::EmbedFilter { name: named("comments"), operator: "eq" }
    );
    assert_eq!(
        refusal(&fixture, "posts?select=id,nothing"),
        Fault::UnknownColumn { relation: "posts".into(), column: named("nothing") }
    );
    assert_eq!(refusal(&fixture, "posts?select=id::nothing"), Fault::UnknownType { name: named("nothing") });
    fixture.gate.aggregates = false;
    assert_eq!(refusal(&fixture, "posts?select=nothing,views.sum()"), Fault::AggregatesOff);
    assert_eq!(refusal(&fixture, "users?select=id,posts!author_id(count())"), Fault::AggregatesOff);
    assert!(fixture.plan(&request::postgrest("users?select=id,posts!author_id(count)")).is_ok());
}

#[tokio::test]
async fn suggestions_name_only_what_the_role_may_know_of() {
    let fixture = Fixture::new().await;
    let of = |name: &str| {
        let mut request = request::postgrest(name);
        let Operation::Read(read) = &mut request.operation else { unreachable!() };
        read.target.schema = Some("api".into());
        let problem = fixture.plan(&request).unwrap_err();
        match problem.cause::<Fault>() {
            Some(Fault::UnknownRelation { similar, .. }) => similar.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(of("post"), Some("posts".into()));
    assert_eq!(of("PROFILE"), Some("profiles".into()));
    assert_eq!(of("sealedd"), None);
    assert_eq!(of("sealed"), None);
    assert_eq!(of("entirely_else"), None);
}

#[test]
fn what_is_left_over_is_not_looked_at() {
    let limits = Limits::default();
    for (sloppy, plain) in [
        ("select=a,b(c))", "select=a,b(c)"),
        ("select=b(c)'", "select=b(c)"),
        ("or=(a.eq.1,b.eq.2))", "or=(a.eq.1,b.eq.2)"),
        ("a=in.(1,2)x", "a=in.(1,2)"),
        ("a=in.(\"\")", "a=in.()"),
        ("a=in.(   )", "a=in.()"),
        ("a=is.null ", "a=is.null"),
        ("limit=x", ""),
        ("limit=2&limit=", "limit=2"),
        ("offset=-3", "offset=0"),
        ("limit=-0", "limit=0"),
        ("a!!=eq.1", "a=eq.1"),
    ] {
        let found = syntax::parse(sloppy, &limits, &Options::POSTGREST).unwrap();
        let wanted = syntax::parse(plain, &limits, &Options::POSTGREST).unwrap();
        assert_eq!((found.node, found.values), (wanted.node, wanted.values), "{sloppy}");
        let strict = syntax::parse(sloppy, &limits, &Options::NATIVE).is_err();
        assert!(strict || sloppy.starts_with("a=i"), "{sloppy} is no plain syntax");
    }
    let negative = syntax::parse("limit=-1", &limits, &Options::POSTGREST).unwrap_err();
    assert_eq!(negative.kind, Kind::Range);
    assert!(syntax::parse("select=a'", &limits, &Options::POSTGREST).is_err());
}

#[tokio::test]
async fn embeds_are_named_as_postgrest_names_them() {
    let mut fixture = Fixture::new().await;
    let twice = |name: &str, depth| Fault::EmbeddedTwice { origin: "posts".into(), name: name.into(), depth };
    assert_eq!(
        refusal(&fixture, "posts?select=users!author_id(id),users!posts_editor(id)"),
        twice("users", 1)
    );
    assert_eq!(
        refusal(&fixture, "comments?select=posts(a:users!author_id(id),a:users!posts_editor(id))"),
        twice("a", 2)
    );
    let unknown =
        |relation: &str| Fault::UnknownColumn { relation: relation.into(), column: "nothing".into() };
    assert_eq!(refusal(&fixture, "posts?select=comments(nothing)"), unknown("comments_1"));
    assert_eq!(refusal(&fixture, "posts?select=id,comments(users(nothing))"), unknown("users_2"));
    assert_eq!(refusal(&fixture, "posts?select=comments(id),nothing"), unknown("posts"));

    // The constraint leads both ways, so it says nothing.
    let hinted = "users?select=id,users!users_manager_id_fkey(id)";
    assert!(matches!(refusal(&fixture, hinted), Fault::NoRelationship { .. }));
    assert!(fixture.plan(&request::get(hinted)).is_ok());

    // A function that returns a row returns one, if of nothing but NULLs; unless it does not fit.
    let ask =
        |query: &str| request::postgrest(&format!("users?select=id,boss(id)&id=in.(1,5)&order=id{query}"));
    assert_eq!(fixture.run(&ask("")).text, r#"[{"id":1,"boss":{"id":null}},{"id":5,"boss":{"id":1}}]"#);
    assert_eq!(fixture.run(&ask("&boss.id=gt.0")).text, r#"[{"id":1,"boss":null},{"id":5,"boss":{"id":1}}]"#);
}
