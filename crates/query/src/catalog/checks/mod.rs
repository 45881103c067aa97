//! CHECK expressions that are simple enough to be checked at the edge. What is not understood for certain gives no rule:
//! a rule may only refuse what PostgreSQL would refuse too.

mod parse;

use std::sync::Arc;

use super::model::*;
use parse::Expression as E;

/// The rules of a relation's CHECK.
pub(super) fn of_relation(text: &str, catalog: &Catalog, relation: RelationId) -> Vec<(ColumnId, Rule)> {
    rules(text, |name| {
        let id = catalog.find_column(relation, name)?;
        Some((id, shape(catalog, catalog.column(relation, id).type_oid)))
    })
}

/// The rules of a domain's CHECK on `VALUE`. `None` when it is no domain.
pub(super) fn of_domain(text: &str, catalog: &Catalog, domain: Oid) -> Option<Vec<Rule>> {
    let TypeKind::Domain { base, .. } = catalog.type_of(domain)?.kind else { return None };
    let subject = |name: &str| (name == "VALUE").then(|| (ColumnId(0), shape(catalog, base)));
    Some(rules(text, subject).into_iter().map(|(_, rule)| rule).collect())
}

/// What kind of comparison a type has, as far as rules need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Integer,
    Number,
    /// text and varchar. Not char(n), whose trailing blanks do not count, and not citext.
    Text,
    Enum,
    Other,
}

fn shape(catalog: &Catalog, oid: Oid) -> Shape {
    let Some(base) = catalog.base_type(oid) else { return Shape::Other };
    match (base.oid, &base.kind) {
        (20 | 21 | 23, _) => Shape::Integer,
        // Not real (700): comparing rounds the value to single precision first.
        (701 | 1700, _) => Shape::Number,
        (25 | 1043, _) => Shape::Text,
        (_, TypeKind::Enum(_)) => Shape::Enum,
        _ => Shape::Other,
    }
}

fn rules(text: &str, subject: impl Fn(&str) -> Option<(ColumnId, Shape)>) -> Vec<(ColumnId, Rule)> {
    let mut found: Vec<(ColumnId, Rule)> = Vec::new();
    let Some(expression) = parse::parse(text) else { return found };
    let mut open = vec![&expression];
    while let Some(next) = open.pop() {
        if let E::And(parts) = next {
            open.extend(parts.iter().rev());
        } else if let Some((column, rule)) = rule(next, &subject) {
            let merged = found.iter_mut().any(|(c, known)| *c == column && merge(known, &rule));
            if !merged {
                found.push((column, rule));
            }
        }
    }
    found
}

/// Two halves of one range or length.
fn merge(known: &mut Rule, new: &Rule) -> bool {
    match (known, new) {
        (Rule::Range { min, max: max @ None }, Rule::Range { min: None, max: new }) if min.is_some() => {
            *max = *new;
        }
        (Rule::Range { min: min @ None, .. }, Rule::Range { min: new, max: None }) => *min = *new,
        (Rule::Length { min, max: max @ None }, Rule::Length { min: None, max: new }) if min.is_some() => {
            *max = *new;
        }
        (Rule::Length { min: min @ None, .. }, Rule::Length { min: new, max: None }) => *min = *new,
        _ => return false,
    }
    true
}

type Subject<'a> = &'a dyn Fn(&str) -> Option<(ColumnId, Shape)>;

fn rule(expression: &E, subject: Subject<'_>) -> Option<(ColumnId, Rule)> {
    match expression {
        E::IsNotNull(of) => match &**of {
            E::Name(name) => subject(name).map(|(column, _)| (column, Rule::NotNull)),
            _ => None,
        },
        E::Binary(op, left, right) => match &**right {
            E::Any(list) if op == "=" => one_of(left, list, subject),
            _ => comparison(op, left, right, subject).or_else(|| comparison(flip(op)?, right, left, subject)),
        },
        _ => None,
    }
}

fn flip(op: &str) -> Option<&'static str> {
    Some(match op {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        _ => return None,
    })
}

fn comparison(op: &str, left: &E, right: &E, subject: Subject<'_>) -> Option<(ColumnId, Rule)> {
    if let E::Call(function, arguments) = left {
        let [argument] = arguments.as_slice() else { return None };
        return length(op, function, argument, right, subject);
    }
    let (column, shape) = column(left, subject)?;
    let rule = match (op, shape) {
        ("<" | "<=" | ">" | ">=", Shape::Integer | Shape::Number) => range(op, right)?,
        ("~" | "~*", Shape::Text) => {
            Rule::Pattern { pattern: right.string()?.into(), ignore_case: op == "~*" }
        }
        ("<>", Shape::Text) if right.string()?.is_empty() => Rule::Length { min: Some(1), max: None },
        ("=", Shape::Text | Shape::Enum) => Rule::OneOf(vec![right.string()?.into()]),
        _ => return None,
    };
    Some((column, rule))
}

fn range(op: &str, bound: &E) -> Option<Rule> {
    let value: f64 = bound.number()?.parse().ok()?;
    let bound = value.is_finite().then_some(Bound { value, inclusive: op.ends_with('=') });
    bound?;
    let (min, max) = if op.starts_with('>') { (bound, None) } else { (None, bound) };
    Some(Rule::Range { min, max })
}

fn length(
    op: &str,
    function: &str,
    argument: &E,
    bound: &E,
    subject: Subject<'_>,
) -> Option<(ColumnId, Rule)> {
    if !matches!(function, "char_length" | "character_length" | "length") {
        return None;
    }
    // A minimum after trimming is one before trimming all the more.
    let (argument, trimmed) = match argument {
        E::Call(inner, arguments) if inner == "btrim" && arguments.len() == 1 => (&arguments[0], true),
        other => (other, false),
    };
    let (column, shape) = column(argument, subject)?;
    let bound: u32 = bound.number()?.parse().ok()?;
    let (min, max) = match op {
        ">" => (Some(bound.checked_add(1)?), None),
        ">=" => (Some(bound), None),
        "<" => (None, Some(bound.checked_sub(1)?)),
        "<=" => (None, Some(bound)),
        "=" => (Some(bound), Some(bound)),
        _ => return None,
    };
    let known = shape == Shape::Text && !(trimmed && max.is_some());
    known.then_some((column, Rule::Length { min, max }))
}

fn one_of(left: &E, list: &E, subject: Subject<'_>) -> Option<(ColumnId, Rule)> {
    let (column, shape) = column(left, subject)?;
    let E::Array(items) = list.uncast() else { return None };
    let item = |item: &E| -> Option<Arc<str>> {
        match shape {
            Shape::Text | Shape::Enum => item.string().map(Into::into),
            Shape::Integer => item.number()?.parse::<i64>().ok().map(|n| n.to_string().into()),
            Shape::Number | Shape::Other => None,
        }
    };
    // One item that is not understood, NULL above all, lets other values pass.
    Some((column, Rule::OneOf(items.iter().map(item).collect::<Option<_>>()?)))
}

/// A column, also under a cast that changes nothing about how it compares.
fn column(expression: &E, subject: Subject<'_>) -> Option<(ColumnId, Shape)> {
    match expression {
        E::Name(name) => subject(name),
        E::Cast(inner, to) => {
            let (id, shape) = column(inner, subject)?;
            let harmless = match shape {
                Shape::Text => matches!(to.as_str(), "text" | "character varying"),
                Shape::Integer => matches!(to.as_str(), "bigint" | "numeric"),
                Shape::Number | Shape::Enum | Shape::Other => false,
            };
            harmless.then_some((id, shape))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u16, Rule)> {
        let subject = |name: &str| {
            Some(match name {
                "n" => (ColumnId(0), Shape::Integer),
                "t" => (ColumnId(1), Shape::Text),
                "e" => (ColumnId(2), Shape::Enum),
                "d" => (ColumnId(3), Shape::Number),
                "Odd \"name" => (ColumnId(4), Shape::Text),
                "b" => (ColumnId(5), Shape::Other),
                _ => return None,
            })
        };
        rules(text, subject).into_iter().map(|(column, rule)| (column.0, rule)).collect()
    }

    fn bound(value: f64, inclusive: bool) -> Bound {
        Bound { value, inclusive }
    }

    fn words(list: &[&str]) -> Rule {
        Rule::OneOf(list.iter().map(|w| Arc::from(*w)).collect())
    }

    #[test]
    fn what_postgresql_prints_is_understood() {
        let both = Rule::Range { min: Some(bound(0.0, true)), max: Some(bound(150.0, false)) };
        assert_eq!(read("((n >= 0) AND (n < 150))"), [(0, both.clone())]);
        assert_eq!(read("((0 <= n) AND (150 > n))"), [(0, both)]);
        let negative = Rule::Range { min: Some(bound(-5.0, false)), max: None };
        assert_eq!(read("(n > '-5'::integer)"), [(0, negative.clone())]);
        assert_eq!(read("(d > ('-5'::integer)::numeric)"), [(3, negative)]);
        assert_eq!(
            read("(d <= (1)::double precision)"),
            [(3, Rule::Range { min: None, max: Some(bound(1.0, true)) })]
        );
        let length = Rule::Length { min: Some(1), max: Some(80) };
        assert_eq!(read("((char_length(t) >= 1) AND (length((t)::text) <= 80))"), [(1, length)]);
        assert_eq!(read("(length(TRIM(BOTH FROM t)) > 0)"), [(1, Rule::Length { min: Some(1), max: None })]);
        assert_eq!(read("(t <> ''::text)"), [(1, Rule::Length { min: Some(1), max: None })]);
        assert_eq!(read("(t = ANY (ARRAY['a'::text, 'it''s'::text]))"), [(1, words(&["a", "it's"]))]);
        let cast = "((t)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))";
        assert_eq!(read(cast), [(1, words(&["a", "b"]))]);
        assert_eq!(read("(e = ANY (ARRAY['x'::public.mood, 'y'::public.mood]))"), [(2, words(&["x", "y"]))]);
        assert_eq!(read("(n = ANY (ARRAY[1, 2]))"), [(0, words(&["1", "2"]))]);
        let pattern = Rule::Pattern { pattern: "^\\S+@x$".into(), ignore_case: true };
        assert_eq!(read("(t ~* '^\\S+@x$'::text)"), [(1, pattern)]);
        assert_eq!(read("(\"Odd \"\"name\" IS NOT NULL)"), [(4, Rule::NotNull)]);
        let with_opaque = read("((n > 1) AND ((t ~~ 'x%'::text) OR (n = 2)) AND (NOT (n = 7)))");
        assert_eq!(with_opaque, [(0, Rule::Range { min: Some(bound(1.0, false)), max: None })]);
    }

    #[test]
    fn what_is_not_certain_gives_no_rule() {
        for text in [
            "((n > 1) OR (t = 'x'::text))",
            "(t = ANY (ARRAY['a'::text, NULL::text]))",
            "(length(b) > 3)",
            "(length(TRIM(BOTH FROM t)) <= 5)",
            "(lower(t) = ANY (ARRAY['a'::text]))",
            "((d)::integer > 4)",
            "(n > m)",
            "(n <> 5)",
            "(NOT (n > 5))",
            "CASE WHEN (n > 1) THEN true ELSE false END",
            "(t OPERATOR(extensions.~) 'x'::text)",
            "((t)::character varying(3) = 'abc'::text)",
            "(x.n > 1)",
            "(n > 1",
            "(n > 'NaN'::integer)",
            "",
        ] {
            assert_eq!(read(text), [], "{text}");
        }
    }
}
