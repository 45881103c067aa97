//! Requests that ask for a little less, so that a failure can be told in few words.

use super::request::{Action, Item, Level, Request, Tree};
use super::schema::Schema;

pub fn smaller(request: &Request, schema: &Schema) -> Vec<Request> {
    let mut requests: Vec<Request> = levels(&request.level, schema)
        .into_iter()
        .map(|level| Request { level, action: request.action.clone() })
        .collect();
    match &request.action {
        Action::Read { count: true } => {
            requests.push(Request { action: Action::Read { count: false }, level: request.level.clone() });
        }
        Action::Update(values) if values.len() > 1 => {
            for at in 0..values.len() {
                let mut less = values.clone();
                less.remove(at);
                requests.push(Request { action: Action::Update(less), level: request.level.clone() });
            }
        }
        Action::Insert(insert) if insert.rows.len() > 1 => {
            for at in 0..insert.rows.len() {
                let mut less = insert.clone();
                less.rows.remove(at);
                requests.push(Request { action: Action::Insert(less), level: request.level.clone() });
            }
        }
        _ => {}
    }
    requests
}

fn levels(level: &Level, schema: &Schema) -> Vec<Level> {
    let mut found = Vec::new();
    let mut with = |change: &dyn Fn(&mut Level)| {
        let mut less = level.clone();
        change(&mut less);
        found.push(less);
    };
    for at in 0..level.items.len() {
        if level.items.len() > 1 && !is_named(level, at, schema) {
            with(&|less| drop(less.items.remove(at)));
        }
    }
    for at in 0..level.filters.len() {
        with(&|less| drop(less.filters.remove(at)));
        if let Tree::And(members) | Tree::Or(members) = &level.filters[at] {
            for member in members {
                with(&|less| less.filters[at] = member.clone());
            }
        }
        if let Tree::Not(tree) = &level.filters[at] {
            with(&|less| less.filters[at] = (**tree).clone());
        }
    }
    if level.limit.is_some() || level.offset.is_some() {
        with(&|less| (less.limit, less.offset) = (None, None));
        with(&|less| less.offset = None);
    } else if !level.order.is_empty() {
        with(&|less| less.order.clear());
    }
    for at in 0..level.items.len() {
        match &level.items[at] {
            Item::Embed(embed) => {
                for inner in levels(&embed.level, schema) {
                    with(&|less| {
                        if let Item::Embed(embed) = &mut less.items[at] {
                            embed.level = inner.clone();
                        }
                    });
                }
                if !embed.join.is_empty() {
                    with(&|less| {
                        if let Item::Embed(embed) = &mut less.items[at] {
                            embed.join = "";
                        }
                    });
                }
            }
            Item::Field { alias, path, cast: Some(_) } => {
                with(&|less| {
                    less.items[at] = Item::Field { alias: alias.clone(), path: path.clone(), cast: None }
                });
            }
            _ => {}
        }
    }
    found
}

/// Whether a filter or the order speaks of the item.
fn is_named(level: &Level, at: usize, schema: &Schema) -> bool {
    let Item::Embed(embed) = &level.items[at] else { return level.is_grouped() };
    let name = embed.name(schema);
    level.order.iter().any(|term| term.embed.as_deref() == Some(name))
        || level.filters.iter().any(|tree| speaks(tree, name))
}

fn speaks(tree: &Tree, name: &str) -> bool {
    match tree {
        Tree::And(members) | Tree::Or(members) => members.iter().any(|member| speaks(member, name)),
        Tree::Not(tree) => speaks(tree, name),
        Tree::Missing { embed, .. } => embed == name,
        Tree::Test { .. } => false,
    }
}
