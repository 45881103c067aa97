//! Running an operation: plan, bind, one pipeline, answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bedplate_core::problem::NOT_FOUND;
use bedplate_core::{Ctx, Problem};
use bedplate_db::problems::INVALID_QUERY;
use bedplate_db::{
    Call, Context, DbError, End, Error, Isolation, Lease, Mode, Outcome, Row, RowSink, Statement,
};
use bedplate_query::catalog::RoleId;
use bedplate_query::encode::Page;
use bedplate_query::media::Media;
use bedplate_query::output::Output;
use bedplate_query::request::{Node, Returning, Value};
use bedplate_query::statement::{Planned, Sql};
use bedplate_query::{Operation, Request, Values};
use bytes::BytesMut;
use tokio::sync::SemaphorePermit;

use crate::context::Hoisting;
use crate::door::{Door, SqlResponse};
use crate::idempotency::Attempt;
use crate::idempotency::attempt::Held;
use crate::plans::{Compiled, Snapshot};
use crate::problems::{ANSWER_TOO_LARGE, NOT_SINGLE, TOO_MANY_AFFECTED};
use crate::retry::Retries;
use crate::sink::{Counted, SILENT, Seen, Sink};
use crate::tell::{self, Teller};
use crate::{Data, context};

/// What holds for a run beyond the request itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions<'a> {
    /// A dry run: everything is checked, nothing stays.
    pub rollback: bool,
    /// A write that affects more rows is undone and refused; so is a call that answers more.
    pub max_affected: Option<u64>,
    /// The answer must be exactly one row: anything else is undone and refused, with [`RowCount`] as the cause.
    pub single: bool,
    /// Another search path than the connections have.
    pub search_path: Option<&'a str>,
    /// Further settings of the transaction; they win.
    pub settings: &'a [(&'a str, &'a str)],
    /// Rules of a front door that differ from the platform's.
    pub door: Option<&'a Door>,
    /// The request has an idempotency key: its transaction stays open in this until the answer is kept.
    pub within: Option<&'a Attempt>,
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

/// Rows were to be bounded of a function that answers no set: the cause of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotASet;

impl std::fmt::Display for NotASet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the function returns no set")
    }
}

impl std::error::Error for NotASet {}

/// How what stands in the caller's buffer is to be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Rows with commas between them: brackets are missing.
    List,
    /// One JSON value, or nothing where that is null.
    One,
    /// The whole answer.
    Whole,
    /// Nothing: the operation answers no rows.
    Nothing,
}

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
    /// When the row that came first was last changed, where the answer says so in `updated_at`.
    pub modified: Option<SystemTime>,
    /// The order as resolved; cursors are bound to it.
    pub order: Arc<str>,
    /// The function returns one value or row, not a set.
    pub single: bool,
    /// What the answer is, of what the caller takes.
    pub media: Media,
    pub shape: Shape,
    /// Headers and status that SQL asks for, where the door lets it.
    pub response: SqlResponse,
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

pub(crate) type Params<'v> = Vec<Option<Cow<'v, [u8]>>>;

/// The parameters of each statement.
pub(crate) struct Bound<'v> {
    guards: Vec<Params<'v>>,
    main: Params<'v>,
    count: Option<Params<'v>>,
}

impl<'v> Bound<'v> {
    pub(crate) fn new(planned: &'v Planned, values: &'v Values) -> Result<Self, Problem> {
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
        let role = self.role(&snapshot.catalog, ctx)?;
        let gate = options.door.map_or_else(|| self.gate(), |door| Arc::clone(&door.gate));
        let limits = options.door.map_or(&self.limits, |door| &door.limits);
        let door = options.door.map_or(0, Door::id);
        let compiled = snapshot
            .plan(role, door, &*gate, limits, &request.operation)
            .map_err(|problem| self.refusal(ctx, problem))?;
        // Before anything runs.
        if options.within.is_none() && !options.rollback {
            self.check_key(&snapshot, request)?;
        }
        if options.max_affected.is_some() && compiled.planned.main.single {
            return Err(Problem::new(&TOO_MANY_AFFECTED)
                .detail("This function answers one value; only of a set can the rows be bounded")
                .caused_by(NotASet));
        }
        let bound = Bound::new(&compiled.planned, &request.values)?;
        let role_settings = snapshot.catalog.role(role).map_or(&[][..], |r| &r.settings);
        let hoisting = Hoisting {
            role: role_settings,
            function: &compiled.planned.settings,
            allowed: options.door.and_then(|door| door.hoisted.as_deref()),
        };
        // An answer is kept also of what does not write.
        let read_only = !compiled.planned.writes && options.within.is_none();
        let mut pairs = context::pairs(ctx, &self.session, hoisting, read_only);
        let search_path = options.search_path.or(self.search_path.as_deref());
        pairs.extend(search_path.map(|path| ("search_path", path)));
        let of_door = options.door.map_or(&[][..], |door| &door.settings);
        pairs.extend(of_door.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        pairs.extend(options.settings.iter().copied());
        if reads_response(options.door, &request.operation, &compiled.planned) {
            pairs.extend(SILENT);
        }
        let mode = Mode { isolation: hoisting.isolation(), read_only: false };
        let run = Run {
            data: self,
            ctx,
            snapshot: &snapshot,
            role,
            compiled: &compiled,
            request,
            options,
            mode,
            told: AtomicU64::new(UNTOLD),
        };
        run.execute(&Context { settings: &pairs }, &bound, started.elapsed(), out).await
    }
}

pub(crate) struct Run<'a> {
    pub data: &'a Data,
    pub ctx: &'a Ctx,
    pub snapshot: &'a Arc<Snapshot>,
    pub role: RoleId,
    pub compiled: &'a Compiled,
    pub request: &'a Request,
    pub options: RunOptions<'a>,
    pub mode: Mode,
    /// How many rows a write says that it affected, in a column; before it is committed.
    pub told: AtomicU64,
}

/// What was run.
struct Ran {
    outcome: Outcome,
    /// Waiting for a connection.
    wait: Duration,
    /// `None`: an attempt has it.
    lease: Option<Lease>,
}

/// The statement has no such column.
pub(crate) const UNTOLD: u64 = u64::MAX;

/// Reads run no code of the app that means to say something about the answer, unless the pre-request function does, or an
/// aggregate that makes the answer.
fn reads_response(door: Option<&Door>, operation: &Operation, planned: &Planned) -> bool {
    let aggregates = planned.main.output == Output::Body;
    let speaks =
        |door: &Door| !matches!(operation, Operation::Read(_)) || door.pre_request.is_some() || aggregates;
    door.is_some_and(|door| door.responses && speaks(door))
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
        let mut sink = Sink::new(self.compiled, probe_limit(self.request), &self.told, out, start);
        sink.first = self.first();
        sink.response_at = self.reads_response().then(|| calls.len() - 1);
        self.data.check_cost(self.ctx, self.compiled, context).await?;
        let asked = Instant::now();
        let _turn = self.turn().await?;
        let ran = match self.options.within {
            None => self.run_alone(context, &calls, &mut sink).await,
            Some(attempt) => Box::pin(self.run_held(attempt, context, &calls, &mut sink)).await,
        };
        // A row below a parent that is not there is refused by its policy or foreign key too; 404 is what is true.
        let Ran { outcome, wait, mut lease } = ran.map_err(|error| {
            self.compiled.shape.fail();
            match (sink.parent_missing, &error) {
                (true, Error::Db(_)) => Problem::new(&NOT_FOUND),
                _ => self.problem(error),
            }
        })?;
        let database = asked.elapsed().saturating_sub(wait);
        self.check_guards(&outcome)?;
        if self.options.rollback {
            self.check_affected(&outcome)?;
        }
        let response = std::mem::take(&mut sink.response);
        let seen = sink.finish()?;
        if !self.compiled.planned.writes {
            self.check_rows(seen.page.rows)?;
        }
        let total = match &seen.count {
            Some(count) => Some(match &mut lease {
                Some(lease) => self.total(context, lease, count).await?,
                None => counted(count)?,
            }),
            None => seen.total,
        };
        let timings = Timings { plan, wait, database };
        let answer = Answer { response, timings, ..self.answer(seen, &outcome, total) };
        // A read may have fetched one row more, to know whether there is a further page.
        let rows = if self.compiled.planned.writes { answer.affected } else { answer.page.rows };
        self.data.statistics.record(&self.compiled.shape, &self.ctx.principal, rows, database);
        Ok(answer)
    }

    pub(crate) fn answer(&self, seen: Seen, outcome: &Outcome, total: Option<u64>) -> Answer {
        let told = outcome.calls.get(self.main()).map_or(0, |call| call.affected);
        Answer {
            page: seen.page,
            affected: seen.affected.unwrap_or(told),
            total,
            inserted: seen.inserted,
            modified: seen.modified,
            order: Arc::clone(&self.compiled.planned.main.order),
            single: self.compiled.planned.main.single,
            media: self.compiled.planned.main.media.clone(),
            shape: self.shape(),
            response: SqlResponse::default(),
            timings: Timings::default(),
        }
    }

    /// The place among those that cost more than others, if it is one of them.
    pub(crate) async fn turn(&self) -> Result<Option<SemaphorePermit<'_>>, Problem> {
        if !self.compiled.expensive {
            return Ok(None);
        }
        // Boxed, so that requests which do not wait do not carry the room for it.
        let turn = Box::pin(self.data.turns.take(self.ctx.deadline)).await;
        turn.map(Some).inspect_err(|_| {
            self.data.refusals.turn.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn shape(&self) -> Shape {
        let main = &self.compiled.planned.main;
        match main.output {
            Output::Nothing => Shape::Nothing,
            Output::Body | Output::Csv { .. } | Output::Lines => Shape::Whole,
            _ if main.is_single() => Shape::One,
            _ => Shape::List,
        }
    }

    /// Exactly one row is asked for, by the front door or by the representation. A function that returns one value or row
    /// always fits.
    fn wants_one(&self) -> bool {
        let main = &self.compiled.planned.main;
        (self.options.single || matches!(main.media, Media::Object { .. })) && !main.single && !main.is_plan()
    }

    /// Whether a write answers as many rows as there are. Those of an insert come with the request, and one value is one
    /// value.
    fn answers_without_bound(&self) -> bool {
        let main = &self.compiled.planned.main;
        let rows = !main.single && main.output != Output::Nothing;
        self.compiled.planned.writes && rows && !matches!(self.request.operation, Operation::Insert(_))
    }

    /// How many calls come before those of the operation.
    fn first(&self) -> usize {
        usize::from(self.pre_request().is_some())
    }

    /// The call whose rows are the answer.
    fn main(&self) -> usize {
        self.first() + self.compiled.guards.len()
    }

    fn pre_request(&self) -> Option<&Statement> {
        self.options.door?.pre_request.as_ref().map(|pre| &pre.0)
    }

    fn reads_response(&self) -> bool {
        reads_response(self.options.door, &self.request.operation, &self.compiled.planned)
    }

    pub(crate) fn calls<'b>(&'b self, bound: &'b Bound<'_>) -> Vec<Call<'b>> {
        let guards = self.compiled.guards.iter().zip(&bound.guards);
        let before = self.pre_request().map(|statement| Call { statement, params: &[] });
        let guards = guards.map(|(statement, params)| Call { statement, params });
        let mut calls: Vec<Call<'b>> = before.into_iter().chain(guards).collect();
        calls.push(Call { statement: &self.compiled.main, params: &bound.main });
        if let (Some(statement), Some(params)) = (&self.compiled.count, &bound.count) {
            calls.push(Call { statement, params });
        }
        if self.reads_response() {
            calls.push(Call { statement: &self.data.sql_response, params: &[] });
        }
        calls
    }

    /// Runs it in a transaction of its own, and again where that one was rolled back by a collision or did nothing.
    async fn run_alone(
        &self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        sink: &mut Sink<'_>,
    ) -> Result<Ran, Error> {
        let writes = self.compiled.planned.writes;
        let pool = if writes { &self.data.pools.write } else { &self.data.pools.read };
        let mut retries = Retries::default();
        let mut wait = Duration::ZERO;
        loop {
            let asked = Instant::now();
            let mut lease = pool.acquire_after(retries.since, self.ctx.deadline).await?;
            wait += asked.elapsed();
            let error = match self.run_on(&mut lease, context, calls, sink).await {
                Ok(outcome) => return Ok(Ran { outcome, wait, lease: Some(lease) }),
                Err(error) => error,
            };
            // Others may go on with the connection meanwhile.
            drop(lease);
            let again = retries.after(&error, !writes, self.ctx.deadline, &self.data.retries);
            let Some(pause) = again else { return Err(error) };
            sink.clear();
            if !pause.is_zero() {
                Box::pin(tokio::time::sleep(pause)).await;
            }
        }
    }

    /// Runs it in the attempt's transaction, which stays open when all is well.
    async fn run_held(
        &self,
        attempt: &Attempt,
        context: &Context<'_>,
        calls: &[Call<'_>],
        sink: &mut Sink<'_>,
    ) -> Result<Ran, Error> {
        let (deadline, asked) = (self.ctx.deadline, Instant::now());
        let mut lease = self.data.pools.write.acquire_after(attempt.since, deadline).await?;
        let wait = asked.elapsed();
        sink.bounded();
        let outcome = if self.options.rollback {
            lease.open(context, calls, self.mode, sink, deadline).await?
        } else {
            // What looks at each request looks at repeated ones too.
            attempt.open(&mut lease, context, calls, self.first(), self.mode, sink, deadline).await?
        };
        if self.compiled.planned.writes {
            self.check_guards(&outcome).and_then(|()| self.check_affected(&outcome)).map_err(Error::Sink)?;
        }
        attempt.hold(Held { lease, teller: self.teller(), dry_run: self.options.rollback });
        Ok(Ran { outcome, wait, lease: None })
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
            return lease.run(context, calls, End::Rollback(self.mode), sink, deadline).await;
        }
        let checked = self.options.max_affected.is_some() || self.wants_one() || self.answers_without_bound();
        let guarded = !self.compiled.guards.is_empty() || checked;
        if !(self.compiled.planned.writes && guarded) {
            // An implicit transaction is read committed.
            let implicit = self.mode.isolation == Isolation::ReadCommitted;
            let end = if implicit { End::Implicit } else { End::Commit(self.mode) };
            return lease.run(context, calls, end, sink, deadline).await;
        }
        let check = |outcome: &Outcome| {
            self.check_guards(outcome)?;
            self.check_affected(outcome)
        };
        sink.bounded();
        lease.run_checked(context, calls, self.mode, sink, check, deadline).await
    }

    /// A parent of a nested path that is not there, or not to be known of.
    pub(crate) fn check_guards(&self, outcome: &Outcome) -> Result<(), Problem> {
        let guards = outcome.calls.iter().skip(self.first()).take(self.compiled.guards.len());
        if guards.into_iter().any(|call| call.rows == 0) { Err(Problem::new(&NOT_FOUND)) } else { Ok(()) }
    }

    fn check_affected(&self, outcome: &Outcome) -> Result<(), Problem> {
        let told = self.told.load(Ordering::Relaxed);
        let counted = (told != UNTOLD).then_some(told);
        let affected = outcome.calls.get(self.main()).map_or(0, |call| call.affected);
        self.check_rows(counted.unwrap_or(affected))
    }

    fn check_rows(&self, rows: u64) -> Result<(), Problem> {
        if self.compiled.planned.main.is_plan() {
            return Ok(());
        }
        if self.options.max_affected.is_some_and(|most| rows > most) {
            let most = self.options.max_affected.unwrap_or_default();
            return Err(Problem::new(&TOO_MANY_AFFECTED)
                .detail(format!("{rows} rows would be changed, at most {most} are allowed"))
                .caused_by(RowCount(rows)));
        }
        if !self.wants_one() || rows == 1 {
            return Ok(());
        }
        Err(Problem::new(&NOT_SINGLE)
            .detail(format!("one row was asked for, and there are {rows}"))
            .caused_by(RowCount(rows)))
    }

    /// What the count's statement said. An estimate is asked for when exact counting reached its bound.
    async fn total(&self, context: &Context<'_>, lease: &mut Lease, count: &Counted) -> Result<u64, Problem> {
        let Some((statement, sql)) = self.estimate(count) else { return counted(count) };
        let params = sql.bind(&self.request.values)?;
        let mut estimate = Estimate::default();
        let call = [Call { statement, params: &params }];
        let ran = lease.run(context, &call, End::Implicit, &mut estimate, self.ctx.deadline).await;
        ran.map_err(|e| self.problem(e))?;
        estimate.over(count)
    }

    /// The statement that estimates, where counting reached its bound.
    pub(crate) fn estimate(&self, count: &Counted) -> Option<(&Statement, &Sql)> {
        let Counted::Rows(rows) = count else { return None };
        let bound = self.options.door.map_or(&self.data.limits, |door| &door.limits).page_max;
        let planned = self.compiled.planned.count.as_ref()?;
        let statement = self.compiled.estimate.as_ref().filter(|_| *rows > bound || bound == u64::MAX)?;
        Some((statement, planned.estimate.as_ref()?))
    }

    pub(crate) fn problem(&self, error: Error) -> Problem {
        if matches!(&error, Error::Sink(problem) if *problem.code() == ANSWER_TOO_LARGE) {
            self.data.refusals.bytes.fetch_add(1, Ordering::Relaxed);
        }
        // Functions are looked up in the catalog before they are called, so what else is missing is an operator: the type
        // has no such comparison or order.
        let no_operator = !matches!(self.request.operation, Operation::Call(_))
            && error.db().is_some_and(|db| db.code == "42883");
        let problem = self.teller().problem(error);
        if !no_operator || *problem.code() != NOT_FOUND {
            return problem;
        }
        let told = Problem::new(&INVALID_QUERY)
            .sqlstate("42883")
            .detail("The type of a column has no such comparison, or cannot be ordered by");
        let hint = problem.hint_text().map(str::to_owned);
        let told = tell::with_said(told, hint);
        match problem.cause::<DbError>().cloned() {
            Some(cause) => told.caused_by(cause),
            None => told,
        }
    }

    fn teller(&self) -> Teller {
        Teller {
            snapshot: Arc::clone(self.snapshot),
            gate: self.options.door.map_or_else(|| self.data.gate(), |door| Arc::clone(&door.gate)),
            role: self.role,
            anonymous: !self.ctx.principal.is_signed_in(),
            door: self.options.door.is_some(),
            explain: self.data.explain_refusals,
        }
    }
}

/// The estimate in the answer of `EXPLAIN (FORMAT JSON)`.
fn planned_rows(text: &str) -> Result<u64, Problem> {
    let plan: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let rows = plan.as_ref().and_then(|plan| plan.get(0)?.get("Plan")?.get("Plan Rows")?.as_f64());
    rows.map(|rows| rows.max(0.0) as u64)
        .ok_or_else(|| Problem::internal_error(format!("an estimate came back as {text:?}")))
}

/// What was counted, or estimated in place of it.
pub(crate) fn counted(count: &Counted) -> Result<u64, Problem> {
    match count {
        Counted::Rows(rows) => Ok(*rows),
        Counted::Plan(text) => planned_rows(text),
    }
}

/// Takes the text of an EXPLAIN.
#[derive(Default)]
pub(crate) struct Estimate(String);

impl Estimate {
    /// An estimate below what has been counted is known to be wrong.
    pub(crate) fn over(&self, count: &Counted) -> Result<u64, Problem> {
        Ok(planned_rows(&self.0)?.max(counted(count)?))
    }
}

impl RowSink for Estimate {
    fn row(&mut self, _call: usize, row: Row<'_>) -> Result<(), Problem> {
        self.0.push_str(&String::from_utf8_lossy(row.columns().next().flatten().unwrap_or_default()));
        Ok(())
    }
}

/// The page limit, when the statement asks for one row more.
pub(crate) fn probe_limit(request: &Request) -> Option<u64> {
    let node: &Node = match &request.operation {
        Operation::Read(read) => &read.node,
        Operation::Call(call) => &call.node,
        Operation::Insert(_) | Operation::Update(_) | Operation::Delete(_) | Operation::Bulk(_) => {
            return None;
        }
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
        Operation::Read(_) | Operation::Call(_) | Operation::Bulk(_) => return true,
        Operation::Insert(insert) => &insert.returning,
        Operation::Update(update) => &update.returning,
        Operation::Delete(delete) => &delete.returning,
    };
    matches!(returning, Returning::Rows(_))
}
