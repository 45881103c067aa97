//! JSON strings as PostgreSQL's `escape_json` writes them.

use bytes::{BufMut as _, BytesMut};

/// Bytes looked at together; the check of a block compiles to a few vector instructions.
const BLOCK: usize = 32;
/// How far behind an escaped character the next one is looked for first.
const NEAR: usize = 16;

#[inline]
fn special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Writes UTF-8 text in quotes: `"`, `\` and control characters escaped, everything else as it is.
pub fn push_string(text: &[u8], out: &mut BytesMut) {
    out.reserve(text.len() + text.len() / 8 + 2);
    out.put_u8(b'"');
    // Written up to here; a character that stands behind its backslash as it is goes with what follows it.
    let mut written = 0;
    let mut at = 0;
    while let Some(found) = find(&text[at..]) {
        at += found;
        out.extend_from_slice(&text[written..at]);
        written = at;
        if matches!(text[at], b'"' | b'\\') {
            out.put_u8(b'\\');
        } else {
            escape(text[at], out);
            written += 1;
        }
        at += 1;
    }
    out.extend_from_slice(&text[written..]);
    out.put_u8(b'"');
}

/// The first byte that must be escaped. Where there was one the next may be near, so the beginning is looked at by words.
#[inline]
fn find(text: &[u8]) -> Option<usize> {
    let (near, far) = text.split_at(text.len().min(NEAR));
    if let Some(found) = find_in_words(near) {
        return Some(found);
    }
    let mut blocks = far.chunks_exact(BLOCK);
    let mut at = near.len();
    for block in blocks.by_ref() {
        // No early exit inside the block, so that it can be done at once.
        if block.iter().fold(false, |found, byte| found | special(*byte)) {
            return find_in_words(block).map(|found| at + found);
        }
        at += BLOCK;
    }
    find_in_words(blocks.remainder()).map(|found| at + found)
}

/// The same by words of eight bytes. In each byte of `marks` the top bit is set when the byte is below 0x20 or equal to
/// one of the two; bytes behind the first such one may be marked wrongly by a borrow, which does not matter.
fn find_in_words(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    let mut words = text.chunks_exact(8);
    let mut at = 0;
    for bytes in words.by_ref() {
        let word = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let below = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        let marks = (below | quote | backslash) & (ONES * 0x80);
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    words.remainder().iter().position(|byte| special(*byte)).map(|found| at + found)
}

fn escape(byte: u8, out: &mut BytesMut) {
    let short = match byte {
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.put_u8(DIGITS[usize::from(byte >> 4)]);
            out.put_u8(DIGITS[usize::from(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
