//! Where a caller stands after a request: what `RateLimit` says, and the problem when there is nothing left.

use std::sync::Arc;

use bedplate_core::Problem;
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::quota::Taken;
use super::rules::{Policy, Row};
use crate::problems::QUOTA_EXCEEDED;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The policies that held for a request and what each said, in their order.
pub(crate) struct Standing {
    row: Arc<Row>,
    taken: SmallVec<[Taken; 2]>,
}

impl Standing {
    pub(crate) fn new(row: Arc<Row>, taken: SmallVec<[Taken; 2]>) -> Self {
        Self { row, taken }
    }

    /// The first policy that has nothing left for this request.
    pub(crate) fn refusing(&self) -> Option<(&Policy, &Taken)> {
        self.row.policies.iter().zip(&self.taken).find(|(_, taken)| !taken.allowed)
    }

    /// 429 (RFC 6585 §4) with the policies that are exceeded by name, as the draft's `violated-policies` has them.
    pub(crate) fn problem(&self) -> Option<Problem> {
        let (policy, _) = self.refusing()?;
        let exceeded = self.row.policies.iter().zip(&self.taken).filter(|(_, taken)| !taken.allowed);
        let said = |policy: &Policy| {
            format!("at most {} requests in {} s", policy.quota.requests(), policy.quota.seconds())
        };
        let detail = format!("The limit \"{}\" is reached: {}", policy.name.as_str(), said(policy));
        let mut problem = Problem::new(&QUOTA_EXCEEDED)
            .detail(detail)
            .hint("Wait as long as Retry-After says; the RateLimit header of each answer tells what is left");
        let mut wait = std::time::Duration::ZERO;
        for (policy, taken) in exceeded {
            wait = wait.max(taken.reset);
            problem = problem.field(policy.name.as_str(), said(policy));
        }
        Some(problem.retry_after(wait))
    }

    /// The headers of this answer. Every answer has them, so it is one allocation and no formatting machinery.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        headers.insert(RATE_LIMIT_POLICY, self.row.told.clone());
        let mut text = SmallVec::<[u8; 96]>::new();
        for (policy, taken) in self.row.policies.iter().zip(&self.taken) {
            if !text.is_empty() {
                text.extend_from_slice(b", ");
            }
            text.extend_from_slice(policy.name.item());
            text.extend_from_slice(itoa::Buffer::new().format(taken.remaining).as_bytes());
            text.extend_from_slice(b";t=");
            text.extend_from_slice(itoa::Buffer::new().format(taken.reset_seconds()).as_bytes());
        }
        if let Ok(value) = HeaderValue::from_bytes(&text) {
            headers.insert(RATE_LIMIT, value);
        }
    }
}
