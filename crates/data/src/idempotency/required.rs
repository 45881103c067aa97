//! [`Required`]: the resources whose writes need a key (`api.idempotency_required`).

use bedplate_query::Operation;
use bedplate_query::catalog::Catalog;
use bedplate_query::ident::Ident;
use bedplate_query::request::{Action, Target};

/// Names as the configuration lists them: `name` in the first served schema or `schema.name`; functions with `rpc/` before
/// that; `*` for all.
#[derive(Debug, Clone)]
pub(crate) struct Required {
    relations: Vec<String>,
    functions: Vec<String>,
    all: bool,
}

const FUNCTION: &str = "rpc/";

impl Required {
    /// `None` when nothing is listed.
    pub fn new(listed: &[String]) -> Option<Self> {
        let names = || listed.iter().filter(|name| *name != "*");
        (!listed.is_empty()).then(|| Self {
            relations: names().filter(|name| !name.starts_with(FUNCTION)).cloned().collect(),
            functions: names().filter_map(|name| name.strip_prefix(FUNCTION)).map(str::to_owned).collect(),
            all: listed.iter().any(|name| name == "*"),
        })
    }

    /// Whether this operation needs a key. Reads and calls that may not write never do.
    pub fn covers(&self, catalog: &Catalog, operation: &Operation) -> bool {
        let target = match operation {
            Operation::Read(_) => return false,
            Operation::Call(call) if call.read_only => return false,
            Operation::Call(call) => return self.all || self.has_function(catalog, &call.function),
            Operation::Insert(insert) => &insert.target,
            Operation::Update(update) => &update.target,
            Operation::Delete(delete) => &delete.target,
            Operation::Bulk(bulk) => match bulk.action {
                Action::Find { .. } | Action::Fetch { .. } => return false,
                Action::Insert { .. } | Action::Update { .. } | Action::Delete { .. } => &bulk.target,
            },
        };
        self.all || self.has_relation(catalog, target)
    }

    fn has_relation(&self, catalog: &Catalog, target: &Target) -> bool {
        catalog.find_relation(target.schema.as_deref(), &target.name).is_some_and(|id| {
            let relation = catalog.relation(id);
            is_listed(&self.relations, catalog, &relation.schema, &relation.name)
        })
    }

    fn has_function(&self, catalog: &Catalog, target: &Target) -> bool {
        catalog.find_functions(target.schema.as_deref(), &target.name).iter().any(|id| {
            let function = catalog.function(*id);
            is_listed(&self.functions, catalog, &function.schema, &function.name)
        })
    }

    /// The listed names that the catalog does not have: a slip there would leave open what is meant to be closed.
    pub fn unknown(&self, catalog: &Catalog) -> Vec<String> {
        let split = |listed: &str| match listed.split_once('.') {
            Some((schema, name)) => (Some(schema.to_owned()), name.to_owned()),
            None => (catalog.schemas.first().map(|schema| schema.as_str().to_owned()), listed.to_owned()),
        };
        let relations = self.relations.iter().filter(|listed| {
            let (schema, name) = split(listed);
            catalog.find_relation(schema.as_deref(), &name).is_none()
        });
        let functions = self.functions.iter().filter(|listed| {
            let (schema, name) = split(listed);
            catalog.find_functions(schema.as_deref(), &name).is_empty()
        });
        relations.cloned().chain(functions.map(|name| format!("{FUNCTION}{name}"))).collect()
    }
}

fn is_listed(listed: &[String], catalog: &Catalog, schema: &Ident, name: &Ident) -> bool {
    listed.iter().any(|listed| match listed.split_once('.') {
        Some((s, n)) => s == schema.as_str() && n == name.as_str(),
        None => catalog.schemas.first() == Some(schema) && listed == name.as_str(),
    })
}
