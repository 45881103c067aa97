//! Functions and the root: their paths.

use std::borrow::Cow;

use bedplate_query::catalog::{Argument, Function, FunctionId, Volatility};

use super::document::{
    BodySchema, Items, Map, Operation, Parameter, PathItem, Plain, Property, Response, Schema, parameter,
};
use super::types::{self, Names};
use super::{JSON, OBJECT, OBJECT_STRIPPED, Scope, summary};

/// Types of which a function's only unnamed argument can be the whole body: bytea, json, jsonb, text, xml.
const BODIES: [u32; 5] = [17, 114, 3802, 25, 142];

fn ok() -> Map<&'static str, Response<'static>> {
    Map(vec![("200", Response { description: "OK", schema: None })])
}

/// `/`, this description.
pub(super) fn root() -> PathItem<'static> {
    let get = Operation {
        tags: [Cow::Borrowed("Introspection")],
        summary: Some("OpenAPI description (this document)"),
        description: None,
        produces: &["application/openapi+json", JSON],
        parameters: Vec::new(),
        responses: ok(),
    };
    PathItem { get: Some(get), ..PathItem::default() }
}

/// `/rpc/{function}`, by name. Of overloads the one with the most arguments.
pub(super) fn paths<'a>(scope: Scope<'a>) -> impl Iterator<Item = (String, PathItem<'a>)> {
    let names = names(scope);
    offered(scope)
        .into_iter()
        .map(move |function| (format!("/rpc/{}", function.name), path(&names, function)))
}

/// Privileges are looked at in the request's session, whose search path leaves schemas out of the names of types; without
/// them the names are those of the catalog, which are whole.
fn names(scope: Scope<'_>) -> Names<'_> {
    let path: Vec<&str> = if scope.follows_privileges() {
        std::iter::once(scope.schema).chain(scope.extra_path.iter().map(String::as_str)).collect()
    } else {
        Vec::new()
    };
    Names::new(scope.catalog, &path)
}

fn offered(scope: Scope<'_>) -> Vec<&Function> {
    let all = scope.catalog.functions.iter().enumerate();
    let mut found: Vec<&Function> = all
        .filter(|(_, function)| function.schema.as_str() == scope.schema && is_callable(function))
        .filter(|(at, _)| scope.offers_function(FunctionId(*at as u32)))
        .map(|(_, function)| function)
        .collect();
    let place = |function: &Function| {
        let arguments: Vec<_> =
            function.arguments.iter().map(|a| (a.name.clone(), a.type_name.clone())).collect();
        (function.name.clone(), std::cmp::Reverse((arguments.len(), function.comment.clone(), arguments)))
    };
    found.sort_by_cached_key(|function| place(function));
    found.dedup_by(|next, first| next.name == first.name);
    found
}

/// Arguments are given by name, or one is the whole body.
fn is_callable(function: &Function) -> bool {
    match function.arguments.iter().filter(|argument| argument.name.is_empty()).count() {
        0 => true,
        1 => function.arguments.first().is_some_and(|first| BODIES.contains(&first.type_oid)),
        _ => false,
    }
}

fn path<'a>(names: &Names<'a>, function: &'a Function) -> PathItem<'a> {
    let (summary, description) = summary(function.comment.as_deref());
    let operation = |parameters| Operation {
        tags: [Cow::Owned(format!("(rpc) {}", function.name))],
        summary,
        description,
        produces: &[JSON, OBJECT_STRIPPED, OBJECT],
        parameters,
        responses: ok(),
    };
    let in_query = || function.arguments.iter().map(|argument| query(names, argument)).collect();
    let body = Parameter::Body {
        name: "args",
        r#in: "body",
        description: None,
        required: true,
        schema: BodySchema::Inline(arguments(names, function)),
    };
    PathItem {
        get: (function.volatility != Volatility::Volatile).then(|| operation(in_query())),
        post: Some(operation(vec![body, parameter("preferParams")])),
        ..PathItem::default()
    }
}

/// An argument in the query string. Arrays and json are written as texts there; only the last of a variadic function may be
/// repeated.
fn query<'a>(names: &Names<'a>, argument: &'a Argument) -> Parameter<'a> {
    let name = names.of_argument(argument);
    let plain =
        Plain { name: &argument.name, required: !argument.has_default, r#in: "query", ..Plain::default() };
    let swagger = types::swagger_type(name);
    Parameter::Plain(if argument.variadic {
        let element = types::element(name);
        let items = Items { r#type: types::swagger_type(element), format: Some(types::format(element)) };
        let r#type = swagger.unwrap_or("string");
        Plain { r#type, items: Some(items), collection_format: Some("multi"), ..plain }
    } else {
        let r#type = swagger.filter(|name| *name != "array").unwrap_or("string");
        Plain { r#type, format: Some(types::format(name)), ..plain }
    })
}

/// The arguments as the properties of the body.
fn arguments<'a>(names: &Names<'a>, function: &'a Function) -> Schema<'a> {
    let property = |argument: &'a Argument| {
        let name = names.of_argument(argument);
        let property = Property {
            r#type: types::swagger_type(name),
            format: Some(types::format(name)),
            items: types::items(name),
            ..Property::default()
        };
        (&*argument.name, property)
    };
    Schema {
        r#type: "object",
        description: function.comment.as_deref(),
        properties: Map(function.arguments.iter().map(property).collect()),
        required: function.arguments.iter().filter(|a| !a.has_default).map(|a| &*a.name).collect(),
    }
}
