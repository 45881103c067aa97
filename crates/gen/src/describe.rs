//! The catalog as what is written: the relations, enums and composite types of the schemas that the API offers.

use bedplate_query::catalog::{self, Cardinality, ColumnId, RelationId, Rule, TypeKind, Via};
use bedplate_query::contract::{Record, Source, source};
use bedplate_query::gate::Verb;

use super::comments::harmless;
use super::model::*;
use super::order;
use super::routines;
use super::values::{Scope, is_view};
use bedplate_query::catalog::Catalog;

/// What supabase-js takes for the schema that is not named.
const USUAL_SCHEMA: &str = "public";

pub(crate) fn describe(catalog: &Catalog, schemas: &[&str]) -> Model {
    let scope = Scope { catalog, schemas };
    let first = schemas.first().copied().unwrap_or(USUAL_SCHEMA);
    let default_schema = if schemas.contains(&USUAL_SCHEMA) { USUAL_SCHEMA } else { first };
    let mut written: Vec<Schema> = schemas.iter().map(|name| schema(&scope, name)).collect();
    written.sort_by(|a, b| order::compare(&a.name, &b.name));
    Model { schemas: written, default_schema: default_schema.to_owned() }
}

fn schema(scope: &Scope<'_>, name: &str) -> Schema {
    let ids = (0..scope.catalog.relations.len()).map(|at| RelationId(at as u32));
    let (mut tables, mut views) = (Vec::new(), Vec::new());
    for id in ids.filter(|id| is_offered(scope, *id)) {
        let found = scope.catalog.relation(id);
        if found.schema.as_str() == name {
            let list = if is_view(found.kind) { &mut views } else { &mut tables };
            list.push(relation(scope, id));
        }
    }
    for list in [&mut tables, &mut views] {
        list.sort_by(|a, b| order::compare(&a.name, &b.name));
    }
    let functions = routines::functions(scope, name);
    let (enums, composites) = types(scope, name);
    Schema { name: name.to_owned(), tables, views, functions, enums, composites }
}

/// Partitions are reached through their table; what an extension brings is not the app's.
pub(crate) fn is_offered(scope: &Scope<'_>, id: RelationId) -> bool {
    let found = scope.catalog.relation(id);
    scope.catalog.is_resource(id) && !found.extension && scope.writes(found.schema.as_str())
}

fn relation(scope: &Scope<'_>, id: RelationId) -> Relation {
    let found = scope.catalog.relation(id);
    let numbered = found.columns.iter().enumerate();
    let mut columns: Vec<Column> = numbered
        .map(|(at, c)| column(scope, found, c, |verb| limits(scope, id, ColumnId(at as u16), verb)))
        .collect();
    columns.sort_by(|a, b| order::compare(&a.name, &b.name));
    Relation {
        name: found.name.as_str().to_owned(),
        comment: harmless(found.comment.as_ref()),
        columns,
        computed: routines::computed(scope, id),
        relationships: relationships(scope, id),
        writable: !is_view(found.kind) || found.insertable || found.updatable,
    }
}

/// The contract's rules on what is written there.
fn limits(scope: &Scope<'_>, id: RelationId, column: ColumnId, verb: Verb) -> Limits {
    let value = Record::new(scope.catalog, None, id, verb).value(column);
    let (min, max) = value.range();
    let (shortest, longest) = value.length();
    let listed = value.rules.iter().any(|rule| matches!(rule, Rule::OneOf(_)));
    let choices = value.choices().filter(|_| listed);
    Limits {
        min,
        max,
        shortest: shortest.filter(|n| *n > 0),
        longest,
        choices: choices.map(|all| all.into_iter().cloned().collect()),
        patterns: value.portable_patterns(),
    }
}

fn column(
    scope: &Scope<'_>,
    relation: &catalog::Relation,
    column: &catalog::Column,
    limits: impl Fn(Verb) -> Limits,
) -> Column {
    let (insert, update) = if is_view(relation.kind) {
        let when = |possible| {
            if possible && column.updatable { Presence::Optional } else { Presence::Never }
        };
        (when(relation.insertable), when(relation.updatable))
    } else {
        match source(column) {
            Source::Made => (Presence::Never, Presence::Never),
            Source::Null if column.not_null => (Presence::Required, Presence::Optional),
            Source::Null | Source::Default => (Presence::Optional, Presence::Optional),
        }
    };
    Column {
        name: column.name.as_str().to_owned(),
        comment: harmless(column.comment.as_ref()),
        ty: scope.ty(column.type_oid),
        nullable: !column.not_null,
        takes_null: !column.not_null || is_view(relation.kind),
        insert,
        update,
        insert_limits: limits(Verb::Insert),
        update_limits: limits(Verb::Update),
    }
}

/// The foreign keys of the relation itself; the other direction is found from there by who reads the file.
fn relationships(scope: &Scope<'_>, id: RelationId) -> Vec<Relationship> {
    let here = scope.catalog.relation(id);
    let mut found: Vec<Relationship> = scope
        .catalog
        .relationships(id)
        .iter()
        .filter_map(|relationship| {
            let Via::ForeignKey { constraint, columns, on_source: true } = &relationship.via else {
                return None;
            };
            let target = scope.catalog.relation(relationship.target);
            // Clients embed within one schema at a time.
            if target.schema != here.schema || !is_offered(scope, relationship.target) {
                return None;
            }
            let name = |relation: &catalog::Relation, column: ColumnId| {
                relation.columns[column.0 as usize].name.as_str().to_owned()
            };
            Some(Relationship {
                constraint: constraint.as_str().to_owned(),
                columns: columns.iter().map(|(from, _)| name(here, *from)).collect(),
                one_to_one: relationship.cardinality == Cardinality::OneToOne,
                target: target.name.as_str().to_owned(),
                target_columns: columns.iter().map(|(_, to)| name(target, *to)).collect(),
            })
        })
        .collect();
    found.sort_by(|a, b| {
        order::compare(&a.constraint, &b.constraint)
            .then_with(|| order::compare(&a.target, &b.target))
            .then_with(|| order::compare(&a.target_columns.join("\0"), &b.target_columns.join("\0")))
            .then_with(|| a.columns.cmp(&b.columns))
    });
    found
}

fn types(scope: &Scope<'_>, schema: &str) -> (Vec<Enum>, Vec<Composite>) {
    let (mut enums, mut composites) = (Vec::new(), Vec::new());
    for found in scope.catalog.types.values().filter(|t| t.schema.as_str() == schema) {
        let name = found.name.as_str().to_owned();
        let comment = harmless(found.comment.as_ref());
        match &found.kind {
            TypeKind::Enum(labels) => enums.push(Enum { name, comment, labels: labels.clone() }),
            TypeKind::Composite(fields) if !scope.catalog.row_types.contains_key(&found.oid) => {
                let field = |(name, oid): &(bedplate_query::ident::Ident, catalog::Oid)| Field {
                    name: name.as_str().to_owned(),
                    ty: scope.ty(*oid),
                    nullable: true,
                };
                composites.push(Composite { name, comment, fields: fields.iter().map(field).collect() });
            }
            _ => {}
        }
    }
    enums.sort_by(|a, b| order::compare(&a.name, &b.name));
    composites.sort_by(|a, b| order::compare(&a.name, &b.name));
    (enums, composites)
}
