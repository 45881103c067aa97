use super::{Kind, Options, Parsed, parse, print};
use crate::limits::Limits;
use crate::request::{Comparison, Item, Join, Key, Logic, Op, Quantifier, Test, Value};

fn native(query: &str) -> Parsed<'_> {
    parse(query, &Limits::default(), &Options::NATIVE).unwrap_or_else(|error| panic!("{query}: {error}"))
}

fn refused(query: &str) -> super::Error {
    parse(query, &Limits::default(), &Options::NATIVE).map(|p| format!("{query}: {p:?}")).unwrap_err()
}

/// One canonical form for what a query asks: what is read from `query` prints as `canonical`.
fn reads_as(query: &str, canonical: &str) {
    let parsed = native(query);
    let printed = print(&parsed.node, &parsed.values);
    let plain = percent_encoding::percent_decode_str(&printed).decode_utf8().unwrap().into_owned();
    assert_eq!(plain, canonical, "{query}");
}

#[test]
fn select_lists() {
    reads_as("select=id, name ,*", "select=id,name,*");
    reads_as("select=full:name::text,n:count()", "select=full:name::text,n:count()");
    reads_as("select=a:data->b->>0::int,data->-1->\"x.y\"", "select=a:data->b->>0::int,data->-1->\"x.y\"");
    reads_as("select=x.sum()::text,y::int.avg()", "select=x.sum()::text,y::int.avg()");
    reads_as(
        "select=author(id,name),c:comments!fk!inner(count)",
        "select=author(id,name),c:comments!fk!inner(\"count\")",
    );
    reads_as("select=c!inner!fk(*),...d!left(a),e()", "select=c!fk!inner(*),...d(a),e()");
    reads_as("select=\"my col\",\"a\":\"b,c\"(x)", "select=\"my col\",a:\"b,c\"(x)");
    reads_as("select=with-dash,größe", "select=\"with-dash\",\"größe\"");
    reads_as("select=a(b(c(d(e))))", "select=a(b(c(d(e))))");
    reads_as("select=amount::double precision", "select=amount::double precision");
    reads_as("select=", "");
    for bad in [
        "select=,",
        "select=a,",
        "select=a(",
        "select=a)",
        "select=a(b",
        "select=a(b)c",
        "select=a:",
        "select=a::",
        "select=a.median()",
        "select=a.sum",
        "select=a->",
        "select=a->>->b",
        "select=*x",
        "select=a!x!y(z)",
        "select=...a",
        "select=a b:c:d",
        "select=\"a",
        "select=\"\"",
        "select=a[0]",
        "select=a->99999999999",
    ] {
        assert!(matches!(refused(bad).kind, Kind::Syntax { .. }), "{bad}");
    }
}

#[test]
fn filters() {
    reads_as("age=gte.18", "age=gte.18");
    reads_as("age=not.eq.1&age=lt.5", "age=not.eq.1&age=lt.5");
    reads_as("t=fts(english).cat&t=wfts.a b", "t=fts(english).cat&t=wfts.a b");
    reads_as("d->a->>b=eq.1.5", "d->a->>b=eq.1.5");
    reads_as("id=in.(1,\"a,b\",,\"q\\\"\\\\\",c\"d)", "id=in.(1,\"a,b\",\"\",\"q\\\"\\\\\",\"c\\\"d\")");
    reads_as("id=in.()", "id=in.()");
    reads_as("id=in.(\"\")", "id=in.(\"\")");
    reads_as("x=is.NULL&y=is.not_null&z=not.is.True", "x=is.null&y=is.not_null&z=not.is.true");
    reads_as("x=like(any).{a*,\"b c\",null,\"null\"}", "x=like(any).{a*,\"b c\",NULL,\"null\"}");
    reads_as("x=eq(all).{}", "x=eq(all).{}");
    reads_as("\"order\"=eq.1&\"a.b\"=eq.2", "\"order\"=eq.1&\"a.b\"=eq.2");
    reads_as("x=eq.&y=eq.\"quotes stay\"", "x=eq.&y=eq.\"quotes stay\"");
    reads_as("x=isdistinct.1&y=cs.{a,b}&z=adj.[1,2)", "x=isdistinct.1&y=cs.{a,b}&z=adj.[1,2)");
    for bad in [
        "x=1",
        "x",
        "x=",
        "x=foo.1",
        "x=not.not.eq.1",
        "x=eq",
        "x=eq(any).a",
        "x=neq(any).{a}",
        "x=eq(some).{a}",
        "x=is.nullish",
        "x=is.maybe",
        "x=in.1",
        "x=in.(1",
        "x=in.(1)2",
        "x=eq(any).{{a},{b}}",
        "x=eq(any).{a,}",
        "x=eq(any).{a",
        "x=fts().a",
        "=eq.1",
        "a..b=eq.1",
        ".a=eq.1",
        "x->=eq.1",
        "x->>a b.c=eq.1",
        "(x)=eq.1",
    ] {
        assert!(matches!(refused(bad).kind, Kind::Syntax { .. }), "{bad}");
    }
}

#[test]
fn logic_trees() {
    reads_as("or=(a.eq.1,b.not.gt.2)", "or=(a.eq.1,b.not.gt.2)");
    reads_as(
        "not.and=( a.eq.1, or( b.is.null , not.and(c.eq.x) ) )",
        "not.and=(a.eq.1,or(b.is.null,not.and(c.eq.x)))",
    );
    reads_as(
        "or=(a.in.(1,2),b.eq.\"x,y)\",c.cs.{1,2},d.eq.)",
        "or=(a.in.(1,2),b.eq.\"x,y)\",c.cs.\"{1,2}\",d.eq.)",
    );
    reads_as(
        "or=(a.cs.{\"k\":{\"x}\":[1,2]}},b.eq.1)",
        "or=(a.cs.\"{\\\"k\\\":{\\\"x}\\\":[1,2]}}\",b.eq.1)",
    );
    reads_as("or=(a.like(any).{x,y},b.fts(simple).z)", "or=(a.like(any).\"{x,y}\",b.fts(simple).z)");
    reads_as("or=(and.eq.1,or.eq.2,not.eq.3)", "or=(\"and\".eq.1,\"or\".eq.2,\"not\".eq.3)");
    reads_as("or=(d->a->>b.eq.1,e.eq.a.b.c)", "or=(d->a->>b.eq.1,e.eq.a.b.c)");
    for bad in [
        "or=",
        "or=()",
        "or=a.eq.1",
        "or=(a.eq.1",
        "or=(a.eq.1))",
        "or=(a)",
        "or=(a.eq.1,)",
        "or=(nand(a.eq.1))",
        "or=(not.a)",
        "and=(or)",
        "or=(a.foo.1)",
    ] {
        assert!(matches!(refused(bad).kind, Kind::Syntax { .. }), "{bad}");
    }
}

#[test]
fn trees_reach_embedded_relations_only_as_an_extension() {
    let query =
        "select=*,author(name)&or=(author.name.eq.x,title.eq.y,author.\"in\".eq.2,author.data->a.eq.1)";
    let parsed = native(query);
    let Logic::Or(members) = &parsed.node.filters[0] else { panic!("{parsed:?}") };
    let depths: Vec<_> =
        members.iter().map(|member| matches!(member, Logic::Test(t) if t.through.len() == 1)).collect();
    assert_eq!(depths, [true, false, true, true]);
    assert!(parse(query, &Limits::default(), &Options::POSTGREST).is_err());
}

#[test]
fn embedded_levels() {
    let parsed = native(
        "select=id,a:author(id,posts(id)),...tags(name)&author.name=eq.x&a.posts.or=(id.eq.1,id.eq.2)\
         &a.posts.order=id.desc&a.posts.limit=3&a.posts.offset=1&tags.not.or=(x.is.true)&limit=7&order=id",
    );
    let embeds: Vec<_> = parsed
        .node
        .select
        .iter()
        .filter_map(|i| if let Item::Embed(e) = i { Some(e) } else { None })
        .collect();
    assert_eq!(embeds[0].node.filters.len(), 1);
    let Item::Embed(posts) = &embeds[0].node.select[1] else { panic!() };
    assert!(matches!(posts.node.filters[..], [Logic::Or(_)]));
    assert!(posts.node.order[0].descending);
    assert_eq!(posts.node.page.limit.map(|at| parsed.values.get(at)), Some(&Value::Int(3)));
    assert!(matches!(embeds[1].node.filters[..], [Logic::Not(_)]));
    assert!(embeds[1].spread);
    assert_eq!(parsed.node.page.limit.map(|at| parsed.values.get(at)), Some(&Value::Int(7)));
    assert_eq!(refused("select=id&author.name=eq.x").kind, Kind::NotEmbedded { name: "author".into() });
    assert_eq!(refused("author.limit=1").kind, Kind::NotEmbedded { name: "author".into() });
}

#[test]
fn orders() {
    reads_as(
        "order=a,b.desc,c.asc.nullsfirst,d.nullslast",
        "order=a.asc,b.desc,c.asc.nullsfirst,d.asc.nullslast",
    );
    reads_as("order=data->a->>b.desc, author(name).asc", "order=data->a->>b.desc,author(name).asc");
    for bad in [
        "order=",
        "order=a.",
        "order=a.up",
        "order=a.desc.asc",
        "order=a.nullsfirst.desc",
        "order=a b(",
        "order=a,",
    ] {
        assert!(matches!(refused(bad).kind, Kind::Syntax { .. }), "{bad}");
    }
}

#[test]
fn the_parts_of_the_ir() {
    let parsed = native("select=a:b!h!inner(c->d->>1)&x->k=eq(any).{1}");
    let Item::Embed(embed) = &parsed.node.select[0] else { panic!() };
    assert_eq!(
        (embed.alias.as_deref(), embed.hint.as_deref(), embed.join),
        (Some("a"), Some("h"), Join::Inner)
    );
    let Item::Field(field) = &embed.node.select[0] else { panic!() };
    let steps = &field.path.as_ref().unwrap().steps;
    assert!(
        matches!(&steps[0].key, Key::Field { name, value } if &**name == "d" && *parsed.values.get(*value) == Value::Text("d".into()))
    );
    assert!(steps[1].as_text && steps[1].key == Key::Index(1));
    let Logic::Test(Test { op: Op::Compare { op, quantifier, value }, .. }) = &parsed.node.filters[0] else {
        panic!()
    };
    assert_eq!((*op, *quantifier), (Comparison::Eq, Some(Quantifier::Any)));
    assert_eq!(parsed.values.get(*value), &Value::List(vec![Some("1".into())]));
}

#[test]
fn equal_shapes_have_equal_operations() {
    let (one, other) = (native("a=eq.1&b=in.(1,2)&limit=5"), native("a=eq.2&b=in.(3)&limit=9"));
    assert_eq!(one.node, other.node);
    assert_ne!(one.values, other.values);
}

#[test]
fn repetition_and_strangers() {
    for twice in
        ["select=a&select=b", "order=a&order=b", "limit=1&limit=2", "select=e(x)&e.limit=1&e.limit=1"]
    {
        assert_eq!(refused(twice).kind, Kind::Repeated, "{twice}");
    }
    let parsed = parse(
        "select=a&select=b&order=x&order=y&limit=1&limit=2&flag&columns=a,\"b c\",a",
        &Limits::default(),
        &Options::POSTGREST,
    )
    .unwrap();
    assert_eq!(print(&parsed.node, &parsed.values), "select=a&order=x.asc&limit=2");
    assert_eq!(parsed.columns.unwrap().iter().map(|name| &**name).collect::<Vec<_>>(), ["a", "b c"]);
    let options = Options { reserved: |key| key == "cursor", arguments: true, ..Options::NATIVE };
    let parsed = parse("cursor=eq.x&arg=1&b=eq.2&b=not an operator", &Limits::default(), &options).unwrap();
    let left: Vec<_> = parsed.leftovers.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(left, [("cursor", "eq.x"), ("arg", "1"), ("b", "not an operator")]);
    assert_eq!(parsed.node.filters.len(), 1);
    for bad in ["limit=-1", "limit=x", "offset=", "limit=1.5", "offset=%2B1"] {
        assert_eq!(refused(bad).kind, Kind::Range, "{bad}");
    }
    assert!(native("distinct=true").node.distinct);
    assert!(matches!(refused("distinct=yes").kind, Kind::Syntax { .. }));
}

#[test]
fn limits_are_counted_over_the_whole_request() {
    let limits = Limits {
        filter_terms: 3,
        filter_depth: 2,
        in_items: 4,
        embed_depth: 2,
        embeds: 3,
        select_items: 4,
        order_keys: 2,
        ..Limits::default()
    };
    let allowed = [
        "a=eq.1&or=(b.eq.1,c.eq.1)",
        "or=(and(a.eq.1))",
        "a=in.(1,2,3,4)",
        "a=eq(any).{1,2,3,4}",
        "select=a(b(c)),d(e)",
        "select=a,b,c,d",
        "order=a,b",
    ];
    let too_much = [
        "a=eq.1&or=(b.eq.1,c.eq.1,d.eq.1)",
        "or=(and(or(a.eq.1)))",
        "a=in.(1,2,3,4,5)",
        "a=eq(any).{1,2,3,4,5}",
        "select=a(b(c(d)))",
        "select=a(),b(),c(),d()",
        "select=a,b,c,d,e",
        "order=a,b,c",
    ];
    for query in allowed {
        parse(query, &limits, &Options::NATIVE).unwrap_or_else(|error| panic!("{query}: {error}"));
    }
    for query in too_much {
        assert_eq!(parse(query, &limits, &Options::NATIVE).unwrap_err().kind, Kind::Limit, "{query}");
    }
}

#[test]
fn bombs_are_refused_early() {
    let bombs = [
        format!("id=in.({})", "1,".repeat(1_000_000)),
        format!("id=eq(any).{{{}}}", "1,".repeat(1_000_000)),
        format!("or={}", "(and".repeat(100_000)),
        format!("or=({}", "not.and(".repeat(100_000)),
        format!("select={}", "a(".repeat(100_000)),
        format!("select={}", "a,".repeat(100_000)),
        format!("select=a{}", "->b".repeat(100_000)),
        format!("order={}", "a,".repeat(100_000)),
        format!("{}=eq.1", "a.".repeat(100_000)),
        format!("or=({}", "a.".repeat(100_000)),
        format!("or=(a.eq.{}", "{".repeat(100_000)),
        format!("or=({})", "a.eq.{\",".repeat(100_000)),
        format!("select=\"{}", "\\\"".repeat(100_000)),
    ];
    for bomb in &bombs {
        let start = std::time::Instant::now();
        assert!(parse(bomb, &Limits::default(), &Options::NATIVE).is_err(), "{}", &bomb[..20]);
        // Unoptimised and on a busy machine; what is not linear takes minutes.
        assert!(start.elapsed().as_secs() < 2, "{} took {:?}", &bomb[..20], start.elapsed());
    }
}

#[test]
fn errors_say_where_and_what() {
    let error = refused("select=id,ti%20tle[0]");
    assert_eq!((&*error.parameter, error.position, &*error.near), ("select", 9, "[0]"));
    assert!(error.message.contains("after 9 characters"), "{}", error.message);
    let error = refused("title=hello");
    assert!(error.message.contains("write eq.hello"), "{}", error.message);
    let error = refused("title=foo.hello");
    assert!(
        error.message.contains("unknown operator `foo`") && error.message.contains("neq"),
        "{}",
        error.message
    );
    let error = refused("or=(title.foo.hello)");
    assert!(error.message.contains("unknown operator `foo`"), "{}", error.message);
    let problem = bedplate_core::Problem::from(refused("id=in.(1"));
    assert_eq!(problem.code().name, "query_syntax");
    assert!(problem.fields().contains_key("id"));
}
