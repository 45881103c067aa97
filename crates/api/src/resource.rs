//! Resources by name: what exists for this caller.

use std::sync::Arc;

use bedplate_core::problem::NOT_FOUND;
use bedplate_core::{Problem, Result};
use bedplate_query::catalog::{Catalog, ColumnId, Identity, Relation, RelationId, RoleId};
use bedplate_query::gate::Verb;
use bedplate_query::request::{Comparison, Logic, Name, Op, Parent, Path, Target, Test, Value, Values};

use crate::path::{Above, key_values};
use crate::{Call, paging};

const VERBS: [Verb; 4] = [Verb::Select, Verb::Insert, Verb::Update, Verb::Delete];

/// A resource that the caller may do something with.
pub(crate) struct Resource {
    pub catalog: Arc<Catalog>,
    pub role: RoleId,
    pub id: RelationId,
}

impl Resource {
    /// 404 for what does not exist and for what the caller may not know of, alike.
    pub fn get(call: &Call<'_>, name: &str) -> Result<Self> {
        let resource = Self::find(call, name)?;
        resource.check_known(call)?;
        Ok(resource)
    }

    /// As [`Resource::get`], for a verb that the caller must have: refused before a body is read.
    pub fn get_for(call: &Call<'_>, name: &str, verb: Verb) -> Result<Self> {
        let resource = Self::find(call, name)?;
        if !resource.allows(call, verb) {
            resource.check_known(call)?;
            call.api.data.permit(call.ctx, &resource.catalog, resource.role, resource.id, verb)?;
        }
        Ok(resource)
    }

    fn find(call: &Call<'_>, name: &str) -> Result<Self> {
        let data = &call.api.data;
        let catalog = data.catalog();
        let role = data.role(&catalog, call.ctx)?;
        let id = catalog.find_relation(None, name).ok_or_else(|| Problem::new(&NOT_FOUND))?;
        Ok(Self { catalog, role, id })
    }

    /// Whether the caller may do anything with it, and so may know of it.
    fn check_known(&self, call: &Call<'_>) -> Result<()> {
        if VERBS.iter().any(|verb| self.allows(call, *verb)) {
            return Ok(());
        }
        call.api.data.permit(call.ctx, &self.catalog, self.role, self.id, Verb::Select)
    }

    pub fn allows(&self, call: &Call<'_>, verb: Verb) -> bool {
        call.api.data.gate().relation(&self.catalog, self.role, self.id, verb).is_ok()
    }

    pub fn relation(&self) -> &Relation {
        self.catalog.relation(self.id)
    }

    /// Whether the database makes the key, so that nobody else can give one.
    pub fn makes_its_keys(&self) -> bool {
        let relation = self.relation();
        let is_made = |c: &ColumnId| {
            let column = &relation.columns[c.0 as usize];
            column.generated || column.identity == Identity::Always
        };
        relation.primary_key.iter().any(is_made)
    }

    /// The names of the primary key's columns, in order. A resource without one has no single rows: 404. Nor has one whose
    /// key the caller may not read: such columns do not exist for it.
    pub fn key_names(&self) -> Result<Vec<Name>> {
        let relation = self.relation();
        let is_readable = |c: &ColumnId| self.catalog.can_column(self.role, self.id, *c, Verb::Select);
        if relation.primary_key.is_empty() || !relation.primary_key.iter().all(is_readable) {
            return Err(Problem::new(&NOT_FOUND)
                .hint("this resource has no primary key, so its rows have no addresses"));
        }
        Ok(relation.primary_key.iter().map(|c| relation.columns[c.0 as usize].name.as_str().into()).collect())
    }

    /// `id = 7`, for each column of the key.
    pub fn key_filters(&self, segment: &str, values: &mut Values) -> Result<Vec<Logic>> {
        let names = self.key_names()?;
        let texts = key_values(segment, names.len())?;
        names.into_iter().zip(texts).map(|(name, text)| equals(name, text, values)).collect()
    }
}

pub(crate) fn target(name: &str) -> Target {
    Target { schema: None, name: name.into() }
}

fn equals(column: Name, text: String, values: &mut Values) -> Result<Logic> {
    let value = paging::push(values, Value::Text(text))?;
    let op = Op::Compare { op: Comparison::Eq, quantifier: None, value };
    let path = Path { column, steps: Vec::new() };
    Ok(Logic::Test(Test { through: Vec::new(), path, negated: false, op }))
}

/// The steps above a nested resource, as the IR has them.
pub(crate) fn parents(call: &Call<'_>, above: &[Above<'_>], values: &mut Values) -> Result<Vec<Parent>> {
    let parent = |step: &Above<'_>| {
        let resource = Resource::get(call, &step.resource)?;
        let texts = key_values(&step.key, resource.key_names()?.len())?;
        let key =
            texts.into_iter().map(|text| paging::push(values, Value::Text(text))).collect::<Result<_>>()?;
        Ok(Parent { target: target(&step.resource), key, hint: None })
    };
    above.iter().map(parent).collect()
}
