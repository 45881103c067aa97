//! Printing and parsing agree, and no text makes the parser panic.

use bedplate_query::limits::Limits;
use bedplate_query::request::*;
use bedplate_query::syntax::{Options, parse, print};
use proptest::prelude::*;

use crate::random::Random;

/// Requests as a parser could have made them, of every kind.
struct Maker {
    random: Random,
    values: Values,
}

impl Maker {
    fn chance(&mut self, one_in: u64) -> bool {
        self.random.below(one_in) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.random.below(from.len() as u64) as usize]
    }

    fn name(&mut self) -> Name {
        const WORDS: [&str; 12] =
            ["id", "title", "order", "and", "not", "eq", "count", "left", "select", "in", "a-b", "größe"];
        let word = self.pick(&WORDS);
        let odd = format!("{}\u{e9}", self.random.text(6));
        if self.chance(4) { Name::from(odd) } else { Name::from(word) }
    }

    fn some_name(&mut self) -> Option<Name> {
        self.chance(2).then(|| self.name())
    }

    fn value(&mut self, value: Value) -> ValueRef {
        self.values.push(value).unwrap()
    }

    fn text(&mut self) -> ValueRef {
        let text = self.random.text(10);
        self.value(Value::Text(text))
    }

    fn cast(&mut self) -> Option<Name> {
        let word = self.pick(&["text", "double precision", "int4"]);
        self.chance(4).then(|| Name::from(word))
    }

    fn path(&mut self) -> Path {
        let column = self.name();
        let mut steps = Vec::new();
        while self.chance(4) {
            let as_text = self.chance(2);
            let key = if self.chance(2) {
                Key::Index(self.random.next() as i32)
            } else {
                let name = format!("{}k", self.random.text(4));
                Key::Field { value: self.value(Value::Text(name.clone())), name: Name::from(name) }
            };
            steps.push(Step { as_text, key });
        }
        Path { column, steps }
    }

    fn aggregate(&mut self) -> Aggregate {
        use AggregateFunction::*;
        Aggregate { function: self.pick(&[Count, Sum, Avg, Min, Max]), cast: self.cast() }
    }

    fn field(&mut self) -> Field {
        let alias = self.some_name();
        if self.chance(6) {
            let aggregate = Some(Aggregate { function: AggregateFunction::Count, cast: self.cast() });
            return Field { path: None, cast: None, alias, aggregate };
        }
        let (path, cast) = (Some(self.path()), self.cast());
        let aggregate = self.chance(4).then(|| self.aggregate());
        Field { path, cast, alias, aggregate }
    }

    fn embed(&mut self, depth: u64, at: u64) -> Embed {
        // Output names differ, as the planner demands.
        let unique = Name::from(format!("{}{at}", self.name()));
        let spread = self.chance(4);
        let aliased = !spread && self.chance(2);
        let (relation, alias) = if aliased { (self.name(), Some(unique)) } else { (unique, None) };
        let (hint, join) = (self.some_name(), self.pick(&[Join::Left, Join::Inner]));
        let node = self.node(depth - 1);
        Embed { relation, alias, hint, join, spread, empty: node.select.is_empty(), node }
    }

    fn node(&mut self, depth: u64) -> Node {
        let mut node = Node::default();
        for at in 0..self.random.below(4) {
            let item = match self.random.below(3) {
                0 => Item::Star,
                1 if depth > 0 => Item::Embed(self.embed(depth, at)),
                _ => Item::Field(self.field()),
            };
            node.select.push(item);
        }
        for _ in 0..self.random.below(3) {
            let logic = if self.chance(2) { Logic::Test(self.test(false)) } else { self.tree(3) };
            node.filters.push(logic);
        }
        for _ in 0..self.random.below(3) {
            let (relation, path, descending) = (self.some_name(), self.path(), self.chance(2));
            let nulls_first = self.pick(&[None, Some(true), Some(false)]);
            node.order.push(OrderTerm { relation, path, descending, nulls_first });
        }
        for slot in 0..2 {
            if self.chance(3) {
                let count = Value::Int((self.random.next() >> 1) as i64);
                let at = Some(self.value(count));
                if slot == 0 { node.page.limit = at } else { node.page.offset = at }
            }
        }
        node.distinct = self.chance(5);
        node
    }

    fn tree(&mut self, depth: u64) -> Logic {
        let members = (0..=self.random.below(2))
            .map(|_| {
                if depth > 0 && self.chance(3) { self.tree(depth - 1) } else { Logic::Test(self.test(true)) }
            })
            .collect();
        let group = if self.chance(2) { Logic::And(members) } else { Logic::Or(members) };
        if self.chance(3) { Logic::Not(Box::new(group)) } else { group }
    }

    fn test(&mut self, in_tree: bool) -> Test {
        let mut through = Vec::new();
        while in_tree && self.chance(4) && through.len() < 3 {
            through.push(self.name());
        }
        Test { through, path: self.path(), negated: self.chance(3), op: self.op() }
    }

    fn op(&mut self) -> Op {
        use Comparison::*;
        match self.random.below(5) {
            0 => {
                let items = (0..self.random.below(4)).map(|_| Some(self.random.text(8))).collect();
                Op::In(self.value(Value::List(items)))
            }
            1 => Op::Is(self.pick(&[Is::Null, Is::NotNull, Is::True, Is::False, Is::Unknown])),
            2 => {
                let config = self.chance(2).then(|| self.value(Value::Text("english".into())));
                let parser =
                    self.pick(&[TextSearch::Query, TextSearch::Plain, TextSearch::Phrase, TextSearch::Web]);
                Op::TextSearch { parser, config, value: self.text() }
            }
            3 => {
                let op = self.pick(&[Eq, Gt, Gte, Lt, Lte, Like, Ilike, Match, Imatch]);
                let quantifier = Some(self.pick(&[Quantifier::Any, Quantifier::All]));
                let count = self.random.below(4);
                let items = (0..count).map(|_| (!self.chance(4)).then(|| self.random.text(8))).collect();
                Op::Compare { op, quantifier, value: self.value(Value::List(items)) }
            }
            _ => {
                let op = self.pick(&[
                    Eq,
                    Neq,
                    IsDistinct,
                    Contains,
                    ContainedBy,
                    Overlaps,
                    StrictlyLeft,
                    Adjacent,
                ]);
                Op::Compare { op, quantifier: None, value: self.text() }
            }
        }
    }
}

/// What a request asks for, whatever its values are numbered.
fn meaning(node: &Node, values: &Values) -> String {
    let text = format!("{node:?}");
    let mut parts = text.split("ValueRef(");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(')').unwrap();
        out.push_str(&format!("{:?}{rest}", values.0[number.parse::<usize>().unwrap()]));
    }
    out
}

fn no_limits() -> Limits {
    let most = 1_000_000;
    Limits {
        filter_terms: most,
        filter_depth: 50,
        in_items: most,
        embed_depth: 50,
        embeds: most,
        select_items: most,
        order_keys: most,
        ..Limits::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_the_same(seed: u64) {
        let mut maker = Maker { random: Random::new(seed), values: Values::default() };
        let node = maker.node(3);
        let printed = print(&node, &maker.values);
        let parsed = parse(&printed, &no_limits(), &Options::NATIVE);
        let parsed = parsed.unwrap_or_else(|error| panic!("{printed}: {error}"));
        prop_assert_eq!(meaning(&parsed.node, &parsed.values), meaning(&node, &maker.values), "{}", printed);
        prop_assert_eq!(print(&parsed.node, &parsed.values), printed);
    }

    #[test]
    fn no_text_panics_and_what_is_accepted_prints(query in query_like()) {
        for options in [Options::NATIVE, Options::POSTGREST] {
            if let Ok(parsed) = parse(&query, &Limits::default(), &options) {
                let printed = print(&parsed.node, &parsed.values);
                let again = parse(&printed, &Limits::default(), &Options::NATIVE);
                let again = again.unwrap_or_else(|error| panic!("{query} as {printed}: {error}"));
                prop_assert_eq!(meaning(&again.node, &again.values), meaning(&parsed.node, &parsed.values), "{}", query);
            }
        }
    }
}

/// Text made of the grammar's pieces, mostly nonsense.
fn query_like() -> impl Strategy<Value = String> {
    let pieces = vec![
        "select=",
        "order=",
        "or=",
        "and=",
        "limit=",
        "a=",
        "a.b=",
        "&",
        "eq.",
        "not.",
        "in.",
        "is.null",
        "like(any).",
        "(",
        ")",
        ",",
        ".",
        "->",
        "->>",
        "::",
        ":",
        "!",
        "inner",
        "...",
        "*",
        "\"",
        "\\",
        "{",
        "}",
        "a",
        "b c",
        "1",
        "-",
        "%22",
        "%2",
        "%ff",
        "+",
        "é",
        "and",
        "or",
        "count()",
        ".sum()",
        "desc",
        "nullslast",
        "fts(en).",
        "emb.",
        "=",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..25).prop_map(|pieces| pieces.concat())
}
