//! The IR back to a canonical query string. `parse(print(x))` asks for the same as `x`, for every `x` that a parser made.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::filter;
use crate::request::{
    AggregateFunction, Comparison, Embed, Field, Is, Item, Join, Key, Logic, Node, Op, OrderTerm, Path,
    Quantifier, Step, Test, TextSearch, Value, ValueRef, Values,
};

/// What must be encoded in a query (RFC 3986 §3.4) or would be misread as a separator.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A node as a query string: select, then each level's filters, having, order, limit, offset and distinct. The seek of a
/// cursor and the probe for more rows are not part of the grammar and are left out.
pub fn print(node: &Node, values: &Values) -> String {
    Printer { values, out: String::new(), rows_only: false }.whole(node)
}

/// What decides which rows there are, in canonical form: the filters of all levels and the relations they stand on;
/// not the fields, orders and pages. Binds a cursor to its list.
pub fn fingerprint(node: &Node, values: &Values) -> String {
    Printer { values, out: String::new(), rows_only: true }.whole(node)
}

struct Printer<'v> {
    values: &'v Values,
    out: String,
    /// Leave out what does not decide which rows there are.
    rows_only: bool,
}

impl Printer<'_> {
    fn whole(mut self, node: &Node) -> String {
        let mut list = String::new();
        self.items(&mut list, &node.select);
        if !list.is_empty() {
            self.pair("select", &list);
        }
        self.level("", node);
        self.out
    }

    fn pair(&mut self, key: &str, value: &str) {
        let separator = if self.out.is_empty() { "" } else { "&" };
        let (key, value) = (utf8_percent_encode(key, ENCODED), utf8_percent_encode(value, ENCODED));
        let _ = write!(self.out, "{separator}{key}={value}");
    }

    fn level(&mut self, prefix: &str, node: &Node) {
        for filter in &node.filters {
            self.filter(prefix, filter);
        }
        for having in &node.having {
            let mut value = String::new();
            match having {
                Logic::And(members) => self.group(&mut value, members),
                other => self.group(&mut value, std::slice::from_ref(other)),
            }
            self.pair(&format!("{prefix}having"), &value);
        }
        if !self.rows_only {
            self.order_and_page(prefix, node);
        }
        if node.distinct {
            self.pair(&format!("{prefix}distinct"), "true");
        }
        for item in &node.select {
            if let Item::Embed(embed) = item {
                let mut below = prefix.to_owned();
                name(&mut below, embed.alias.as_ref().unwrap_or(&embed.relation));
                below.push('.');
                self.level(&below, &embed.node);
            }
        }
    }

    fn order_and_page(&mut self, prefix: &str, node: &Node) {
        if !node.order.is_empty() {
            let mut list = String::new();
            for (at, term) in node.order.iter().enumerate() {
                list.push_str(if at > 0 { "," } else { "" });
                order(&mut list, term);
            }
            self.pair(&format!("{prefix}order"), &list);
        }
        for (word, value) in [("limit", node.page.limit), ("offset", node.page.offset)] {
            if let Some(Value::Int(count)) = value.map(|value| self.values.get(value)) {
                self.pair(&format!("{prefix}{word}"), &count.to_string());
            }
        }
    }

    fn filter(&mut self, prefix: &str, logic: &Logic) {
        let mut key = prefix.to_owned();
        let mut value = String::new();
        match logic {
            Logic::Test(test) if test.through.is_empty() => {
                path(&mut key, &test.path);
                self.operation(&mut value, test, false);
            }
            Logic::Test(_) => {
                key.push_str("and");
                self.group(&mut value, std::slice::from_ref(logic));
            }
            Logic::And(members) => {
                key.push_str("and");
                self.group(&mut value, members);
            }
            Logic::Or(members) => {
                key.push_str("or");
                self.group(&mut value, members);
            }
            Logic::Not(inner) => match &**inner {
                Logic::And(members) | Logic::Or(members) => {
                    key.push_str(if matches!(**inner, Logic::And(_)) { "not.and" } else { "not.or" });
                    self.group(&mut value, members);
                }
                other => {
                    key.push_str("not.and");
                    self.group(&mut value, std::slice::from_ref(other));
                }
            },
        }
        self.pair(&key, &value);
    }

    fn group(&self, out: &mut String, members: &[Logic]) {
        out.push('(');
        for (at, member) in members.iter().enumerate() {
            out.push_str(if at > 0 { "," } else { "" });
            self.member(out, member);
        }
        out.push(')');
    }

    fn member(&self, out: &mut String, logic: &Logic) {
        match logic {
            Logic::And(members) => {
                out.push_str("and");
                self.group(out, members);
            }
            Logic::Or(members) => {
                out.push_str("or");
                self.group(out, members);
            }
            Logic::Not(inner) => {
                out.push_str("not.");
                match &**inner {
                    Logic::And(_) | Logic::Or(_) => self.member(out, inner),
                    other => {
                        out.push_str("and");
                        self.group(out, std::slice::from_ref(other));
                    }
                }
            }
            Logic::Test(test) => {
                for relation in &test.through {
                    name(out, relation);
                    out.push('.');
                }
                path(out, &test.path);
                out.push('.');
                self.operation(out, test, true);
            }
        }
    }

    /// `[not.]op[(…)].value`; in a tree the value is quoted where it must be.
    fn operation(&self, out: &mut String, test: &Test, tree: bool) {
        if test.negated {
            out.push_str("not.");
        }
        let value = |value: ValueRef| text(self.values.get(value));
        match &test.op {
            Op::In(items) => {
                out.push_str("in.");
                self.list(out, *items);
            }
            Op::Is(is) => {
                out.push_str("is.");
                out.push_str(is_word(*is));
            }
            Op::Compare { op, quantifier, value: at } => {
                out.push_str(comparison(*op));
                out.push_str(match quantifier {
                    Some(Quantifier::Any) => "(any)",
                    Some(Quantifier::All) => "(all)",
                    None => "",
                });
                out.push('.');
                single(out, &value(*at), tree);
            }
            Op::TextSearch { parser, config, value: at } => {
                out.push_str(text_search(*parser));
                if let Some(config) = config {
                    let _ = write!(out, "({})", value(*config));
                }
                out.push('.');
                single(out, &value(*at), tree);
            }
        }
    }

    fn list(&self, out: &mut String, items: ValueRef) {
        out.push('(');
        if let Value::List(items) = self.values.get(items) {
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                let item = item.as_deref().unwrap_or_default();
                if item.is_empty() { out.push_str("\"\"") } else { single(out, item, true) }
            }
        }
        out.push(')');
    }

    fn items(&self, out: &mut String, items: &[Item]) {
        let embeds_only = |item: &&Item| !self.rows_only || matches!(item, Item::Embed(_));
        for (at, item) in items.iter().filter(embeds_only).enumerate() {
            out.push_str(if at > 0 { "," } else { "" });
            match item {
                Item::Star => out.push('*'),
                Item::Field(found) => field(out, found),
                Item::Embed(found) => self.embed(out, found),
            }
        }
    }

    fn embed(&self, out: &mut String, embed: &Embed) {
        if embed.spread {
            out.push_str("...");
        }
        alias(out, embed.alias.as_deref());
        name(out, &embed.relation);
        if let Some(hint) = &embed.hint {
            out.push('!');
            name(out, hint);
        }
        if embed.join == Join::Inner {
            out.push_str("!inner");
        }
        out.push('(');
        self.items(out, &embed.node.select);
        out.push(')');
    }
}

fn alias(out: &mut String, alias: Option<&str>) {
    if let Some(alias) = alias {
        name(out, alias);
        out.push(':');
    }
}

fn field(out: &mut String, field: &Field) {
    alias(out, field.alias.as_deref());
    let cast = |out: &mut String, cast: Option<&str>| {
        if let Some(cast) = cast {
            out.push_str("::");
            out.push_str(cast);
        }
    };
    if let Some(found) = &field.path {
        path(out, found);
        cast(out, field.cast.as_deref());
        out.push_str(if field.aggregate.is_some() { "." } else { "" });
    }
    if let Some(aggregate) = &field.aggregate {
        out.push_str(match aggregate.function {
            AggregateFunction::Count => "count()",
            AggregateFunction::Sum => "sum()",
            AggregateFunction::Avg => "avg()",
            AggregateFunction::Min => "min()",
            AggregateFunction::Max => "max()",
        });
        cast(out, aggregate.cast.as_deref());
    }
}

fn order(out: &mut String, term: &OrderTerm) {
    match &term.relation {
        Some(relation) => {
            name(out, relation);
            out.push('(');
            path(out, &term.path);
            out.push(')');
        }
        None => path(out, &term.path),
    }
    out.push_str(if term.descending { ".desc" } else { ".asc" });
    out.push_str(match term.nulls_first {
        Some(true) => ".nullsfirst",
        Some(false) => ".nullslast",
        None => "",
    });
}

fn path(out: &mut String, path: &Path) {
    name(out, &path.column);
    for Step { as_text, key } in &path.steps {
        out.push_str(if *as_text { "->>" } else { "->" });
        match key {
            Key::Index(index) => {
                let _ = write!(out, "{index}");
            }
            Key::Field { name: key, .. } if is_plain(key) => out.push_str(key),
            Key::Field { name: key, .. } => quoted(out, key),
        }
    }
}

/// A name, quoted unless it is plain and no keyword anywhere.
fn name(out: &mut String, name: &str) {
    const KEYWORDS: [&str; 12] = [
        "select",
        "order",
        "limit",
        "offset",
        "distinct",
        "having",
        "columns",
        "on_conflict",
        "count",
        "inner",
        "left",
        "asc",
    ];
    if is_plain(name) && !filter::is_reserved(name) && !KEYWORDS.contains(&name) {
        out.push_str(name);
    } else {
        quoted(out, name);
    }
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out.push('"');
}

/// A value: bare at the top, quoted in a tree or list unless it is harmless.
fn single(out: &mut String, value: &str, tree: bool) {
    let harmless = |byte: u8| !matches!(byte, b',' | b'(' | b')' | b'"' | b'{' | b'}' | b'\\') && byte > b' ';
    if !tree || value.bytes().all(harmless) {
        out.push_str(value);
    } else {
        quoted(out, value);
    }
}

/// A value as text; a list as an array literal.
fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Json(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Null => "null".to_owned(),
        Value::List(items) => {
            let mut out = String::from("{");
            crate::pgtext::push_items(&mut out, items);
            out.push('}');
            out
        }
    }
}

fn is_word(is: Is) -> &'static str {
    match is {
        Is::Null => "null",
        Is::NotNull => "not_null",
        Is::True => "true",
        Is::False => "false",
        Is::Unknown => "unknown",
    }
}

/// The operator as the grammar spells it, without what it takes.
pub fn operator_name(op: &Op) -> &'static str {
    match op {
        Op::Compare { op, .. } => comparison(*op),
        Op::In(_) => "in",
        Op::Is(_) => "is",
        Op::TextSearch { parser, .. } => text_search(*parser),
    }
}

fn text_search(parser: TextSearch) -> &'static str {
    match parser {
        TextSearch::Query => "fts",
        TextSearch::Plain => "plfts",
        TextSearch::Phrase => "phfts",
        TextSearch::Web => "wfts",
    }
}

fn comparison(op: Comparison) -> &'static str {
    use Comparison::*;
    match op {
        Eq => "eq",
        Neq => "neq",
        Gt => "gt",
        Gte => "gte",
        Lt => "lt",
        Lte => "lte",
        Like => "like",
        Ilike => "ilike",
        Match => "match",
        Imatch => "imatch",
        IsDistinct => "isdistinct",
        Contains => "cs",
        ContainedBy => "cd",
        Overlaps => "ov",
        StrictlyLeft => "sl",
        StrictlyRight => "sr",
        NotExtendRight => "nxr",
        NotExtendLeft => "nxl",
        Adjacent => "adj",
    }
}
