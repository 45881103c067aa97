//! What statements cost, by their shape: requests that differ in their values only are one shape. Kept beside the plans,
//! so that counting is a few additions; bounded, whatever callers send.

mod times;

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bedplate_core::Principal;
use bedplate_query::Operation;
use bedplate_query::request::{Comparison, Logic, Op, Target, Test};
use foldhash::fast::RandomState;
use serde::Serialize;

use times::Times;

/// Shapes that are told apart. An app has hundreds; a caller can make up more.
const SHAPES: usize = 1_024;
/// Calls of one shape by one caller within a second from which on they look like a loop over rows (N+1).
const BURST: u32 = 10;
/// Callers whose calls of one shape are watched at the same time; further ones share a place.
const CALLERS: usize = 8;

/// All shapes since the start.
pub struct Statistics {
    begun: Instant,
    since: SystemTime,
    shapes: Mutex<HashMap<Identity, Arc<Shape>, RandomState>>,
    /// What found no place among the shapes.
    others: Arc<Shape>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Identity {
    role: Arc<str>,
    sql: Arc<str>,
}

/// One shape, and what it cost so far.
#[derive(Debug)]
pub(crate) struct Shape {
    about: About,
    calls: AtomicU64,
    failures: AtomicU64,
    rows: AtomicU64,
    times: Times,
    /// One place for some callers each: the second (32 bits), who (24 bits), how often in it (8 bits).
    callers: [AtomicU64; CALLERS],
    bursts: AtomicU64,
    /// The most calls of one caller within one second.
    most: AtomicU32,
}

/// What a shape is. Names of tables and columns, never values.
#[derive(Debug, Clone, Default, Serialize)]
pub struct About {
    /// `read`, `insert`, `update`, `delete`, `call`; empty for all that found no place of its own.
    pub operation: &'static str,
    /// Table, view or function as the request names it.
    pub target: String,
    pub role: Arc<str>,
    /// Columns of the target whose values rows are looked up by, all of which have to fit.
    pub filters: Vec<String>,
    /// The statement, with numbers for its parameters.
    pub sql: Arc<str>,
}

/// A shape as it stands now. Times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Costs {
    #[serde(flatten)]
    pub about: About,
    pub calls: u64,
    pub failures: u64,
    pub rows: u64,
    pub total: u64,
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
    /// How often one caller ran it at least ten times within a second.
    pub bursts: u64,
    pub most_per_second: u32,
}

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// Unix seconds.
    pub since: u64,
    /// The costliest first.
    pub shapes: Vec<Costs>,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            since: SystemTime::now(),
            shapes: Mutex::default(),
            others: Arc::new(Shape::new(About::default())),
        }
    }
}

impl Statistics {
    fn lock(&self) -> MutexGuard<'_, HashMap<Identity, Arc<Shape>, RandomState>> {
        self.shapes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shape of a plan; the same one for the same statement under the same role, also after a change of the catalog.
    pub(crate) fn shape(&self, role: &str, operation: &Operation, sql: &Arc<str>) -> Arc<Shape> {
        let identity = Identity { role: role.into(), sql: Arc::clone(sql) };
        let mut shapes = self.lock();
        if let Some(known) = shapes.get(&identity) {
            return Arc::clone(known);
        }
        if shapes.len() >= SHAPES && !forget(&mut shapes) {
            return Arc::clone(&self.others);
        }
        let shape = Arc::new(Shape::new(about(&identity, operation)));
        shapes.insert(identity, Arc::clone(&shape));
        shape
    }

    /// What everything cost since the start.
    pub fn read(&self) -> Overview {
        let mut shapes: Vec<Costs> = self.lock().values().map(|shape| shape.read()).collect();
        shapes.push(self.others.read());
        shapes.retain(|shape| shape.calls > 0 || shape.failures > 0);
        shapes.sort_by_key(|shape| std::cmp::Reverse(shape.total));
        let since = self.since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Overview { since, shapes }
    }

    pub(crate) fn record(&self, shape: &Shape, caller: &Arc<Principal>, rows: u64, took: Duration) {
        shape.calls.fetch_add(1, Relaxed);
        shape.rows.fetch_add(rows, Relaxed);
        shape.times.record(took);
        // Callers who are not signed in are many, and look like one.
        if caller.is_signed_in() {
            shape.watch(Arc::as_ptr(caller) as usize, self.begun.elapsed().as_secs() as u32);
        }
    }
}

/// Makes room for one: the cheapest shape that no plan uses any more.
fn forget(shapes: &mut HashMap<Identity, Arc<Shape>, RandomState>) -> bool {
    let unused = shapes.iter().filter(|(_, shape)| Arc::strong_count(shape) == 1);
    let cheapest = unused.min_by_key(|(_, shape)| shape.times.total()).map(|(identity, _)| identity.clone());
    cheapest.is_some_and(|identity| shapes.remove(&identity).is_some())
}

impl Shape {
    fn new(about: About) -> Self {
        Self {
            about,
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            times: Times::default(),
            callers: Default::default(),
            bursts: AtomicU64::new(0),
            most: AtomicU32::new(0),
        }
    }

    pub fn fail(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    /// Counts calls of one caller within one second. A token that is used again is the same principal in memory. Two
    /// callers at one place, or two threads at one moment, lose a count: it is a hint, and must cost nothing.
    fn watch(&self, caller: usize, second: u32) {
        // Principals lie at multiples of 16.
        let who = (caller >> 4) as u64 & 0xff_ffff;
        let place = &self.callers[(who % CALLERS as u64) as usize];
        let now = u64::from(second) << 32 | who << 8;
        let before = place.load(Relaxed);
        let count = if before & !0xff == now { (before & 0xff).min(254) + 1 } else { 1 };
        place.store(now | count, Relaxed);
        let count = count as u32;
        if count > 1 {
            self.most.fetch_max(count, Relaxed);
        }
        if count == BURST {
            self.bursts.fetch_add(1, Relaxed);
        }
    }

    fn read(&self) -> Costs {
        let quantile = |share| self.times.quantile(share).as_micros() as u64;
        Costs {
            about: self.about.clone(),
            calls: self.calls.load(Relaxed),
            failures: self.failures.load(Relaxed),
            rows: self.rows.load(Relaxed),
            total: self.times.total(),
            p50: quantile(0.50),
            p95: quantile(0.95),
            p99: quantile(0.99),
            bursts: self.bursts.load(Relaxed),
            most_per_second: self.most.load(Relaxed),
        }
    }
}

fn about(identity: &Identity, operation: &Operation) -> About {
    let (name, target, filters) = match operation {
        Operation::Read(read) => ("read", &read.target, tested(&read.node.filters)),
        Operation::Insert(insert) => ("insert", &insert.target, BTreeSet::new()),
        Operation::Update(update) => ("update", &update.target, tested(&update.filters)),
        Operation::Delete(delete) => ("delete", &delete.target, tested(&delete.filters)),
        Operation::Call(call) => ("call", &call.function, BTreeSet::new()),
        Operation::Bulk(bulk) => ("nested", &bulk.target, BTreeSet::new()),
    };
    About {
        operation: name,
        target: full_name(target),
        role: Arc::clone(&identity.role),
        filters: filters.into_iter().collect(),
        sql: Arc::clone(&identity.sql),
    }
}

fn full_name(target: &Target) -> String {
    match &target.schema {
        Some(schema) => format!("{schema}.{}", target.name),
        None => target.name.to_string(),
    }
}

/// Columns that every row of the answer is tested by: those below `or` and `not` find nothing by themselves.
fn tested(filters: &[Logic]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for filter in filters {
        match filter {
            Logic::And(inner) => found.extend(tested(inner)),
            Logic::Test(test) if is_look_up(test) => {
                found.insert(test.path.column.to_string());
            }
            Logic::Test(_) | Logic::Or(_) | Logic::Not(_) => {}
        }
    }
    found
}

/// What an ordinary index on the column can answer.
fn is_look_up(test: &Test) -> bool {
    let of_column = test.through.is_empty() && test.path.steps.is_empty() && !test.negated;
    let ordered = [Comparison::Eq, Comparison::Gt, Comparison::Gte, Comparison::Lt, Comparison::Lte];
    let fits = match &test.op {
        Op::Compare { op, .. } => ordered.contains(op),
        Op::In(_) => true,
        Op::Is(_) | Op::TextSearch { .. } => false,
    };
    of_column && fits
}

#[cfg(test)]
mod tests {
    use bedplate_core::PrincipalKind;
    use bedplate_query::request::{Node, Read, Style};

    use super::*;

    fn caller() -> Arc<Principal> {
        Arc::new(Principal { kind: PrincipalKind::User, ..Principal::anonymous("authenticated") })
    }

    #[test]
    fn a_loop_of_one_caller_is_seen_and_many_callers_are_not_one() {
        let (statistics, shape) = (Statistics::default(), Shape::new(About::default()));
        let anonymous = Arc::new(Principal::anonymous("anon"));
        for _ in 0..100 {
            statistics.record(&shape, &anonymous, 1, Duration::from_micros(10));
        }
        assert_eq!((shape.read().bursts, shape.read().most_per_second), (0, 0));
        let one = caller();
        for n in 0..25 {
            shape.watch(Arc::as_ptr(&one) as usize, 7 + n / 20);
        }
        assert_eq!((shape.read().bursts, shape.read().most_per_second), (1, 20));
        assert_eq!((shape.read().calls, shape.read().rows), (100, 100));
    }

    #[test]
    fn shapes_are_bounded_and_the_same_statement_is_the_same_shape() {
        let statistics = Statistics::default();
        let operation = Operation::Read(Read {
            target: Target { schema: None, name: "t".into() },
            parents: Vec::new(),
            node: Node::default(),
            count: None,
            style: Style::NATIVE,
        });
        let shape = |n: usize| statistics.shape("anon", &operation, &Arc::from(format!("select {n}")));
        assert!(Arc::ptr_eq(&shape(1), &shape(1)));
        for n in 0..3 * SHAPES {
            statistics.record(&shape(n), &caller(), 1, Duration::from_micros(n as u64));
        }
        assert!(statistics.read().shapes.len() <= SHAPES + 1);
        // Where plans use all of them, the rest is counted together.
        let held: Vec<_> = (10_000..10_000 + 2 * SHAPES).map(shape).collect();
        statistics.record(&held[2 * SHAPES - 1], &caller(), 1, Duration::from_secs(1));
        assert_eq!(statistics.read().shapes[0].about.operation, "");
    }
}
