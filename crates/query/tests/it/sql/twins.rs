//! The same rows asked for in two ways: as a resource, encoded by us from plain columns, and as a list nested in their
//! parent, made by PostgreSQL. Random selects, filters, orders and embeds; the answers must be equal.

use bedplate_query::request::{Embed, Item, Join, Node, Operation, Page, Read, Style};
use bedplate_query::{Request, Value};

use super::Fixture;
use super::request::{get, target};
use crate::random::Random;

struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    filters: &'static [&'static str],
    orders: &'static [&'static str],
    /// Name in the request, and the table behind it.
    embeds: &'static [(&'static str, &'static str)],
}

const TABLES: &[Table] = &[
    Table {
        name: "posts",
        columns: &[
            "id",
            "title",
            "slug",
            "body",
            "status",
            "tags",
            "meta",
            "doc",
            "rating",
            "views",
            "score",
            "period",
            "took",
            "raw",
            "words",
            "published_at",
            "headline",
            "m:meta->a",
            "b:meta->b->>1",
            "t:tags->0",
            "i:rating::int",
            "s:status::text",
            "p:published_at::date",
        ],
        filters: &[
            "views=gt.4",
            "status=eq.draft",
            "status=in.(draft,published)",
            "tags=cs.{even}",
            "meta->a=gt.20",
            "title=like.*1*",
            "body=is.null",
            "rating=lt.30.5",
            "period=ov.[2024-01-05,2024-01-20)",
            "words=fts.post",
            "or=(views.eq.1,rating.is.null)",
            "not.and=(views.gt.3,score.lt.10)",
            "editor_id=isdistinct.2",
            "id=not.in.(1,2,3)",
            "title=ilike(any).{*2,*3}",
            "headline=like.*1",
            "doc->>k=neq.7",
        ],
        orders: &[
            "views",
            "title.desc",
            "rating.desc.nullslast",
            "published_at",
            "status",
            "headline",
            "meta->a",
        ],
        embeds: &[
            ("comments", "comments"),
            ("labels", "labels"),
            ("author:author_id", "users"),
            ("editor:editor_id", "users"),
            ("post_labels", "post_labels"),
        ],
    },
    Table {
        name: "comments",
        columns: &["id", "post_id", "user_id", "body", "stars", "x:stars::text"],
        filters: &["stars=gte.3", "body=like.*5*", "user_id=is.null", "or=(stars.is.null,id.lt.50)"],
        orders: &["stars", "body.desc", "user_id.nullsfirst"],
        embeds: &[("users", "users"), ("posts", "posts")],
    },
    Table {
        name: "users",
        columns: &[
            "id",
            "name",
            "email",
            "bio",
            "home",
            "settings",
            "joined",
            "c:home->>city",
            "n:settings->n->x",
        ],
        filters: &["bio=not.is.null", "name=like.*1*", "settings->>theme=eq.dark", "joined=gt.2024-01-05"],
        orders: &["email.desc", "bio", "joined.desc"],
        embeds: &[
            ("posts!author_id", "posts"),
            ("boss:manager_id", "users"),
            ("reports:users", "users"),
            ("profiles", "profiles"),
            ("best_post", "posts"),
            ("notes", "comments"),
        ],
    },
    Table {
        name: "labels",
        columns: &["id", "name"],
        filters: &["id=gt.2"],
        orders: &["name.desc"],
        embeds: &[("posts", "posts")],
    },
    Table {
        name: "profiles",
        columns: &["user_id", "motto", "paint"],
        filters: &["motto=like.*1*"],
        orders: &["motto"],
        embeds: &[("users", "users")],
    },
    Table {
        name: "post_labels",
        columns: &["post_id", "label_id"],
        filters: &["label_id=gt.2"],
        orders: &["label_id.desc"],
        embeds: &[("labels", "labels")],
    },
];

fn table(name: &str) -> &'static Table {
    TABLES.iter().find(|table| table.name == name).unwrap()
}

impl Random {
    fn one_of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// A select list and, under `prefix`, the parameters that go with it.
fn level(
    random: &mut Random,
    table: &'static Table,
    depth: u64,
    prefix: &str,
    parts: &mut Vec<String>,
) -> String {
    let mut items: Vec<String> = Vec::new();
    if random.below(5) == 0 {
        items.push("*".into());
    }
    for _ in 0..random.below(5) {
        let column = random.one_of(table.columns);
        if !items
            .iter()
            .any(|item| item == column || item == "*" && !column.contains(':') && column != "headline")
        {
            items.push(column.into());
        }
    }
    for _ in 0..random.below(3) {
        parts.push(format!("{prefix}{}", random.one_of(table.filters)));
    }
    let mut orders: Vec<&str> = Vec::new();
    for _ in 0..random.below(3) {
        let order = random.one_of(table.orders);
        if !orders.contains(&order) {
            orders.push(order);
        }
    }
    if !orders.is_empty() {
        parts.push(format!("{prefix}order={}", orders.join(",")));
    }
    if depth < 3 {
        for _ in 0..random.below(3) {
            embed(random, table, depth, prefix, &mut items, parts);
        }
    }
    if items.is_empty() {
        items.push(table.columns[0].into());
    }
    items.join(",")
}

fn embed(
    random: &mut Random,
    table: &'static Table,
    depth: u64,
    prefix: &str,
    items: &mut Vec<String>,
    parts: &mut Vec<String>,
) {
    let (relation, behind) = random.one_of(table.embeds);
    let name = relation.split([':', '!']).next().unwrap();
    if items.iter().any(|item| item.trim_start_matches("...").split([':', '!', '(']).next() == Some(name)) {
        return;
    }
    let inner = random.one_of(&["", "", "!inner"]);
    let below = format!("{prefix}{name}.");
    match random.below(6) {
        0 => {
            items.push(format!("{relation}{inner}()"));
            if inner.is_empty() {
                parts.push(format!("{prefix}{name}={}", random.one_of(&["is.null", "not.is.null"])));
            }
        }
        // Spread, which takes no alias, under field names of its own.
        1 if !relation.contains(':') => {
            let column = random.one_of(&self::table(behind).columns[..2]);
            items.push(format!("...{relation}{inner}({name}_x:{column})"));
            parts.push(format!("{below}{}", random.one_of(self::table(behind).filters)));
        }
        _ => {
            let select = level(random, self::table(behind), depth + 1, &below, parts);
            items.push(format!("{relation}{inner}({select})"));
        }
    }
}

/// `parent(child(…))` with the child's node as it is.
fn nested(child: &Request, relation: &str, parent: &str, key: &str) -> Request {
    let Operation::Read(read) = &child.operation else { panic!("a read") };
    let (relation, hint) = relation.split_once('!').map_or((relation, None), |(r, h)| (r, Some(h.into())));
    let embed = Embed {
        relation: relation.into(),
        alias: Some("rows".into()),
        hint,
        join: Join::Left,
        spread: false,
        node: read.node.clone(),
        empty: false,
    };
    let mut request = get(&format!("{parent}?{key}"));
    let mut values = child.values.clone();
    let Operation::Read(Read { node: Node { filters, .. }, .. }) = &mut request.operation else {
        panic!("a read")
    };
    // The parent's only value goes behind the child's.
    let Value::Text(id) = request.values.0[0].clone() else { panic!("a text") };
    let at = values.push(Value::Text(id)).unwrap();
    renumber(&mut filters[0], at);
    let node = Node {
        select: vec![Item::Embed(embed)],
        filters: filters.clone(),
        page: Page::default(),
        ..Node::default()
    };
    let read = Read { target: target(parent), parents: Vec::new(), node, count: None, style: Style::NATIVE };
    Request { operation: Operation::Read(read), values }
}

fn renumber(logic: &mut bedplate_query::request::Logic, to: bedplate_query::ValueRef) {
    use bedplate_query::request::{Logic, Op};
    let Logic::Test(test) = logic else { panic!("one test") };
    let Op::Compare { value, .. } = &mut test.op else { panic!("a comparison") };
    *value = to;
}

#[tokio::test]
async fn nested_and_flat_answers_are_equal() {
    let mut fixture = Fixture::new().await;
    fixture.limits.page_max = 1000;
    fixture.limits.embeds = 100;
    let mut random = Random::new(7);
    let mut rows = 0;
    for _ in 0..300 {
        let (parent, relation, child, ids) = random.one_of(&[
            ("users", "posts!author_id", "posts", 15),
            ("posts", "comments", "comments", 40),
            ("labels", "posts", "posts", 6),
            ("users", "users!manager_id", "users", 6),
            ("posts", "labels", "labels", 60),
        ]);
        let id = 1 + random.below(ids);
        let mut parts = Vec::new();
        let select = level(&mut random, table(child), 1, "", &mut parts);
        let query = format!("select={select}&{}", parts.join("&"));
        let hint = relation.split_once('!').map_or(String::new(), |(_, hint)| format!("!{hint}"));
        let flat = get(&format!("{parent}{hint}/{id}/{child}?{}&count=exact", query.trim_end_matches('&')));
        let planned = fixture.plan(&flat).unwrap_or_else(|problem| panic!("{query}: {problem}"));
        let found = fixture.execute(&planned, &flat.values);
        let count = fixture.wire.run(&planned.count.as_ref().unwrap().sql, &flat.values).int8(0);
        assert_eq!(found.page.rows, count as u64, "{query}");
        rows += count;

        let inside = nested(&flat, relation, parent, &format!("id=eq.{id}"));
        let list = fixture.run(&inside);
        assert_eq!(
            list.json[0]["rows"], found.json,
            "{parent}/{id}/{child}?{query}\n{}",
            planned.main.sql.text
        );
    }
    assert!(rows > 300, "{rows} rows compared");
}
