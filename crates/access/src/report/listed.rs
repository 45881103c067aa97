//! What the configuration names.

use bedplate_query::catalog::{Catalog, FunctionId, RelationId};

use super::{Finding, Kind, Scope, Severity};
use crate::refusal::Refusal;

pub(super) fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let catalog = scope.catalog;
    for schema in &catalog.schemas {
        if !catalog.namespaces.contains_key(schema.as_str()) {
            findings
                .push(missing(schema.as_str(), "is served by configuration, but there is no such schema"));
        }
    }
    let config = scope.rules.config();
    let relations = [("views", &config.views), ("foreign_tables", &config.foreign_tables)];
    for (key, list) in relations {
        for name in &list.0 {
            if name != "*" && relation(catalog, name).is_none() {
                findings
                    .push(missing(name, &format!("is listed in [access] {key}, but is not in the database")));
            }
        }
    }
    for name in &config.functions.0 {
        if name != "*" && functions(catalog, name).is_empty() {
            findings.push(missing(name, "is listed in [access] functions, but is not in the database"));
        }
    }
    for name in &config.exposed.0 {
        findings.extend(exposed(scope, name));
    }
}

fn missing(object: &str, message: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        object: object.to_owned(),
        kind: Kind::Missing,
        message: message.to_owned(),
        fix: None,
    }
}

fn split<'a>(catalog: &'a Catalog, name: &'a str) -> Option<(&'a str, &'a str)> {
    name.split_once('.').or_else(|| Some((catalog.schemas.first()?.as_str(), name)))
}

fn relation(catalog: &Catalog, name: &str) -> Option<RelationId> {
    let (schema, name) = split(catalog, name)?;
    catalog.find_any_relation(schema, name)
}

fn functions<'a>(catalog: &'a Catalog, name: &str) -> &'a [FunctionId] {
    let Some((schema, name)) = split(catalog, name) else { return &[] };
    catalog.function_names.get(&(schema.into(), name.into())).map_or(&[], Vec::as_slice)
}

/// An object that must be served: it has to be there, protected, and open to at least one request role.
fn exposed(scope: &Scope<'_>, name: &str) -> Option<Finding> {
    let catalog = scope.catalog;
    let bad = |message: String| Finding {
        severity: Severity::Error,
        object: name.to_owned(),
        kind: Kind::ExposedUnprotected,
        message,
        fix: None,
    };
    if let Some(id) = relation(catalog, name) {
        let refusal = scope.rules.exposure(catalog, id).or_else(|| scope.rules.unprotected(catalog, id));
        if let (Some(refusal), Some(role)) = (refusal, scope.roles.first()) {
            let why = refusal.describe(catalog, *role, id, bedplate_query::gate::Verb::Select);
            return Some(bad(format!("is listed in [access] exposed, but is not protected: {why}")));
        }
        let served = scope.roles.iter().any(|role| scope.rules.serves_any(catalog, *role, id));
        return (!served).then(|| {
            bad("is listed in [access] exposed, but no role has both a privilege and a policy".to_owned())
        });
    }
    let overloads = functions(catalog, name);
    if overloads.is_empty() {
        return Some(missing(name, "is listed in [access] exposed, but is not in the database"));
    }
    let mut refusals = Vec::new();
    for id in overloads {
        for role in scope.roles {
            match scope.rules.function_refusal(catalog, *role, *id) {
                None => return None,
                Some(refusal) => refusals.push((refusal, *role, *id)),
            }
        }
    }
    let (refusal, role, id): (Refusal, _, _) = refusals.into_iter().next()?;
    let why = refusal.describe_function(catalog, role, id);
    Some(bad(format!("is listed in [access] exposed, but is not served: {why}")))
}
