//! Who may do what on which object. Fail closed: an object is served to a role only when a privilege is granted to it
//! and something protects the rows. [`Rules`] is the gate that the planner asks; [`explain`] says which rule said no;
//! [`report`] lists what is not served and the SQL that would change it; [`matrix`] shows the whole.
//!
//! Row policies themselves and column grants are PostgreSQL's: nothing here reads a row.

mod config;
mod dialect;
mod explain;
mod matrix;
mod policies;
mod refusal;
pub mod report;
mod rules;
mod sqltext;

pub use config::{Config, Listed};
pub use dialect::Dialect;
pub use explain::{Explanation, Step, explain, explain_function};
pub use matrix::{Coverage, Entry, Matrix, Permission, coverage, matrix};
pub use refusal::Refusal;
pub use report::{Finding, Kind, Severity, report};
pub use rules::Rules;
