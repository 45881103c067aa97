//! The whole program, from outside.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod api;
mod cli;
mod cli_config;
mod cli_database;
mod cli_from_supabase;
mod cli_gen;
mod cli_keys;
mod cli_new;
mod cli_running;
mod idempotency;
mod limits;
mod readme;
mod rest;
mod told;
