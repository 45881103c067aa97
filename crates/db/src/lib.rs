//! Connections to PostgreSQL.
//!
//! Two roads lead to the database. [`pipeline`] and [`pool`] carry requests: one write with the security context
//! and the statements, one Sync, rows handed out straight from the read buffer. [`system`] and [`listen`] carry
//! everything else (migrations, jobs, the catalog) over tokio-postgres. Both connect through the same
//! [`transport::Connector`], so TLS, authentication rules and several hosts behave alike.
//!
//! What it is not: it writes no SQL on users' tables and knows no tables.

pub mod error;
pub mod listen;
pub mod pipeline;
pub mod pool;
pub mod problems;
pub mod sqlstate;
mod startup;
pub mod system;
pub mod target;
mod tls;
pub mod transport;

pub use error::{DbError, Error};
pub use pipeline::{
    Call, CallOutcome, Context, End, Format, Isolation, Mode, Outcome, Row, RowSink, Statement,
};
pub use pool::{Lease, Pool, Pools};
pub use target::Target;
pub use transport::Connector;
