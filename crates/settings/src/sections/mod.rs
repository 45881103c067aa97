//! The settings, one row each. To add one, add a row: the parser, the reference, the schema and `config explain`
//! follow from it.

mod access;
mod api;
mod auth;
mod budgets;
mod cache;
#[allow(clippy::ptr_arg, clippy::ref_option, reason = "a check takes the row's own type")]
mod checks;
mod database;
mod generate;
mod limits;
mod operation;
mod outgoing;
mod project;
mod rate_limit;
mod rest;
#[allow(clippy::ptr_arg, clippy::ref_option, reason = "a check takes the row's own type")]
mod rest_checks;
mod server;
mod telemetry;

pub use access::{Access, SchemaAccess};
pub use api::{Api, Count, ErrorFormat, OpenApiAudience};
pub use auth::{Algorithm, Auth, Issuer};
pub use budgets::{Budgets, RoleBudget};
pub use cache::{Cache, CachePolicy};
pub use database::{Database, Download, Pooler};
pub use generate::Gen;
pub use limits::Limits;
pub use operation::{Dev, Log, LogFormat, Metrics};
pub use outgoing::Outgoing;
pub use project::{Migrations, Policies, Project, Seed};
pub use rate_limit::{RateLimit, RoleRate};
pub use rest::{OpenApiMode, Rest, TxEnd};
pub use server::{ForwardedHeader, Server};
pub use telemetry::Telemetry;

use std::time::Duration;

use crate::table::section;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

section! {
    /// All of `bedplate.toml`. Only what differs from the defaults needs to stand there.
    pub struct Settings {
        groups {
            project: Project;
            server: Server;
            limits: Limits;
            rate_limit: RateLimit;
            budgets: Budgets;
            cache: Cache;
            database: Database;
            auth: Auth;
            api: Api;
            rest: Rest;
            access: Access;
            migrations: Migrations;
            policies: Policies;
            seed: Seed;
            r#gen: Gen;
            outgoing: Outgoing;
            log: Log;
            metrics: Metrics;
            telemetry: Telemetry;
            dev: Dev;
        }
    }
}
