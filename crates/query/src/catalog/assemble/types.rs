//! Types, and what columns take from theirs.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::super::introspect::{Cells, Error, Statement};
use super::super::model::*;
use super::Scope;
use super::relations::Composites;

const BPCHAR: Oid = 1042;
const VARCHAR: Oid = 1043;
const TEXT: Oid = 25;
const JSON: Oid = 114;
/// A modifier of varchar(n) and char(n) counts the four bytes of the length word.
const HEADER: i32 = 4;

/// Characters that `varchar(n)` and `char(n)` take.
pub(super) fn max_length(type_oid: Oid, modifier: i32) -> Option<u32> {
    let bounded = matches!(type_oid, BPCHAR | VARCHAR) && modifier > HEADER;
    bounded.then(|| (modifier - HEADER) as u32)
}

pub(super) fn load(
    scope: &mut Scope<'_>,
    catalog: &mut Catalog,
    composites: Composites,
) -> Result<(), Error> {
    let mut loader = Loader { composites, labels: enums(scope)?, ranges: ranges(scope)? };
    let wanted = referenced(catalog, &loader.composites);
    scope.answer.each(Statement::Types, |row| {
        if let Some(found) = loader.read(scope, catalog, row)? {
            catalog.types.insert(found.oid, found);
        }
        Ok(())
    })?;
    // Each relation has a row type and an array of it; hardly any is ever used.
    let needed_elements: HashSet<Oid, RandomState> = catalog
        .types
        .values()
        .filter(|t| wanted.contains(&t.oid))
        .filter_map(|t| match &t.kind {
            TypeKind::Array(of) | TypeKind::Domain { base: of, .. } => Some(*of),
            _ => None,
        })
        .collect();
    let rows = &catalog.row_types;
    catalog.types.retain(|oid, t| {
        let row_like = match &t.kind {
            TypeKind::Array(element) => rows.contains_key(element),
            _ => rows.contains_key(oid),
        };
        !row_like || wanted.contains(oid) || needed_elements.contains(oid)
    });
    casts(scope, catalog)
}

/// What columns, fields of composites and functions refer to.
fn referenced(catalog: &Catalog, composites: &Composites) -> HashSet<Oid, RandomState> {
    let columns = catalog.relations.iter().flat_map(|r| &r.columns).map(|c| c.type_oid);
    let fields = composites.values().flatten().map(|(_, oid)| *oid);
    let mut wanted: HashSet<Oid, RandomState> = columns.chain(fields).collect();
    for function in &catalog.functions {
        wanted.extend(function.arguments.iter().map(|a| a.type_oid));
        match &function.returns {
            Returns::Scalar { type_oid, .. } | Returns::Row { type_oid, .. } => {
                wanted.insert(*type_oid);
            }
            Returns::Table { columns, .. } => wanted.extend(columns.iter().map(|(_, oid)| *oid)),
            Returns::Void | Returns::Other => {}
        }
    }
    wanted
}

struct Loader {
    composites: Composites,
    labels: Map<Oid, Vec<Arc<str>>>,
    /// Range and multirange to what they hold.
    ranges: Map<Oid, TypeKind>,
}

impl Loader {
    fn read(
        &mut self,
        scope: &mut Scope<'_>,
        catalog: &Catalog,
        row: &mut Cells<'_>,
    ) -> Result<Option<Type>, Error> {
        let oid: Oid = row.number()?;
        let (schema, name) = (scope.names.ident(row.text()?), scope.names.ident(row.text()?));
        let sql_name = scope.names.text(row.text()?);
        let (letter, category) = (row.letter()?, row.letter()?);
        let (base, modifier) = (row.number()?, row.number()?);
        let not_null = row.flag()?;
        let default = row.maybe()?.map(Into::into);
        let relation: Oid = row.number()?;
        let element: Option<Oid> = row.maybe_number()?;
        let kind = match letter {
            'e' => TypeKind::Enum(self.labels.remove(&oid).unwrap_or_default()),
            'd' => TypeKind::Domain {
                base,
                not_null,
                checks: Vec::new(),
                rules: Vec::new(),
                max_length: max_length(base, modifier),
                default,
                to_json: None,
                from_json: None,
                from_text: None,
            },
            'c' => match self.fields(scope, catalog, relation) {
                Some(fields) => TypeKind::Composite(fields),
                None => return Ok(None),
            },
            'r' | 'm' => self.ranges.remove(&oid).unwrap_or(TypeKind::Base),
            'p' => TypeKind::Pseudo,
            _ => element.map_or(TypeKind::Base, TypeKind::Array),
        };
        let comment = row.maybe()?.map(Into::into);
        Ok(Some(Type { oid, schema, name, sql_name, category, kind, comment }))
    }

    /// `None` for rows of PostgreSQL's own catalogs, whose columns are not read.
    fn fields(
        &mut self,
        scope: &Scope<'_>,
        catalog: &Catalog,
        relation: Oid,
    ) -> Option<Vec<(crate::ident::Ident, Oid)>> {
        if let Some(id) = scope.relations.get(&relation) {
            let columns = &catalog.relations[id.0 as usize].columns;
            return Some(columns.iter().map(|c| (c.name.clone(), c.type_oid)).collect());
        }
        self.composites.remove(&relation)
    }
}

fn enums(scope: &mut Scope<'_>) -> Result<Map<Oid, Vec<Arc<str>>>, Error> {
    let mut labels: Map<Oid, Vec<Arc<str>>> = Map::default();
    scope.answer.each(Statement::Enums, |row| {
        labels.entry(row.number()?).or_default().push(scope.names.text(row.text()?));
        Ok(())
    })?;
    Ok(labels)
}

fn ranges(scope: &Scope<'_>) -> Result<Map<Oid, TypeKind>, Error> {
    let mut ranges = Map::default();
    scope.answer.each(Statement::Ranges, |row| {
        let (range, element, multirange) = (row.number()?, row.number()?, row.number()?);
        ranges.insert(range, TypeKind::Range(element));
        ranges.insert(multirange, TypeKind::Multirange(range));
        Ok(())
    })?;
    Ok(ranges)
}

fn casts(scope: &Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::Casts, |row| {
        let (source, target, function): (Oid, Oid, Oid) = (row.number()?, row.number()?, row.number()?);
        let mut set = |domain: Oid, slot: fn(&mut TypeKind) -> Option<&mut Option<Oid>>| {
            if let Some(slot) = catalog.types.get_mut(&domain).and_then(|t| slot(&mut t.kind)) {
                *slot = Some(function);
            }
        };
        match (source, target) {
            (JSON, domain) => set(domain, |kind| match kind {
                TypeKind::Domain { from_json, .. } => Some(from_json),
                _ => None,
            }),
            (TEXT, domain) => set(domain, |kind| match kind {
                TypeKind::Domain { from_text, .. } => Some(from_text),
                _ => None,
            }),
            (domain, JSON) => set(domain, |kind| match kind {
                TypeKind::Domain { to_json, .. } => Some(to_json),
                _ => None,
            }),
            _ => {}
        }
        Ok(())
    })
}

/// A column's length, NOT NULL and default may come from its domain.
pub(super) fn apply_to_columns(catalog: &mut Catalog) {
    let Catalog { relations, types, .. } = catalog;
    for column in relations.iter_mut().flat_map(|r| &mut r.columns) {
        let mut oid = column.type_oid;
        let settled = column.default.is_some() || column.generated || column.identity != Identity::No;
        while let Some(Type { kind: TypeKind::Domain { base, not_null, max_length, default, .. }, .. }) =
            types.get(&oid)
        {
            column.not_null |= *not_null;
            column.max_length = column.max_length.or(*max_length);
            if !settled && column.default.is_none() {
                column.default.clone_from(default);
            }
            oid = *base;
        }
    }
}
