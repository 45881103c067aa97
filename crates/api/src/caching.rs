//! `Cache-Control` by policy. Without one nobody may keep an answer: what a caller sees depends on row level security, and a
//! cache that does not know of it would show it to others (A-35, security.md).

use std::time::Duration;

use bedplate_core::{PrincipalKind, Result};
use bedplate_query::request::{Item, Node};
use http::HeaderValue;

use crate::Call;
use crate::resource::Resource;

/// Who may keep answers about a table or view, and for how long.
#[derive(Debug, Clone)]
pub struct CachePolicy {
    /// `name` or `schema.name`.
    pub resource: String,
    /// Answers to callers who are not signed in may be kept by caches that many share.
    pub public: bool,
    pub max_age: Duration,
    /// RFC 5861.
    pub stale_while_revalidate: Duration,
}

impl CachePolicy {
    /// What is told (RFC 9111 §5.2.2).
    fn control(&self, shared: bool) -> Option<HeaderValue> {
        let who = if shared { "public" } else { "private" };
        let age = self.max_age.as_secs();
        let stale = self.stale_while_revalidate.as_secs();
        let text = match (age, stale) {
            (0, 0) => format!("{who}, no-cache"),
            (_, stale) if shared && stale > 0 => {
                format!("{who}, max-age={age}, stale-while-revalidate={stale}")
            }
            (0, _) => format!("{who}, no-cache"),
            _ => format!("{who}, max-age={age}"),
        };
        HeaderValue::try_from(text).ok()
    }
}

/// The policy for an answer about `name` alone. Answers that hold rows of other tables have none: what holds for one table
/// need not hold for another.
pub(crate) fn control(call: &Call<'_>, name: &str, node: &Node) -> Result<Option<HeaderValue>> {
    let policies = &call.api.config.cache_policies;
    if policies.is_empty() || node.select.iter().any(|item| matches!(item, Item::Embed(_))) {
        return Ok(None);
    }
    let resource = Resource::get(call, name)?;
    let relation = resource.relation();
    let policy = policies.iter().find(|policy| match policy.resource.split_once('.') {
        Some((schema, name)) => relation.schema.as_str() == schema && relation.name.as_str() == name,
        None => relation.name.as_str() == policy.resource,
    });
    let anonymous = call.ctx.principal.kind == PrincipalKind::Anonymous;
    Ok(policy.and_then(|policy| policy.control(policy.public && anonymous)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told() {
        let told = |public, age, stale| {
            let policy = CachePolicy {
                resource: "t".to_owned(),
                public: true,
                max_age: Duration::from_secs(age),
                stale_while_revalidate: Duration::from_secs(stale),
            };
            policy.control(public).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(told(false, 0, 0), "private, no-cache");
        assert_eq!(told(false, 0, 30), "private, no-cache");
        assert_eq!(told(false, 60, 30), "private, max-age=60");
        assert_eq!(told(true, 60, 0), "public, max-age=60");
        assert_eq!(told(true, 60, 30), "public, max-age=60, stale-while-revalidate=30");
        assert_eq!(told(true, 0, 30), "public, max-age=0, stale-while-revalidate=30");
    }
}
