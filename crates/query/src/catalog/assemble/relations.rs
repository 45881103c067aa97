//! Relations and their columns.

use super::super::acl;
use super::super::introspect::{Cells, Error, Statement};
use super::super::model::*;
use super::{Scope, key, relation_mut};
use crate::ident::Ident;

/// By the oid of the relation behind the type: its fields.
pub(super) type Composites = Map<Oid, Vec<(Ident, Oid)>>;

pub(super) fn load(scope: &mut Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::Relations, |row| {
        let id = RelationId(catalog.relations.len() as u32);
        let relation = relation(scope, catalog, row)?;
        scope.relations.insert(relation.oid, id);
        catalog.row_types.insert(relation.row_type, id);
        catalog.relation_names.insert(key(&relation.schema, &relation.name), id);
        catalog.relations.push(relation);
        Ok(())
    })?;
    scope.answer.each(Statement::Estimates, |row| {
        let id = scope.relations.get(&row.number()?).copied();
        let rows = row.number()?;
        if let Some(id) = id {
            relation_mut(catalog, id).estimated_rows = rows;
        }
        Ok(())
    })
}

fn relation(scope: &mut Scope<'_>, catalog: &Catalog, row: &mut Cells<'_>) -> Result<Relation, Error> {
    let oid = row.number()?;
    let (schema, name) = (scope.names.ident(row.text()?), scope.names.ident(row.text()?));
    let kind = match row.letter()? {
        'r' => RelationKind::Table,
        'p' => RelationKind::Partitioned,
        'v' => RelationKind::View,
        'm' => RelationKind::MaterializedView,
        'f' => RelationKind::Foreign,
        other => return Err(row.error(format!("unknown kind {other:?}"))),
    };
    let owner = scope.owner(row.number()?);
    let grants = acl::parse(row.maybe()?, acl::Default::Owner(owner), &catalog.role_names)
        .ok_or_else(|| row.error("has an unreadable ACL"))?;
    let (rls_enabled, rls_forced) = (row.flag()?, row.flag()?);
    let security_invoker = row.list()?.iter().any(|option| is_on(option, "security_invoker"));
    let (is_partition, row_type) = (row.flag()?, row.number()?);
    let table = matches!(kind, RelationKind::Table | RelationKind::Partitioned);
    // A bit per command: 1 << CMD_UPDATE, CMD_INSERT, CMD_DELETE (pg_relation_is_updatable's answer).
    let commands: i32 = row.maybe_number()?.unwrap_or(if table { 4 | 8 | 16 } else { 0 });
    Ok(Relation {
        oid,
        row_type,
        schema,
        name,
        kind,
        owner,
        columns: Vec::new(),
        column_names: Map::default(),
        primary_key: Vec::new(),
        uniques: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        comment: row.maybe()?.map(Into::into),
        rls_enabled,
        rls_forced,
        policies: Vec::new(),
        security_invoker,
        reads: Vec::new(),
        insertable: commands & 8 != 0,
        updatable: commands & 4 != 0,
        deletable: commands & 16 != 0,
        grants,
        before_insert: false,
        before_update: false,
        is_partition,
        estimated_rows: -1.0,
        extension: false,
    })
}

/// A boolean storage parameter, as `parse_bool` of PostgreSQL reads it.
fn is_on(option: &str, name: &str) -> bool {
    let Some((key, value)) = option.split_once('=') else { return false };
    let value = value.to_ascii_lowercase();
    let prefix = |word: &str, least: usize| value.len() >= least && word.starts_with(&value);
    key == name && (value == "1" || prefix("true", 1) || prefix("yes", 1) || value == "on")
}

/// Fills the columns; answers the fields of free-standing composite types.
pub(super) fn columns(scope: &mut Scope<'_>, catalog: &mut Catalog) -> Result<Composites, Error> {
    let mut composites = Composites::default();
    scope.answer.each(Statement::Columns, |row| {
        let owner: Oid = row.number()?;
        let column = column(scope, catalog, row)?;
        match scope.relations.get(&owner) {
            Some(id) => {
                let relation = relation_mut(catalog, *id);
                let at = ColumnId(relation.columns.len() as u16);
                relation.column_names.insert(column.name.shared(), at);
                relation.columns.push(column);
            }
            None => composites.entry(owner).or_default().push((column.name, column.type_oid)),
        }
        Ok(())
    })?;
    for relation in &mut catalog.relations {
        relation.columns.shrink_to_fit();
    }
    Ok(composites)
}

fn column(scope: &mut Scope<'_>, catalog: &Catalog, row: &mut Cells<'_>) -> Result<Column, Error> {
    let number = row.number()?;
    let name = scope.names.ident(row.text()?);
    let (type_oid, modifier) = (row.number()?, row.number()?);
    let type_name = scope.names.text(row.text()?);
    let not_null = row.flag()?;
    let generated = !row.text()?.is_empty();
    let identity = match row.text()? {
        "a" => Identity::Always,
        "d" => Identity::ByDefault,
        _ => Identity::No,
    };
    let expression = row.maybe()?.filter(|_| !generated).map(|text| scope.names.text(text));
    let grants = acl::parse(row.maybe()?, acl::Default::Nothing, &catalog.role_names)
        .ok_or_else(|| row.error("has an unreadable ACL"))?;
    Ok(Column {
        name,
        number,
        type_oid,
        type_name,
        max_length: super::types::max_length(type_oid, modifier),
        not_null,
        default: expression,
        generated,
        identity,
        comment: row.maybe()?.map(Into::into),
        dimensions: row.number()?,
        grants,
        base: None,
        updatable: true,
    })
}
