//! The private server from outside: started, stopped, killed and starved. Every test has a folder of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, clippy::print_stdout)]

mod bench;
mod crash;
mod download;
mod folder;
mod helper;
mod life;
mod template;
mod users;
