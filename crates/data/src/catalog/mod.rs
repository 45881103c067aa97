//! Loading the catalog and keeping it fresh: [`read`] once, or a [`Loader`] that reads again after DDL.
//!
//! The snapshot that serves is replaced only by a finished one. A load that fails leaves it in place and is tried again.

mod follow;
mod loader;
mod read;

pub use loader::{Loader, Options, Statistics};
pub use read::{Loaded, Timings, read};
