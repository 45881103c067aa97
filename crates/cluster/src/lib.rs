//! The managed private PostgreSQL: finds server binaries, makes the data folder, starts `postgres` as a direct child on
//! a private unix socket, watches over it, and stops it cleanly, also when this process is killed with -9.
//!
//! One folder (`.bedplate`) holds everything:
//!
//! | path | what |
//! |---|---|
//! | `pg/` | the data folder; `pg.new/` while it is being made |
//! | `pg.lock` | locked for life by the process that runs the server; holds its pid |
//! | `run/` | the socket, mode 0700; elsewhere when the path would be too long for a socket |
//! | `log/postgres.log` | what the server says; rotated here |
//! | `ballast` | space given back when the disk is full, so that recovery can finish |
//!
//! There is no TCP port and no password: whoever may enter the socket folder (this user and root) is trusted.
//!
//! Nothing here prints: progress goes to the caller as [`Event`], the state as [`State`].

mod account;
mod binaries;
mod cluster;
mod data;
mod download;
mod error;
mod event;
#[cfg(any(test, not(target_os = "linux")))]
mod guard;
mod initdb;
mod layout;
mod leftovers;
mod lock;
mod log;
mod options;
mod postmaster;
mod prepare;
mod probe;
mod processes;
mod socket;
mod space;
mod spawn;
mod supervisor;
mod tuning;

pub use account::Account;
pub use binaries::{Binaries, Version, find_binaries};
pub use cluster::{Cluster, State, start};
pub use download::{Consent, Download, Offer, Source};
pub use error::{Error, codes};
pub use event::Event;
pub use options::{Options, Probes, Restart};

/// The oldest major version that Bedplate runs on.
pub const OLDEST_MAJOR: u32 = 15;
