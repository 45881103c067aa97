//! TypeScript's syntax, printed as Prettier formats it without semicolons, so that a project's formatter finds nothing
//! to change.

const WIDTH: usize = 80;
const STEP: usize = 2;

/// A type.
#[derive(Debug, Clone)]
pub(crate) enum Type {
    /// A name, a keyword, or anything else that is never broken.
    Word(String),
    Union(Vec<Type>),
    Both(Box<Type>, Box<Type>),
    Array(Box<Type>),
    Tuple(Vec<Type>),
    /// `open`: each member on a line of its own, whatever fits.
    Object {
        members: Vec<Member>,
        open: bool,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Lines of comment above it, without their slashes and stars.
    pub comment: Option<String>,
    pub key: String,
    pub optional: bool,
    pub ty: Type,
}

impl Type {
    pub(crate) fn word(text: impl Into<String>) -> Self {
        Self::Word(text.into())
    }

    pub(crate) fn literal(text: &str) -> Self {
        Self::Word(quoted(text))
    }

    pub(crate) fn open(members: Vec<Member>) -> Self {
        Self::Object { members, open: true }
    }

    pub(crate) fn or_null(self, nullable: bool) -> Self {
        match self {
            Self::Word(word) if word == "unknown" => Self::Word(word),
            ty if !nullable => ty,
            Self::Union(mut items) => {
                items.push(Self::word("null"));
                Self::Union(items)
            }
            ty => Self::Union(vec![ty, Self::word("null")]),
        }
    }
}

impl Member {
    pub(crate) fn new(key: impl Into<String>, ty: Type) -> Self {
        Self { comment: None, key: key.into(), optional: false, ty }
    }

    pub(crate) fn optional(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }

    pub(crate) fn comment(mut self, comment: Option<&str>) -> Self {
        self.comment = comment.map(str::to_owned);
        self
    }
}

/// The type, for a place whose lines are indented by `indent` and where `column` characters stand already.
pub(crate) fn print(ty: &Type, indent: usize, column: usize) -> String {
    if let Some(flat) = flat(ty)
        && column + width(&flat) <= WIDTH
    {
        return flat;
    }
    match ty {
        Type::Word(word) => word.clone(),
        Type::Both(one, other) => {
            let one = print(one, indent, WIDTH);
            format!("{one} & {}", print(other, indent, 0))
        }
        Type::Array(element) => match &**element {
            Type::Union(items) => format!("({}\n{})[]", alternatives(items, indent), pad(indent)),
            element => format!("{}[]", print(element, indent, column + 2)),
        },
        Type::Tuple(items) => {
            let inner = indent + STEP;
            let item = |item| format!("{}{},\n", pad(inner), print(item, inner, inner + 1));
            format!("[\n{}{}]", items.iter().map(item).collect::<String>(), pad(indent))
        }
        Type::Union(items) => match items.as_slice() {
            [object @ Type::Object { .. }, Type::Word(null)] => {
                format!("{} | {null}", print(object, indent, column))
            }
            items => alternatives(items, indent),
        },
        Type::Object { members, .. } => {
            format!("{{\n{}{}}}", members_text(members, indent + STEP), pad(indent))
        }
    }
}

/// On the lines below: together when that fits, else one on each.
fn alternatives(items: &[Type], indent: usize) -> String {
    let inner = indent + STEP;
    if let Some(flat) = flat(&Type::Union(items.to_vec()))
        && inner + width(&flat) <= WIDTH
    {
        return format!("\n{}{flat}", pad(inner));
    }
    let line = |item| format!("\n{}| {}", pad(inner), print(item, inner + STEP, inner + STEP));
    items.iter().map(line).collect()
}

/// Members, each on lines of its own.
pub(crate) fn members_text(members: &[Member], indent: usize) -> String {
    members.iter().map(|member| member_text(member, indent)).collect()
}

fn member_text(member: &Member, indent: usize) -> String {
    let mark = if member.optional { "?" } else { "" };
    let head = format!("{}{}{mark}:", pad(indent), key(&member.key));
    let ty = print(&member.ty, indent, width(&head) + 1);
    let space = if ty.starts_with('\n') { "" } else { " " };
    format!("{}{head}{space}{ty}\n", comment_text(member.comment.as_deref(), indent))
}

/// `/** … */`, or nothing.
pub(crate) fn comment_text(comment: Option<&str>, indent: usize) -> String {
    let Some(comment) = comment.map(str::trim).filter(|c| !c.is_empty()) else { return String::new() };
    let comment = comment.replace("*/", "*\\/");
    let pad = pad(indent);
    let lines: Vec<&str> = comment.lines().map(str::trim_end).collect();
    if let [line] = lines.as_slice() {
        return format!("{pad}/** {line} */\n");
    }
    let middle: String =
        lines.iter().map(|line| format!("{pad} * {line}").trim_end().to_owned() + "\n").collect();
    format!("{pad}/**\n{middle}{pad} */\n")
}

/// On one line; `None` when it has to be broken whatever its length.
fn flat(ty: &Type) -> Option<String> {
    let all = |items: &[Type]| items.iter().map(flat).collect::<Option<Vec<_>>>();
    Some(match ty {
        Type::Word(word) => word.clone(),
        Type::Union(items) => all(items)?.join(" | "),
        Type::Both(one, other) => format!("{} & {}", flat(one)?, flat(other)?),
        Type::Array(element) => match &**element {
            Type::Union(_) => format!("({})[]", flat(element)?),
            element => format!("{}[]", flat(element)?),
        },
        Type::Tuple(items) => format!("[{}]", all(items)?.join(", ")),
        Type::Object { members, .. } if members.is_empty() => "{}".to_owned(),
        Type::Object { open: true, .. } => return None,
        Type::Object { members, .. } => {
            let member = |m: &Member| {
                let mark = if m.optional { "?" } else { "" };
                (m.comment.is_none()).then_some(())?;
                Some(format!("{}{mark}: {}", key(&m.key), flat(&m.ty)?))
            };
            format!("{{ {} }}", members.iter().map(member).collect::<Option<Vec<_>>>()?.join("; "))
        }
    })
}

fn pad(indent: usize) -> String {
    " ".repeat(indent)
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// A property's name, quoted only where it must be. A computed one such as `[_ in never]` is written as it is.
pub(crate) fn key(name: &str) -> String {
    if is_identifier(name) || name.starts_with("[_ in") { name.to_owned() } else { quoted(name) }
}

fn is_identifier(name: &str) -> bool {
    let start = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$') || is_letter(c);
    name.starts_with(start) && name.chars().all(|c| start(c) || c.is_ascii_digit())
}

/// Letters of the scripts that names are usually written in; others are quoted.
fn is_letter(c: char) -> bool {
    matches!(c, '\u{c0}'..='\u{24f}' | '\u{388}'..='\u{3ff}' | '\u{400}'..='\u{481}' | '\u{4e00}'..='\u{9fff}')
        && c.is_alphabetic()
}

/// A string literal in the quotes that need fewer escapes.
pub(crate) fn quoted(text: &str) -> String {
    let count = |quote| text.chars().filter(|c| *c == quote).count();
    let quote = if count('"') > count('\'') { '\'' } else { '"' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(key: &str, ty: Type) -> String {
        members_text(&[Member::new(key, ty)], 2)
    }

    #[test]
    fn names_and_labels_are_quoted_as_needed() {
        assert_eq!(key("user_id"), "user_id");
        assert_eq!(key("user-id"), "\"user-id\"");
        assert_eq!(key("1st"), "\"1st\"");
        assert_eq!(key(""), "\"\"");
        assert_eq!(key("größe"), "größe");
        assert_eq!(key("say \"hi\""), "'say \"hi\"'");
        assert_eq!(quoted("it's \"so\"\n\\"), r#"'it\'s "so"\n\\'"#);
    }

    #[test]
    fn long_unions_are_broken_and_short_ones_are_not() {
        let labels =
            |n: usize| Type::Union((0..n).map(|i| Type::literal(&format!("label number {i}"))).collect());
        assert_eq!(shown("a", labels(2)), "  a: \"label number 0\" | \"label number 1\"\n");
        let broken = shown("status_of_it", labels(5));
        assert!(
            broken.starts_with("  status_of_it:\n    | \"label number 0\"\n    | \"label number 1\"\n"),
            "{broken}"
        );
        let array = shown("list", Type::Array(Box::new(labels(5))));
        assert!(array.starts_with("  list: (\n    | \"label number 0\"\n"), "{array}");
        assert!(array.ends_with("4\"\n  )[]\n"), "{array}");
    }

    #[test]
    fn comments_cannot_end_early() {
        assert_eq!(comment_text(Some("a */ b"), 2), "  /** a *\\/ b */\n");
        assert_eq!(comment_text(Some("a\n\nb "), 0), "/**\n * a\n *\n * b\n */\n");
        assert_eq!(comment_text(Some("  "), 0), "");
    }
}
