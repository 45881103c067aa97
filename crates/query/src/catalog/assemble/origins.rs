//! Views' columns traced to the tables', and with them views' keys and which of their columns can be written.

use super::super::introspect::{Error, Statement};
use super::super::model::*;
use super::super::views;
use super::{Scope, column_at, relation_mut};

/// By table: the views over it and, for each, which table column shows as which view columns.
pub(in super::super) type Traced = Map<RelationId, Vec<(RelationId, Vec<(ColumnId, ColumnId)>)>>;

/// A column of some relation.
type Place = (RelationId, ColumnId);

/// Views upon views deeper than this are not traced further. (Cycles cannot be queried, but can be defined.)
const MAX_DEPTH: usize = 64;

pub(super) fn load(scope: &Scope<'_>, catalog: &mut Catalog) -> Result<Traced, Error> {
    let direct = direct(scope, catalog)?;
    let mut traced = Traced::default();
    for (place, step) in &direct {
        let updatable = is_updatable(catalog, &direct, *place);
        let base = Some(base(&direct, *step)).filter(|(id, _)| !is_view(catalog.relation(*id)));
        let relation = relation_mut(catalog, place.0);
        let column = &mut relation.columns[place.1.0 as usize];
        column.updatable = updatable;
        column.base = base;
    }
    for at in 0..catalog.relations.len() {
        let id = RelationId(at as u32);
        let relation = relation_mut(catalog, id);
        if !is_view(relation) {
            continue;
        }
        let writable = relation.insertable || relation.updatable;
        let instead = relation.before_insert || relation.before_update;
        for column in relation.columns.iter_mut().filter(|c| c.base.is_none()) {
            column.updatable = writable && instead;
        }
        let columns: Vec<(ColumnId, Place)> = relation
            .columns
            .iter()
            .enumerate()
            .filter_map(|(at, column)| Some((ColumnId(at as u16), column.base?)))
            .collect();
        relation.primary_key = Vec::new();
        for (table, pairs) in by_table(&columns) {
            let key = primary_key(&catalog.relations[table.0 as usize], &pairs);
            relation_mut(catalog, id).primary_key.extend(key);
            traced.entry(table).or_default().push((id, pairs));
        }
    }
    Ok(traced)
}

/// One step down: from each view column to the column it names, in the order of the views' columns.
fn direct(scope: &Scope<'_>, catalog: &Catalog) -> Result<Vec<(Place, Place)>, Error> {
    let mut direct = Vec::new();
    scope.answer.each(Statement::Views, |row| {
        let Some(view) = scope.relations.get(&row.number()?).copied() else { return Ok(()) };
        for origin in views::origins(row.text()?) {
            let below = scope.relations.get(&origin.relation).copied();
            let here = column_at(&catalog.relations[view.0 as usize], origin.column);
            let there = below.and_then(|b| column_at(&catalog.relations[b.0 as usize], origin.number));
            if let (Some(below), Some(here), Some(there)) = (below, here, there) {
                direct.push(((view, here), (below, there)));
            }
        }
        Ok(())
    })?;
    direct.sort_unstable();
    Ok(direct)
}

fn below(direct: &[(Place, Place)], place: Place) -> Option<Place> {
    direct.binary_search_by_key(&place, |(from, _)| *from).ok().map(|at| direct[at].1)
}

fn base(direct: &[(Place, Place)], from: Place) -> Place {
    let mut place = from;
    for _ in 0..MAX_DEPTH {
        match below(direct, place) {
            Some(next) => place = next,
            None => break,
        }
    }
    place
}

/// A plain reference can be written when its view can, all the way down; INSTEAD OF triggers take any column.
fn is_updatable(catalog: &Catalog, direct: &[(Place, Place)], from: Place) -> bool {
    let mut place = from;
    for _ in 0..MAX_DEPTH {
        let relation = &catalog.relations[place.0.0 as usize];
        let instead = relation.before_insert || relation.before_update;
        match below(direct, place) {
            None if is_view(relation) => return instead,
            None => return !relation.columns[place.1.0 as usize].generated,
            Some(_) if !(relation.insertable || relation.updatable) => return false,
            Some(_) if instead => return true,
            Some(next) => place = next,
        }
    }
    false
}

fn is_view(relation: &Relation) -> bool {
    matches!(relation.kind, RelationKind::View | RelationKind::MaterializedView)
}

fn by_table(columns: &[(ColumnId, Place)]) -> Vec<(RelationId, Vec<(ColumnId, ColumnId)>)> {
    let mut found: Vec<(RelationId, Vec<(ColumnId, ColumnId)>)> = Vec::new();
    for (here, (table, there)) in columns {
        match found.iter_mut().find(|(known, _)| known == table) {
            Some((_, pairs)) => pairs.push((*there, *here)),
            None => found.push((*table, vec![(*there, *here)])),
        }
    }
    found
}

/// The table's key as the view shows it: all of it or nothing; the first of several columns that show the same.
fn primary_key(table: &Relation, pairs: &[(ColumnId, ColumnId)]) -> Vec<ColumnId> {
    let shown = |column: &ColumnId| pairs.iter().find(|(there, _)| there == column).map(|(_, here)| *here);
    table.primary_key.iter().map(shown).collect::<Option<_>>().unwrap_or_default()
}
