//! Bodies checked against the catalog before the database is asked: all faults at once, by field.

pub mod body;
