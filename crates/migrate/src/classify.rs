//! Recognises the few kinds of statements that a runner must treat in its own way. Everything else goes to PostgreSQL
//! as it is. Works on words, not on a grammar; a statement that is not recognised only loses the special care.

use crate::lex::{Lexer, Token};

/// What the runner must know of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Begin,
    Commit,
    /// The whole transaction; `ROLLBACK TO` is plain.
    Rollback,
    /// `SET …`, `RESET …` without LOCAL: lasts for the session, so it is repeated when an interrupted file goes on.
    SessionSetting,
    /// PostgreSQL refuses it inside a transaction.
    Alone(Alone),
    CreateExtension(Extension),
    DropExtension {
        names: Vec<String>,
    },
    /// `COMMENT ON EXTENSION`, `ALTER EXTENSION`.
    TouchExtension {
        name: String,
    },
    /// Needs a superuser: `CREATE | ALTER | DROP EVENT TRIGGER`.
    EventTrigger,
    /// `ALTER ROLE | USER | DATABASE … SET a.b = …`: custom settings need a grant.
    StoredSetting {
        parameter: String,
    },
    /// `ALTER TYPE … ADD VALUE 'x'`: `x` cannot be used before the transaction ends.
    AddEnumValue {
        value: String,
    },
}

/// Statements that run outside a transaction, as far as an interruption leaves something to clean up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Alone {
    CreateIndex { name: Option<Name> },
    DropIndex,
    Other,
}

/// A name with its schema, if one was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub schema: Option<String>,
    pub name: String,
}

/// `CREATE EXTENSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extension {
    pub name: String,
    pub if_not_exists: bool,
    pub schema: Option<String>,
    pub version: Option<String>,
    pub cascade: bool,
}

/// A token that means something, in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Lower case.
    Word(String),
    Quoted(String),
    Text(String),
    Symbol(u8),
    Number,
}

impl Part {
    /// A name: a plain word (folded) or a quoted one.
    fn name(&self) -> Option<String> {
        match self {
            Self::Word(text) | Self::Quoted(text) => Some(text.clone()),
            _ => None,
        }
    }
}

pub(crate) fn classify(sql: &str) -> Kind {
    let parts = parts(sql);
    let mut words = [""; 4];
    for (slot, part) in words.iter_mut().zip(&parts) {
        match part {
            Part::Word(word) => *slot = word,
            _ => break,
        }
    }
    match words {
        ["begin", ..] | ["start", "transaction", ..] => Kind::Begin,
        ["commit" | "end", ..] if words[1] != "prepared" => Kind::Commit,
        ["abort", ..] => Kind::Rollback,
        ["rollback", ..] if !parts.iter().any(|p| *p == word("to") || *p == word("prepared")) => {
            Kind::Rollback
        }
        ["set", scope, ..] if scope != "local" && scope != "transaction" && scope != "constraints" => {
            Kind::SessionSetting
        }
        ["reset", ..] => Kind::SessionSetting,
        ["create", "extension", ..] => create_extension(&parts).map_or(Kind::Plain, Kind::CreateExtension),
        ["drop", "extension", ..] => Kind::DropExtension { names: dropped_names(&parts) },
        ["alter", "extension", ..] => touch(&parts, 2),
        ["comment", "on", "extension", ..] => touch(&parts, 3),
        ["create" | "alter" | "drop", "event", "trigger", ..] => Kind::EventTrigger,
        ["comment", "on", "event", "trigger"] => Kind::EventTrigger,
        ["alter", "role" | "user" | "database", ..] => stored_setting(&parts),
        ["alter", "type", ..] => enum_value(&parts),
        _ => alone(&words, &parts).map_or(Kind::Plain, Kind::Alone),
    }
}

/// The table that an INSERT writes to, as it is written, for the report of a seed.
pub(crate) fn insert_target(sql: &str) -> Option<String> {
    let parts = parts(sql);
    if parts.first() != Some(&word("insert")) || parts.get(1) != Some(&word("into")) {
        return None;
    }
    let name = name_at(&parts, 2)?;
    Some(match name.schema {
        Some(schema) if schema != "public" => format!("{schema}.{}", name.name),
        _ => name.name,
    })
}

/// Whether a literal with this value stands in the statement (not inside a longer string).
pub(crate) fn mentions_text(sql: &str, value: &str) -> bool {
    parts(sql).iter().any(|part| matches!(part, Part::Text(text) if text == value))
}

fn parts(sql: &str) -> Vec<Part> {
    let mut lexer = Lexer::new(sql);
    let mut parts = Vec::new();
    // Text that cannot be read ends the list: the splitter has refused it already.
    while let Ok(Some((token, range))) = lexer.next() {
        let text = &sql[range];
        parts.push(match token {
            Token::Space | Token::Comment => continue,
            Token::Word => Part::Word(text.to_lowercase()),
            Token::Quoted => Part::Quoted(text.trim_matches('"').replace("\"\"", "\"")),
            Token::Text => Part::Text(unquote(text)),
            Token::Number => Part::Number,
            Token::Symbol(symbol) => Part::Symbol(symbol),
        });
    }
    parts
}

/// The value of a plain `'…'` string; of other forms, enough to compare.
fn unquote(text: &str) -> String {
    match (text.find('\''), text.ends_with('\'')) {
        (Some(start), true) if start < text.len() - 1 => text[start + 1..text.len() - 1].replace("''", "'"),
        _ => text.to_owned(),
    }
}

fn word(text: &str) -> Part {
    Part::Word(text.to_owned())
}

fn find(parts: &[Part], wanted: &str) -> Option<usize> {
    parts.iter().position(|part| matches!(part, Part::Word(w) if w == wanted))
}

fn has(parts: &[Part], wanted: &str) -> bool {
    find(parts, wanted).is_some()
}

/// Behind `IF NOT EXISTS` or `IF EXISTS`, when it stands at `at`.
fn skip_if(parts: &[Part], at: usize) -> usize {
    let words = |i: usize, w: &str| parts.get(i) == Some(&word(w));
    if !words(at, "if") {
        at
    } else if words(at + 1, "not") && words(at + 2, "exists") {
        at + 3
    } else if words(at + 1, "exists") {
        at + 2
    } else {
        at
    }
}

fn name_at(parts: &[Part], at: usize) -> Option<Name> {
    let first = parts.get(at)?.name()?;
    if parts.get(at + 1) == Some(&Part::Symbol(b'.')) {
        let name = parts.get(at + 2)?.name()?;
        return Some(Name { schema: Some(first), name });
    }
    Some(Name { schema: None, name: first })
}

fn create_extension(parts: &[Part]) -> Option<Extension> {
    let at = skip_if(parts, 2);
    // pg_cron's own documentation writes names in single quotes nowhere; a text is accepted for the version only.
    let name = parts.get(at)?.name()?;
    let after = |keyword: &str| {
        let found = parts[at + 1..].iter().position(|p| *p == word(keyword))? + at + 1;
        parts.get(found + 1)
    };
    Some(Extension {
        name,
        if_not_exists: at > 2,
        schema: after("schema").and_then(Part::name),
        version: after("version").and_then(|part| match part {
            Part::Text(text) => Some(text.clone()),
            other => other.name(),
        }),
        cascade: parts[at + 1..].contains(&word("cascade")),
    })
}

fn dropped_names(parts: &[Part]) -> Vec<String> {
    parts[skip_if(parts, 2)..]
        .iter()
        .filter_map(Part::name)
        .filter(|name| name != "cascade" && name != "restrict")
        .collect()
}

fn touch(parts: &[Part], at: usize) -> Kind {
    parts.get(at).and_then(Part::name).map_or(Kind::Plain, |name| Kind::TouchExtension { name })
}

fn stored_setting(parts: &[Part]) -> Kind {
    if parts.get(1) == Some(&word("database")) && has(parts, "tablespace") {
        return Kind::Alone(Alone::Other);
    }
    let Some(set) = find(parts, "set") else { return Kind::Plain };
    match name_at(parts, set + 1) {
        Some(Name { schema: Some(prefix), name }) => {
            Kind::StoredSetting { parameter: format!("{prefix}.{name}") }
        }
        // A parameter written as one quoted name: "app.settings.x".
        Some(Name { schema: None, name }) if name.contains('.') => Kind::StoredSetting { parameter: name },
        _ => Kind::Plain,
    }
}

fn enum_value(parts: &[Part]) -> Kind {
    let Some(add) = find(parts, "add") else { return Kind::Plain };
    if parts.get(add + 1) != Some(&word("value")) {
        return Kind::Plain;
    }
    match parts.get(skip_if(parts, add + 2)) {
        Some(Part::Text(value)) => Kind::AddEnumValue { value: value.clone() },
        _ => Kind::Plain,
    }
}

fn alone(words: &[&str; 4], parts: &[Part]) -> Option<Alone> {
    let concurrently = parts.iter().take(4).any(|p| *p == word("concurrently"));
    match *words {
        ["create", "index", ..] | ["create", "unique", "index", _] if concurrently => {
            let at = skip_if(parts, find(parts, "concurrently")? + 1);
            // Without a name PostgreSQL makes one up, and `on` follows at once.
            let name = name_at(parts, at).filter(|_| parts.get(at) != Some(&word("on")));
            // The index is made in the schema of its table.
            let schema = find(&parts[at..], "on").and_then(|on| {
                let on = at + on + 1;
                name_at(parts, if parts.get(on) == Some(&word("only")) { on + 1 } else { on })?.schema
            });
            Some(Alone::CreateIndex { name: name.map(|n| Name { schema, name: n.name }) })
        }
        ["drop", "index", ..] if concurrently => Some(Alone::DropIndex),
        ["reindex", ..] if has(parts, "concurrently") || has(parts, "database") || has(parts, "system") => {
            Some(Alone::Other)
        }
        ["alter", "table", ..] if has(parts, "detach") && has(parts, "concurrently") => Some(Alone::Other),
        ["vacuum", ..] | ["alter", "system", ..] => Some(Alone::Other),
        ["create" | "drop", "database" | "tablespace", ..] => Some(Alone::Other),
        ["create" | "drop", "subscription", ..] => Some(Alone::Other),
        ["cluster", ..] if parts.len() == 1 => Some(Alone::Other),
        ["discard", "all", ..] => Some(Alone::Other),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_with_special_needs_are_recognised() {
        let extension = |name: &str, schema: Option<&str>, if_not_exists| {
            Kind::CreateExtension(Extension {
                name: name.into(),
                if_not_exists,
                schema: schema.map(Into::into),
                version: None,
                cascade: false,
            })
        };
        let index = |schema: Option<&str>, name: &str| {
            Kind::Alone(Alone::CreateIndex {
                name: Some(Name { schema: schema.map(Into::into), name: name.into() }),
            })
        };
        let setting = |p: &str| Kind::StoredSetting { parameter: p.into() };
        let cases = [
            (
                "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA \"extensions\"",
                extension("uuid-ossp", Some("extensions"), true),
            ),
            ("create /* x */ extension vector", extension("vector", None, false)),
            ("create unique index concurrently if not exists i on only s.t (a)", index(Some("s"), "i")),
            ("create index concurrently \"I\" on t (a)", index(None, "I")),
            ("create index concurrently on t (a)", Kind::Alone(Alone::CreateIndex { name: None })),
            ("create index i on t (concurrently)", Kind::Plain),
            ("drop index concurrently if exists i", Kind::Alone(Alone::DropIndex)),
            ("vacuum analyze t", Kind::Alone(Alone::Other)),
            ("begin isolation level serializable", Kind::Begin),
            ("END", Kind::Commit),
            ("rollback to savepoint a", Kind::Plain),
            ("rollback", Kind::Rollback),
            ("set search_path = x", Kind::SessionSetting),
            ("set local search_path = x", Kind::Plain),
            ("alter database \"postgres\" set \"app.settings.x\" to 'y'", setting("app.settings.x")),
            ("alter role authenticator set pgrst.db_schemas = 'a'", setting("pgrst.db_schemas")),
            ("alter role authenticator set statement_timeout = '1s'", Kind::Plain),
            (
                "alter type s.t add value if not exists 'b''c' after 'a'",
                Kind::AddEnumValue { value: "b'c".into() },
            ),
            ("alter type t rename value 'a' to 'b'", Kind::Plain),
            ("comment on extension \"x\" is 'y'", Kind::TouchExtension { name: "x".into() }),
            (
                "drop extension if exists a, \"b-c\" cascade",
                Kind::DropExtension { names: vec!["a".into(), "b-c".into()] },
            ),
            ("create event trigger x on ddl_command_end execute function f()", Kind::EventTrigger),
            ("select 'vacuum'", Kind::Plain),
        ];
        for (sql, kind) in cases {
            assert_eq!(classify(sql), kind, "{sql}");
        }
        assert_eq!(insert_target("insert into public.\"Users\" (a) values (1)").as_deref(), Some("Users"));
        assert_eq!(insert_target("insert into auth.users values (1)").as_deref(), Some("auth.users"));
        assert!(mentions_text("update t set a = 'x'", "x") && !mentions_text("select 'xy'", "x"));
    }
}
