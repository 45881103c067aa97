//! Transactions of several requests: pipelines that follow each other on one connection, committed together or not at all.
//! There are no savepoints: after the first error nothing of the transaction stays.
//!
//! Each request runs as it would alone: planned for the caller's role, asked of the gate, under the role, the claims and the
//! timeouts of the caller. `request.method` and `request.path` are those of the request at hand, and settings of a called
//! function hold for its own call.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use bedplate_core::problem::NOT_FOUND;
use bedplate_core::{Ctx, Problem, RequestInfo};
use bedplate_db::{Call, Context, Error, Isolation, Lease, Mode, Outcome, Row, RowSink};
use bedplate_query::Request;
use bedplate_query::catalog::RoleId;
use bytes::BytesMut;
use tokio::sync::{Mutex, MutexGuard};

use crate::context::{self, Hoisting, Pairs};
use crate::idempotency::Attempt;
use crate::idempotency::attempt::Held;
use crate::plans::{Compiled, Snapshot};
use crate::problems::ISOLATION_MIXED;
use crate::run::Timings;
use crate::run::{Bound, Estimate, Params, Run, RunOptions, UNTOLD, counted, probe_limit};
use crate::sink::{Counted, Sink};
use crate::tell::Teller;
use crate::{Answer, Data};

/// A request of a transaction.
#[derive(Clone, Copy)]
pub struct Work<'r> {
    pub request: &'r Request,
    /// What SQL may know of it.
    pub info: &'r RequestInfo,
}

/// Why a transaction ended before its end. Nothing of it was kept.
#[derive(Debug)]
pub struct Refused {
    /// Which of the requests that were run together it was, where one is to blame.
    pub at: Option<usize>,
    pub problem: Problem,
    /// The same requests may succeed when the transaction is begun anew: it was no fault of theirs.
    pub again: bool,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { at: None, problem, again: false }
    }
}

impl Refused {
    pub(crate) fn at(at: usize, problem: Problem) -> Self {
        Self { at: Some(at), problem, again: false }
    }
}

/// What is known of a request before it runs.
#[derive(Debug, Clone, Copy)]
pub struct Checked {
    pub writes: bool,
    /// How isolated it has to run.
    pub isolation: Isolation,
}

/// What a transaction has to be.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    pub writes: bool,
    pub isolation: Isolation,
}

impl Default for Needs {
    fn default() -> Self {
        Self { writes: false, isolation: Isolation::ReadCommitted }
    }
}

impl Needs {
    /// Also what one more request needs.
    pub fn add(&mut self, checked: Checked) {
        self.writes |= checked.writes;
        if rank(checked.isolation) > rank(self.isolation) {
            self.isolation = checked.isolation;
        }
    }
}

fn rank(isolation: Isolation) -> u8 {
    match isolation {
        Isolation::ReadCommitted => 0,
        Isolation::RepeatableRead => 1,
        Isolation::Serializable => 2,
    }
}

/// A transaction of one caller. It takes a connection when it is first run; dropped before [`Transaction::commit`] it is rolled
/// back.
pub struct Transaction(Mutex<State>);

pub(crate) struct State {
    pub snapshot: Arc<Snapshot>,
    pub role: RoleId,
    pub needs: Needs,
    pub timings: Timings,
    lease: Option<Lease>,
    begun: bool,
    /// The request has an idempotency key.
    attempt: Option<Arc<Attempt>>,
}

impl Data {
    /// Plans a request and binds its values, without running it: everything that can be known to be wrong before the
    /// database is asked.
    pub fn check(&self, ctx: &Ctx, request: &Request) -> Result<Checked, Problem> {
        let snapshot = self.snapshot();
        let role = self.role(&snapshot.catalog, ctx)?;
        let compiled = self.compile(ctx, &snapshot, role, request)?;
        Bound::new(&compiled.planned, &request.values)?;
        let isolation = isolation(&snapshot, role, &compiled);
        Ok(Checked { writes: compiled.planned.writes, isolation })
    }

    pub(crate) fn compile(
        &self,
        ctx: &Ctx,
        snapshot: &Snapshot,
        role: RoleId,
        request: &Request,
    ) -> Result<Arc<Compiled>, Problem> {
        snapshot
            .plan(role, 0, &*self.gate(), &self.limits, &request.operation)
            .map_err(|problem| self.refusal(ctx, problem))
    }
}

impl Transaction {
    /// As the caller of `ctx`, against the present catalog.
    pub fn new(data: &Data, ctx: &Ctx) -> Result<Self, Problem> {
        let snapshot = data.snapshot();
        let role = data.role(&snapshot.catalog, ctx)?;
        Ok(Self(Mutex::new(State {
            snapshot,
            role,
            needs: Needs::default(),
            timings: Timings::default(),
            lease: None,
            begun: false,
            attempt: None,
        })))
    }

    /// For a request with an idempotency key: the first message claims the key, and [`Transaction::commit`] leaves the
    /// transaction to the attempt, which commits it with the answer. It is not to be begun anew then; that is up to
    /// [`Data::once`].
    #[must_use]
    pub fn within(mut self, attempt: Option<Arc<Attempt>>) -> Self {
        let state = self.0.get_mut();
        state.needs.writes |= attempt.is_some();
        state.attempt = attempt;
        self
    }

    /// Says what it has to be, before it is first run. Requests that only read see one snapshot of the data, however many
    /// they are.
    pub async fn require(&self, needs: Needs) {
        let mut state = self.0.lock().await;
        // An answer is kept also of what does not write.
        state.needs = Needs { writes: needs.writes || state.attempt.is_some(), ..needs };
    }

    /// For as long as the guard lives nobody else runs anything here.
    pub(crate) async fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().await
    }

    /// Runs the requests in this order, in one message to PostgreSQL, and appends the rows of each to its buffer.
    ///
    /// # Errors
    /// The first that failed; the transaction is over then.
    pub async fn run(
        &self,
        data: &Data,
        ctx: &Ctx,
        works: &[Work<'_>],
        outs: &mut [BytesMut],
    ) -> Result<Vec<Answer>, Refused> {
        let mut state = self.0.lock().await;
        let started = Instant::now();
        let mut compiled = Vec::with_capacity(works.len());
        let mut bound = Vec::with_capacity(works.len());
        for (at, work) in works.iter().enumerate() {
            let plan = state.compile(data, ctx, work.request).map_err(|problem| Refused::at(at, problem))?;
            compiled.push(plan);
        }
        for (at, (work, compiled)) in works.iter().zip(&compiled).enumerate() {
            let values = Bound::new(&compiled.planned, &work.request.values);
            bound.push(values.map_err(|problem| Refused::at(at, problem))?);
        }
        let snapshot = Arc::clone(&state.snapshot);
        let like = Like::of(data, ctx, &snapshot, &state);
        let runs: Vec<Run<'_>> =
            works.iter().zip(&compiled).map(|(work, compiled)| like.run(work.request, compiled)).collect();
        let preludes: Vec<Prelude> =
            works.iter().zip(&compiled).map(|(work, compiled)| like.prelude(*work, compiled)).collect();
        state.timings.plan += started.elapsed();
        let settings = pairs(data, ctx, &snapshot, state.role, state.mode());
        for (at, compiled) in compiled.iter().enumerate() {
            let checked = data.check_cost(ctx, compiled, &Context { settings: &settings }).await;
            checked.map_err(|problem| Refused::at(at, problem))?;
        }
        let expensive = runs.iter().position(|run| run.compiled.expensive);
        let _turn = match expensive.and_then(|at| Some((at, runs.get(at)?))) {
            Some((at, run)) => run.turn().await.map_err(|problem| Refused::at(at, problem))?,
            None => None,
        };

        let mut calls = Vec::new();
        let mut progress = Progress::default();
        for (((run, bound), prelude), out) in runs.iter().zip(&bound).zip(&preludes).zip(outs) {
            let start = calls.len();
            prelude.before(data, &mut calls);
            let from = out.len();
            let mut sink = Sink::new(run.compiled, probe_limit(run.request), &run.told, out, from);
            sink.bounded();
            let main = calls.len();
            calls.extend(run.calls(bound));
            let end = calls.len();
            prelude.after(data, &mut calls);
            progress.parts.push(Part { sink, start, main, end, after: calls.len() });
        }
        let outcome = match state.send(data, ctx, &calls, &mut progress).await {
            Ok(outcome) => outcome,
            Err(error) => {
                let refused = refused(error, ctx, state.needs, &runs, &progress);
                // Of a request with a key all is done anew.
                return Err(Refused { again: refused.again && state.attempt.is_none(), ..refused });
            }
        };
        let mut answers = Vec::with_capacity(works.len());
        for (at, (part, run)) in progress.parts.into_iter().zip(&runs).enumerate() {
            let own = Outcome { calls: outcome.calls[part.main..part.end].iter().copied().collect() };
            run.check_guards(&own).map_err(|problem| Refused::at(at, problem))?;
            let seen = part.sink.finish().map_err(|problem| Refused::at(at, problem))?;
            let total = match &seen.count {
                Some(count) => {
                    let total = state.total(run, count).await;
                    Some(total.map_err(|problem| Refused::at(at, problem))?)
                }
                None => seen.total,
            };
            answers.push(run.answer(seen, &own, total));
        }
        Ok(answers)
    }

    /// Commits; with `dry_run` deferred constraints are checked and everything is undone. Tells where the time went.
    pub async fn commit(&self, data: &Data, ctx: &Ctx, dry_run: bool) -> Result<Timings, Refused> {
        let mut state = self.0.lock().await;
        if state.begun
            && let Some(mut lease) = state.lease.take()
        {
            if let Some(attempt) = &state.attempt {
                attempt.hold(Held { lease, teller: state.teller(data, ctx), dry_run });
                return Ok(state.timings);
            }
            let started = Instant::now();
            let done = lease.finish(dry_run, ctx.deadline).await;
            state.timings.database += started.elapsed();
            done.map_err(|error| {
                let again = error.is_conflict();
                Refused { problem: state.problem(data, ctx, error), at: None, again }
            })?;
        }
        Ok(state.timings)
    }
}

impl State {
    fn mode(&self) -> Mode {
        let isolation = match self.needs.isolation {
            Isolation::ReadCommitted if !self.needs.writes => Isolation::RepeatableRead,
            asked => asked,
        };
        Mode { isolation, read_only: !self.needs.writes }
    }

    pub(crate) fn compile(
        &self,
        data: &Data,
        ctx: &Ctx,
        request: &Request,
    ) -> Result<Arc<Compiled>, Problem> {
        let compiled = data.compile(ctx, &self.snapshot, self.role, request)?;
        if self.attempt.is_none() {
            data.check_key(&self.snapshot, request)?;
        }
        let asked = isolation(&self.snapshot, self.role, &compiled);
        if rank(asked) > rank(self.mode().isolation) {
            return Err(Problem::new(&ISOLATION_MIXED));
        }
        Ok(compiled)
    }

    /// Sends calls; the first ones open the transaction.
    pub(crate) async fn send(
        &mut self,
        data: &Data,
        ctx: &Ctx,
        calls: &[Call<'_>],
        sink: &mut dyn RowSink,
    ) -> Result<Outcome, Error> {
        let mode = self.mode();
        let asked = Instant::now();
        let lease = match &mut self.lease {
            Some(lease) => lease,
            None if self.begun => return Err(Error::Misuse("the transaction is over")),
            none => {
                let pool = if self.needs.writes { &data.pools.write } else { &data.pools.read };
                let since = self.attempt.as_ref().and_then(|attempt| attempt.since);
                none.insert(pool.acquire_after(since, ctx.deadline).await?)
            }
        };
        self.timings.wait += asked.elapsed();
        let started = Instant::now();
        let ran = if self.begun {
            lease.proceed(calls, sink, ctx.deadline).await
        } else {
            self.begun = true;
            let pairs = pairs(data, ctx, &self.snapshot, self.role, mode);
            let context = Context { settings: &pairs };
            match &self.attempt {
                None => lease.open(&context, calls, mode, sink, ctx.deadline).await,
                Some(attempt) => attempt.open(lease, &context, calls, 0, mode, sink, ctx.deadline).await,
            }
        };
        self.timings.database += started.elapsed();
        if ran.is_err() {
            // Its drop rolls back and cancels what is still to be.
            self.lease = None;
        }
        ran
    }

    async fn total(&mut self, run: &Run<'_>, count: &Counted) -> Result<u64, Problem> {
        let Some((statement, sql)) = run.estimate(count) else { return counted(count) };
        let params = sql.bind(&run.request.values)?;
        let mut estimate = Estimate::default();
        let ran = self.send(run.data, run.ctx, &[Call { statement, params: &params }], &mut estimate).await;
        ran.map_err(|error| run.problem(error))?;
        estimate.over(count)
    }

    /// An error that no request of the transaction is to blame for by itself.
    pub(crate) fn problem(&self, data: &Data, ctx: &Ctx, error: Error) -> Problem {
        self.teller(data, ctx).problem(error)
    }

    fn teller(&self, data: &Data, ctx: &Ctx) -> Teller {
        Teller {
            snapshot: Arc::clone(&self.snapshot),
            gate: data.gate(),
            role: self.role,
            anonymous: !ctx.principal.is_signed_in(),
            door: false,
            explain: data.explain_refusals,
        }
    }
}

fn refused(error: Error, ctx: &Ctx, needs: Needs, runs: &[Run<'_>], progress: &Progress<'_>) -> Refused {
    let again = error.is_stale()
        || error.is_conflict()
        || matches!(error, Error::Unused(_))
        || matches!(error, Error::Lost(_)) && !needs.writes;
    let by_request = matches!(error, Error::Db(_) | Error::Sink(_));
    // A row below a parent that is not there is refused by its policy or foreign key too; 404 is what is true.
    let missing = progress.parts.iter().position(|part| part.sink.parent_missing);
    if let Some(at) = missing.filter(|_| by_request) {
        return Refused::at(at, Problem::new(&NOT_FOUND));
    }
    let at = progress.failed().filter(|_| by_request);
    let problem = match at.and_then(|at| runs.get(at)) {
        Some(run) => run.problem(error),
        None => error.into_problem(!ctx.principal.is_signed_in()),
    };
    Refused { at, problem, again }
}

/// How isolated a statement has to run: by the settings of the called function, or of the role.
fn isolation(snapshot: &Snapshot, role: RoleId, compiled: &Compiled) -> Isolation {
    let settings = snapshot.catalog.role(role).map_or(&[][..], |r| &r.settings);
    Hoisting { role: settings, function: &compiled.planned.settings, allowed: None }.isolation()
}

/// The settings of a transaction.
fn pairs<'p>(data: &'p Data, ctx: &'p Ctx, snapshot: &'p Snapshot, role: RoleId, mode: Mode) -> Pairs<'p> {
    let settings = snapshot.catalog.role(role).map_or(&[][..], |role| &role.settings);
    let hoisting = Hoisting { role: settings, function: &[], allowed: None };
    let mut pairs = context::pairs(ctx, &data.session, hoisting, mode.read_only);
    pairs.extend(data.search_path.as_deref().map(|path| ("search_path", path)));
    pairs
}

/// What the requests of a transaction have in common.
pub(crate) struct Like<'r> {
    data: &'r Data,
    ctx: &'r Ctx,
    snapshot: &'r Arc<Snapshot>,
    role: RoleId,
    mode: Mode,
}

impl<'r> Like<'r> {
    pub(crate) fn of(data: &'r Data, ctx: &'r Ctx, snapshot: &'r Arc<Snapshot>, state: &State) -> Self {
        Self { data, ctx, snapshot, role: state.role, mode: state.mode() }
    }

    pub(crate) fn run(&self, request: &'r Request, compiled: &'r Compiled) -> Run<'r> {
        Run {
            data: self.data,
            ctx: self.ctx,
            snapshot: self.snapshot,
            role: self.role,
            compiled,
            request,
            options: RunOptions::default(),
            mode: self.mode,
            told: AtomicU64::new(UNTOLD),
        }
    }

    fn prelude(&self, work: Work<'_>, compiled: &Compiled) -> Prelude {
        let place = place(self.ctx, work.info);
        let mut prelude = Prelude { place, set: Vec::new(), reset: Vec::new() };
        if compiled.planned.settings.is_empty() {
            return prelude;
        }
        let base = pairs(self.data, self.ctx, self.snapshot, self.role, self.mode);
        let hoisting = Hoisting { role: &[], function: &compiled.planned.settings, allowed: None };
        for (name, value) in context::of_function(hoisting) {
            let before = base.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name));
            prelude.set.push(vec![Some(owned(name)), Some(owned(value))]);
            prelude.reset.push(vec![Some(owned(name)), before.map(|(_, value)| owned(value))]);
        }
        prelude
    }
}

/// What is said to PostgreSQL around a request of a transaction.
struct Prelude {
    place: Option<Params<'static>>,
    set: Vec<Params<'static>>,
    reset: Vec<Params<'static>>,
}

impl Prelude {
    fn before<'c>(&'c self, data: &'c Data, calls: &mut Vec<Call<'c>>) {
        calls.extend(self.place.as_ref().map(|params| Call { statement: &data.set_place, params }));
        calls.extend(self.set.iter().map(|params| Call { statement: &data.set_one, params }));
    }

    fn after<'c>(&'c self, data: &'c Data, calls: &mut Vec<Call<'c>>) {
        calls.extend(self.reset.iter().map(|params| Call { statement: &data.set_one, params }));
    }
}

/// The parameters of [`SET_PLACE`], where a request is another than the transaction's own. Who asks is said again with it:
/// what a function of an earlier request made of its role or claims is not for the next one.
pub(crate) fn place(ctx: &Ctx, info: &RequestInfo) -> Option<Params<'static>> {
    let own = &ctx.request;
    let elsewhere = info.path != own.path || info.method != own.method;
    let who = &ctx.principal;
    elsewhere.then(|| {
        let said = [info.method, &info.path, &who.claims, &who.role];
        said.into_iter().map(|text| Some(owned(text))).collect()
    })
}

fn owned(text: &str) -> Cow<'static, [u8]> {
    Cow::Owned(text.as_bytes().to_vec())
}

/// `request.method` and `request.path` of the request at hand, and who asks.
pub(crate) const SET_PLACE: &str = "select pg_catalog.num_nulls(pg_catalog.set_config('request.method', $1, true), \
    pg_catalog.set_config('request.path', $2, true), pg_catalog.set_config('request.jwt.claims', $3, true), \
    pg_catalog.set_config('role', $4, true))";

/// One setting; NULL gives it the value back that the session has.
pub(crate) const SET_ONE: &str = "select pg_catalog.num_nulls(pg_catalog.set_config($1, $2, true))";

/// The calls of one request within a pipeline.
struct Part<'a> {
    sink: Sink<'a>,
    start: usize,
    /// The first call that is the request's own.
    main: usize,
    end: usize,
    after: usize,
}

/// Hands rows to the request that they are for, and knows how far the pipeline came.
#[derive(Default)]
struct Progress<'a> {
    parts: Vec<Part<'a>>,
    /// The request whose calls are being answered.
    at: usize,
    /// How many calls have ended.
    completed: usize,
    refused: Option<usize>,
}

impl<'a> Progress<'a> {
    fn part(&mut self, call: usize) -> Option<&mut Part<'a>> {
        while self.parts.get(self.at).is_some_and(|part| call >= part.after) {
            self.at += 1;
        }
        self.parts.get_mut(self.at).filter(|part| (part.main..part.end).contains(&call))
    }

    /// The request whose call did not end.
    fn failed(&self) -> Option<usize> {
        let broke = || self.parts.iter().position(|part| (part.start..part.after).contains(&self.completed));
        self.refused.or_else(broke)
    }
}

impl RowSink for Progress<'_> {
    fn row(&mut self, call: usize, row: Row<'_>) -> Result<(), Problem> {
        let Some(part) = self.part(call) else { return Ok(()) };
        let local = call - part.main;
        let taken = part.sink.row(local, row);
        if taken.is_err() {
            self.refused = Some(self.at);
        }
        taken
    }

    fn complete(&mut self, call: usize, affected: u64) {
        self.completed = call + 1;
        if let Some(part) = self.part(call) {
            let local = call - part.main;
            part.sink.complete(local, affected);
        }
    }
}
