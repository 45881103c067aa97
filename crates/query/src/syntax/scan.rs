//! The lexical level: a position in a text, names, quoted text, JSON paths. Every step moves forward, so reading is
//! linear in the input.

use std::borrow::Cow;

use super::error::Fault;

pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

/// A name as written. Quoted names are never keywords or operators.
pub(super) struct Word<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) quoted: bool,
}

impl Word<'_> {
    pub(super) fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text == keyword
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn done(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(super) fn eat_str(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn expect(&mut self, byte: u8, expecting: &'static str) -> Result<(), Fault> {
        if self.eat(byte) { Ok(()) } else { Err(Fault::at(self.at, expecting)) }
    }

    pub(super) fn expect_end(&mut self) -> Result<(), Fault> {
        self.blanks();
        if self.done() { Ok(()) } else { Err(Fault::at(self.at, "the end")) }
    }

    pub(super) fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes bytes while they fit; the predicate must accept ASCII only.
    pub(super) fn take(&mut self, fits: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii() && fits(byte)) {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or("")
    }

    /// Takes everything before the first of the two bytes, or the rest.
    pub(super) fn until(&mut self, one: u8, other: u8) -> &'a str {
        let rest = self.rest();
        let end = memchr::memchr2(one, other, rest.as_bytes()).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// `[letters digits _ $ space]+`, with single dashes inside, or `"quoted"`. Blanks around a bare name go.
    pub(super) fn name(&mut self, expecting: &'static str) -> Result<Word<'a>, Fault> {
        if self.peek() == Some(b'"') {
            let text = self.quoted()?;
            if text.is_empty() {
                return Err(Fault::at(self.at - 1, expecting));
            }
            return Ok(Word { text, quoted: true });
        }
        let start = self.at;
        loop {
            self.identifier_part();
            let dash = self.peek() == Some(b'-') && self.at > start;
            let Some(next) = self.rest().chars().nth(1).filter(|_| dash) else { break };
            if !is_name(next) {
                break;
            }
            self.at += 1;
        }
        match self.text.get(start..self.at).map(str::trim) {
            Some(name) if !name.is_empty() => Ok(Word { text: Cow::Borrowed(name), quoted: false }),
            _ => Err(Fault::at(start, expecting)),
        }
    }

    /// A name without dashes and quotes: casts, text search configurations.
    pub(super) fn identifier(&mut self, expecting: &'static str) -> Result<&'a str, Fault> {
        let start = self.at;
        self.identifier_part();
        match self.text.get(start..self.at).map(str::trim) {
            Some(name) if !name.is_empty() => Ok(name),
            _ => Err(Fault::at(start, expecting)),
        }
    }

    fn identifier_part(&mut self) {
        loop {
            match self.peek() {
                Some(byte) if byte.is_ascii() => {
                    if !is_name(char::from(byte)) {
                        return;
                    }
                    self.at += 1;
                }
                Some(_) => match self.rest().chars().next() {
                    Some(letter) if letter.is_alphabetic() => self.at += letter.len_utf8(),
                    _ => return,
                },
                None => return,
            }
        }
    }

    /// `"…"` with backslash escapes.
    pub(super) fn quoted(&mut self) -> Result<Cow<'a, str>, Fault> {
        let open = self.at;
        self.expect(b'"', "\"")?;
        let body = self.rest();
        let mut owned = String::new();
        let mut from = 0;
        while let Some(found) = memchr::memchr2(b'"', b'\\', &body.as_bytes()[from..]) {
            let mark = from + found;
            if body.as_bytes()[mark] == b'"' {
                self.at += mark + 1;
                return Ok(if owned.is_empty() {
                    Cow::Borrowed(&body[..mark])
                } else {
                    owned.push_str(&body[from..mark]);
                    Cow::Owned(owned)
                });
            }
            let Some(escaped) = body[mark + 1..].chars().next() else { break };
            owned.push_str(&body[from..mark]);
            owned.push(escaped);
            from = mark + 1 + escaped.len_utf8();
        }
        Err(Fault::at(open, "a closing \" for this quotation"))
    }

    /// A key after `->` or `->>`: anything but `(-:.,>)`, with single dashes inside, or `"quoted"`.
    pub(super) fn json_key(&mut self) -> Result<Cow<'a, str>, Fault> {
        const EXPECTING: &str = "a key of anything but . , : > ( ), or one in quotes";
        if self.peek() == Some(b'"') {
            return self.quoted();
        }
        let start = self.at;
        let plain = |byte: u8| !matches!(byte, b'(' | b'-' | b':' | b'.' | b',' | b'>' | b')');
        loop {
            while self.peek().is_some_and(plain) {
                self.at += 1;
            }
            let next = self.text.as_bytes().get(self.at + 1).copied();
            let dash = self.peek() == Some(b'-') && self.at > start;
            if !dash || !next.is_some_and(plain) {
                break;
            }
            self.at += 1;
        }
        match self.text.get(start..self.at).map(str::trim) {
            Some(key) if !key.is_empty() => Ok(Cow::Borrowed(key)),
            _ => Err(Fault::at(start, EXPECTING)),
        }
    }

    /// An array index after an arrow: digits up to the end of the step. Not moved when it is a key.
    pub(super) fn json_index(&mut self) -> Result<Option<i32>, Fault> {
        let start = self.at;
        self.eat(b'-');
        let digits = self.take(|byte| byte.is_ascii_digit()).len();
        let after = self.rest().trim_start_matches([' ', '\t']);
        let ends = after.is_empty()
            || after.starts_with(['.', ',', ')'])
            || after.starts_with("->")
            || after.starts_with("::");
        if digits == 0 || !ends {
            self.at = start;
            return Ok(None);
        }
        let index = self.text.get(start..self.at).and_then(|text| text.parse().ok());
        match index {
            Some(index) => Ok(Some(index)),
            None => Err(Fault::at(start, "an index of at most 2147483647")),
        }
    }
}

/// PostgREST's identifier characters.
fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
        || matches!(letter, '_' | ' ' | '$')
        || (!letter.is_ascii() && letter.is_alphabetic())
}
