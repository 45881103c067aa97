//! Tables and views: their paths, their definitions, and the parameters that their paths refer to.

use std::borrow::Cow;

use bedplate_query::catalog::{
    Cardinality, Column, ColumnId, Relation, RelationId, RelationKind, Relationship, Via,
};
use bedplate_query::gate::Verb;

use super::document::{
    BodySchema, ListOf, Map, Operation, Parameter, PathItem, Plain, Property, Response, Schema, parameter,
};
use super::{Scope, summary, types};

/// `/{table}`
pub(super) fn path<'a>(scope: Scope<'a>, id: RelationId, relation: &'a Relation) -> (String, PathItem<'a>) {
    let name = relation.name.as_str();
    let (summary, description) = summary(relation.comment.as_deref());
    let operation =
        |parameters: Vec<Parameter<'a>>, responses: Vec<(&'static str, Response<'a>)>| Operation {
            tags: [Cow::Borrowed(name)],
            summary,
            description,
            produces: &[],
            parameters,
            responses: Map(responses),
        };
    let filters = || columns(scope, id, relation).map(|(_, column)| parameter(row_filter(name, column)));
    let with_filters = |others: &[&str]| filters().chain(others.iter().map(parameter)).collect::<Vec<_>>();
    let body = || parameter(format_args!("body.{name}"));
    let writable = relation.insertable || relation.updatable || relation.deletable;
    let offers = |verb: Verb| scope.serves(id, verb) && (verb == Verb::Select || writable);
    let path = PathItem {
        get: offers(Verb::Select).then(|| {
            const PAGING: &[&str] =
                &["select", "order", "range", "rangeUnit", "offset", "limit", "preferCount"];
            operation(with_filters(PAGING), vec![("200", rows(name)), ("206", plain("Partial Content"))])
        }),
        post: offers(Verb::Insert).then(|| {
            let parameters = vec![body(), parameter("select"), parameter("preferPost")];
            operation(parameters, vec![("201", plain("Created"))])
        }),
        patch: offers(Verb::Update).then(|| {
            let parameters = filters().chain([body(), parameter("preferReturn")]).collect();
            operation(parameters, vec![("204", plain("No Content"))])
        }),
        delete: offers(Verb::Delete)
            .then(|| operation(with_filters(&["preferReturn"]), vec![("204", plain("No Content"))])),
    };
    (format!("/{name}"), path)
}

fn plain(description: &'static str) -> Response<'static> {
    Response { description, schema: None }
}

fn rows(name: &str) -> Response<'static> {
    let items = Parameter::Reference { to: format!("#/definitions/{name}") };
    Response { description: "OK", schema: Some(ListOf { r#type: "array", items }) }
}

fn row_filter(table: &str, column: &Column) -> String {
    format!("rowFilter.{table}.{}", column.name)
}

/// The columns that the role may know of, in table order.
fn columns<'a>(
    scope: Scope<'a>,
    id: RelationId,
    relation: &'a Relation,
) -> impl Iterator<Item = (ColumnId, &'a Column)> {
    let all = relation.columns.iter().enumerate().map(|(at, column)| (ColumnId(at as u16), column));
    all.filter(move |(at, _)| scope.knows_column(id, *at))
}

pub(super) fn definition<'a>(
    scope: Scope<'a>,
    id: RelationId,
    relation: &'a Relation,
) -> (&'a str, Schema<'a>) {
    let properties = columns(scope, id, relation)
        .map(|(at, column)| (column.name.as_str(), property(scope, id, at, column)));
    let required = columns(scope, id, relation).filter(|(_, column)| column.not_null);
    let schema = Schema {
        r#type: "object",
        description: relation.comment.as_deref(),
        properties: Map(properties.collect()),
        required: required.map(|(_, column)| column.name.as_str()).collect(),
    };
    (relation.name.as_str(), schema)
}

fn property<'a>(scope: Scope<'a>, id: RelationId, at: ColumnId, column: &'a Column) -> Property<'a> {
    let name = types::of_column(scope.catalog, column);
    Property {
        description: described(scope, id, at, column),
        r#type: types::swagger_type(name),
        format: Some(types::format(name)),
        r#enum: types::labels(scope.catalog, column),
        default: column.default.as_deref().and_then(|expression| types::default(name, expression)),
        max_length: types::max_length(column),
        items: types::items(name),
    }
}

/// The comment, and notes on keys in the form that tools look for.
fn described<'a>(scope: Scope<'a>, id: RelationId, at: ColumnId, column: &'a Column) -> Option<Cow<'a, str>> {
    let is_key = scope.catalog.relation(id).primary_key.contains(&at);
    let target = foreign_key(scope, id, at);
    if !is_key && target.is_none() {
        return column.comment.as_deref().map(Cow::Borrowed);
    }
    let mut text = String::new();
    if let Some(comment) = &column.comment {
        text.push_str(comment);
        text.push_str("\n\n");
    }
    text.push_str("Note:");
    if is_key {
        text.push_str("\nThis is a Primary Key.<pk/>");
    }
    if let Some((table, column)) = target {
        text.push_str(&format!(
            "\nThis is a Foreign Key to `{table}.{column}`.<fk table='{table}' column='{column}'/>"
        ));
    }
    Some(Cow::Owned(text))
}

/// Where a column leads as the only one of a foreign key: a table rather than a view, of the same schema.
fn foreign_key<'a>(scope: Scope<'a>, id: RelationId, column: ColumnId) -> Option<(&'a str, &'a str)> {
    let ways = scope.catalog.relationships(id).iter().filter_map(|way| {
        let there = far_column(way, column)?;
        let target = scope.catalog.relation(way.target);
        let told = target.schema.as_str() == scope.schema
            && scope.serves(way.target, Verb::Select)
            && scope.knows_column(way.target, there);
        let is_view = matches!(target.kind, RelationKind::View | RelationKind::MaterializedView);
        told.then(|| (is_view, target.name.as_str(), scope.catalog.column(way.target, there).name.as_str()))
    });
    ways.min().map(|(_, table, column)| (table, column))
}

fn far_column(way: &Relationship, column: ColumnId) -> Option<ColumnId> {
    let Via::ForeignKey { columns, on_source: true, .. } = &way.via else { return None };
    match (way.cardinality, columns.as_slice()) {
        (Cardinality::ManyToOne | Cardinality::OneToOne, [(here, there)]) if *here == column => Some(*there),
        _ => None,
    }
}

/// What paths refer to: the same for all tables first, then those of each.
pub(super) fn parameters<'a>(
    scope: Scope<'a>,
    relations: &[(RelationId, &'a Relation)],
) -> Vec<(Cow<'static, str>, Parameter<'a>)> {
    let mut all: Vec<(Cow<'static, str>, Parameter<'a>)> =
        shared().into_iter().map(|(name, plain)| (Cow::Borrowed(name), Parameter::Plain(plain))).collect();
    for (id, relation) in relations {
        let name = relation.name.as_str();
        let body = Parameter::Body {
            name,
            r#in: "body",
            description: Some(name),
            required: false,
            schema: BodySchema::Reference { to: format!("#/definitions/{name}") },
        };
        all.push((Cow::Owned(format!("body.{name}")), body));
        all.extend(columns(scope, *id, relation).map(|(_, column)| {
            let filter = Plain {
                name: column.name.as_str(),
                description: column.comment.as_deref(),
                r#in: "query",
                r#type: "string",
                ..Plain::default()
            };
            (Cow::Owned(row_filter(name, column)), Parameter::Plain(filter))
        }));
    }
    all
}

fn shared() -> [(&'static str, Plain<'static>); 11] {
    const RETURN: &[&str] = &["return=representation", "return=minimal", "return=none"];
    const POST: &[&str] = &[
        "return=representation",
        "return=minimal",
        "return=none",
        "resolution=ignore-duplicates",
        "resolution=merge-duplicates",
    ];
    let plain = |place, name, description| Plain {
        name,
        description: Some(description),
        r#in: place,
        r#type: "string",
        ..Plain::default()
    };
    let prefer = |words| Plain { r#enum: words, ..plain("header", "Prefer", "Preference") };
    let paging = |place, name| plain(place, name, "Limiting and Pagination");
    [
        ("preferParams", prefer(&[])),
        ("preferReturn", prefer(RETURN)),
        ("preferCount", prefer(&["count=none"])),
        ("preferPost", prefer(POST)),
        ("select", plain("query", "select", "Filtering Columns")),
        ("on_conflict", plain("query", "on_conflict", "On Conflict")),
        ("order", plain("query", "order", "Ordering")),
        ("range", paging("header", "Range")),
        ("rangeUnit", Plain { default: Some("items"), ..paging("header", "Range-Unit") }),
        ("offset", paging("query", "offset")),
        ("limit", paging("query", "limit")),
    ]
}
