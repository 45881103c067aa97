//! Running an operation: plan, bind, one pipeline, answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bedplate_core::problem::NOT_FOUND;
use bedplate_core::{Ctx, Problem};
use bedplate_db::problems::INVALID_QUERY;
use bedplate_db::{Call, Context, DbError, End, Error, Lease, Mode, Outcome, Row, RowSink};
use bedplate_query::catalog::RoleId;
use bedplate_query::encode::Page;
use bedplate_query::gate::Gate;
use bedplate_query::limits::Limits;
use bedplate_query::request::{Node, Returning, Value};
use bedplate_query::statement::Planned;
use bedplate_query::{Operation, Request, Values};
use bytes::BytesMut;

use crate::plans::{Compiled, Snapshot};
use crate::problems::{NOT_SINGLE, TOO_MANY_AFFECTED};
use crate::sink::{Counted, Sink};
use crate::violations::Audience;
use crate::{Data, context, violations};

/// What holds for a run beyond the request itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions<'a> {
    /// A dry run: everything is checked, nothing stays.
    pub rollback: bool,
    /// A write that affects more rows is undone and refused.
    pub max_affected: Option<u64>,
    /// The answer must be exactly one row: anything else is undone and refused, with [`RowCount`] as the cause.
    pub single: bool,
    /// Further settings of the transaction, after the security context and before those of the role and the function.
    pub settings: &'a [(&'a str, &'a str)],
    /// Rules of a front door that differ from the platform's. One door uses one [`Style`](bedplate_query::request::Style),
    /// which is part of a plan's key, so plans of different rules are never mixed up.
    pub door: Option<&'a Door>,
}

/// The rules of a front door.
pub struct Door {
    pub gate: Arc<dyn Gate>,
    pub limits: Limits,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// How many rows there were where another number was asked for: the cause of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowCount(pub u64);

impl std::fmt::Display for RowCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows", self.0)
    }
}

impl std::error::Error for RowCount {}

/// What came of it. The rows themselves are in the caller's buffer, with commas between them.
#[derive(Debug)]
pub struct Answer {
    pub page: Page,
    /// Rows written, or read.
    pub affected: u64,
    /// What was counted when the request asked.
    pub total: Option<u64>,
    /// Upserts: whether the row is new.
    pub inserted: Option<bool>,
    /// The order as resolved; cursors are bound to it.
    pub order: Arc<str>,
    /// The function returns one value or row, not a set.
    pub single: bool,
    pub timings: Timings,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    pub plan: Duration,
    /// Waiting for a connection.
    pub wait: Duration,
    /// From the first byte sent to ReadyForQuery.
    pub database: Duration,
}

type Params<'v> = Vec<Option<Cow<'v, [u8]>>>;

/// The parameters of each statement.
struct Bound<'v> {
    guards: Vec<Params<'v>>,
    main: Params<'v>,
    count: Option<Params<'v>>,
}

impl<'v> Bound<'v> {
    fn new(planned: &'v Planned, values: &'v Values) -> Result<Self, Problem> {
        Ok(Self {
            guards: planned.guards.iter().map(|guard| guard.bind(values)).collect::<Result<_, _>>()?,
            main: planned.main.sql.bind(values)?,
            count: planned.count.as_ref().map(|count| count.sql.bind(values)).transpose()?,
        })
    }
}

impl Data {
    /// Runs the request as the caller of `ctx`, appending the rows to `out`. On an error nothing was committed, and what
    /// stands in `out` is to be dropped.
    pub async fn run(
        &self,
        ctx: &Ctx,
        request: &Request,
        options: RunOptions<'_>,
        out: &mut BytesMut,
    ) -> Result<Answer, Problem> {
        let started = Instant::now();
        let snapshot = self.snapshot();
        let role = context::role(&snapshot.catalog, &self.login, ctx)?;
        let gate = options.door.map_or_else(|| self.gate(), |door| Arc::clone(&door.gate));
        let limits = options.door.map_or(&self.limits, |door| &door.limits);
        let compiled = snapshot
            .plan(role, &*gate, limits, &request.operation)
            .map_err(|problem| self.refusal(ctx, problem))?;
        let bound = Bound::new(&compiled.planned, &request.values)?;
        let run = Run { data: self, ctx, snapshot: &snapshot, role, compiled: &compiled, request, options };
        let role_settings = snapshot.catalog.role(role).map_or(&[][..], |r| &r.settings);
        let read_only = !compiled.planned.writes;
        let mut pairs =
            context::pairs(ctx, &self.session, role_settings, &compiled.planned.settings, read_only);
        pairs.extend(self.search_path.as_deref().map(|path| ("search_path", path)));
        pairs.extend(options.settings.iter().copied());
        run.execute(&Context { settings: &pairs }, &bound, started.elapsed(), out).await
    }
}

struct Run<'a> {
    data: &'a Data,
    ctx: &'a Ctx,
    snapshot: &'a Snapshot,
    role: RoleId,
    compiled: &'a Compiled,
    request: &'a Request,
    options: RunOptions<'a>,
}

impl Run<'_> {
    async fn execute(
        &self,
        context: &Context<'_>,
        bound: &Bound<'_>,
        plan: Duration,
        out: &mut BytesMut,
    ) -> Result<Answer, Problem> {
        let calls = self.calls(bound);
        let start = out.len();
        let mut sink = Sink::new(self.compiled, probe_limit(self.request), out, start);
        let asked = Instant::now();
        let pools = &self.data.pools;
        let pool = if self.compiled.planned.writes { &pools.write } else { &pools.read };
        let mut lease = pool.acquire(self.ctx.deadline).await.map_err(|e| self.problem(e))?;
        let wait = asked.elapsed();
        let outcome = match self.run_on(&mut lease, context, &calls, &mut sink).await {
            // A read that broke with its connection is safe to ask again.
            Err(Error::Lost(_)) if !self.compiled.planned.writes => {
                sink.clear();
                lease = pool.acquire(self.ctx.deadline).await.map_err(|e| self.problem(e))?;
                self.run_on(&mut lease, context, &calls, &mut sink).await
            }
            other => other,
        };
        let database = asked.elapsed().saturating_sub(wait);
        // A row below a parent that is not there is refused by its policy or foreign key too; 404 is what is true.
        let outcome = outcome.map_err(|error| match (sink.parent_missing, &error) {
            (true, Error::Db(_)) => Problem::new(&NOT_FOUND),
            _ => self.problem(error),
        })?;
        self.check_guards(&outcome)?;
        let main = self.compiled.guards.len();
        let told = outcome.calls.get(main).map_or(0, |call| call.affected);
        let seen = sink.finish()?;
        if !self.compiled.planned.writes {
            self.check_single(seen.page.rows)?;
        }
        let total = match &seen.count {
            Some(count) => Some(self.total(context, &mut lease, count).await?),
            None => seen.total,
        };
        Ok(Answer {
            page: seen.page,
            affected: seen.affected.unwrap_or(told),
            total,
            inserted: seen.inserted,
            order: Arc::clone(&self.compiled.planned.main.order),
            single: self.compiled.planned.main.single,
            timings: Timings { plan, wait, database },
        })
    }

    fn calls<'b>(&'b self, bound: &'b Bound<'_>) -> Vec<Call<'b>> {
        let guards = self.compiled.guards.iter().zip(&bound.guards);
        let mut calls: Vec<Call<'b>> = guards.map(|(statement, params)| Call { statement, params }).collect();
        calls.push(Call { statement: &self.compiled.main, params: &bound.main });
        if let (Some(statement), Some(params)) = (&self.compiled.count, &bound.count) {
            calls.push(Call { statement, params });
        }
        calls
    }

    /// Reads and plain writes are one Sync. A write that may have to be undone after its rows are seen is committed
    /// separately.
    async fn run_on(
        &self,
        lease: &mut Lease,
        context: &Context<'_>,
        calls: &[Call<'_>],
        sink: &mut Sink<'_>,
    ) -> Result<Outcome, Error> {
        let deadline = self.ctx.deadline;
        if self.options.rollback {
            return lease.run(context, calls, End::Rollback(Mode::default()), sink, deadline).await;
        }
        let checked = self.options.max_affected.is_some() || self.options.single;
        let guarded = !self.compiled.guards.is_empty() || checked;
        if !(self.compiled.planned.writes && guarded) {
            return lease.run(context, calls, End::Implicit, sink, deadline).await;
        }
        let check = |outcome: &Outcome| {
            self.check_guards(outcome)?;
            self.check_affected(outcome)
        };
        lease.run_checked(context, calls, Mode::default(), sink, check, deadline).await
    }

    /// A parent of a nested path that is not there, or not to be known of.
    fn check_guards(&self, outcome: &Outcome) -> Result<(), Problem> {
        let guards = outcome.calls.iter().take(self.compiled.guards.len());
        if guards.into_iter().any(|call| call.rows == 0) { Err(Problem::new(&NOT_FOUND)) } else { Ok(()) }
    }

    fn check_affected(&self, outcome: &Outcome) -> Result<(), Problem> {
        let affected = outcome.calls.get(self.compiled.guards.len()).map_or(0, |call| call.affected);
        match self.options.max_affected {
            Some(most) if affected > most => Err(Problem::new(&TOO_MANY_AFFECTED)
                .detail(format!("{affected} rows would be changed, at most {most} are allowed"))
                .caused_by(RowCount(affected))),
            _ => self.check_single(affected),
        }
    }

    fn check_single(&self, rows: u64) -> Result<(), Problem> {
        if !self.options.single || rows == 1 {
            return Ok(());
        }
        Err(Problem::new(&NOT_SINGLE)
            .detail(format!("one row was asked for, and there are {rows}"))
            .caused_by(RowCount(rows)))
    }

    /// What the count's statement said. An estimate is asked for when exact counting reached its bound.
    async fn total(&self, context: &Context<'_>, lease: &mut Lease, count: &Counted) -> Result<u64, Problem> {
        let planned = self.compiled.planned.count.as_ref();
        let bound = self.options.door.map_or(&self.data.limits, |door| &door.limits).page_max;
        match (count, planned.and_then(|c| c.estimate.as_ref()), &self.compiled.estimate) {
            (Counted::Rows(rows), Some(sql), Some(statement)) if *rows > bound => {
                let params = sql.bind(&self.request.values)?;
                let mut estimate = Estimate::default();
                let call = [Call { statement, params: &params }];
                let ran = lease.run(context, &call, End::Implicit, &mut estimate, self.ctx.deadline).await;
                ran.map_err(|e| self.problem(e))?;
                planned_rows(&estimate.0)
            }
            (Counted::Rows(rows), ..) => Ok(*rows),
            (Counted::Plan(text), ..) => planned_rows(text),
        }
    }

    /// In development the caller is the developer, and gets to see what PostgreSQL said.
    fn problem(&self, error: Error) -> Problem {
        let said = self.data.explain_refusals.then(|| error.db().map(said)).flatten();
        // Functions are looked up in the catalog before they are called, so what else is missing is an operator: the type
        // has no such comparison or order.
        let no_operator = !matches!(self.request.operation, Operation::Call(_))
            && error.db().is_some_and(|db| db.code == "42883");
        let audience = Audience {
            catalog: &self.snapshot.catalog,
            gate: &*self.data.gate(),
            role: self.role,
            anonymous: !self.ctx.principal.is_signed_in(),
        };
        let mut problem = violations::problem(error, &audience);
        if no_operator && *problem.code() == NOT_FOUND {
            problem = Problem::new(&INVALID_QUERY)
                .sqlstate("42883")
                .detail("The type of a column has no such comparison, or cannot be ordered by");
        }
        match said {
            // What a plain RAISE says, everybody gets to see.
            Some(said) if problem.hint_text().is_none() && problem.sqlstate_text() != Some("P0001") => {
                problem.hint(said)
            }
            _ => problem,
        }
    }
}

fn said(error: &DbError) -> String {
    let hint = error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    let place = error.context.as_ref().and_then(|context| context.lines().next());
    let place = place.map(|place| format!(", in {place}")).unwrap_or_default();
    format!("PostgreSQL says: {}{hint}{place}", error.message)
}

/// The estimate in the answer of `EXPLAIN (FORMAT JSON)`.
fn planned_rows(text: &str) -> Result<u64, Problem> {
    let plan: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let rows = plan.as_ref().and_then(|plan| plan.get(0)?.get("Plan")?.get("Plan Rows")?.as_f64());
    rows.map(|rows| rows.max(0.0) as u64)
        .ok_or_else(|| Problem::internal_error(format!("an estimate came back as {text:?}")))
}

/// Takes the text of an EXPLAIN.
#[derive(Default)]
struct Estimate(String);

impl RowSink for Estimate {
    fn row(&mut self, _call: usize, row: Row<'_>) -> Result<(), Problem> {
        self.0.push_str(&String::from_utf8_lossy(row.columns().next().flatten().unwrap_or_default()));
        Ok(())
    }
}

/// The page limit, when the statement asks for one row more.
fn probe_limit(request: &Request) -> Option<u64> {
    let node: &Node = match &request.operation {
        Operation::Read(read) => &read.node,
        Operation::Call(call) => &call.node,
        Operation::Insert(_) | Operation::Update(_) | Operation::Delete(_) => return None,
    };
    if let Some(rows) = node.page.rows.filter(|_| node.page.probe) {
        return Some(u64::from(rows));
    }
    let limit = node.page.limit.filter(|_| node.page.probe)?;
    match request.values.get(limit) {
        Value::Int(limit) => u64::try_from(*limit).ok(),
        _ => None,
    }
}

/// Whether the operation's answer has rows.
pub fn answers_rows(operation: &Operation) -> bool {
    let returning = match operation {
        Operation::Read(_) | Operation::Call(_) => return true,
        Operation::Insert(insert) => &insert.returning,
        Operation::Update(update) => &update.returning,
        Operation::Delete(delete) => &delete.returning,
    };
    matches!(returning, Returning::Rows(_))
}
