//! Migrations: discover, run, roll back, ledger; the system schemas that apps expect.
//!
//! [`system`] installs the database contract. [`Folder`] reads an app's migrations, [`up`] and [`down`] run them,
//! [`status()`] and [`plan`] only look; [`Policies`] and [`Seeds`] are the other two kinds of SQL files of an app.
//! Nothing here prints or decides when to run: the command line and `serve` do. Not here yet: rehearsing a migration
//! on a copy; the seam is [`Folder`] plus a connection to that copy.
//!
//! Connections are plain [`tokio_postgres::Client`]s, one for the owner and optionally one for a superuser, and belong
//! to the call while it runs. They must reach the server itself, not a transaction pooler: runners wait for each other
//! on a session's advisory lock.

mod classify;
mod error;
mod exec;
mod extension;
mod folder;
mod ident;
mod ledger;
mod lex;
mod limitation;
mod options;
mod policies;
mod run;
mod seed;
mod session;
mod split;
mod status;
mod steps;
pub mod system;
mod transaction;

pub use error::{
    ALL as CODES, Edited, Error, MIGRATION_BUSY, MIGRATION_DATABASE, MIGRATION_REFUSED, StatementError,
};
pub use extension::provided as provided_extensions;
pub use folder::{Folder, Migration, Script, create};
pub use limitation::Limitation;
pub use options::{Event, Options, Ran, Report};
pub use policies::{Policies, PoliciesReport};
pub use run::{down, up};
pub use seed::{SeedReport, Seeded, Seeds};
pub use split::{SplitError, Statement, line_and_column, split};
pub use status::{Entry, Planned, State, plan, status};
