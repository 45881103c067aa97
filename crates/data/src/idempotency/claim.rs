//! [`Claim`]: a key as the database knows it. Its id is an HMAC over who asks and for what, under a secret that only the
//! server has: an id cannot be guessed, names nobody, and is never the same for two callers.

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::hmac;
use bedplate_core::{Principal, PrincipalKind};
use serde_json::{Map, Value};

/// 16 bytes for who asks, 16 for what.
pub(crate) type Id = [u8; 32];

/// Claims that differ between tokens of the same person.
const PASSING: [&str; 5] = ["exp", "iat", "nbf", "jti", "auth_time"];

/// What the server's half of a record is made with.
#[derive(Debug)]
pub(crate) struct Secret {
    key: hmac::Key,
    bytes: Vec<u8>,
}

impl Secret {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &bytes), bytes }
    }

    /// What the database asks for before it keeps an answer.
    fn proof(&self, id: &Id) -> [u8; 32] {
        let mut context = digest::Context::new(&SHA256);
        context.update(&self.bytes);
        context.update(id);
        first(context.finish().as_ref())
    }

    /// An HMAC over the parts, each with its length before it, so that no two lists of parts are the same bytes.
    fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        first(context.sign().as_ref())
    }
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

/// A key, as the request's transaction claims it.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub id: Id,
    pub proof: [u8; 32],
    pub fingerprint: [u8; 32],
}

impl Claim {
    pub fn new(
        secret: &Secret,
        principal: &Principal,
        place: [&str; 3],
        key: &str,
        fingerprint: [u8; 32],
    ) -> Self {
        let who = identity(principal);
        let who: Vec<&[u8]> = who.iter().map(String::as_bytes).collect();
        let caller = secret.sign(&[&[b"caller".as_slice()], who.as_slice()].concat());
        let [method, path, query] = place.map(str::as_bytes);
        let what = secret.sign(&[b"key", &caller, method, path, query, key.as_bytes()]);
        let mut id = [0; 32];
        id[..16].copy_from_slice(&caller[..16]);
        id[16..].copy_from_slice(&what[..16]);
        Self { id, proof: secret.proof(&id), fingerprint }
    }
}

/// Who somebody is: the issuer and subject of their token, under their role (RFC 7519 §4.1.2: a subject is unique within its
/// issuer). Without a subject everything that the token says and that does not pass with it.
fn identity(principal: &Principal) -> Vec<String> {
    let claims: Map<String, Value> = serde_json::from_str(&principal.claims).unwrap_or_default();
    let role = principal.role.to_string();
    match principal.subject.as_deref().filter(|subject| !subject.is_empty()) {
        Some(subject) => {
            let issuer = claims.get("iss").map(Value::to_string).unwrap_or_default();
            vec!["subject".to_owned(), role, issuer, subject.to_owned()]
        }
        None => {
            let lasting = claims.iter().filter(|(name, _)| !PASSING.contains(&name.as_str()));
            let mut said: Vec<String> = lasting.map(|(name, value)| format!("{name}={value}")).collect();
            said.sort_unstable();
            ["claims".to_owned(), role].into_iter().chain(said).collect()
        }
    }
}

/// Whether nobody else would come to the same key. Callers who are not signed in have no identity that a key could belong to:
/// for them the key is the identity, and must be as hard to guess as a password.
pub(crate) fn is_safe(principal: &Principal, key: &str) -> bool {
    const LENGTH: usize = 20;
    const DIFFERENT: usize = 8;
    if principal.kind != PrincipalKind::Anonymous {
        return true;
    }
    let mut bytes = key.as_bytes().to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    key.len() >= LENGTH && bytes.len() >= DIFFERENT
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn user(subject: Option<&str>, claims: &str) -> Principal {
        Principal {
            kind: PrincipalKind::User,
            subject: subject.map(Into::into),
            claims: Arc::from(claims),
            ..Principal::anonymous("authenticated")
        }
    }

    fn id(principal: &Principal, place: [&str; 3], key: &str) -> Id {
        Claim::new(&Secret::new(vec![7; 32]), principal, place, key, [0; 32]).id
    }

    const PLACE: [&str; 3] = ["POST", "/api/v1/orders", ""];

    #[test]
    fn a_key_belongs_to_one_caller_and_one_place() {
        let alice = user(Some("a"), r#"{"iss":"x","sub":"a"}"#);
        let base = id(&alice, PLACE, "k");
        assert_eq!(base, id(&user(Some("a"), r#"{"iss":"x","sub":"a","exp":9,"email":"new"}"#), PLACE, "k"));
        let others = [
            id(&user(Some("b"), r#"{"iss":"x","sub":"b"}"#), PLACE, "k"),
            id(&user(Some("a"), r#"{"iss":"y","sub":"a"}"#), PLACE, "k"),
            id(&user(Some("a"), r#"{"sub":"a"}"#), PLACE, "k"),
            id(&Principal { role: "editor".into(), ..alice.clone() }, PLACE, "k"),
            id(&alice, ["PUT", "/api/v1/orders", ""], "k"),
            id(&alice, ["POST", "/api/v1/order", "s"], "k"),
            id(&alice, ["POST", "/api/v1/orders", "select=id"], "k"),
            id(&alice, PLACE, "K"),
        ];
        for (at, other) in others.iter().enumerate() {
            assert_ne!(base, *other, "{at}");
        }
        assert_eq!(base[..16], others[7][..16], "one caller's keys are counted together");
        assert_ne!(base[..16], others[0][..16]);
    }

    #[test]
    fn who_has_no_subject_is_known_by_what_lasts_of_the_token() {
        let one = user(None, r#"{"email":"a@b.c","exp":1,"iat":2,"jti":"x"}"#);
        assert_eq!(id(&one, PLACE, "k"), id(&user(None, r#"{"exp":5,"email":"a@b.c"}"#), PLACE, "k"));
        assert_ne!(id(&one, PLACE, "k"), id(&user(None, r#"{"email":"b@b.c"}"#), PLACE, "k"));
        assert_ne!(id(&one, PLACE, "k"), id(&user(Some("email=\"a@b.c\""), "{}"), PLACE, "k"));
        assert_eq!(id(&user(Some(""), "{}"), PLACE, "k"), id(&user(None, "{}"), PLACE, "k"));
    }

    #[test]
    fn callers_without_an_identity_need_keys_that_nobody_guesses() {
        let anonymous = Principal::anonymous("anon");
        for weak in ["1", "order-1", "00000000-0000-0000-0000-000000000000", "abcabcabcabcabcabcabcabc"] {
            assert!(!is_safe(&anonymous, weak), "{weak}");
            assert!(is_safe(&user(Some("a"), "{}"), weak), "{weak}");
        }
        for strong in ["8e03978e-40d5-43dd-bc93-6fcdbb8c3d1a", "01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
            assert!(is_safe(&anonymous, strong), "{strong}");
        }
    }
}
