//! Idempotency keys as the app runs them: where they are kept, what is told of them, and who sweeps.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bedplate_core::Problem;
use bedplate_data::{Data, idempotency::Config};
use bedplate_db::{Connector, system};
use bedplate_http::{Collector, Samples};
use bedplate_query::catalog::Catalog;
use bedplate_settings::sections::Settings;
use rand::RngExt as _;

bedplate_core::codes! {
    /// `api.idempotency_required` lists something that is not there.
    IDEMPOTENCY_RESOURCE_UNKNOWN = "idempotency_resource_unknown", 500, Access,
        "A resource that needs idempotency keys is not there", final;
}

/// Records deleted by one statement: it must not hold its locks for long.
const BATCH: i32 = 2_000;
/// Between two statements, so that a large backlog does not take the disk for itself.
const BREATH: Duration = Duration::from_millis(50);

/// Where keys are kept; nowhere, in a database without the contract.
pub fn config(settings: &Settings, owner: &Connector) -> Option<Config> {
    let api = &settings.api;
    settings.database.contract.then(|| Config {
        owner: owner.clone(),
        lifetime: api.idempotency_keep,
        wait: api.idempotency_wait,
        answer_bytes: api.idempotency_answer.as_usize(),
        keys_per_user: u32::try_from(api.idempotency_keys_per_user).unwrap_or(u32::MAX),
    })
}

/// A slip in `api.idempotency_required` would leave open what is meant to be closed.
pub fn check_required(data: &Data, catalog: &Catalog) -> Result<(), Problem> {
    let unknown = data.unknown_required(catalog);
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Problem::new(&IDEMPOTENCY_RESOURCE_UNKNOWN)
        .detail(format!("api.idempotency_required names what is not there: {}", unknown.join(", ")))
        .hint("write tables and views as `name` or `schema.name`, functions as `rpc/name`"))
}

/// Deletes what has expired, as long as the engine lives: often enough that at most a tenth more than the lifetime is kept.
pub fn sweep(owner: Connector, data: &Arc<Data>, lifetime: Duration) {
    let between = (lifetime / 10).clamp(Duration::from_secs(1), Duration::from_mins(5));
    let data = Arc::downgrade(data);
    tokio::spawn(async move {
        loop {
            // Not all servers at once.
            let pause = between.mul_f64(rand::rng().random_range(0.5..1.0));
            tokio::time::sleep(pause).await;
            if data.strong_count() == 0 {
                return;
            }
            if let Err(problem) = sweep_once(&owner, &data).await {
                tracing::warn!(%problem, "expired idempotency keys could not be deleted; it is tried again later");
            }
        }
    });
}

/// All that has expired, unless another server is at it.
async fn sweep_once(owner: &Connector, data: &Weak<Data>) -> Result<(), Problem> {
    let client = system::connect(owner).await?;
    while let Some(data) = data.upgrade() {
        match data.sweep_idempotency_keys(&client, BATCH).await? {
            Some(gone) if gone >= u64::from(BATCH.unsigned_abs()) => {}
            _ => break,
        }
        drop(data);
        tokio::time::sleep(BREATH).await;
    }
    Ok(())
}

/// Holds a weak reference: metrics must not keep the engine alive.
pub fn collector(data: &Arc<Data>) -> impl Collector {
    let data = Arc::downgrade(data);
    move |samples: &mut Samples| {
        let Some(data) = data.upgrade() else { return };
        let keys = data.idempotency_counters();
        let mut counter = |name, help, labels: &[(&'static str, &str)], value: &AtomicU64| {
            samples.counter(name, help, labels, value.load(Relaxed));
        };
        counter("bedplate_idempotency_requests", "Requests with an Idempotency-Key.", &[], &keys.begun);
        counter("bedplate_idempotency_kept", "Answers kept with their key.", &[], &keys.kept);
        counter("bedplate_idempotency_replayed", "Kept answers given again.", &[], &keys.replayed);
        let conflicts = "Requests refused because of another one with their key.";
        for (reason, value) in [("reused", &keys.reused), ("running", &keys.running)] {
            counter("bedplate_idempotency_conflicts", conflicts, &[("reason", reason)], value);
        }
        let refused = "Requests with a key refused by a limit: weak keys, large answers, too many keys.";
        counter("bedplate_idempotency_refused", refused, &[], &keys.refused);
        counter("bedplate_idempotency_swept", "Expired keys deleted.", &[], &keys.swept);
        let retries = data.retries();
        let again = "Times that work was done again: collisions of transactions, broken connections.";
        for (reason, value) in [("collision", &retries.conflicts), ("connection", &retries.broken)] {
            counter("bedplate_database_retries", again, &[("reason", reason)], value);
        }
    }
}
