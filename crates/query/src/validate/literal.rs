//! A JSON scalar as the text that PostgreSQL's input functions would get, and what those make of it.

use std::borrow::Cow;

/// A JSON scalar.
#[derive(Debug)]
pub(super) enum Literal<'a> {
    Text(Cow<'a, str>),
    Number(&'a str),
    Bool(bool),
}

impl<'a> Literal<'a> {
    /// `None` for null, arrays and objects. The text is valid JSON.
    pub(super) fn read(json: &'a str) -> Option<Self> {
        match json.as_bytes().first()? {
            b'"' => serde_json::from_str::<TextIn<'a>>(json).ok().map(|text| Self::Text(text.0)),
            b't' => Some(Self::Bool(true)),
            b'f' => Some(Self::Bool(false)),
            b'-' | b'0'..=b'9' => Some(Self::Number(json)),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Number(text) => text,
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
        }
    }
}

/// Borrows where there are no escapes.
#[derive(serde::Deserialize)]
struct TextIn<'a>(#[serde(borrow)] Cow<'a, str>);

/// `isspace` in the C locale, which input functions skip.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c'])
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Fits,
    /// A whole number, and out of range.
    TooLarge,
    No,
    /// PostgreSQL 16 reads `0x1f` and `1_000`; and an exponent may be resolved on the way.
    Perhaps,
}

pub(super) fn whole(literal: &Literal<'_>, min: i64, max: i64) -> Whole {
    let text = trim(literal.text());
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        let fits = text.parse::<i64>().is_ok_and(|n| (min..=max).contains(&n));
        return if fits { Whole::Fits } else { Whole::TooLarge };
    }
    match literal {
        Literal::Number(number) if number.contains(['e', 'E']) => Whole::Perhaps,
        Literal::Text(_) if digits.starts_with(|c: char| c.is_ascii_digit()) && !digits.contains('.') => {
            Whole::Perhaps
        }
        _ => Whole::No,
    }
}

/// Whether it may be a number with a fraction, an exponent, or NaN and infinities.
pub(super) fn may_be_number(literal: &Literal<'_>) -> bool {
    let text = trim(literal.text()).to_ascii_lowercase();
    let bare = text.strip_prefix(['+', '-']).unwrap_or(&text);
    match literal {
        Literal::Number(_) => true,
        Literal::Bool(_) => false,
        Literal::Text(_) => {
            bare.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                || matches!(bare, "nan" | "inf" | "infinity")
        }
    }
}

/// `boolin`: any unambiguous beginning of true, false, yes, no, on, off; 1 and 0.
pub(super) fn is_bool(literal: &Literal<'_>) -> bool {
    let text = trim(literal.text()).to_ascii_lowercase();
    let begins = |word: &str, least: usize| text.len() >= least && word.starts_with(&text);
    matches!(&*text, "1" | "0")
        || begins("true", 1)
        || begins("false", 1)
        || begins("yes", 1)
        || begins("no", 1)
        || begins("on", 2)
        || begins("off", 2)
}

/// `uuid_in`: 32 hexadecimal digits, hyphens after any four of them, perhaps in braces.
pub(super) fn is_uuid(literal: &Literal<'_>) -> bool {
    let text = literal.text();
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    let mut digits = 0;
    let mut after_hyphen = true;
    for b in inner.bytes() {
        match b {
            b'-' if digits % 4 == 0 && !after_hyphen => after_hyphen = true,
            b if b.is_ascii_hexdigit() => {
                digits += 1;
                after_hyphen = false;
            }
            _ => return false,
        }
    }
    digits == 32 && !after_hyphen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Literal<'_> {
        Literal::read(json).unwrap()
    }

    #[test]
    fn whole_numbers() {
        let int = |json| whole(&read(json), -5, 5);
        for (json, expected) in [
            ("5", Whole::Fits),
            ("\" +5 \"", Whole::Fits),
            ("6", Whole::TooLarge),
            ("-99999999999999999999999", Whole::TooLarge),
            ("1.0", Whole::No),
            ("\"1.5\"", Whole::No),
            ("1e0", Whole::Perhaps),
            ("\"0x1\"", Whole::Perhaps),
            ("\"x\"", Whole::No),
            ("\"\"", Whole::No),
            ("true", Whole::No),
        ] {
            assert_eq!(int(json), expected, "{json}");
        }
    }

    #[test]
    fn booleans_numbers_and_uuids() {
        for good in ["true", "1", "\"TR\"", "\" off \"", "\"y\""] {
            assert!(is_bool(&read(good)), "{good}");
        }
        for bad in ["2", "\"o\"", "\"truely\"", "\"\""] {
            assert!(!is_bool(&read(bad)), "{bad}");
        }
        for good in ["1.5e3", "\"NaN\"", "\"-Infinity\"", "\" .5\""] {
            assert!(may_be_number(&read(good)), "{good}");
        }
        assert!(!may_be_number(&read("\"abc\"")) && !may_be_number(&read("true")));
        for good in [
            "\"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11\"",
            "\"{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}\"",
            "\"a0eebc999c0b4ef8bb6d6bb9bd380a11\"",
        ] {
            assert!(is_uuid(&read(good)), "{good}");
        }
        for bad in
            ["\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1\"", "\"x\"", "\"a0eebc999c0b4ef8bb6d6bb9bd380a11-\"", "5"]
        {
            assert!(!is_uuid(&read(bad)), "{bad}");
        }
    }
}
