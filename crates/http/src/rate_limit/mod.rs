//! Rate limits: who may make how many requests in how much time, told in the headers of
//! draft-ietf-httpapi-ratelimit-headers-11 and refused with 429.
//!
//! Callers who are not signed in count by address, users by their subject, service keys by theirs. Credentials that are
//! refused count by address too, and past their limit none is looked at any more: checking a signature costs a hundred
//! times what refusing costs. So a caller cannot get a count of its own by changing what it can change (V-16).
//!
//! Each node counts in memory (`table.rs`), exactly; where counts are shared (`shared.rs`), both must let a request
//! through, and the node's own one decides alone while the shared ones are away.

pub(crate) mod check;
mod limiter;
mod quota;
mod rules;
mod shared;
mod standing;
mod table;

pub use quota::{Quota, Taken};
pub use rules::{Kinds, RateLimits, RoleLimits};
pub use shared::SharedCounts;

pub(crate) use limiter::{Limiter, network};
pub(crate) use standing::Standing;
