//! JSON bodies, read strictly: one meaning or none. Duplicate keys (also when written with escapes), lone surrogates,
//! a byte order mark, bytes that are not UTF-8 and anything behind the value are refused, and so is what exceeds the
//! limits, before more of it is read (RFC 8259; ASVS 1.5.3, 15.3.5).
//!
//! Values stay the text they were: a number keeps all its digits until PostgreSQL reads it.

use std::borrow::Cow;
use std::collections::HashSet;

use bedplate_core::problem::{LIMIT_EXCEEDED, MALFORMED};
use bedplate_core::{Problem, Result};
use serde_json::value::RawValue;

use crate::request::Name;

/// What one body may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Nesting of arrays and objects.
    pub depth: usize,
    /// Keys of all objects together.
    pub keys: usize,
    /// Items of one array.
    pub items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, keys: 10_000, items: 10_000 }
    }
}

/// The fields of an object, in the order written.
pub type Object = Vec<(Name, Box<RawValue>)>;

/// A body that creates: one row, or several.
#[derive(Debug)]
pub enum Rows {
    One(Object),
    Many(Vec<Object>),
}

/// Reads a body that must be an object.
///
/// # Errors
/// `malformed_request` with the place, or `limit_exceeded`.
pub fn parse_object(body: &[u8], limits: &Limits) -> Result<Object> {
    let mut reader = Reader::new(body, limits)?;
    reader.space();
    let object = reader.fields()?;
    reader.end()?;
    Ok(object)
}

/// Reads a body that is an object or an array of objects.
///
/// # Errors
/// As [`parse_object`].
pub fn parse_rows(body: &[u8], limits: &Limits) -> Result<Rows> {
    let mut reader = Reader::new(body, limits)?;
    reader.space();
    if reader.peek() != Some(b'[') {
        let object = reader.fields()?;
        reader.end()?;
        return Ok(Rows::One(object));
    }
    let mut rows = Vec::new();
    reader.array(|reader| {
        rows.push(reader.fields()?);
        Ok(())
    })?;
    reader.end()?;
    Ok(Rows::Many(rows))
}

pub(super) struct Reader<'b> {
    text: &'b str,
    at: usize,
    depth: usize,
    keys: usize,
    limits: Limits,
    /// Whether keys may stand twice in one object.
    lenient: bool,
}

/// Keys of one object; a set only when there are many.
#[derive(Default)]
struct Seen<'b> {
    few: Vec<Cow<'b, str>>,
    many: HashSet<Cow<'b, str>>,
}

const FEW: usize = 16;

impl<'b> Seen<'b> {
    /// Whether the key is new.
    fn insert(&mut self, key: Cow<'b, str>) -> bool {
        if self.many.is_empty() && self.few.len() < FEW {
            let new = !self.few.contains(&key);
            self.few.push(key);
            return new;
        }
        self.many.extend(self.few.drain(..));
        self.many.insert(key)
    }
}

impl<'b> Reader<'b> {
    pub(super) fn new(body: &'b [u8], limits: &Limits) -> Result<Self> {
        let text = std::str::from_utf8(body)
            .map_err(|e| fault(format!("the body is not UTF-8 (byte {})", e.valid_up_to())))?;
        Ok(Self { text, at: 0, depth: 0, keys: 0, limits: *limits, lenient: false })
    }

    /// Keys may stand twice in one object; what that means is the caller's to say.
    pub(super) fn lenient(self) -> Self {
        Self { lenient: true, ..self }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    pub(super) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    pub(super) fn end(&mut self) -> Result<()> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.here("the end of the body")) }
    }

    /// A fault at the next byte.
    fn here(&self, expected: &str) -> Problem {
        let upto = self.text.get(..self.at).unwrap_or(self.text);
        let line = upto.matches('\n').count() + 1;
        let column = upto.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        fault(format!("the JSON body is not valid at line {line}, column {column}: expected {expected}"))
    }

    /// A fault at the byte that was just read.
    fn before(&mut self, expected: &str) -> Problem {
        self.at = self.at.saturating_sub(1);
        self.here(expected)
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(too_much("levels of nesting", self.limits.depth));
        }
        Ok(())
    }

    /// An object whose values are wanted.
    pub(super) fn fields(&mut self) -> Result<Object> {
        let mut fields = Object::new();
        if self.peek() != Some(b'{') {
            return Err(self.here("an object"));
        }
        self.object(|key, raw| {
            let raw = RawValue::from_string(raw.to_owned()).map_err(|e| {
                Problem::internal_error("a JSON value that was read is not JSON").caused_by(e)
            })?;
            fields.push((Name::from(key), raw));
            Ok(())
        })?;
        Ok(fields)
    }

    pub(super) fn value(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'{') => self.object(|_, _| Ok(())),
            Some(b'[') => self.array(Self::value),
            Some(b'"') => self.string().map(|_| ()),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.here("a value")),
        }
    }

    pub(super) fn object(&mut self, mut field: impl FnMut(&str, &str) -> Result<()>) -> Result<()> {
        self.at += 1;
        self.enter()?;
        let mut seen = Seen::default();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.here("a key in double quotes"));
            }
            let key = self.string()?;
            self.keys += 1;
            if self.keys > self.limits.keys {
                return Err(too_much("keys", self.limits.keys));
            }
            self.space();
            if self.next() != Some(b':') {
                return Err(self.before("a colon"));
            }
            self.space();
            let from = self.at;
            self.value()?;
            field(&key, &self.text[from..self.at])?;
            if !self.lenient && !seen.insert(key.clone()) {
                return Err(
                    fault(format!("the key {key:?} stands twice in one object")).field(key, "is given twice")
                );
            }
            self.space();
            match self.next() {
                Some(b',') => {}
                Some(b'}') => break,
                _ => return Err(self.before("a comma or the end of the object")),
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// An array; `item` reads each of its values.
    pub(super) fn array(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.at += 1;
        self.enter()?;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        let mut items = 0;
        loop {
            items += 1;
            if items > self.limits.items {
                return Err(too_much("items in one array", self.limits.items));
            }
            self.space();
            item(self)?;
            self.space();
            match self.next() {
                Some(b',') => {}
                Some(b']') => break,
                _ => return Err(self.before("a comma or the end of the array")),
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<()> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.here("true, false or null"))
        }
    }

    fn digits(&mut self) -> Result<()> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > from { Ok(()) } else { Err(self.here("a digit")) }
    }

    fn number(&mut self) -> Result<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// A string, unescaped; it is borrowed when it has no escapes.
    fn string(&mut self) -> Result<Cow<'b, str>> {
        self.at += 1;
        let from = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(step) = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)) else {
                self.at = bytes.len();
                return Err(self.here("a closing quote"));
            };
            self.at += step;
            match bytes[self.at] {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    // Whatever is escaped is one byte here; what a \u says is checked below.
                    self.at += 2;
                }
                _ => return Err(self.here("no control character inside a string")),
            }
        }
        let raw = &self.text[from..self.at];
        self.at += 1;
        if !escaped {
            return Ok(Cow::Borrowed(raw));
        }
        // serde_json refuses unknown escapes and lone surrogates.
        match serde_json::from_str(&self.text[from - 1..self.at]) {
            Ok(text) => Ok(Cow::Owned(text)),
            Err(_) => {
                self.at = from;
                Err(self.here("valid escapes in the string"))
            }
        }
    }
}

fn fault(detail: String) -> Problem {
    Problem::new(&MALFORMED).detail(detail)
}

fn too_much(what: &str, most: usize) -> Problem {
    Problem::new(&LIMIT_EXCEEDED).detail(format!("the body has more than {most} {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(text: &str) -> Result<Vec<(String, String)>> {
        let fields = parse_object(text.as_bytes(), &Limits::default())?;
        Ok(fields.into_iter().map(|(n, v)| (n.to_string(), v.get().to_owned())).collect())
    }

    #[test]
    fn values_keep_their_text() {
        let fields =
            object(" {\"a\": 0.10000000000000000001, \"b\\u0062\" : {\"x\": [1, 2]} ,\"c\":1e999}\n")
                .unwrap();
        let expected = [("a", "0.10000000000000000001"), ("bb", "{\"x\": [1, 2]}"), ("c", "1e999")];
        assert_eq!(fields, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert!(object("{}").unwrap().is_empty());
    }

    #[test]
    fn a01_a_body_has_one_meaning_or_none() {
        for bad in [
            "",
            " ",
            "{",
            "}",
            "[]",
            "null",
            "7",
            "\"x\"",
            "{}{}",
            "{} x",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":+1}",
            "{\"a\":NaN}",
            "{\"a\":Infinity}",
            "{\"a\":1e}",
            "{\"a\":tru}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\udc00\\ud800\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"x}",
            "{\"a\":\"\\",
            "\u{feff}{}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1,\"\\u0061\":2}",
            "{\"x\":{\"a\":1,\"a\":2}}",
            "{\"a\":[1 2]}",
            "{\"a\":[1,]}",
            "{\"a\":/**/1}",
        ] {
            assert_eq!(object(bad).map_err(|p| p.status()), Err(400), "{bad}");
        }
        assert!(parse_object(b"{\"a\":\"\xff\"}", &Limits::default()).is_err());
        assert!(parse_object(b"{\"a\":\"\xed\xa0\x80\"}", &Limits::default()).is_err());
    }

    #[test]
    fn many_keys_are_still_compared() {
        let pairs: Vec<String> = (0..100).map(|n| format!("\"k{n}\":1,")).collect();
        let text = format!("{{{}\"k7\":2}}", pairs.concat());
        assert!(object(&text).is_err());
        assert_eq!(object(&text.replace(",\"k7\":2", "")).unwrap().len(), 100);
    }

    #[test]
    fn r18_limits_hold_before_the_body_is_through() {
        let limits = Limits { depth: 8, keys: 10, items: 10 };
        let code = |text: &str| parse_rows(text.as_bytes(), &limits).map_err(|p| p.code().name).map(|_| ());
        let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert_eq!(code(&nested(7)), Ok(()));
        assert_eq!(code(&nested(8)), Err("limit_exceeded"));
        assert_eq!(code(&nested(100_000)), Err("limit_exceeded"));
        assert_eq!(code(&format!("[{}]", ["{}"; 10].join(","))), Ok(()));
        assert_eq!(code(&format!("[{}]", ["{}"; 11].join(","))), Err("limit_exceeded"));
        assert_eq!(code(&format!("[{}]", ["{\"a\":1}"; 11].join(","))), Err("limit_exceeded"));
        assert_eq!(code(&format!("{{\"a\":[{}]}}", ["1"; 11].join(","))), Err("limit_exceeded"));
    }

    #[test]
    fn rows_are_one_or_many() {
        let rows = |text: &str| parse_rows(text.as_bytes(), &Limits::default());
        assert!(matches!(rows("{\"a\":1}").unwrap(), Rows::One(o) if o.len() == 1));
        assert!(matches!(rows(" [ {\"a\":1} , {} ] ").unwrap(), Rows::Many(r) if r.len() == 2));
        assert!(matches!(rows("[]").unwrap(), Rows::Many(r) if r.is_empty()));
        for bad in ["[1]", "[{},]", "[{}", "[{}]]", "[null]"] {
            assert!(rows(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_serde_prints_is_read_back(keys in prop::collection::btree_map(".*", ".*", 0..20)) {
            let text = serde_json::to_string(&keys).unwrap();
            let fields = parse_object(text.as_bytes(), &Limits::default()).unwrap();
            let back: std::collections::BTreeMap<String, String> =
                fields.into_iter().map(|(n, v)| (n.to_string(), serde_json::from_str(v.get()).unwrap())).collect();
            prop_assert_eq!(back, keys);
        }

        #[test]
        fn whatever_is_accepted_serde_accepts_too(text in "[\\[\\]{}\",:0-9a\\\\u.eE+ -]{0,40}") {
            if parse_rows(text.as_bytes(), &Limits::default()).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok() || text.contains(['e', 'E']));
            }
        }
    }
}
