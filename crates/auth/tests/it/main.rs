#![allow(clippy::unwrap_used, clippy::expect_used)]
//! What a caller can and cannot do with credentials. Test names carry the ids of the threat list.

mod api_keys;
mod issuers;
mod signing;
mod tokens;
