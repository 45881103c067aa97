//! Idempotency keys: a request with a key has one effect and one answer, however often it comes.
//!
//! The claim of the key rides in front of the write, in the same message; the answer is made while the transaction is open,
//! and is kept by the message that commits. So record and effect are there together or not at all, and whoever claims the key
//! afterwards finds the answer. Why it is so: docs/decisions/2026-11-21-idempotency-keys.md.

pub(crate) mod attempt;
mod claim;
mod driver;
mod gate;
mod record;
mod required;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bedplate_core::{Ctx, Problem};
use bedplate_db::{Connector, Error, system};
use bedplate_query::Request;
use bedplate_query::catalog::Catalog;
use tokio::sync::OnceCell;

use crate::problems::{IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_UNAVAILABLE};
use crate::{Data, Snapshot};

pub use attempt::Attempt;
pub use record::Parts;

use claim::{Claim, Secret};
use gate::Gate;
use record::Statements;
pub(crate) use required::Required;

/// Where keys are kept, and within which bounds.
#[derive(Clone)]
pub struct Config {
    /// The owner of the contract: reads the server's secret, and sweeps.
    pub owner: Connector,
    /// How long an answer is kept.
    pub lifetime: Duration,
    /// How long a request waits for another one with its key before it is refused.
    pub wait: Duration,
    /// The largest answer that is kept, in bytes; a write with a larger one is undone and refused.
    pub answer_bytes: usize,
    /// How many keys a user may have at a time, roughly. Callers without an account together, and the service role, may have
    /// a hundred times as many.
    pub keys_per_user: u32,
}

/// A request that is to have one effect.
pub struct Once<'a, A> {
    /// As the client chose it.
    pub key: &'a str,
    pub method: &'a str,
    /// The raw path and query.
    pub path: &'a str,
    pub query: &'a str,
    /// SHA-256 over everything that the answer depends on.
    pub fingerprint: [u8; 32],
    /// The parts of an answer; `None` for one that cannot be kept, since it is made while it is sent.
    pub parts: fn(&A) -> Option<Parts>,
}

/// What came of a request with a key.
#[derive(Debug)]
pub enum Concluded<A> {
    /// It was done now.
    Done(A),
    /// It was done before; this is what was answered.
    Replayed(Parts),
}

/// What happened since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests with a key.
    pub begun: AtomicU64,
    /// Answers kept.
    pub kept: AtomicU64,
    pub replayed: AtomicU64,
    /// Refused: another request had the key before.
    pub reused: AtomicU64,
    /// Refused: the request was still running.
    pub running: AtomicU64,
    /// Refused by a bound: weak keys, large answers, too many keys.
    pub refused: AtomicU64,
    /// Records deleted after their time.
    pub swept: AtomicU64,
}

pub(crate) struct Idempotency {
    config: Config,
    statements: Statements,
    gate: Gate,
    secret: OnceCell<Secret>,
}

impl Idempotency {
    pub fn new(config: Config) -> Self {
        Self { config, statements: Statements::default(), gate: Gate::default(), secret: OnceCell::new() }
    }

    /// Read when the first key comes.
    async fn secret(&self) -> Result<&Secret, Problem> {
        let read = async {
            let client = system::connect(&self.config.owner).await?;
            let sql = "select value from bedplate.secrets where name = 'idempotency'";
            let row = client.query_one(sql, &[]).await.map_err(|error| match Error::from(error) {
                Error::Db(db) => older_contract().internal(db.to_string()),
                other => other.into(),
            });
            row.map(|row| Secret::new(row.get(0)))
        };
        self.secret.get_or_try_init(|| read).await
    }

    async fn claim<A>(&self, ctx: &Ctx, once: &Once<'_, A>) -> Result<Claim, Problem> {
        let place = [once.method, once.path, once.query];
        Ok(Claim::new(self.secret().await?, &ctx.principal, place, once.key, once.fingerprint))
    }
}

fn older_contract() -> Problem {
    Problem::new(&IDEMPOTENCY_UNAVAILABLE)
        .detail("The database's contract is older than this server, and has no place for keys")
        .hint("Run `bedplate migrate up`")
}

impl Data {
    pub fn idempotency_counters(&self) -> &Counters {
        &self.idempotency_counters
    }

    /// Names of `required` resources that the catalog does not have.
    pub fn unknown_required(&self, catalog: &Catalog) -> Vec<String> {
        self.required.as_ref().map(|required| required.unknown(catalog)).unwrap_or_default()
    }

    /// Deletes a batch of records whose time is over, and says how many; `None`: another server is at it.
    ///
    /// # Errors
    /// The database goes away.
    pub async fn sweep_idempotency_keys(
        &self,
        owner: &system::Client,
        most: i32,
    ) -> Result<Option<u64>, Problem> {
        let row = owner.query_one("select bedplate.idempotency_sweep($1)", &[&most]).await;
        let gone: Option<i64> = row.map_err(Error::from)?.get(0);
        let gone = gone.map(|gone| u64::try_from(gone).unwrap_or(0));
        let swept = &self.idempotency_counters.swept;
        swept.fetch_add(gone.unwrap_or(0), std::sync::atomic::Ordering::Relaxed);
        Ok(gone)
    }

    /// Refuses a write without a key where the configuration wants one.
    pub(crate) fn check_key(&self, snapshot: &Snapshot, request: &Request) -> Result<(), Problem> {
        let Some(required) = &self.required else { return Ok(()) };
        if required.covers(&snapshot.catalog, &request.operation) {
            return Err(Problem::new(&IDEMPOTENCY_KEY_REQUIRED)
                .detail("This resource takes writes only with an Idempotency-Key header")
                .hint("Send one made for this request alone, a UUID for example, and the same one when you repeat it"));
        }
        Ok(())
    }

    pub(crate) fn idempotency(&self) -> Result<&Idempotency, Problem> {
        self.idempotency.as_ref().ok_or_else(|| {
            Problem::new(&IDEMPOTENCY_UNAVAILABLE)
                .detail("This database has no place to keep answers in, so a key could not be honoured")
                .hint("Leave Idempotency-Key out, or let Bedplate install its contract (database.contract = true)")
        })
    }
}
