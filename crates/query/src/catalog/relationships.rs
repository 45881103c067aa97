//! The ways between relations: from foreign keys (also as views show them), through junctions, and by functions.

use std::sync::Arc;

use super::assemble::Traced;
use super::model::*;
use crate::ident::Ident;

/// The most ways in which one view shows the same foreign key (columns selected several times) that are kept.
const MAX_COMBINATIONS: usize = 32;

/// A foreign key between two relations that front doors serve, as these show it.
struct Link {
    source: RelationId,
    target: RelationId,
    constraint: Ident,
    pairs: Vec<(ColumnId, ColumnId)>,
    one_to_one: bool,
}

/// By relation, sorted: equal catalogs give equal lists.
pub(super) fn find(catalog: &Catalog, traced: &Traced) -> Vec<Vec<Relationship>> {
    let mut found: Vec<Vec<Relationship>> = catalog.relations.iter().map(|_| Vec::new()).collect();
    let links = links(catalog, traced);
    for link in &links {
        let (there, back) = if link.one_to_one {
            (Cardinality::OneToOne, Cardinality::OneToOne)
        } else {
            (Cardinality::ManyToOne, Cardinality::OneToMany)
        };
        let via =
            |columns, on_source| Via::ForeignKey { constraint: link.constraint.clone(), columns, on_source };
        let swapped = swap(&link.pairs);
        found[link.source.0 as usize].push(Relationship {
            target: link.target,
            cardinality: there,
            via: via(link.pairs.clone(), true),
        });
        found[link.target.0 as usize].push(Relationship {
            target: link.source,
            cardinality: back,
            via: via(swapped, false),
        });
    }
    junctions(catalog, &links, &mut found);
    computed(catalog, &mut found);
    for list in &mut found {
        list.sort_by_cached_key(|r| sort_key(catalog, r));
        list.shrink_to_fit();
    }
    found
}

fn swap(pairs: &[(ColumnId, ColumnId)]) -> Vec<(ColumnId, ColumnId)> {
    pairs.iter().map(|(a, b)| (*b, *a)).collect()
}

fn links(catalog: &Catalog, traced: &Traced) -> Vec<Link> {
    let mut links = Vec::new();
    for (at, table) in catalog.relations.iter().enumerate() {
        for key in &table.foreign_keys {
            let one_to_one = is_unique(table, &key.columns);
            let sources = shown(catalog, traced, RelationId(at as u32), &key.columns);
            if sources.is_empty() {
                continue;
            }
            let targets = shown(catalog, traced, key.target, &key.target_columns);
            for (source, here) in &sources {
                for (target, there) in &targets {
                    links.push(Link {
                        source: *source,
                        target: *target,
                        constraint: key.name.clone(),
                        pairs: here.iter().copied().zip(there.iter().copied()).collect(),
                        one_to_one,
                    });
                }
            }
        }
    }
    links
}

/// Whether a primary key or unique constraint is on exactly these columns. (PostgREST does not count bare unique
/// indexes, and whether clients get an object or an array depends on it.)
fn is_unique(table: &Relation, columns: &[ColumnId]) -> bool {
    let same = |other: &[ColumnId]| {
        other.len() == columns.len() && columns.iter().all(|column| other.contains(column))
    };
    let constraints = table.uniques.iter().filter(|u| u.is_constraint);
    same(&table.primary_key) || constraints.into_iter().any(|u| same(&u.columns))
}

/// The table itself and the views that show all of the columns, each with these columns: as far as they are served.
fn shown(
    catalog: &Catalog,
    traced: &Traced,
    table: RelationId,
    columns: &[ColumnId],
) -> Vec<(RelationId, Vec<ColumnId>)> {
    let mut found = Vec::new();
    if catalog.is_resource(table) {
        found.push((table, columns.to_vec()));
    }
    for (view, pairs) in traced.get(&table).into_iter().flatten() {
        if catalog.is_resource(*view) {
            let combinations = combinations(columns, pairs);
            found.extend(combinations.into_iter().map(|columns| (*view, columns)));
        }
    }
    found
}

/// Every choice of one view column for each table column; none when one is not shown.
fn combinations(columns: &[ColumnId], pairs: &[(ColumnId, ColumnId)]) -> Vec<Vec<ColumnId>> {
    let mut choices = vec![Vec::with_capacity(columns.len())];
    for column in columns {
        let shown: Vec<ColumnId> = pairs.iter().filter(|(t, _)| t == column).map(|(_, v)| *v).collect();
        choices = choices
            .iter()
            .flat_map(|head| shown.iter().map(|next| [head.as_slice(), &[*next]].concat()))
            .take(MAX_COMBINATIONS)
            .collect();
    }
    choices
}

/// Two foreign keys of one relation, both within its primary key, make it a junction (PostgREST documentation,
/// "Many-to-many relationships").
fn junctions(catalog: &Catalog, links: &[Link], found: &mut [Vec<Relationship>]) {
    let mut by_source: Map<RelationId, Vec<&Link>> = Map::default();
    for link in links.iter().filter(|l| !l.one_to_one) {
        let key = &catalog.relation(link.source).primary_key;
        if link.pairs.iter().all(|(here, _)| key.contains(here)) {
            by_source.entry(link.source).or_default().push(link);
        }
    }
    for link in links {
        let Some(others) = by_source.get(&link.source) else { continue };
        if !others.iter().any(|other| std::ptr::eq(*other, link)) {
            continue;
        }
        for other in others.iter().filter(|other| other.constraint != link.constraint) {
            found[link.target.0 as usize].push(Relationship {
                target: other.target,
                cardinality: Cardinality::ManyToMany,
                via: Via::Junction {
                    junction: link.source,
                    source_constraint: link.constraint.clone(),
                    target_constraint: other.constraint.clone(),
                    source: swap(&link.pairs),
                    target: other.pairs.clone(),
                },
            });
        }
    }
}

/// `name(row) returns [setof] other row`. It takes the place of other ways to a relation of the function's name.
fn computed(catalog: &Catalog, found: &mut [Vec<Relationship>]) {
    for (at, function) in catalog.functions.iter().enumerate() {
        let [argument] = function.arguments.as_slice() else { continue };
        let Returns::Row { relation: Some(target), set, .. } = function.returns else { continue };
        let Some(source) = catalog.row_types.get(&argument.type_oid) else { continue };
        if !catalog.is_resource(*source) || !catalog.is_resource(target) {
            continue;
        }
        let single = !set || (function.estimated_rows - 1.0).abs() < f32::EPSILON;
        let cardinality = if single { Cardinality::ManyToOne } else { Cardinality::OneToMany };
        let list = &mut found[source.0 as usize];
        list.retain(|r| {
            let other = catalog.relation(r.target);
            let alike = other.schema == function.schema && other.name == function.name;
            matches!(r.via, Via::Computed { .. }) || !alike
        });
        list.push(Relationship {
            target,
            cardinality,
            via: Via::Computed { function: FunctionId(at as u32) },
        });
    }
}

type SortKey = (Arc<str>, Arc<str>, u8, Arc<str>, Arc<str>, Vec<(ColumnId, ColumnId)>);

fn sort_key(catalog: &Catalog, relationship: &Relationship) -> SortKey {
    let target = catalog.relation(relationship.target);
    let (rank, first, second, columns) = match &relationship.via {
        Via::Computed { function } => {
            (0, catalog.function(*function).name.shared(), target.name.shared(), Vec::new())
        }
        Via::ForeignKey { constraint, columns, on_source } => {
            (2 - u8::from(*on_source), constraint.shared(), target.name.shared(), columns.clone())
        }
        Via::Junction { source_constraint, target_constraint, source, target, .. } => {
            let columns = source.iter().chain(target).copied().collect();
            (3, source_constraint.shared(), target_constraint.shared(), columns)
        }
    };
    (target.schema.shared(), target.name.shared(), rank, first, second, columns)
}
