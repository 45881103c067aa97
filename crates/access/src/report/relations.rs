//! Tables, views and foreign tables of the served schemas.

use bedplate_query::catalog::{Catalog, Relation, RelationId, RelationKind, RoleId};

use super::{Finding, Kind, Scope, Severity};
use crate::refusal::{Refusal, verb_name};
use crate::rules::VERBS;
use crate::{policies, sqltext};

pub(super) fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    schemas(scope, findings);
    for at in 0..scope.catalog.relations.len() {
        let id = RelationId(at as u32);
        // What extensions bring is theirs; it is served only when somebody protects and grants it.
        if !scope.catalog.is_resource(id) || scope.catalog.relation(id).extension {
            continue;
        }
        let finding = |kind, message, fix| Finding {
            severity: Severity::Warning,
            object: sqltext::relation(scope.catalog, id),
            kind,
            message,
            fix,
        };
        if let Some((kind, message, fix)) = unprotected(scope, id) {
            findings.push(finding(kind, message, fix));
        } else if let Some((kind, message, fix)) = not_required(scope, id).or_else(|| no_policy(scope, id)) {
            findings.push(finding(kind, message, fix));
        }
        findings.extend(
            idle_policies(scope, id).into_iter().map(|(m, fix)| finding(Kind::PolicyWithoutGrant, m, fix)),
        );
    }
}

type Found = (Kind, String, Option<String>);

/// Schemas in which request roles have privileges that they cannot use.
fn schemas(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let catalog = scope.catalog;
    for schema in &catalog.schemas {
        let shut: Vec<RoleId> = scope
            .roles
            .iter()
            .copied()
            .filter(|role| !catalog.can_use_schema(*role, schema.as_str()))
            .filter(|role| {
                let mut all = (0..catalog.relations.len()).map(|at| RelationId(at as u32));
                all.any(|id| {
                    catalog.relation(id).schema == *schema && !granted(catalog, *role, id).is_empty()
                })
            })
            .collect();
        if shut.is_empty() || !catalog.namespaces.contains_key(schema.as_str()) {
            continue;
        }
        let (name, roles) = (sqltext::name(schema.as_str()), scope.names(&shut));
        findings.push(Finding {
            severity: Severity::Warning,
            object: name.clone(),
            kind: Kind::SchemaUsage,
            message: format!("{roles} have privileges in this schema but may not use it"),
            fix: Some(format!("grant usage on schema {name} to {roles};")),
        });
    }
}

fn granted(catalog: &Catalog, role: RoleId, id: RelationId) -> Vec<&'static str> {
    VERBS.iter().filter(|verb| catalog.can(role, id, **verb)).map(|verb| verb_name(*verb)).collect()
}

/// The roles that have any privilege on it.
fn holders(scope: &Scope<'_>, id: RelationId) -> Vec<RoleId> {
    let has = |role: &&RoleId| !granted(scope.catalog, **role, id).is_empty();
    scope.roles.iter().filter(has).copied().collect()
}

fn unprotected(scope: &Scope<'_>, id: RelationId) -> Option<Found> {
    let catalog = scope.catalog;
    let object = sqltext::relation(catalog, id);
    // Without a grant nobody asked for it to be served. A table is the exception: who makes one wants to know.
    let table = matches!(catalog.relation(id).kind, RelationKind::Table | RelationKind::Partitioned);
    if !table && holders(scope, id).is_empty() {
        return None;
    }
    Some(match scope.rules.unprotected(catalog, id)? {
        Refusal::RlsOff => {
            let policies = catalog.relation(id).policies.len();
            let message = match policies {
                0 => "not served: row-level security is off".to_owned(),
                n => format!("not served: row-level security is off, so its {n} policies do nothing"),
            };
            let enable = format!("alter table {object} enable row level security;");
            let sample =
                if policies == 0 { format!("\n{}", sample_policy(scope, id)) } else { String::new() };
            (Kind::RlsOff, message, Some(format!("{enable}{sample}")))
        }
        Refusal::OwnersRights if catalog.server_version >= 150_000 => (
            Kind::View,
            "not served: the view runs with its owner's rights and shows rows that policies would hide"
                .to_owned(),
            Some(format!(
                "alter view {object} set (security_invoker = true);\n{}",
                listing("views", catalog, id)
            )),
        ),
        Refusal::OwnersRights => (
            Kind::View,
            "not served: the view runs with its owner's rights (PostgreSQL 15 and newer can change that)"
                .to_owned(),
            Some(listing("views", catalog, id)),
        ),
        Refusal::ReadsUnprotected(read) => (
            Kind::View,
            format!(
                "not served: the view reads {}, which is not protected",
                sqltext::relation(catalog, read)
            ),
            None,
        ),
        Refusal::Materialized => (
            Kind::View,
            "not served: a materialized view shows everybody what its owner saw".to_owned(),
            Some(listing("views", catalog, id)),
        ),
        Refusal::Foreign => (
            Kind::Foreign,
            "not served: a foreign table cannot have row-level security".to_owned(),
            Some(listing("foreign_tables", catalog, id)),
        ),
        _ => return None,
    })
}

fn listing(key: &str, catalog: &Catalog, id: RelationId) -> String {
    let relation = catalog.relation(id);
    let name = format!("{}.{}", relation.schema, relation.name);
    format!("-- if that is meant, in bedplate.toml: [access] {key} = [{name:?}]")
}

/// Open by configuration, and somebody can reach it.
fn not_required(scope: &Scope<'_>, id: RelationId) -> Option<Found> {
    let relation = scope.catalog.relation(id);
    let table = matches!(relation.kind, RelationKind::Table | RelationKind::Partitioned);
    let holders = holders(scope, id);
    if !table || relation.rls_enabled || holders.is_empty() {
        return None;
    }
    let names = scope.names(&holders);
    let message = format!(
        "open: all rows are served to {names}, because require_rls = false holds for schema {}",
        relation.schema
    );
    Some((Kind::RlsNotRequired, message, None))
}

/// Protected, and nothing lets any request role at a row.
fn no_policy(scope: &Scope<'_>, id: RelationId) -> Option<Found> {
    let catalog = scope.catalog;
    let relation = catalog.relation(id);
    let table = matches!(relation.kind, RelationKind::Table | RelationKind::Partitioned);
    let served = scope.roles.iter().any(|role| scope.rules.serves_any(catalog, *role, id));
    if !table || served || scope.roles.is_empty() || relation.policies.iter().any(|p| p.permissive) {
        return None;
    }
    let fix = sample_policy(scope, id);
    let ungranted = holders(scope, id).is_empty();
    let grant =
        format!("grant select on {} to {};\n", sqltext::relation(catalog, id), scope.example_role(&[]));
    let fix = if ungranted { grant + &fix } else { fix };
    Some((
        Kind::NoPolicy,
        "not served: row-level security is on and no policy lets anybody in".to_owned(),
        Some(fix),
    ))
}

/// A commented policy to start from. It names the column that seems to hold the owner, where there is one.
fn sample_policy(scope: &Scope<'_>, id: RelationId) -> String {
    let object = sqltext::relation(scope.catalog, id);
    let role = scope.example_role(&holders(scope, id));
    let (name, condition) = match owner_column(scope.catalog, scope.catalog.relation(id)) {
        Some(column) => ("own rows", format!("{} = (select auth.uid())", sqltext::name(column))),
        None => ("everything", "true".to_owned()),
    };
    format!(
        "-- then say who may do what with which rows, for example:\n\
         -- create policy \"{name}\" on {object} for select to {role} using ({condition});"
    )
}

fn owner_column<'a>(catalog: &Catalog, relation: &'a Relation) -> Option<&'a str> {
    let users = catalog.find_any_relation("auth", "users");
    let by_key = relation
        .foreign_keys
        .iter()
        .find(|key| Some(key.target) == users && key.columns.len() == 1)
        .map(|key| relation.columns[key.columns[0].0 as usize].name.as_str());
    let known = ["user_id", "owner_id", "owner", "author_id", "created_by", "profile_id"];
    by_key.or_else(|| {
        let uuid = |name: &&str| {
            relation
                .column_names
                .get::<str>(name)
                .is_some_and(|c| relation.columns[c.0 as usize].type_oid == 2950)
        };
        known.iter().find(|name| uuid(name)).copied()
    })
}

/// Policies that name a request role which lacks the privilege.
fn idle_policies(scope: &Scope<'_>, id: RelationId) -> Vec<(String, Option<String>)> {
    let catalog = scope.catalog;
    let relation = catalog.relation(id);
    let object = sqltext::relation(catalog, id);
    let mut found = Vec::new();
    for role in scope.roles {
        let named = |verb| {
            relation.policies.iter().any(|policy| {
                policy.permissive
                    && policy.roles.iter().any(|to| to == role)
                    && policies::applies(catalog, policy, *role, verb)
            })
        };
        // FOR ALL names every verb; that the role lacks some of them is usual. That it has none is not.
        let verbs: Vec<&str> =
            VERBS.iter().filter(|verb| named(**verb)).map(|verb| verb_name(*verb)).collect();
        if verbs.is_empty() || !granted(catalog, *role, id).is_empty() {
            continue;
        }
        let (verbs, role) = (verbs.join(", "), scope.names(&[*role]));
        found.push((
            format!("a policy lets {role} {verbs}, but {role} has no privilege on the table"),
            Some(format!("grant {verbs} on {object} to {role};")),
        ));
    }
    found
}
