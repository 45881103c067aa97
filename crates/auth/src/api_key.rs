//! Opaque API keys: `sb_publishable_…` (anonymous, may be in a browser) and `sb_secret_…` (the app's backend).

use bedplate_core::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyKind {
    Publishable,
    Secret,
}

pub(crate) const PREFIX: &str = "sb_";

/// The keys that are valid now. Kept as SHA-256, so that comparing costs the same for every candidate and nothing in
/// memory can be used as a key.
#[derive(Default)]
pub struct ApiKeys {
    keys: Vec<(ApiKeyKind, [u8; 32])>,
}

impl ApiKeys {
    pub fn new(keys: impl IntoIterator<Item = (ApiKeyKind, Secret)>) -> Self {
        Self { keys: keys.into_iter().map(|(kind, key)| (kind, digest(key.expose()))).collect() }
    }

    /// What a key is; `None` when it is not ours. Every stored key is compared, in constant time.
    pub fn find(&self, candidate: &str) -> Option<ApiKeyKind> {
        let digest = digest(candidate);
        let mut found = None;
        for (kind, key) in &self.keys {
            if bool::from(key.ct_eq(&digest)) {
                found = Some(*kind);
            }
        }
        found
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_their_whole_text_only() {
        let keys = ApiKeys::new([
            (ApiKeyKind::Publishable, Secret::new("sb_publishable_a")),
            (ApiKeyKind::Secret, Secret::new("sb_secret_b")),
        ]);
        assert_eq!(keys.find("sb_publishable_a"), Some(ApiKeyKind::Publishable));
        assert_eq!(keys.find("sb_secret_b"), Some(ApiKeyKind::Secret));
        assert_eq!(keys.find("sb_secret_"), None);
        assert_eq!(keys.find("SB_SECRET_B"), None);
    }
}
