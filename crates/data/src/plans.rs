//! The plan cache: one entry per role, front door and operation, for one catalog snapshot.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bedplate_core::Problem;
use bedplate_db::{Format, Statement};
use bedplate_query::catalog::{Catalog, RoleId};
use bedplate_query::gate::Gate;
use bedplate_query::limits::Limits;
use bedplate_query::media::Accept;
use bedplate_query::output::{Codec, Output};
use bedplate_query::request::Item;
use bedplate_query::statement::{Param, Planned, Sql};
use bedplate_query::{Operation, output, plan};
use foldhash::fast::RandomState;
use quick_cache::{Equivalent, Weighter, sync::Cache};

use crate::budgets::{Allowance, Budgets, Cost, is_expensive};
use crate::statistics::{Shape, Statistics};

/// A plan with its statements as the connections know them.
pub(crate) struct Compiled {
    pub planned: Planned,
    pub guards: Vec<Statement>,
    pub main: Statement,
    pub count: Option<Statement>,
    /// For estimated counts that reach their bound.
    pub estimate: Option<Statement>,
    /// Whether rows carry columns beside the answer.
    pub notes: bool,
    /// The column that says when a row was last changed, where nothing else is in the answer than the row itself.
    pub modified: Option<u16>,
    /// Where it is counted.
    pub shape: Arc<Shape>,
    /// What the role may spend.
    pub allowance: Allowance,
    pub cost: Cost,
    /// Whether it waits for its turn among those that cost more than others.
    pub expensive: bool,
}

impl Compiled {
    fn new(planned: Planned, operation: &Operation, allowance: Allowance, shape: Arc<Shape>) -> Self {
        let main = &planned.main;
        let columns = [main.inserted_column, main.affected_column, main.total_column, main.rows_column];
        let notes = columns.iter().any(Option::is_some);
        Self {
            notes,
            modified: modified(&main.output, operation),
            guards: planned.guards.iter().map(statement).collect(),
            main: statement(&planned.main.sql),
            count: planned.count.as_ref().map(|count| statement(&count.sql)),
            estimate: planned.count.as_ref().and_then(|count| count.estimate.as_ref()).map(statement),
            shape,
            allowance,
            cost: Cost::default(),
            expensive: is_expensive(operation, &planned),
            planned,
        }
    }
}

/// `updated_at`, by its name: the moment of the last change wherever there is such a column. Only of whole rows: what else may
/// be selected (other rows, computed columns) changes without it.
fn modified(output: &Output, operation: &Operation) -> Option<u16> {
    let (Output::Rows(object), Operation::Read(read)) = (output, operation) else { return None };
    let whole = read.node.select.iter().all(|item| matches!(item, Item::Star));
    object.fields.iter().filter(|_| whole).find_map(|field| match field.value {
        output::Node::Column { index, codec: Codec::Timestamptz } if *field.key == *br#""updated_at":"# => {
            Some(index)
        }
        _ => None,
    })
}

fn statement(sql: &Sql) -> Statement {
    let formats: Vec<Format> = sql.formats.iter().map(|format| wire_format(*format)).collect();
    Statement::new(Arc::clone(&sql.text), formats)
}

fn wire_format(format: output::Format) -> Format {
    match format {
        output::Format::Text => Format::Text,
        output::Format::Binary => Format::Binary,
    }
}

/// What a usual plan takes in memory.
const USUAL_BYTES: u64 = 4 * 1024;

/// Plans count by their size: a caller chooses the shape of its requests, and many large ones, all different, must not fill
/// the memory.
#[derive(Clone)]
struct BySize;

impl Weighter<Key, Arc<Compiled>> for BySize {
    /// Bytes, roughly: names and expressions stand in the request, in the plan's tree and in its SQL.
    fn weight(&self, key: &Key, compiled: &Arc<Compiled>) -> u64 {
        let planned = &compiled.planned;
        let count = planned.count.iter().flat_map(|c| [Some(&c.sql), c.estimate.as_ref()]).flatten();
        let texts = planned.guards.iter().chain([&planned.main.sql]).chain(count);
        let fixed = |sql: &Sql| -> usize {
            let lengths = sql.params.iter().map(|param| match param {
                Param::Fixed(text) => text.len(),
                _ => 0,
            });
            lengths.sum()
        };
        let of_statements: usize = texts.map(|sql| 8 * sql.text.len() + 4 * fixed(sql)).sum();
        let accepted = match &key.operation.style().accept {
            Accept::Json => 0,
            Accept::Listed(media) => media.iter().map(|media| 64 + media.name().len()).sum(),
        };
        1024 + (of_statements + accepted) as u64
    }
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    role: RoleId,
    /// Doors have gates and limits of their own; 0 is the platform.
    door: u64,
    operation: Operation,
}

/// A key that is looked up without cloning the operation. Hashes as [`Key`] does: field by field, in order.
struct Wanted<'a> {
    role: RoleId,
    door: u64,
    operation: &'a Operation,
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.role.hash(state);
        self.door.hash(state);
        self.operation.hash(state);
    }
}

impl Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.role == key.role && self.door == key.door && *self.operation == key.operation
    }
}

/// A catalog with the plans made against it. Replaced as a whole when the catalog changes.
pub struct Snapshot {
    pub catalog: Arc<Catalog>,
    plans: Cache<Key, Arc<Compiled>, BySize, RandomState>,
    budgets: Arc<Budgets>,
    statistics: Arc<Statistics>,
}

impl Snapshot {
    pub(crate) fn new(
        catalog: Arc<Catalog>,
        entries: usize,
        budgets: Arc<Budgets>,
        statistics: Arc<Statistics>,
    ) -> Self {
        let entries = entries.max(1);
        let bytes = entries as u64 * USUAL_BYTES;
        let plans = Cache::with(entries, bytes, BySize, RandomState::default(), Default::default());
        Self { catalog, plans, budgets, statistics }
    }

    pub fn cached_plans(&self) -> usize {
        self.plans.len()
    }

    /// From the cache, or planned now. A refusal is not cached: it is cheap to make again, and callers must not be able to
    /// fill the cache with nonsense.
    pub(crate) fn plan(
        &self,
        role: RoleId,
        door: u64,
        gate: &dyn Gate,
        limits: &Limits,
        operation: &Operation,
    ) -> Result<Arc<Compiled>, Problem> {
        if let Some(known) = self.plans.get(&Wanted { role, door, operation }) {
            return Ok(known);
        }
        let name = self.catalog.role(role).map_or("", |role| role.name.as_str());
        let allowance = self.budgets.of(name);
        let planned = plan::plan(&self.catalog, role, gate, &allowance.within(limits), operation)?;
        let shape = self.statistics.shape(name, operation, &planned.main.sql.text);
        let compiled = Arc::new(Compiled::new(planned, operation, allowance, shape));
        self.plans.insert(Key { role, door, operation: operation.clone() }, Arc::clone(&compiled));
        Ok(compiled)
    }
}
