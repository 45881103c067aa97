//! PostgreSQL's lexical rules, as far as splitting a script into statements and recognising them needs: what is a
//! string, a comment, a quoted name, a word. Follows the manual, chapter "Lexical Structure", with
//! `standard_conforming_strings` on. Not a parser: it knows nothing of what words mean.

use std::ops::Range;

/// What a stretch of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Space,
    Comment,
    /// `'…'`, `E'…'`, `$tag$…$tag$` and the other string forms, with their quotes.
    Text,
    /// `"…"`
    Quoted,
    /// A keyword or a plain name.
    Word,
    Number,
    /// One character of punctuation, or one that fits nowhere.
    Symbol(u8),
}

/// A string, name or comment that never ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unterminated {
    pub what: &'static str,
    /// Byte offset where it begins.
    pub start: usize,
}

/// The tokens of a script, one after the other without gaps.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Goes on from another place, for example behind the data of a COPY.
    pub(crate) fn jump(&mut self, to: usize) {
        self.at = to;
    }

    /// The next token and where it stands; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(Token, Range<usize>)>, Unterminated> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let Some(&first) = bytes.get(start) else { return Ok(None) };
        let rest = &bytes[start..];
        let (token, length) = match first {
            _ if first.is_ascii_whitespace() || first == 0x0b => (Token::Space, run(rest, is_space)),
            b'-' if rest.get(1) == Some(&b'-') => (Token::Comment, run(rest, |b| b != b'\n' && b != b'\r')),
            b'/' if rest.get(1) == Some(&b'*') => (Token::Comment, self.block_comment(rest)?),
            b'\'' => (Token::Text, self.quoted(rest, 0, false)?),
            b'"' => (Token::Quoted, self.identifier(rest, 0)?),
            b'e' | b'E' if rest.get(1) == Some(&b'\'') => (Token::Text, self.quoted(rest, 1, true)?),
            b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if rest.get(1) == Some(&b'\'') => {
                (Token::Text, self.quoted(rest, 1, false)?)
            }
            b'u' | b'U' if rest.get(1) == Some(&b'&') && rest.get(2) == Some(&b'\'') => {
                (Token::Text, self.quoted(rest, 2, false)?)
            }
            b'u' | b'U' if rest.get(1) == Some(&b'&') && rest.get(2) == Some(&b'"') => {
                (Token::Quoted, self.identifier(rest, 2)?)
            }
            b'$' => match dollar_tag(rest) {
                Some(tag) => (Token::Text, self.dollar_quoted(rest, tag)?),
                None if rest.get(1).is_some_and(u8::is_ascii_digit) => {
                    (Token::Number, 1 + run(&rest[1..], |b| b.is_ascii_digit()))
                }
                None => (Token::Symbol(b'$'), 1),
            },
            _ if begins_word(first) => (Token::Word, run(rest, continues_word)),
            // `1e5`, `0x1F`, `1_000`, and whatever follows a number without a space.
            b'0'..=b'9' => (Token::Number, run(rest, |b| continues_word(b) && b != b'$')),
            _ => (Token::Symbol(first), 1),
        };
        self.at = start + length;
        Ok(Some((token, start..self.at)))
    }

    fn unterminated(&self, what: &'static str) -> Unterminated {
        Unterminated { what, start: self.at }
    }

    /// Comments nest (unlike the SQL of others).
    fn block_comment(&self, rest: &[u8]) -> Result<usize, Unterminated> {
        let (mut depth, mut at) = (0usize, 0);
        while at + 1 < rest.len() {
            match (rest[at], rest[at + 1]) {
                (b'/', b'*') => {
                    depth += 1;
                    at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return Ok(at);
                    }
                }
                _ => at += 1,
            }
        }
        Err(self.unterminated("a comment /* … */"))
    }

    fn quoted(&self, rest: &[u8], prefix: usize, backslashes: bool) -> Result<usize, Unterminated> {
        let mut at = prefix + 1;
        while at < rest.len() {
            match rest[at] {
                b'\\' if backslashes => at += 2,
                b'\'' if rest.get(at + 1) == Some(&b'\'') => at += 2,
                b'\'' => return Ok(at + 1),
                _ => at += 1,
            }
        }
        Err(self.unterminated("a string '…'"))
    }

    fn identifier(&self, rest: &[u8], prefix: usize) -> Result<usize, Unterminated> {
        let mut at = prefix + 1;
        while at < rest.len() {
            match rest[at] {
                b'"' if rest.get(at + 1) == Some(&b'"') => at += 2,
                b'"' => return Ok(at + 1),
                _ => at += 1,
            }
        }
        Err(self.unterminated("a quoted name \"…\""))
    }

    fn dollar_quoted(&self, rest: &[u8], tag: usize) -> Result<usize, Unterminated> {
        let (mark, body) = rest.split_at(tag);
        body.windows(tag)
            .position(|window| window == mark)
            .map(|at| tag + at + tag)
            .ok_or_else(|| self.unterminated("a dollar-quoted string $…$"))
    }
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&b| !belongs(b)).unwrap_or(bytes.len())
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn begins_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn continues_word(byte: u8) -> bool {
    begins_word(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// The length of `$tag$` when the text begins with one.
fn dollar_tag(rest: &[u8]) -> Option<usize> {
    let name = run(&rest[1..], |b| begins_word(b) || b.is_ascii_digit());
    let starts_well = name == 0 || begins_word(rest[1]);
    (starts_well && rest.get(1 + name) == Some(&b'$')).then_some(name + 2)
}
