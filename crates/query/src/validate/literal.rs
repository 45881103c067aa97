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

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Fits,
    /// A whole number, and out of range.
    TooLarge,
    No,
    /// An exponent may be resolved on the way.
    Perhaps,
}

pub(super) fn whole(literal: &Literal<'_>, min: i64, max: i64) -> Whole {
    let Literal::Number(number) = literal else { return Whole::No };
    let digits = number.strip_prefix('-').unwrap_or(number);
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        let fits = number.parse::<i64>().is_ok_and(|n| (min..=max).contains(&n));
        return if fits { Whole::Fits } else { Whole::TooLarge };
    }
    if number.contains(['e', 'E']) { Whole::Perhaps } else { Whole::No }
}

/// Digits as `numeric_in` reads them.
pub(super) fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let exponent = exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
    let mantissa = match mantissa.split_once('.') {
        None => digits(mantissa),
        Some((before, after)) => {
            (digits(before) && (after.is_empty() || digits(after))) || (before.is_empty() && digits(after))
        }
    };
    mantissa && exponent
}

/// What JSON has no number for.
pub(super) fn is_special_number(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity" | "+Infinity")
}

/// `uuid_in`: 32 hexadecimal digits, hyphens after any four of them, perhaps in braces.
pub(super) fn is_uuid(text: &str) -> bool {
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
            ("-5", Whole::Fits),
            ("6", Whole::TooLarge),
            ("-99999999999999999999999", Whole::TooLarge),
            ("1.0", Whole::No),
            ("1e0", Whole::Perhaps),
            ("\"5\"", Whole::No),
            ("true", Whole::No),
        ] {
            assert_eq!(int(json), expected, "{json}");
        }
    }

    #[test]
    fn digits_and_uuids() {
        for good in ["1.5e3", "-7", "+.5", "5.", "1e-9"] {
            assert!(is_decimal(good), "{good}");
        }
        for bad in ["", "abc", ".", "1e", "1 ", "0x1", "1.5.2", "e5", "NaN"] {
            assert!(!is_decimal(bad), "{bad}");
        }
        for good in [
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        ] {
            assert!(is_uuid(good), "{good}");
        }
        for bad in ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "x", "a0eebc999c0b4ef8bb6d6bb9bd380a11-", "5"] {
            assert!(!is_uuid(bad), "{bad}");
        }
    }
}
