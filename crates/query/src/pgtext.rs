//! JSON values of a body to PostgreSQL's text input, by type.

use std::sync::Arc;

/// What a JSON value must become. Decided when planned, from the column's type.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// json and jsonb: the JSON text itself.
    Json,
    /// Any type whose text input takes what a JSON scalar prints as (numbers, booleans, strings without quotes).
    Scalar,
    /// An array of `Target`: `{…}`.
    Array(Arc<Target>),
    /// A composite: fields in order, by name: `(…)`.
    Composite(Arc<[(crate::ident::Ident, Target)]>),
}
