//! Against collectors on loopback that read what they get.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod collector;
mod export;
