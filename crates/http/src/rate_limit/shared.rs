//! [`SharedCounts`]: the seam to counts that several nodes share.

use super::quota::{Quota, Taken};
use crate::handler::BoxFuture;

/// Counts requests for all nodes together. An implementation bounds its own time: requests wait for it.
pub trait SharedCounts: Send + Sync + 'static {
    /// One request of the caller that `key` stands for, at once for all nodes. The key is the same for the same caller and
    /// policy on every node, and tells nothing of who it is.
    ///
    /// `None` when the counts cannot be reached; the node's own count decides then.
    fn take<'a>(&'a self, key: &'a str, quota: Quota) -> BoxFuture<'a, Option<Taken>>;
}
