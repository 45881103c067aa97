//! One pass over a text. Words are looked at where they begin; what is to be hidden is replaced, the rest is copied.

use std::borrow::Cow;
use std::ops::Range;

use super::secrets::{self, is_word, run};
use super::{MASK, names};

/// How far a list of columns is read: `Key (a, b)=(`.
const LIST: usize = 256;

/// A text with parts of it replaced; borrowed as long as there are none.
pub(super) struct Out<'a> {
    text: &'a str,
    out: String,
    /// Everything before this is in `out`.
    copied: usize,
    changed: bool,
}

impl<'a> Out<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, out: String::new(), copied: 0, changed: false }
    }

    /// Ranges come in order; one that begins before the end of the last is left out.
    pub fn replace(&mut self, range: Range<usize>, with: &str) {
        if range.start >= self.copied {
            self.out.push_str(&self.text[self.copied..range.start]);
            self.out.push_str(with);
            (self.copied, self.changed) = (range.end, true);
        }
    }

    pub fn finish(mut self) -> Cow<'a, str> {
        if !self.changed {
            return Cow::Borrowed(self.text);
        }
        self.out.push_str(&self.text[self.copied..]);
        Cow::Owned(self.out)
    }
}

struct Scan<'a> {
    text: &'a str,
    emails: bool,
    names: bool,
    mask: &'a str,
    out: Out<'a>,
    /// What was hidden because of its name.
    seen: Vec<&'a str>,
}

/// What stands in the place of a value, and where the value stood.
struct Hidden {
    range: Range<usize>,
    /// The quotes that it needs where it stands: escaped as those of its name.
    quote: Option<String>,
}

impl Hidden {
    fn plain(range: Range<usize>) -> Self {
        Self { range, quote: None }
    }
}

pub(super) fn scrub(text: &str, emails: bool, names: bool) -> Cow<'_, str> {
    if names && text.starts_with('{') {
        return super::line::scrub(text, emails);
    }
    scrub_with(text, emails, names, MASK)
}

pub(super) fn scrub_with<'a>(text: &'a str, emails: bool, names: bool, mask: &'a str) -> Cow<'a, str> {
    let mut scan = Scan { text, emails, names, mask, out: Out::new(text), seen: Vec::new() };
    scan.pass();
    let Scan { seen, out, .. } = scan;
    match out.finish() {
        // A sentence about a value says it more than once: `token: `x` has no operator: write eq.x`.
        Cow::Owned(cleaned) if seen.iter().any(|secret| cleaned.contains(*secret)) => {
            Cow::Owned(seen.iter().fold(cleaned, |text, secret| text.replace(*secret, mask)))
        }
        finished => finished,
    }
}

/// Whether other places with the same text may be hidden too: it has to be of some length, and no number and no plain word
/// of ours.
fn is_distinct(secret: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    secret.len() >= 6
        && !secret
            .bytes()
            .any(|byte| matches!(byte, b'"' | b'\\' | b'{' | b'[') || byte.is_ascii_whitespace())
        && !secret.bytes().all(|byte| byte.is_ascii_digit())
        && !secret.bytes().all(plain)
}

impl<'a> Scan<'a> {
    fn pass(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            if is_word(byte) && byte != b'-' {
                let end = run(bytes, at, is_word);
                at = self.word(at, end);
                continue;
            }
            let hidden = match byte {
                b'-' => secrets::private_key(self.text, at),
                b':' if bytes[at..].starts_with(b"://") => secrets::userinfo(bytes, at),
                b'@' if self.emails => secrets::email(bytes, self.out.copied, at),
                _ => None,
            };
            at = match hidden {
                Some(range) => self.hide(Hidden::plain(range)),
                None => at + 1,
            };
        }
    }

    /// Looks at a word; gives the place to go on from.
    fn word(&mut self, start: usize, end: usize) -> usize {
        if let Some(range) = secrets::at_word(self.text, start, end) {
            return self.hide(Hidden::plain(range));
        }
        let hidden = if self.names { self.named(start, end) } else { None };
        let Some(hidden) = hidden else { return end };
        let text: &'a str = self.text;
        let secret = text.get(hidden.range.clone()).unwrap_or_default();
        if is_distinct(secret) {
            self.seen.push(secret);
        }
        self.hide(hidden)
    }

    fn hide(&mut self, hidden: Hidden) -> usize {
        let end = hidden.range.end;
        match hidden.quote {
            Some(slashes) => self.out.replace(hidden.range, &format!("{slashes}\"{MASK}{slashes}\"")),
            None => self.out.replace(hidden.range, self.mask),
        }
        end
    }

    /// The value of a name that is on the list.
    fn named(&self, start: usize, end: usize) -> Option<Hidden> {
        let (bytes, name) = (self.text.as_bytes(), &self.text[start..end]);
        if name.eq_ignore_ascii_case("contains")
            && bytes[end..].starts_with(b" (")
            && self.text[..start].ends_with("row ")
        {
            return Some(Hidden::plain(end + 2..closing(bytes, end + 1)));
        }
        if !may_be_named(bytes, end) {
            return None;
        }
        // A percent sign before hexadecimal digits is a separator of its own: `%26password`.
        let name = match start.checked_sub(1).map(|before| bytes[before]) {
            Some(b'%') if name.len() > 2 && name.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit) => {
                &name[2..]
            }
            _ => name,
        };
        if !names::names_secret(name) {
            return None;
        }
        self.column(end).or_else(|| self.after(start, end, name))
    }

    /// `Key (email, token)=(…)`: PostgreSQL names the columns and then their values.
    fn column(&self, end: usize) -> Option<Hidden> {
        let bytes = self.text.as_bytes();
        let window = &bytes[end..bytes.len().min(end + LIST)];
        let close = window.iter().position(|byte| matches!(byte, b'(' | b')'))?;
        let open = end + close + 2;
        bytes[end + close..].starts_with(b")=(").then(|| Hidden::plain(open + 1..closing(bytes, open)))
    }

    fn after(&self, start: usize, end: usize, name: &str) -> Option<Hidden> {
        let bytes = self.text.as_bytes();
        let quotes = |from: usize| run(bytes, from, |byte| byte == b'\\');
        let slashes = quotes(end);
        let quoted = bytes.get(slashes).is_some_and(|byte| matches!(byte, b'"' | b'\''))
            && start > 0
            && bytes[start - 1] == bytes[slashes];
        let mut at = run(bytes, if quoted { slashes + 1 } else { end }, |byte| byte == b' ');
        let is_json;
        match bytes.get(at)? {
            b'=' => (is_json, at) = (false, at + 1),
            b':' if quoted => (is_json, at) = (true, at + 1),
            b':' if !bytes[at..].starts_with(b"://") && !names::is_everyday(name) => {
                (is_json, at) = (false, at + 1);
            }
            b'%' if bytes[at..].len() > 3 && bytes[at + 1..at + 3].eq_ignore_ascii_case(b"3d") => {
                (is_json, at) = (false, at + 3);
            }
            // `PASSWORD 'secret'` of SQL.
            b'\'' if at > end && name.eq_ignore_ascii_case("password") => is_json = false,
            _ => return None,
        }
        let begin = run(bytes, at, |byte| byte == b' ');
        self.value(begin, name, is_json, &self.text[end..if quoted { slashes } else { end }])
    }

    /// The value that begins here. `slashes`: what escapes the quotes around the name.
    fn value(&self, begin: usize, name: &str, is_json: bool, slashes: &str) -> Option<Hidden> {
        let bytes = self.text.as_bytes();
        let after_slashes = run(bytes, begin, |byte| byte == b'\\');
        match bytes.get(after_slashes)? {
            quote @ (b'"' | b'\'' | b'`') => {
                let depth = after_slashes - begin;
                let end = string_end(bytes, after_slashes + 1, *quote, depth);
                let inside = after_slashes + 1..end;
                (!inside.is_empty()).then(|| Hidden::plain(inside))
            }
            b'{' | b'[' if is_json => {
                let end = structure_end(bytes, begin, slashes.len());
                Some(Hidden { range: begin..end, quote: Some(slashes.to_owned()) })
            }
            _ => {
                let end = bare_end(bytes, begin, names::is_whole_line(name) && !is_json);
                let value = &self.text[begin..end];
                let harmless = value.is_empty() || value == MASK;
                let literal = is_json && matches!(value, "null" | "true" | "false");
                if harmless || literal {
                    return None;
                }
                Some(Hidden { range: begin..end, quote: is_json.then(|| slashes.to_owned()) })
            }
        }
    }
}

/// Whether what follows a word looks like the way to a value: most words of a path or a sentence are done with here.
fn may_be_named(bytes: &[u8], end: usize) -> bool {
    let mut at = run(bytes, end, |byte| byte == b'\\');
    if bytes.get(at).is_some_and(|byte| matches!(byte, b'"' | b'\'')) {
        at += 1;
    }
    at = run(bytes, at, |byte| byte == b' ');
    bytes.get(at).is_some_and(|byte| b"=:%',)".contains(byte))
}

/// Where the bracket at `open` closes; the end of the text where it does not.
fn closing(bytes: &[u8], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'(' => depth += 1,
            b')' if depth <= 1 => return at,
            b')' => depth -= 1,
            _ => {}
        }
    }
    bytes.len()
}

/// The quote that ends a string which began with `depth` backslashes before its quote. A quote with fewer ends the text
/// around it, and so this one too. SQL doubles its quotes.
fn string_end(bytes: &[u8], from: usize, quote: u8, depth: usize) -> usize {
    let (mut at, mut slashes) = (from, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => slashes += 1,
            byte if byte == quote || byte == b'"' => {
                let doubled = quote == b'\'' && byte == quote && bytes.get(at + 1) == Some(&b'\'');
                // What is escaped at our depth has an odd number of backslashes more than our own quotes have.
                let ends = if byte == quote {
                    slashes <= depth || (slashes - depth).is_multiple_of(2 * (depth + 1))
                } else {
                    slashes == 0
                };
                if doubled {
                    at += 1;
                } else if ends {
                    return if byte == quote { at - slashes.min(depth) } else { at };
                }
                slashes = 0;
            }
            _ => slashes = 0,
        }
        at += 1;
    }
    bytes.len()
}

/// Behind the bracket that closes the one at `begin`. Brackets in strings do not count; a quote that is escaped less than
/// ours ends it all.
fn structure_end(bytes: &[u8], begin: usize, depth: usize) -> usize {
    let (mut at, mut open) = (begin, 0_usize);
    let mut slashes = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                slashes += 1;
                at += 1;
                continue;
            }
            b'"' if slashes < depth => return at - slashes,
            b'"' => {
                let end = string_end(bytes, at + 1, b'"', depth);
                at = run(bytes, end, |byte| byte == b'\\');
                if at - end < depth {
                    return end;
                }
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' if open <= 1 => return at + 1,
            b'}' | b']' => open -= 1,
            _ => {}
        }
        slashes = 0;
        at += 1;
    }
    bytes.len()
}

/// The end of a value without quotes.
fn bare_end(bytes: &[u8], begin: usize, whole_line: bool) -> usize {
    if whole_line {
        return run(bytes, begin, |byte| !matches!(byte, b'\n' | b'\r' | b'"' | b'\\'));
    }
    let is_end = |byte: u8| byte.is_ascii_whitespace() || b"&,;)]}\"'<>|`#".contains(&byte);
    let mut end = begin;
    while end < bytes.len() && !is_end(bytes[end]) {
        end += match (bytes[end], bytes.get(end + 1)) {
            // Escaped: a backslash of its own, or the end of a line or string.
            (b'\\', Some(b'\\')) => 2,
            (b'\\', None | Some(b'"' | b'\'' | b'n' | b'r' | b't')) => break,
            _ => 1,
        };
    }
    let ampersand = bytes[begin..end].windows(3).position(|three| three.eq_ignore_ascii_case(b"%26"));
    let end = ampersand.map_or(end, |at| begin + at);
    // `Some("…")` of Rust.
    match bytes[begin..end].iter().position(|byte| *byte == b'(') {
        Some(open) => {
            let close = debug_end(bytes, begin + open);
            if close > end { close } else { end }
        }
        None => end,
    }
}

/// Behind the bracket that closes the one at `open`, with a string inside.
fn debug_end(bytes: &[u8], open: usize) -> usize {
    if bytes.get(open + 1) == Some(&b'"') {
        let end = string_end(bytes, open + 2, b'"', 0);
        return if bytes.get(end + 1) == Some(&b')') { end + 2 } else { end };
    }
    let close = closing(bytes, open);
    if bytes.get(close) == Some(&b')') { close + 1 } else { close }
}
