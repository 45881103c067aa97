//! Opaque, authenticated page cursors (security.md V-31).
//!
//! A cursor carries the order keys of a row and the direction to go on in, nothing that the server must remember. It is
//! **encrypted**, not only signed: order keys may come from columns that the caller cannot select (a computed default
//! order, a column of an embedded relation), and a readable cursor would show them. AES-256-GCM-SIV (RFC 8452) costs
//! about what an HMAC costs, and it keeps its promise when a nonce repeats; so the nonce is derived from what the
//! cursor is bound to instead of drawn at random. The same page therefore has the same cursor, and a list's ETag stays.
//!
//! A cursor is bound (as authenticated data) to the format's version, the resource, the resolved order, the filters
//! and the database role. Not to the subject: it gives no right, only a position, so a link to a page can be passed on,
//! and row security decides anew what the other person sees.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bedplate_core::{Problem, Result, Secret};

use crate::problems::CURSOR_INVALID;

/// The format's version, the first byte of every cursor.
const VERSION: u8 = 1;

/// The most bytes of order keys in a cursor. The URL that carries it is limited to 8 KiB.
const MOST_BYTES: usize = 4096;

/// A position in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The values of the order keys in order, in PostgreSQL's text form; `None` is NULL.
    pub keys: Vec<Option<String>>,
    /// Towards the start of the list.
    pub backward: bool,
}

/// What a cursor belongs to; it opens only for an equal binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The resource with everything that its path names (schema, table, the keys of parents).
    pub resource: &'a str,
    /// The resolved order: [`crate::statement::Main::order`].
    pub order: &'a str,
    /// [`crate::syntax::fingerprint`] of the request, or another canonical form of its filters.
    pub filter: &'a str,
    pub role: &'a str,
}

/// The keys that cursors are sealed with: one to seal and open, and optionally the one before it, only to open, so
/// that open pages outlive a rotation.
pub struct Keys {
    current: LessSafeKey,
    previous: Option<LessSafeKey>,
    /// For [`Keys::digest`].
    tags: LessSafeKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// Derives the keys from server secrets (by HMAC-SHA256 with a label, so that the same secret may serve other
    /// purposes too).
    ///
    /// # Errors
    /// An internal problem when the cryptographic library refuses the key.
    pub fn new(current: &Secret, previous: Option<&Secret>) -> Result<Self> {
        let of_cursors = |secret| derive(secret, b"bedplate page cursor 1");
        Ok(Self {
            current: of_cursors(current)?,
            previous: previous.map(of_cursors).transpose()?,
            tags: derive(current, b"bedplate entity tag 1")?,
        })
    }

    /// A cursor as text (base64url). `None` when the order keys are longer than a URL could carry (4 KiB): such a list
    /// has no pages by cursor.
    pub fn seal(&self, cursor: &Cursor, binding: &Binding<'_>) -> Option<String> {
        let mut bytes = write(cursor)?;
        let (aad, nonce) = bound(binding);
        self.current.seal_in_place_append_tag(nonce, Aad::from(aad), &mut bytes).ok()?;
        bytes.insert(0, VERSION);
        Some(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// A digest of an answer, for its entity tag: the same on every server with the same secret. It is the authentication tag
    /// over the answer and no text, which without the key nobody can tell from chance, so nobody can make two answers with
    /// one tag (RFC 8452 §9). `None`: the cryptographic library refuses an answer of its size, which then has no tag.
    pub fn digest(&self, answer: &[u8]) -> Option<[u8; 16]> {
        let nonce = Nonce::assume_unique_for_key(*b"entity tag 1");
        let tag = self.tags.seal_in_place_separate_tag(nonce, Aad::from(answer), &mut []).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Reads a cursor that was sealed for an equal binding.
    ///
    /// # Errors
    /// `cursor_invalid` for everything else: altered, made up, of another list, role or server, or too old.
    pub fn open(&self, text: &str, binding: &Binding<'_>) -> Result<Cursor> {
        if text.len() > MOST_BYTES * 2 {
            return Err(invalid());
        }
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let [VERSION, sealed @ ..] = sealed.as_slice() else { return Err(invalid()) };
        let opened = [Some(&self.current), self.previous.as_ref()].into_iter().flatten().find_map(|key| {
            let (aad, nonce) = bound(binding);
            let mut bytes = sealed.to_vec();
            let length = key.open_in_place(nonce, Aad::from(aad), &mut bytes).ok()?.len();
            bytes.truncate(length);
            Some(bytes)
        });
        opened.and_then(|bytes| read(&bytes)).ok_or_else(invalid)
    }
}

fn invalid() -> Problem {
    Problem::new(&CURSOR_INVALID)
        .detail("The cursor was not made for this list with these filters and this order")
        .hint("Use meta.next_cursor or meta.prev_cursor unchanged with the rest of the query, or start without a cursor")
}

fn derive(secret: &Secret, label: &[u8]) -> Result<LessSafeKey> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let derived = hmac::sign(&key, label);
    let key = UnboundKey::new(&AES_256_GCM_SIV, derived.as_ref());
    key.map(LessSafeKey::new).map_err(|_| Problem::internal_error("the cursor key cannot be made"))
}

/// The digest of a binding, and the nonce made from it. Each part is preceded by its length, so that no two bindings
/// have one digest.
fn bound(binding: &Binding<'_>) -> ([u8; 32], Nonce) {
    let mut context = Context::new(&SHA256);
    context.update(&[VERSION]);
    for part in [binding.resource, binding.order, binding.filter, binding.role] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    let mut nonce = [0; NONCE_LEN];
    nonce.copy_from_slice(&digest[..NONCE_LEN]);
    (digest, Nonce::assume_unique_for_key(nonce))
}

/// A byte for the direction; for each key a byte (0 is NULL), a length (u16) and the text.
fn write(cursor: &Cursor) -> Option<Vec<u8>> {
    let size = 1 + cursor.keys.iter().map(|key| 3 + key.as_ref().map_or(0, String::len)).sum::<usize>();
    if size > MOST_BYTES {
        return None;
    }
    let mut bytes = Vec::with_capacity(size + AES_256_GCM_SIV.tag_len() + 1);
    bytes.push(u8::from(cursor.backward));
    for key in &cursor.keys {
        let text = key.as_deref().unwrap_or("");
        bytes.push(u8::from(key.is_some()));
        bytes.extend_from_slice(&u16::try_from(text.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    Some(bytes)
}

fn read(bytes: &[u8]) -> Option<Cursor> {
    let (direction, mut rest) = bytes.split_first()?;
    let mut keys = Vec::new();
    while let [there, high, low, tail @ ..] = rest {
        let (text, after) = tail.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        let text = std::str::from_utf8(text).ok()?;
        keys.push((*there == 1).then(|| text.to_owned()));
        rest = after;
    }
    rest.is_empty().then_some(Cursor { keys, backward: *direction == 1 })
}

#[cfg(test)]
mod tests {
    use bedplate_core::Secret;
    use proptest::prelude::*;

    use super::{Binding, Cursor, Keys};

    const LIST: Binding<'static> =
        Binding { resource: "public.posts", order: "id.asc", filter: "a=eq.1", role: "authenticated" };

    fn keys() -> Keys {
        Keys::new(&Secret::new("a server secret"), None).unwrap()
    }

    fn sample() -> Cursor {
        Cursor {
            keys: vec![Some("2026-01-01T00:00:00+00:00".into()), None, Some("hidden-value".into())],
            backward: true,
        }
    }

    #[test]
    fn digests_tell_answers_apart_and_depend_on_the_secret() {
        let keys = keys();
        assert_eq!(keys.digest(b"{}"), keys.digest(b"{}"));
        assert_ne!(keys.digest(b"{}"), keys.digest(b"[]"));
        assert_ne!(keys.digest(b""), keys.digest(b"\0"));
        assert!(keys.digest(b"").is_some());
        let other = Keys::new(&Secret::new("another server's secret of some length"), None).unwrap();
        assert_ne!(keys.digest(b"{}"), other.digest(b"{}"));
    }

    #[test]
    fn the_same_page_has_the_same_cursor_and_nothing_can_be_read_from_it() {
        use base64::Engine as _;
        let text = keys().seal(&sample(), &LIST).unwrap();
        assert_eq!(Some(&text), keys().seal(&sample(), &LIST).as_ref());
        let bytes = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(&text).unwrap();
        assert!(!bytes.windows(6).any(|part| part == b"hidden"));
        assert_eq!(keys().open(&text, &LIST).unwrap(), sample());
    }

    #[test]
    fn opens_for_its_own_list_only() {
        let text = keys().seal(&sample(), &LIST).unwrap();
        let others = [
            Binding { resource: "public.users", ..LIST },
            Binding { order: "id.desc", ..LIST },
            Binding { filter: "a=eq.2", ..LIST },
            Binding { role: "anon", ..LIST },
            Binding { resource: "public.post", order: "sid.asc", ..LIST },
        ];
        for other in others {
            assert_eq!(keys().open(&text, &other).unwrap_err().code().name, "cursor_invalid");
        }
        let stranger = Keys::new(&Secret::new("another secret"), None).unwrap();
        assert!(stranger.open(&text, &LIST).is_err());
    }

    #[test]
    fn outlives_one_rotation() {
        let text = keys().seal(&sample(), &LIST).unwrap();
        let (old, new) = (Secret::new("a server secret"), Secret::new("the next"));
        assert_eq!(Keys::new(&new, Some(&old)).unwrap().open(&text, &LIST).unwrap(), sample());
        assert!(Keys::new(&new, None).unwrap().open(&text, &LIST).is_err());
    }

    #[test]
    fn no_bit_can_be_changed() {
        let keys = keys();
        let text = keys.seal(&sample(), &LIST).unwrap();
        for at in 0..text.len() {
            for with in ["A", "B", "_", "é", "'"] {
                let mut altered = text.clone();
                altered.replace_range(at..=at, with);
                assert!(altered == text || keys.open(&altered, &LIST).is_err(), "{altered}");
            }
            assert!(keys.open(&text[..at], &LIST).is_err());
        }
        for made_up in ["", "id>1", "1", "1' or '1'='1", "MTAw", "AQ", &"A".repeat(100_000)] {
            assert!(keys.open(made_up, &LIST).is_err(), "{made_up}");
        }
    }

    proptest! {
        #[test]
        fn every_position_comes_back(keys_of_row in prop::collection::vec(prop::option::of(".{0,40}"), 0..5), backward: bool) {
            let cursor = Cursor { keys: keys_of_row, backward };
            let text = keys().seal(&cursor, &LIST).unwrap();
            prop_assert_eq!(keys().open(&text, &LIST).unwrap(), cursor);
        }
    }
}
