//! The planner's refusals: names that the catalog does not have, or has several times.

use bedplate_query::fault::Fault;
use bedplate_query::request::{BodyMedia, Name};
use serde_json::{Value, json};

use super::{Rendered, Said};

pub(super) fn translate(fault: &Fault, status: u16) -> Rendered {
    match fault {
        Fault::UnknownRelation { schema, name, similar } => {
            let schema = schema.as_deref().unwrap_or_default();
            let mut said =
                Said::new(format!("Could not find the table '{schema}.{name}' in the schema cache"));
            said.hint = similar.as_ref().map(|near| format!("Perhaps you meant the table '{schema}.{near}'"));
            Rendered::new(404, "PGRST205", said)
        }
        // PostgreSQL's own words: PostgREST leaves unknown columns of reads to it.
        Fault::UnknownColumn { relation, column } => {
            Rendered::new(400, "42703", Said::new(format!("column {relation}.{column} does not exist")))
        }
        // Again its words: PostgREST's statement would have two relations of this name.
        Fault::EmbeddedTwice { origin, name, depth } => {
            let message = format!("table name \"{origin}_{name}_{depth}\" specified more than once");
            Rendered::new(400, "42712", Said::new(message))
        }
        Fault::UnknownType { name } => {
            Rendered::new(400, "42704", Said::new(format!("type \"{name}\" does not exist")))
        }
        Fault::UnknownWrittenColumn { relation, column } => {
            let message = format!("Could not find the '{column}' column of '{relation}' in the schema cache");
            Rendered::new(400, "PGRST204", Said::new(message))
        }
        Fault::NoRelationship { schema, origin, target, hint, similar } => {
            let by = hint.as_ref().map(|hint| format!("' using the hint '{hint}")).unwrap_or_default();
            let mut said = Said::new(format!(
                "Could not find a relationship between '{origin}' and '{target}' in the schema cache"
            ))
            .details(format!(
                "Searched for a foreign key relationship between '{origin}' and '{target}{by}' in the schema \
                 '{schema}', but no matches were found."
            ));
            said.hint =
                similar.as_ref().map(|near| format!("Perhaps you meant '{near}' instead of '{target}'."));
            Rendered::new(400, "PGRST200", said)
        }
        Fault::ManyRelationships { origin, target, candidates } => {
            let details = candidates.iter().map(|candidate| {
                json!({
                    "cardinality": candidate.cardinality,
                    "embedding": candidate.embedding,
                    "relationship": candidate.relationship,
                })
            });
            let spellings: Vec<String> = candidates.iter().map(|c| format!("'{}'", c.spelling)).collect();
            let said = Said {
                message: format!(
                    "Could not embed because more than one relationship was found for '{origin}' and '{target}'"
                ),
                details: Some(Value::Array(details.collect())),
                hint: Some(format!(
                    "Try changing '{target}' to one of the following: {}. Find the desired relationship in the \
                     'details' key.",
                    spellings.join(", ")
                )),
            };
            Rendered::new(300, "PGRST201", said)
        }
        Fault::NoFunction { schema, name, arguments, body, similar } => {
            no_function(schema.as_deref().unwrap_or_default(), name, arguments, *body, similar.as_deref())
        }
        Fault::ManyFunctions { candidates } => {
            let message =
                format!("Could not choose the best candidate function between: {}", candidates.join(", "));
            let hint = "Try renaming the parameters or the function itself in the database so function overloading \
                        can be resolved";
            Rendered::new(300, "PGRST203", Said::new(message).hint(hint))
        }
        Fault::NotEmbedded { name } => not_embedded(name),
        Fault::NoRepresentation { accepted } => {
            let accepted = accepted.join(", ");
            Rendered::new(
                406,
                "PGRST107",
                Said::new(format!("None of these media types are available: {accepted}")),
            )
        }
        Fault::OrderNotToOne { origin, target } => {
            let said = Said::new(format!("A related order on '{target}' is not possible")).details(format!(
                "'{origin}' and '{target}' do not form a many-to-one or one-to-one relationship"
            ));
            Rendered::new(400, "PGRST118", said)
        }
        Fault::EmbedFilter { name, .. } => {
            let said = Said::new(format!("Bad operator on the '{name}' embedded resource"))
                .details("Only is null or not is null filters are allowed on embedded resources");
            Rendered::new(400, "PGRST120", said)
        }
        Fault::AggregatesOff => {
            Rendered::new(400, "PGRST123", Said::new("Use of aggregate functions is not allowed"))
        }
        Fault::NotOffered { message } => {
            Rendered::new(400, "PGRST127", Said::new("Feature not implemented").details(message.clone()))
        }
        Fault::Forbidden { kind, name } => {
            let status = if status == 401 { 401 } else { 403 };
            Rendered::new(status, "42501", Said::new(format!("permission denied for {kind} {name}")))
        }
    }
}

pub(super) fn not_embedded(name: &str) -> Rendered {
    let said = Said::new(format!("'{name}' is not an embedded resource in this request"))
        .hint(format!("Verify that '{name}' is included in the 'select' query parameter."));
    Rendered::new(400, "PGRST108", said)
}

/// A body that is no JSON has no arguments by name: then neither they nor a hint are told.
fn no_function(
    schema: &str,
    name: &str,
    arguments: &[Name],
    body: Option<BodyMedia>,
    similar: Option<&str>,
) -> Rendered {
    let names: Vec<&str> = arguments.iter().map(|name| &**name).collect();
    let names = names.join(", ");
    let (given, searched) = match arguments.len() {
        0 => (" without parameters".to_owned(), " without parameters".to_owned()),
        1 => (format!("({names})"), format!(" with parameter {names}")),
        _ => (format!("({names})"), format!(" with parameters {names}")),
    };
    let (given, searched, similar) = match body {
        None => (given, searched, similar),
        Some(BodyMedia::Json) => {
            (given, format!("{searched} or with a single unnamed json/jsonb parameter"), similar)
        }
        Some(BodyMedia::Text) => (String::new(), " with a single unnamed text parameter".to_owned(), None),
        Some(BodyMedia::Xml) => (String::new(), " with a single unnamed xml parameter".to_owned(), None),
        Some(BodyMedia::Bytes) => (String::new(), " with a single unnamed bytea parameter".to_owned(), None),
    };
    let mut said = Said::new(format!(
        "Could not find the function {schema}.{name}{given} in the schema cache"
    ))
    .details(format!(
        "Searched for the function {schema}.{name}{searched}, but no matches were found in the schema cache."
    ));
    said.hint = similar.map(|near| format!("Perhaps you meant to call the function {near}"));
    Rendered::new(404, "PGRST202", said)
}
