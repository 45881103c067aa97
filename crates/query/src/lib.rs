//! From a request to SQL, as three pure values: [`Request`] (syntax) → [`plan::Plan`] (resolved against the
//! [`catalog::Catalog`], and permitted) → [`statement::Planned`] (text, parameters, output shape). Front doors only
//! parse into a `Request` and render the answer; no other road leads to a user's tables.
//!
//! Nothing here does I/O: `data` loads the catalog and runs the statements.

pub mod catalog;
pub mod contract;
pub mod cursor;
pub mod encode;
pub mod fault;
pub mod gate;
pub mod ident;
pub mod limits;
pub mod media;
pub mod output;
pub mod pgtext;
pub mod plan;
pub mod problems;
pub mod request;
pub mod sql;
pub mod statement;
pub mod syntax;
pub mod validate;

pub use request::{Operation, Request, Value, ValueRef, Values};
