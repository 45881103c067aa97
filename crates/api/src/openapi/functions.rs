//! Functions: `POST /api/v1/rpc/{name}`, and `GET` where they do not write.

use bedplate_query::catalog::{Argument, FunctionId, Volatility};
use bedplate_query::contract::{Kind, Value as Contract, is_required, sample, schema};
use serde_json::{Map, Value, json};

use super::Scope;
use super::answers::{READ, WRITE, answers, body, data, reference};
use super::names::{Names, plain, segment};
use super::parameters;
use crate::PREFIX;

/// The tag of functions.
pub(super) const TAG: &str = "rpc";

pub(super) fn paths(scope: Scope<'_>, names: &Names) -> Vec<(String, Value)> {
    let item = |(name, overloads): (&str, Vec<FunctionId>)| {
        let mut item = Map::new();
        let writes = |id: &FunctionId| scope.catalog.function(*id).volatility == Volatility::Volatile;
        if !overloads.iter().all(writes) {
            item.insert("get".to_owned(), get(scope, names, name, &overloads));
        }
        item.insert("post".to_owned(), post(scope, names, name, &overloads));
        (format!("{PREFIX}/rpc/{}", segment(name)), item.into())
    };
    scope.functions().into_iter().map(item).collect()
}

fn base(scope: Scope<'_>, names: &Names, name: &str, verb: &str, overloads: &[FunctionId]) -> Value {
    let mut operation = json!({
        "tags": [TAG],
        "operationId": format!("rpc.{}.{verb}", plain(name)),
        "summary": format!("Calls {name}"),
    });
    let comments = overloads.iter().filter_map(|id| scope.catalog.function(*id).comment.as_deref());
    let comments: Vec<&str> = comments.collect();
    if !comments.is_empty() {
        operation["description"] = comments.join("\n\n").into();
    }
    let good = vec![("200", body("What the function returns.", result(scope, names, overloads)))];
    let problems: &[&[u16]] = if verb == "get" { &[READ, &[405, 409, 422]] } else { &[WRITE, &[405]] };
    operation["responses"] = answers(scope, good, problems);
    operation
}

fn post(scope: Scope<'_>, names: &Names, name: &str, overloads: &[FunctionId]) -> Value {
    let mut operation = base(scope, names, name, "call", overloads);
    operation["parameters"] = parameters::references(parameters::CALL).into();
    let schemas: Vec<Value> = overloads.iter().map(|id| schema::arguments(scope.catalog, *id)).collect();
    let required = overloads.iter().all(|id| scope.catalog.function(*id).arguments.iter().any(is_required));
    let mut media = json!({ "schema": one_or(schemas, "anyOf") });
    if let Some(example) = overloads.first().and_then(|id| sample::arguments(scope.catalog, *id)) {
        media["example"] = example;
    }
    operation["requestBody"] = json!({ "required": required, "content": { "application/json": media } });
    operation
}

fn get(scope: Scope<'_>, names: &Names, name: &str, overloads: &[FunctionId]) -> Value {
    let mut operation = base(scope, names, name, "get", overloads);
    let mut all = Vec::new();
    // Which of several is meant follows from what is given, which parameters cannot say.
    if let [only] = overloads {
        let arguments = &scope.catalog.function(*only).arguments;
        all.extend(arguments.iter().filter(|a| !a.name.is_empty()).map(|a| argument(scope, a)));
    }
    operation["parameters"] = all.into();
    operation
}

/// An argument in the query string, where values are texts.
fn argument(scope: Scope<'_>, argument: &Argument) -> Value {
    let value = Contract::of_argument(scope.catalog, argument);
    let scalar = !matches!(
        value.kind,
        Kind::Array(_)
            | Kind::Composite(_)
            | Kind::Json
            | Kind::Any
            | Kind::Float
            | Kind::Numeric { .. }
            | Kind::Scalar
    );
    let schema = if scalar {
        schema::of(scope.catalog, &value, schema::Way::Write, false, 0)
    } else {
        json!({ "type": "string" })
    };
    json!({ "name": &*argument.name, "in": "query", "required": is_required(argument), "schema": schema })
}

fn result(scope: Scope<'_>, names: &Names, overloads: &[FunctionId]) -> Value {
    let one = |id: &FunctionId| {
        let function = scope.catalog.function(*id);
        let (value, set) = match &function.returns {
            bedplate_query::catalog::Returns::Row { relation: Some(relation), set, .. }
                if !names.of(*relation).is_empty() =>
            {
                let row = reference(names.of(*relation));
                (if *set { row } else { json!({ "anyOf": [row, { "type": "null" }] }) }, *set)
            }
            _ => schema::result(scope.catalog, *id),
        };
        if !set {
            return data(value);
        }
        let mut schema = data(json!({ "type": "array", "items": value }));
        schema["properties"]["meta"] = reference("Meta");
        schema
    };
    one_or(overloads.iter().map(one).collect(), "anyOf")
}

fn one_or(mut schemas: Vec<Value>, keyword: &str) -> Value {
    if schemas.len() == 1 { schemas.remove(0) } else { json!({ keyword: schemas }) }
}
