//! From the raw answer to a [`Catalog`]. Pure: the same answer gives the same catalog, ids included.

mod functions;
mod media;
mod names;
mod objects;
mod origins;
mod relations;
mod roles;
mod types;

use std::sync::Arc;

use super::introspect::{Answer, Error, Statement};
use super::model::*;
use super::relationships;
use crate::ident::Ident;
use names::Names;
pub(super) use origins::Traced;

/// What the steps share: names in one copy, and from oids to ids.
struct Scope<'a> {
    answer: &'a Answer,
    names: Names,
    roles: Map<Oid, RoleId>,
    relations: Map<Oid, RelationId>,
}

impl Scope<'_> {
    /// An owner that pg_roles does not list cannot be; if it is (a role dropped meanwhile), it is nobody.
    fn owner(&self, oid: Oid) -> RoleId {
        self.roles.get(&oid).copied().unwrap_or(RoleId(u32::MAX))
    }
}

/// Builds the catalog. `schemas` are those that front doors serve, in order of preference; relations and functions of
/// all other schemas are known too, but are not resources. The version is 0: `data` counts.
///
/// # Errors
/// When the answer is not one to [`super::introspect::script`].
pub fn assemble(answer: &Answer, schemas: &[impl AsRef<str>]) -> Result<Catalog, Error> {
    let mut catalog = Catalog { schemas: Vec::new(), ..Catalog::default() };
    answer.each(Statement::Server, |row| {
        catalog.server_version = row.number()?;
        Ok(())
    })?;
    let mut scope =
        Scope { answer, names: Names::default(), roles: Map::default(), relations: Map::default() };
    catalog.schemas = schemas.iter().map(|s| scope.names.ident(s.as_ref())).collect();
    roles::load(&mut scope, &mut catalog)?;
    objects::namespaces(&mut scope, &mut catalog)?;
    relations::load(&mut scope, &mut catalog)?;
    let composites = relations::columns(&mut scope, &mut catalog)?;
    objects::keys(&mut scope, &mut catalog)?;
    objects::foreign_keys(&mut scope, &mut catalog)?;
    objects::policies(&mut scope, &mut catalog)?;
    objects::view_reads(&scope, &mut catalog)?;
    objects::triggers(&scope, &mut catalog)?;
    functions::load(&mut scope, &mut catalog)?;
    types::load(&mut scope, &mut catalog, composites)?;
    functions::resolve(&mut catalog);
    media::load(&mut scope, &mut catalog)?;
    types::apply_to_columns(&mut catalog);
    objects::checks(&mut scope, &mut catalog)?;
    objects::extension_members(&scope, &mut catalog)?;
    let traced = origins::load(&scope, &mut catalog)?;
    catalog.relationships = relationships::find(&catalog, &traced);
    Ok(catalog)
}

/// A column by `attnum`, which has gaps where columns were dropped.
fn column_at(relation: &Relation, number: i16) -> Option<ColumnId> {
    relation.columns.binary_search_by_key(&number, |c| c.number).ok().map(|at| ColumnId(at as u16))
}

/// All of them, or nothing.
fn columns_at(relation: &Relation, numbers: &[i16]) -> Option<Vec<ColumnId>> {
    numbers.iter().map(|number| column_at(relation, *number)).collect()
}

fn relation_mut(catalog: &mut Catalog, id: RelationId) -> &mut Relation {
    &mut catalog.relations[id.0 as usize]
}

/// `name=value` as `proconfig` and `setconfig` hold it.
fn setting(text: &str) -> Option<(Arc<str>, Arc<str>)> {
    let (name, value) = text.split_once('=')?;
    Some((name.to_ascii_lowercase().into(), value.into()))
}

/// The key of `relation_names` and `function_names`.
fn key(schema: &Ident, name: &Ident) -> (Arc<str>, Arc<str>) {
    (schema.shared(), name.shared())
}
