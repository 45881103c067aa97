//! Runs plans: holds the catalog snapshot and the plans made against it, takes a connection, sends the security context and
//! the statements as one pipeline, and encodes the rows into the caller's buffer.
//!
//! This is the only door to users' tables for requests. It takes a [`Ctx`](bedplate_core::Ctx): no caller, no query.

mod budgets;
pub mod catalog;
mod context;
mod door;
pub mod idempotency;
mod nested;
mod plans;
mod precheck;
pub mod problems;
pub mod retry;
mod run;
mod sink;
mod statistics;
mod tell;
mod transaction;
mod violations;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bedplate_core::problem::{FORBIDDEN, NOT_FOUND, UNAUTHENTICATED};
use bedplate_core::{Ctx, Problem};
use bedplate_db::{Format, Pools, Statement};
use bedplate_query::catalog::{Catalog, RelationId, RoleId};
use bedplate_query::gate::{Denial, Gate, Verb};
use bedplate_query::limits::Limits;

pub use budgets::{Budgets, RoleBudget};
pub use context::{RoleRefusal, Timeouts, session_parameters};
pub use door::{Door, PreRequest, SqlResponse};
pub use idempotency::{Attempt, Concluded, Once};
pub use nested::{Made, Write};
pub use plans::Snapshot;
pub use retry::Pauses;
pub use run::{Answer, NotASet, RowCount, RunOptions, Shape, Timings, answers_rows};
pub use statistics::{About, Costs, Overview, Statistics};
pub use transaction::{Checked, Needs, Refused, Transaction, Work};

use budgets::{Refusals, Turns};
use context::Session;
use idempotency::{Idempotency, Required};

/// What [`Data`] is made with.
pub struct Config {
    /// The role that request connections log in as.
    pub login: String,
    /// The role that says which roles requests may have, when the database has it; else the login does.
    pub gatekeeper: Option<String>,
    pub limits: Limits,
    pub timeouts: Timeouts,
    pub budgets: Budgets,
    /// Plans of usual size kept per catalog snapshot; large ones count for several.
    pub plan_cache_entries: usize,
    /// Development: a refusal says which grant or policy is missing, and an error of PostgreSQL what PostgreSQL said.
    pub explain_refusals: bool,
    /// Where idempotency keys are kept; `None`: nowhere, and requests with a key are refused.
    pub idempotency: Option<idempotency::Config>,
    /// Resources whose writes need a key: `name`, `schema.name`, `rpc/name`, or `*`.
    pub idempotency_required: Vec<String>,
    /// Set in each transaction, where the connections' sessions are a pooler's. `None`: the pools' sessions were started
    /// with [`session_parameters`] and a search path.
    pub search_path: Option<String>,
}

/// The engine behind every front door. Shared by all requests.
pub struct Data {
    pools: Pools,
    gate: ArcSwap<GateHolder>,
    snapshot: ArcSwap<Snapshot>,
    limits: Limits,
    session: Session,
    login: String,
    gatekeeper: Option<String>,
    sql_response: Statement,
    set_place: Statement,
    set_one: Statement,
    plan_cache_entries: usize,
    budgets: Arc<Budgets>,
    turns: Turns,
    refusals: Refusals,
    statistics: Arc<Statistics>,
    explain_refusals: bool,
    search_path: Option<String>,
    idempotency: Option<Idempotency>,
    idempotency_counters: idempotency::Counters,
    required: Option<Required>,
    retries: retry::Counters,
}

/// `ArcSwap` needs a sized type.
struct GateHolder(Arc<dyn Gate>);

impl Data {
    pub fn new(pools: Pools, gate: Arc<dyn Gate>, catalog: Arc<Catalog>, config: Config) -> Self {
        let budgets = Arc::new(config.budgets);
        let statistics = Arc::<Statistics>::default();
        let entries = config.plan_cache_entries;
        let snapshot = Snapshot::new(catalog, entries, Arc::clone(&budgets), Arc::clone(&statistics));
        Self {
            pools,
            gate: ArcSwap::from_pointee(GateHolder(gate)),
            snapshot: ArcSwap::from_pointee(snapshot),
            turns: Turns::new(budgets.expensive_at_once, budgets.wait),
            refusals: Refusals::default(),
            statistics,
            budgets,
            limits: config.limits,
            session: Session::new(&config.timeouts, config.search_path.is_none()),
            login: config.login,
            gatekeeper: config.gatekeeper,
            sql_response: Statement::new(door::SQL_RESPONSE, [Format::Text]),
            set_place: Statement::new(transaction::SET_PLACE, [Format::Text]),
            set_one: Statement::new(transaction::SET_ONE, [Format::Text]),
            plan_cache_entries: config.plan_cache_entries,
            explain_refusals: config.explain_refusals,
            search_path: config.search_path,
            idempotency: config.idempotency.map(Idempotency::new),
            idempotency_counters: idempotency::Counters::default(),
            required: Required::new(&config.idempotency_required),
            retries: retry::Counters::default(),
        }
    }

    /// The snapshot that requests starting now use.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.snapshot.load().catalog)
    }

    /// Puts a new catalog in place. Requests under way finish with the old one.
    pub fn replace_catalog(&self, catalog: Arc<Catalog>) {
        let (budgets, statistics) = (Arc::clone(&self.budgets), Arc::clone(&self.statistics));
        let snapshot = Snapshot::new(catalog, self.plan_cache_entries, budgets, statistics);
        self.snapshot.store(Arc::new(snapshot));
    }

    pub fn gate(&self) -> Arc<dyn Gate> {
        Arc::clone(&self.gate.load().0)
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The most rows of one page that the caller may ask for.
    pub fn page_max(&self, ctx: &Ctx) -> u64 {
        let own = self.budgets.rows(&ctx.principal.role);
        own.map_or(self.limits.page_max, |own| own.min(self.limits.page_max))
    }

    /// Requests refused because of a budget so far, by the budget's name.
    pub fn refusals(&self) -> [(&'static str, u64); 3] {
        self.refusals.by_budget()
    }

    /// What statements cost so far, by shape.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// How often work was done again.
    pub fn retries(&self) -> &retry::Counters {
        &self.retries
    }

    pub fn pools(&self) -> &Pools {
        &self.pools
    }

    /// The role of a caller in the present catalog; a problem when it may not make requests.
    pub fn role(&self, catalog: &Catalog, ctx: &Ctx) -> Result<RoleId, Problem> {
        context::role(catalog, &self.login, self.gatekeeper.as_deref(), ctx)
    }

    /// Whether the gate lets the caller do this with a relation, as a problem otherwise: 404 for what it may not know of.
    pub fn permit(
        &self,
        ctx: &Ctx,
        catalog: &Catalog,
        role: RoleId,
        relation: RelationId,
        verb: Verb,
    ) -> Result<(), Problem> {
        let denial = self.gate.load().0.relation(catalog, role, relation, verb);
        denial.map_err(|denial| match denial {
            Denial::Hidden(why) => self.refusal(ctx, Problem::new(&NOT_FOUND).internal(why)),
            Denial::Forbidden(why) => self.refusal(ctx, Problem::new(&FORBIDDEN).hint(why)),
        })
    }

    /// A refusal as the caller gets it: signing in may help who is not signed in, and hints are for developers.
    pub fn refusal(&self, ctx: &Ctx, problem: Problem) -> Problem {
        if *problem.code() == NOT_FOUND {
            return self.explain_hidden(problem);
        }
        if *problem.code() != FORBIDDEN {
            return problem;
        }
        let problem = if ctx.principal.is_signed_in() {
            problem
        } else {
            let told = Problem::new(&UNAUTHENTICATED).header("WWW-Authenticate", "Bearer");
            match problem.hint_text() {
                Some(hint) => told.hint(hint.to_owned()),
                None => told,
            }
        };
        if self.explain_refusals { problem } else { problem.without_hint() }
    }

    /// What is not served is told apart from what is not there in development only.
    fn explain_hidden(&self, problem: Problem) -> Problem {
        match problem.internal_text().map(|why| format!("It is there, but it is not served: {why}")) {
            Some(why) if self.explain_refusals => problem.hint(why),
            _ => problem,
        }
    }
}
