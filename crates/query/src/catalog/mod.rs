//! The catalog: an immutable snapshot of what the database has, made for planning. Loaded by `data` from the statements
//! in `introspect`, shared by all requests, replaced as a whole.

mod model;

pub use model::*;
