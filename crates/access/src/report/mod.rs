//! What a developer should know about the state of access: what is not served and why, what was decided against the
//! advice, what is slow. Every finding that SQL can mend carries the SQL.

mod functions;
mod lint;
mod listed;
mod relations;

use std::fmt;

use bedplate_query::catalog::{Catalog, RoleId};

use crate::rules::Rules;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// `serve` does not start with it.
    Error,
    /// Something is not served, or is served without protection because the configuration says so.
    Warning,
    /// It works, and could work better.
    Advice,
}

/// What is wrong, as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Named in the configuration and not in the database.
    Missing,
    /// Listed as exposed, and not protected or not served to anybody.
    ExposedUnprotected,
    RlsOff,
    /// RLS is not required by configuration and off, and a role has privileges.
    RlsNotRequired,
    NoPolicy,
    /// A policy for a role that has no privilege, so that it never acts.
    PolicyWithoutGrant,
    SchemaUsage,
    View,
    Foreign,
    FunctionPublic,
    FunctionDefiner,
    SlowPolicy,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub severity: Severity,
    pub object: String,
    pub kind: Kind,
    /// One line.
    pub message: String,
    /// SQL, with comments where something has to be decided; or the lines for bedplate.toml, as a comment.
    pub fix: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.message)?;
        for line in self.fix.iter().flat_map(|fix| fix.lines()) {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// All findings, the gravest first. `roles` are those that requests run under (`anon`, `authenticated`, …); roles that
/// bypass row-level security may be among them and are not looked at.
pub fn report(rules: &Rules, catalog: &Catalog, roles: &[RoleId]) -> Vec<Finding> {
    let held: Vec<RoleId> =
        roles.iter().copied().filter(|role| !crate::rules::is_exempt(catalog, *role)).collect();
    let scope = Scope { rules, catalog, roles: &held };
    let mut findings = Vec::new();
    listed::check(&scope, &mut findings);
    relations::check(&scope, &mut findings);
    functions::check(&scope, &mut findings);
    lint::check(&scope, &mut findings);
    findings.sort();
    findings
}

struct Scope<'a> {
    rules: &'a Rules,
    catalog: &'a Catalog,
    /// Request roles that row-level security holds for.
    roles: &'a [RoleId],
}

impl Scope<'_> {
    /// `anon, authenticated` for SQL.
    fn names(&self, roles: &[RoleId]) -> String {
        let name = |role: &RoleId| crate::sqltext::name(crate::refusal::role_name(self.catalog, *role));
        roles.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    /// The role to show in examples: of those `among`, if any, signed-in users before others.
    fn example_role(&self, among: &[RoleId]) -> String {
        let among = if among.is_empty() { self.roles } else { among };
        let wanted = self.catalog.find_role("authenticated").filter(|role| among.contains(role));
        let role = wanted.or(among.first().copied());
        role.map_or_else(|| "authenticated".to_owned(), |role| self.names(&[role]))
    }
}
