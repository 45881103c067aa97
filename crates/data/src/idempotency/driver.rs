//! [`Data::once`]: tries a request with a key until it has an answer: its own, or the one that was kept.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bedplate_core::{Ctx, Principal, PrincipalKind, Problem};
use bedplate_db::{Call, Context, End};
use futures_util::future::BoxFuture;
use rand::RngExt as _;

use super::attempt::{Attempt, Failure, Held};
use super::claim::{self, Claim};
use super::record::{self, Found};
use super::{Concluded, Idempotency, Once, Parts};
use crate::context::{self, Hoisting};
use crate::problems::{
    IDEMPOTENCY_ANSWER_TOO_LARGE, IDEMPOTENCY_IN_PROGRESS, IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_KEY_WEAK,
    IDEMPOTENCY_TOO_MANY_KEYS,
};
use crate::retry::Pauses;
use crate::{Data, retry};

/// Between looks at whether another server has finished a request.
const LOOK: Duration = Duration::from_millis(40);
/// How often a request is tried again after its connection broke.
const BREAKS: u32 = 2;
/// How many times as many keys those may have whose callers cannot be told apart.
const SHARED: u32 = 100;

/// What is left of the patience with one request.
struct Patience {
    pauses: Pauses,
    breaks: u32,
    /// Connections have to be younger than this.
    since: Option<Instant>,
    /// For others with the same key.
    until: Instant,
    deadline: Option<Instant>,
}

impl Patience {
    /// How long to wait before the next attempt; `None`: that was the last.
    fn next(&mut self, failure: Failure, counters: &retry::Counters) -> Option<Duration> {
        match failure {
            Failure::Collided => {
                let pause = self.pauses.next(self.deadline)?;
                counters.conflicts.fetch_add(1, Relaxed);
                Some(pause)
            }
            Failure::Broken if self.breaks < BREAKS => {
                self.breaks += 1;
                self.since = Some(Instant::now());
                counters.broken.fetch_add(1, Relaxed);
                Some(Duration::ZERO)
            }
            Failure::Running => {
                let left = self.until.checked_duration_since(Instant::now())?;
                Some(LOOK.mul_f64(rand::rng().random_range(0.5..1.5)).min(left))
            }
            _ => None,
        }
    }
}

impl Data {
    /// Runs `work`, keeps what it answers, and commits: all in the transaction that the first
    /// [`run`](Data::run) within the [`Attempt`] opens. A request that was answered before gets that answer.
    ///
    /// `work` is called again after a collision with another transaction, and after a connection broke: what was committed
    /// has its record, so nothing is done twice. An `Err` of it undoes everything, and nothing is kept.
    ///
    /// # Errors
    /// Those of `work`; `idempotency_key_reused` (422), `idempotency_in_progress` (409) and the bounds of
    /// [`Config`](super::Config); what can go wrong with the database. Whatever it is, the key can be used again.
    pub async fn once<'a, A: Send>(
        &self,
        ctx: &Ctx,
        once: &Once<'_, A>,
        work: impl Fn(Arc<Attempt>) -> BoxFuture<'a, Result<A, Problem>> + Send + Sync,
    ) -> Result<Concluded<A>, Problem> {
        let keys = self.idempotency()?;
        let counters = &self.idempotency_counters;
        counters.begun.fetch_add(1, Relaxed);
        if !claim::is_safe(&ctx.principal, once.key) {
            counters.refused.fetch_add(1, Relaxed);
            return Err(weak());
        }
        let claim = keys.claim(ctx, once).await?;
        let until = Instant::now() + keys.config.wait;
        let until = ctx.deadline.map_or(until, |deadline| deadline.min(until));
        let Some(_turn) = keys.gate.enter(claim.id, until).await else {
            counters.running.fetch_add(1, Relaxed);
            return Err(in_progress());
        };
        let mut patience =
            Patience { pauses: Pauses::new(), breaks: 0, since: None, until, deadline: ctx.deadline };
        loop {
            let begin = keys.statements.begin.clone();
            let attempt = Arc::new(Attempt::new(claim.clone(), begin, patience.since));
            let answered = work(Arc::clone(&attempt)).await;
            let problem = match self.conclude(ctx, keys, &attempt, once, answered).await {
                Ok(answer) => return Ok(Concluded::Done(answer)),
                Err(problem) => problem,
            };
            let mut failure = attempt.failure();
            drop(attempt);
            if failure == Failure::Known {
                match self.find_kept(ctx, keys, &claim).await? {
                    Some(parts) => return Ok(Concluded::Replayed(parts)),
                    // Its time ended just now.
                    None => failure = Failure::Collided,
                }
            }
            let Some(pause) = patience.next(failure, &self.retries) else {
                return Err(self.refused(failure, problem));
            };
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Keeps the answer and commits, in one message.
    async fn conclude<A>(
        &self,
        ctx: &Ctx,
        keys: &Idempotency,
        attempt: &Attempt,
        once: &Once<'_, A>,
        answered: Result<A, Problem>,
    ) -> Result<A, Problem> {
        let answer = answered?;
        let Some(held) = attempt.release()? else { return Ok(answer) };
        let Held { mut lease, teller, dry_run } = *held;
        if dry_run {
            let done = lease.finish(true, ctx.deadline).await;
            return done.map(|()| answer).map_err(|error| teller.problem(error));
        }
        let unkept =
            || Problem::internal_error("the answer to a request with a key is made while it is sent");
        let parts = (once.parts)(&answer).ok_or_else(unkept)?;
        if parts.2.len() > keys.config.answer_bytes {
            self.idempotency_counters.refused.fetch_add(1, Relaxed);
            return Err(too_large(keys.config.answer_bytes));
        }
        let most = record::most_in_part(bound(&ctx.principal, keys.config.keys_per_user));
        let params = record::keep(attempt.claim(), &parts, keys.config.lifetime, most);
        let calls = [Call { statement: &keys.statements.keep, params: &params }];
        match lease.finish_with(&calls, ctx.deadline).await {
            Ok(()) => {
                self.idempotency_counters.kept.fetch_add(1, Relaxed);
                Ok(answer)
            }
            Err(error) => {
                attempt.fail(&error);
                Err(teller.problem(error))
            }
        }
    }

    /// The kept answer, if it is still there.
    async fn find_kept(
        &self,
        ctx: &Ctx,
        keys: &Idempotency,
        claim: &Claim,
    ) -> Result<Option<Parts>, Problem> {
        let hoisting = Hoisting { role: &[], function: &[], allowed: None };
        let pairs = context::pairs(ctx, &self.session, hoisting, true);
        let params = record::id(claim);
        let calls = [Call { statement: &keys.statements.find, params: &params }];
        let mut found = Found::default();
        let context = Context { settings: &pairs };
        let ran = self.pools.read.read(&context, &calls, End::Implicit, &mut found, ctx.deadline).await;
        ran.map_err(|error| error.into_problem(!ctx.principal.is_signed_in()))?;
        let counters = &self.idempotency_counters;
        match found.0 {
            Some((fingerprint, parts)) if fingerprint == claim.fingerprint => {
                counters.replayed.fetch_add(1, Relaxed);
                Ok(Some(parts))
            }
            Some(_) => {
                counters.reused.fetch_add(1, Relaxed);
                Err(reused())
            }
            None => Ok(None),
        }
    }

    /// What the caller gets when there is no next attempt.
    fn refused(&self, failure: Failure, problem: Problem) -> Problem {
        let counters = &self.idempotency_counters;
        match failure {
            Failure::Running => {
                counters.running.fetch_add(1, Relaxed);
                in_progress()
            }
            Failure::TooMany => {
                counters.refused.fetch_add(1, Relaxed);
                too_many()
            }
            _ => problem,
        }
    }
}

fn bound(principal: &Principal, per_user: u32) -> u32 {
    match principal.kind {
        PrincipalKind::User => per_user,
        PrincipalKind::Anonymous | PrincipalKind::Service => per_user.saturating_mul(SHARED),
    }
}

fn weak() -> Problem {
    Problem::new(&IDEMPOTENCY_KEY_WEAK)
        .detail("Without signing in, whoever has the key gets the answer, so nobody may be able to guess it")
        .hint("Use at least 20 characters of which 8 differ, made at random: a UUID, for example")
}

fn in_progress() -> Problem {
    Problem::new(&IDEMPOTENCY_IN_PROGRESS)
        .detail("A request with this key is being answered; ask again for its answer")
        .retry_after(Duration::from_secs(1))
}

fn reused() -> Problem {
    Problem::new(&IDEMPOTENCY_KEY_REUSED)
        .detail("This key was used here for a request with another body or other headers")
        .hint("A new request needs a new key; a repeated one must be the same, byte for byte")
}

fn too_large(bytes: usize) -> Problem {
    Problem::new(&IDEMPOTENCY_ANSWER_TOO_LARGE)
        .detail(format!(
            "The answer has more than the {bytes} bytes that are kept with a key; nothing was changed"
        ))
        .hint("Ask for less of it: Prefer: return=minimal, a shorter select, or fewer rows at once")
}

fn too_many() -> Problem {
    Problem::new(&IDEMPOTENCY_TOO_MANY_KEYS)
        .detail("Too many keys of this caller are still kept; nothing was changed")
        .hint("Keys are for requests that must not be done twice; others need none")
        .retry_after(Duration::from_mins(1))
}
