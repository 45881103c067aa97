//! The catalog: an immutable snapshot of what the database has, made for planning. Loaded by `data` from the statements
//! in [`introspect`], put together by [`assemble`], shared by all requests, replaced as a whole.

mod acl;
mod arrays;
mod assemble;
mod checks;
pub mod introspect;
mod lookup;
mod model;
mod privileges;
mod relationships;
mod views;

pub use assemble::assemble;
pub use model::*;
