//! Functions: as computed columns of the relations whose rows they take, and as what clients call.

use std::cmp::Ordering;

use bedplate_query::catalog::{self, Oid, RelationId, Returns};

use super::comments::harmless;
use super::describe::is_offered;
use super::model::*;
use super::order;
use super::values::Scope;

/// Types that a single unnamed argument can have: the request's body as it is.
const BODY_TYPES: &[&str] = &["json", "jsonb", "text"];

fn served<'a>(scope: &'a Scope<'_>, schema: &str) -> impl Iterator<Item = &'a catalog::Function> + use<'a> {
    let schema = schema.to_owned();
    scope.catalog.functions.iter().filter(move |f| {
        f.schema.as_str() == schema && !f.extension && !f.aggregate && f.returns != Returns::Other
    })
}

/// The functions of one row of the relation, by name.
pub(crate) fn computed(scope: &Scope<'_>, id: RelationId) -> Vec<Computed> {
    let home = scope.catalog.relation(id);
    let mut found: Vec<Computed> = served(scope, home.schema.as_str())
        .filter_map(|function| {
            let [argument] = function.arguments.as_slice() else { return None };
            // A column of that name stands in front of it.
            if argument.type_oid != home.row_type
                || scope.catalog.find_column(id, function.name.as_str()).is_some()
            {
                return None;
            }
            let embeds = matches!(function.returns, Returns::Row { .. });
            let (name, comment) = (function.name.as_str().to_owned(), harmless(function.comment.as_ref()));
            Some(Computed { name, comment, shape: shape(scope, home.schema.as_str(), function), embeds })
        })
        .collect();
    found.sort_by(|a, b| order::compare(&a.name, &b.name));
    found
}

/// The functions that clients can call, by name.
pub(crate) fn functions(scope: &Scope<'_>, schema: &str) -> Vec<Overloads> {
    let callable = served(scope, schema).filter(|function| is_callable(scope, function));
    let mut sorted: Vec<&catalog::Function> = callable.collect();
    sorted.sort_by(|a, b| by_signature(a, b));
    sorted
        .chunk_by(|a, b| a.name == b.name)
        .map(|overloads| Overloads {
            name: overloads[0].name.as_str().to_owned(),
            functions: overloads.iter().map(|f| function(scope, overloads, f)).collect(),
        })
        .collect()
}

fn by_signature(a: &catalog::Function, b: &catalog::Function) -> Ordering {
    let arguments = |f: &catalog::Function| {
        let text = |a: &catalog::Argument| format!("{} {}", a.name, a.type_name);
        f.arguments.iter().map(text).map(|text| text.trim().to_owned()).collect::<Vec<_>>().join(", ")
    };
    order::compare(a.name.as_str(), b.name.as_str())
        .then_with(|| order::compare(&arguments(a), &arguments(b)))
        .then_with(|| a.oid.cmp(&b.oid))
}

/// Arguments are given by name. Without one there is the request's body, and the row that a computed column takes.
fn is_callable(scope: &Scope<'_>, function: &catalog::Function) -> bool {
    let unnamed = |a: &&catalog::Argument| a.name.is_empty();
    let by_body = |a: &catalog::Argument| {
        scope.catalog.type_of(a.type_oid).is_some_and(|t| BODY_TYPES.contains(&t.name.as_str()))
    };
    match function.arguments.as_slice() {
        [only] if only.name.is_empty() => by_body(only) || row_of(scope, only.type_oid).is_some(),
        arguments => arguments.iter().filter(unnamed).all(|a| a.has_default && by_body(a)),
    }
}

/// The relation that the type is the row of.
fn row_of<'a>(scope: &'a Scope<'_>, oid: Oid) -> Option<&'a catalog::Relation> {
    scope.catalog.row_types.get(&oid).map(|id| scope.catalog.relation(*id))
}

fn function(scope: &Scope<'_>, overloads: &[&catalog::Function], function: &catalog::Function) -> Function {
    let mut arguments: Vec<Argument> = function
        .arguments
        .iter()
        .map(|a| Argument { name: a.name.to_string(), ty: scope.ty(a.type_oid), optional: a.has_default })
        .collect();
    arguments.sort_by(|a, b| order::compare(&a.name, &b.name));
    let set = is_set(&function.returns);
    let rows = rows(scope, function, set);
    // A client that is told of one row makes one of the list by itself.
    let list = set && (rows.is_none() || gives_many(function));
    let shape = shape(scope, function.schema.as_str(), function);
    let refusal =
        conflict(scope, overloads, function).or_else(|| not_callable(scope, function, rows.as_ref()));
    Function { comment: harmless(function.comment.as_ref()), arguments, shape, list, rows, refusal }
}

fn is_set(returns: &Returns) -> bool {
    match returns {
        Returns::Scalar { set, .. } | Returns::Row { set, .. } | Returns::Table { set, .. } => *set,
        _ => false,
    }
}

/// The planner's estimate is also how an author says "at most one": `rows 1`.
fn gives_many(function: &catalog::Function) -> bool {
    function.estimated_rows > 1.0
}

fn shape(scope: &Scope<'_>, schema: &str, function: &catalog::Function) -> Shape {
    match &function.returns {
        Returns::Void => Shape::Value(Ty::Void),
        Returns::Other => Shape::Value(Ty::Unknown),
        Returns::Scalar { type_oid, .. } => Shape::Value(scope.ty(*type_oid)),
        Returns::Row { relation: Some(id), .. }
            if is_offered(scope, *id) && scope.catalog.relation(*id).schema.as_str() == schema =>
        {
            let columns = scope.catalog.relation(*id).columns.iter();
            let field = |c: &catalog::Column| Field {
                name: c.name.as_str().to_owned(),
                ty: scope.ty(c.type_oid),
                nullable: !c.not_null,
            };
            let mut fields: Vec<Field> = columns.map(field).collect();
            fields.sort_by(|a, b| order::compare(&a.name, &b.name));
            Shape::Row(fields)
        }
        Returns::Row { type_oid, .. } => Shape::Value(scope.ty(*type_oid)),
        Returns::Table { columns, .. } => {
            let mut fields: Vec<Field> = columns
                .iter()
                .map(|(name, oid)| Field {
                    name: name.as_str().to_owned(),
                    ty: scope.ty(*oid),
                    nullable: false,
                })
                .collect();
            fields.sort_by(|a, b| order::compare(&a.name, &b.name));
            Shape::Table(fields)
        }
    }
}

fn rows(scope: &Scope<'_>, function: &catalog::Function, set: bool) -> Option<Rows> {
    let Returns::Row { type_oid, relation, .. } = &function.returns else { return None };
    let to = match relation {
        Some(id) => scope.catalog.relation(*id).name.as_str(),
        None => scope.catalog.type_of(*type_oid)?.name.as_str(),
    };
    let of = match function.arguments.as_slice() {
        [argument] => row_of(scope, argument.type_oid),
        _ => None,
    };
    Some(Rows {
        from: of.map_or_else(|| "*".to_owned(), |relation| relation.name.as_str().to_owned()),
        to: to.to_owned(),
        one_to_one: !set || !gives_many(function),
        set,
    })
}

/// Overloads that a request cannot tell apart: an argument of the same name with another type, or none beside one that
/// may be left out.
fn conflict(
    scope: &Scope<'_>,
    overloads: &[&catalog::Function],
    function: &catalog::Function,
) -> Option<String> {
    let others = overloads.iter().filter(|other| other.oid != function.oid);
    let rivals: Vec<&&catalog::Function> = match function.arguments.as_slice() {
        [] => others
            .filter(|o| matches!(o.arguments.as_slice(), [only] if only.name.is_empty() && only.has_default))
            .collect(),
        [only] if !only.name.is_empty() => others
            .filter(|o| {
                matches!(o.arguments.as_slice(), [other] if other.name == only.name && other.type_oid != only.type_oid)
            })
            .collect(),
        _ => Vec::new(),
    };
    if rivals.is_empty() {
        return None;
    }
    let mut all: Vec<&catalog::Function> = rivals.into_iter().copied().chain([function]).collect();
    all.sort_by_key(|f| f.arguments.first().map(|a| a.type_oid));
    let texts: Vec<String> = all.iter().map(|f| signature(scope, f)).collect();
    Some(format!(
        "Could not choose the best candidate function between: {}. Try renaming the parameters or the function itself \
         in the database so function overloading can be resolved",
        texts.join(", ")
    ))
}

fn signature(scope: &Scope<'_>, function: &catalog::Function) -> String {
    let arguments = function.arguments.iter().map(|a| {
        let ty = scope.catalog.type_of(a.type_oid).map_or("unknown", |t| t.name.as_str());
        format!("{} => {ty}", a.name)
    });
    format!("{}.{}({})", function.schema, function.name, arguments.collect::<Vec<_>>().join(", "))
}

/// A computed column cannot be called by itself.
fn not_callable(scope: &Scope<'_>, function: &catalog::Function, rows: Option<&Rows>) -> Option<String> {
    let [only] = function.arguments.as_slice() else { return None };
    if !only.name.is_empty() || rows.is_some() || row_of(scope, only.type_oid).is_none() {
        return None;
    }
    Some(format!(
        "the function {}.{} with parameter or with a single unnamed json/jsonb parameter, but no matches were found in \
         the schema cache",
        function.schema, function.name
    ))
}
