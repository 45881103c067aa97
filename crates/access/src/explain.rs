//! Which rule said yes or no, one by one: what `bedplate why` prints.

use std::fmt;

use bedplate_query::catalog::{Catalog, FunctionId, RelationId, RelationKind, RoleId};
use bedplate_query::gate::Verb;

use crate::policies;
use crate::refusal::{Refusal, role_name, verb_name};
use crate::rules::{Rules, is_exempt};
use crate::sqltext;

/// One rule's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub passed: bool,
    pub text: String,
}

/// All that was looked at, up to the first no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub served: bool,
    /// Why not.
    pub refusal: Option<Refusal>,
    pub steps: Vec<Step>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{}  {}", if step.passed { "yes" } else { "no " }, step.text)?;
        }
        write!(f, "{}", if self.served { "served" } else { "not served" })
    }
}

/// Explains a decision about a relation. The names of the policies that will be asked stand in the last step.
pub fn explain(
    rules: &Rules,
    catalog: &Catalog,
    role: RoleId,
    relation: RelationId,
    verb: Verb,
) -> Explanation {
    let refusal = rules.refusal(catalog, role, relation, verb);
    let object = sqltext::relation(catalog, relation);
    let (who, what) = (role_name(catalog, role), verb_name(verb));
    let rls_exempt = is_exempt(catalog, role);
    let passes = [
        (stage(Refusal::SchemaNotServed), format!("{object} is a resource of a served schema")),
        (stage(Refusal::RlsOff), protection(catalog, relation, who, rls_exempt)),
        (stage(Refusal::SchemaUsage), format!("{who} may use the schema")),
        (
            stage(Refusal::Privilege),
            format!("{who} has {what} on it{}", extent(catalog, role, relation, verb)),
        ),
        (stage(Refusal::NoPolicy), policy_text(catalog, role, relation, verb, rls_exempt)),
    ];
    let last = refusal.map_or(usize::MAX, stage);
    let mut steps: Vec<Step> = passes
        .into_iter()
        .filter(|(at, _)| *at < last)
        .map(|(_, text)| Step { passed: true, text })
        .collect();
    if let Some(refusal) = refusal {
        steps.push(Step { passed: false, text: refusal.describe(catalog, role, relation, verb) });
    }
    Explanation { served: refusal.is_none(), refusal, steps }
}

/// Explains a decision about a function.
pub fn explain_function(rules: &Rules, catalog: &Catalog, role: RoleId, function: FunctionId) -> Explanation {
    let refusal = rules.function_refusal(catalog, role, function);
    let object = sqltext::function(catalog, function);
    let who = role_name(catalog, role);
    let text = match refusal {
        None => format!("{who} was granted EXECUTE on {object}"),
        Some(refusal) => refusal.describe_function(catalog, role, function),
    };
    Explanation { served: refusal.is_none(), refusal, steps: vec![Step { passed: refusal.is_none(), text }] }
}

/// The order in which [`Rules::refusal`] looks.
fn stage(refusal: Refusal) -> usize {
    match refusal {
        Refusal::SchemaNotServed | Refusal::Partition => 0,
        Refusal::RlsOff
        | Refusal::OwnersRights
        | Refusal::ReadsUnprotected(_)
        | Refusal::Materialized
        | Refusal::Foreign
        | Refusal::Definer => 1,
        Refusal::SchemaUsage => 2,
        Refusal::Privilege | Refusal::PublicOnly | Refusal::NotCallable => 3,
        Refusal::NoPolicy => 4,
    }
}

fn protection(catalog: &Catalog, id: RelationId, who: &str, exempt: bool) -> String {
    let relation = catalog.relation(id);
    if exempt {
        return format!("{who} bypasses row-level security: the grant decides alone");
    }
    match relation.kind {
        RelationKind::Table | RelationKind::Partitioned if relation.rls_enabled => {
            "row-level security is on".to_owned()
        }
        RelationKind::Table | RelationKind::Partitioned => {
            format!("row-level security is off, which require_rls = false allows in {}", relation.schema)
        }
        RelationKind::View if relation.security_invoker => {
            "the view runs with the caller's rights, and what it reads is protected".to_owned()
        }
        RelationKind::View | RelationKind::MaterializedView => "it is listed in [access] views".to_owned(),
        RelationKind::Foreign => "it is listed in [access] foreign_tables".to_owned(),
    }
}

fn extent(catalog: &Catalog, role: RoleId, relation: RelationId, verb: Verb) -> String {
    if catalog.can_whole(role, relation, verb) {
        return String::new();
    }
    format!(" for these columns: {}", columns(catalog, role, relation, verb).join(", "))
}

/// The columns that the role has the privilege on.
pub(crate) fn columns(catalog: &Catalog, role: RoleId, id: RelationId, verb: Verb) -> Vec<String> {
    let relation = catalog.relation(id);
    let ids = (0..relation.columns.len()).map(|at| bedplate_query::catalog::ColumnId(at as u16));
    ids.filter(|column| catalog.can_column(role, id, *column, verb))
        .map(|column| sqltext::name(catalog.column(id, column).name.as_str()))
        .collect()
}

fn policy_text(catalog: &Catalog, role: RoleId, id: RelationId, verb: Verb, exempt: bool) -> String {
    let relation = catalog.relation(id);
    let asked: Vec<String> = relation
        .policies
        .iter()
        .filter(|policy| policies::applies(catalog, policy, role, verb))
        .map(|policy| {
            let kind = if policy.permissive { "" } else { ", restrictive" };
            let expression = match verb {
                Verb::Insert => policy.check.as_ref().or(policy.using.as_ref()),
                _ => policy.using.as_ref(),
            };
            format!("{:?}{kind}: {}", policy.name.as_str(), expression.map_or("true", |e| e))
        })
        .collect();
    if exempt || asked.is_empty() {
        return "no policy is needed".to_owned();
    }
    format!("PostgreSQL asks for each row: {}", asked.join("; "))
}
