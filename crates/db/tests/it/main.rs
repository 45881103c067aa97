#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;
mod leaving;
mod listening;
mod pipelining;
mod pooling;
mod server;
mod servers;
mod systems;
