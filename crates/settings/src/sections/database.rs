use std::time::Duration;

use super::{checks, ms, secs};
use crate::ConnectionUrl;
use crate::field::choices;
use crate::table::section;

choices! {
    /// What stands between Bedplate and an external PostgreSQL.
    pub enum Pooler {
        /// Nothing: connections are ours alone.
        None = "none",
        /// A pooler in transaction mode (PgBouncer, Supavisor, pgcat): nothing may outlive a transaction.
        Transaction = "transaction",
    }
}

choices! {
    /// Whether PostgreSQL may be downloaded when this machine has none.
    pub enum Download {
        /// Ask on a terminal; without one, refuse with the command that allows it.
        Ask = "ask",
        Never = "never",
        Yes = "yes",
    }
}

section! {
    /// The database: an external one when `url` (or the variable `DATABASE_URL`) is set, else a private PostgreSQL
    /// that Bedplate manages in the state folder.
    pub struct Database {
        /// The owner's connection, for migrations and administration: `postgres://user:password@host/db`. It leads to
        /// the server itself, not to a transaction pooler. Several hosts are allowed. Also set by `DATABASE_URL`.
        url: Option<ConnectionUrl> = None;
        /// The connection that serves requests: a login that owns nothing and may switch to the API roles. Not set:
        /// `url` for an external database, the role `authenticator` for the managed one.
        api_url: Option<ConnectionUrl> = None;
        /// Whether the database has Bedplate's contract: its system schemas and the migrations' ledger. `false` is for a
        /// database that is served as it is, such as one made for PostgREST: nothing is installed and no migration runs,
        /// and `url` may be the login of requests. `/rest/v1` works whole; what needs system tables is not offered.
        contract: bool = true;
        /// A transaction pooler that `api_url` leads through, if there is one.
        pooler: Pooler = Pooler::None;
        /// Connections for reads; not set: 4 per core, from 10 to 20.
        pool_read: Option<usize> = None, range(Some(1), Some(1_000));
        /// Connections for writes; more than for reads, so that commits share one flush. Not set: 16.
        pool_write: Option<usize> = None, range(Some(1), Some(1_000));
        /// How long a request waits for a connection before it is answered 503.
        pool_wait: Duration = secs(3), range(ms(10), secs(60));
        /// Time to connect and sign in.
        connect_timeout: Duration = secs(5), range(ms(100), secs(60));
        /// Idle connections above the minimum are closed after this time.
        idle_timeout: Duration = secs(30), range(secs(1), secs(86_400));
        /// Age at which a connection is replaced, with some jitter.
        lifetime: Duration = secs(1_800), range(secs(10), secs(86_400));
        /// Schemas whose tables, views and functions the API offers, subject to grants and policies. The first one is
        /// the default.
        schemas: Vec<String> = vec!["public".into()], check(checks::some_identifiers);
        /// Further schemas on the search path of requests, for functions and operators only.
        extra_search_path: Vec<String> = vec!["extensions".into()], check(checks::identifiers);
        /// Time limit of one statement for callers who are not signed in.
        statement_timeout_anon: Duration = secs(3), range(ms(10), secs(3_600));
        /// Time limit of one statement for signed-in users.
        statement_timeout_authenticated: Duration = secs(8), range(ms(10), secs(3_600));
        /// Time limit of one statement for the service role.
        statement_timeout_service: Duration = secs(30), range(ms(10), secs(3_600));
        /// How long a request's statement waits for a lock.
        lock_timeout: Duration = secs(2), range(ms(10), secs(600));
        /// Managed PostgreSQL: folder with `initdb` and `postgres`, when the search should not decide.
        pg_bin: Option<String> = None;
        /// Managed PostgreSQL: whether it may be downloaded when this machine has none.
        download: Download = Download::Ask;
        /// Managed PostgreSQL: address of the archive to download; `{version}`, `{os}` and `{arch}` are filled in.
        download_url: Option<String> = None, check(checks::secure_url);
        /// Managed PostgreSQL: exact version of that archive, such as `18.4`.
        download_version: Option<String> = None;
        /// Managed PostgreSQL: SHA-256 of that archive, in hexadecimal.
        download_sha256: Option<String> = None, check(checks::sha256);
    }
}

impl Database {
    /// Read connections for a machine with `cores` cores.
    pub fn read_connections(&self, cores: usize) -> usize {
        self.pool_read.unwrap_or_else(|| (4 * cores).clamp(10, 20))
    }

    pub fn write_connections(&self) -> usize {
        self.pool_write.unwrap_or(16)
    }

    /// Whether Bedplate runs its own PostgreSQL.
    pub fn is_managed(&self) -> bool {
        self.url.is_none()
    }
}
