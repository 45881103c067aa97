//! Lines of JSON: each string is taken by itself, so that what stands in one cannot be read as the end of another, and what
//! comes out is JSON again.

use std::borrow::Cow;

use super::scan::{self, Out};
use super::secrets::run;
use super::{MASK, names};

pub(super) fn scrub(text: &str, emails: bool) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = Out::new(text);
    let quoted = format!("\"{MASK}\"");
    let mut at = 0;
    while at < bytes.len() {
        let open = run(bytes, at, |byte| byte != b'"');
        // A card's number may be a number.
        if let Cow::Owned(cleaned) = scan::scrub_with(&text[at..open], emails, true, &quoted) {
            out.replace(at..open, &cleaned);
        }
        if open == bytes.len() {
            break;
        }
        let close = string_end(bytes, open + 1);
        let content = &text[open + 1..close];
        let after = run(bytes, (close + 1).min(bytes.len()), |byte| byte == b' ');
        let is_key = bytes.get(after) == Some(&b':');
        at = if is_key && names::names_secret(content) {
            value(bytes, run(bytes, after + 1, |byte| byte == b' '), &mut out, &quoted)
        } else {
            if let Cow::Owned(cleaned) = scan::scrub_with(content, emails, true, MASK) {
                out.replace(open + 1..close, &cleaned);
            }
            close + 1
        };
    }
    out.finish()
}

/// Hides the value that begins here; gives the place behind it.
fn value(bytes: &[u8], begin: usize, out: &mut Out<'_>, quoted: &str) -> usize {
    match bytes.get(begin) {
        Some(b'"') => {
            let close = string_end(bytes, begin + 1);
            if close > begin + 1 {
                out.replace(begin + 1..close, MASK);
            }
            close + 1
        }
        Some(b'{' | b'[') => {
            let end = structure_end(bytes, begin);
            out.replace(begin..end, quoted);
            end
        }
        _ => {
            let end =
                run(bytes, begin, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
            if !matches!(&bytes[begin..end], b"" | b"null" | b"true" | b"false") {
                out.replace(begin..end, quoted);
            }
            end
        }
    }
}

/// The quote that ends the string whose content begins at `from`; the end of the text where there is none.
fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Behind the bracket that closes the one at `begin`.
fn structure_end(bytes: &[u8], begin: usize) -> usize {
    let (mut at, mut open) = (begin, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string_end(bytes, at + 1),
            b'{' | b'[' => open += 1,
            b'}' | b']' if open <= 1 => return at + 1,
            b'}' | b']' => open -= 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}
