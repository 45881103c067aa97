//! `/api/v1` from outside: the real binary, over HTTP, on a database of its own with the helpdesk in it.

mod access;
mod batch;
mod caching;
mod conditional;
mod contract;
mod errors;
mod hostile;
mod lists;
mod nested;
mod operation;
mod reads;
mod real_apps;
pub mod server;
mod writes;

pub use server::Answer;
