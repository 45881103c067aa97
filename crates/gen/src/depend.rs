//! The order in which structures are written so that each stands behind what it is made of. PostgreSQL allows no circles
//! between composite types and rows.

use std::collections::HashSet;

use super::model::*;

/// A structure with a name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item<'a> {
    Composite(&'a Schema, &'a Composite),
    Relation { schema: &'a Schema, relation: &'a Relation, view: bool },
}

impl Item<'_> {
    fn key(&self) -> (Named, bool) {
        let named =
            |schema: &Schema, name: &str| Named { schema: schema.name.clone(), name: name.to_owned() };
        match self {
            Self::Composite(schema, composite) => (named(schema, &composite.name), false),
            Self::Relation { schema, relation, .. } => (named(schema, &relation.name), true),
        }
    }

    fn parts(&self) -> Vec<&Ty> {
        match self {
            Self::Composite(_, composite) => composite.fields.iter().map(|f| &f.ty).collect(),
            Self::Relation { relation, .. } => relation.columns.iter().map(|c| &c.ty).collect(),
        }
    }
}

/// All structures of the model, as early as their names say and as late as their parts demand.
pub(crate) fn in_order(model: &Model) -> Vec<Item<'_>> {
    let mut all: Vec<Item<'_>> = Vec::new();
    for schema in &model.schemas {
        all.extend(schema.composites.iter().map(|composite| Item::Composite(schema, composite)));
        for (list, view) in [(&schema.tables, false), (&schema.views, true)] {
            all.extend(list.iter().map(|relation| Item::Relation { schema, relation, view }));
        }
    }
    let mut done = HashSet::new();
    let mut ordered = Vec::new();
    for item in &all {
        visit(*item, &all, &mut done, &mut ordered);
    }
    ordered
}

fn visit<'a>(
    item: Item<'a>,
    all: &[Item<'a>],
    done: &mut HashSet<(Named, bool)>,
    ordered: &mut Vec<Item<'a>>,
) {
    if !done.insert(item.key()) {
        return;
    }
    for part in item.parts() {
        if let Some(key) = structure(part)
            && let Some(found) = all.iter().find(|other| other.key() == key)
        {
            visit(*found, all, done, ordered);
        }
    }
    ordered.push(item);
}

/// What the type is made of, when that has a name and is a structure.
fn structure(ty: &Ty) -> Option<(Named, bool)> {
    match ty {
        Ty::Array(element) => structure(element),
        Ty::Composite(named) => Some((named.clone(), false)),
        Ty::Row { of, .. } => Some((of.clone(), true)),
        _ => None,
    }
}

/// The value of a computed column, as far as it is one: rows are asked for as embeds, and structures could lead in
/// circles here.
pub(crate) fn computed_value(computed: &Computed) -> Option<Ty> {
    match &computed.shape {
        _ if computed.embeds => None,
        Shape::Value(ty) if structure(ty).is_none() => Some(ty.clone()),
        _ => Some(Ty::Unknown),
    }
}
