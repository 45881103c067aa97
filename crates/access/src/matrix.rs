//! The role × object × verb matrix, and its sum.

use std::fmt::{self, Write as _};

use bedplate_query::catalog::{Catalog, FunctionId, RelationId, RelationKind, RoleId};

use crate::explain::columns;
use crate::refusal::{role_name, verb_name};
use crate::rules::{Rules, VERBS};
use crate::sqltext;

/// What a role may do with one verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    No,
    All,
    /// Only these columns.
    Columns(Vec<String>),
}

/// One object and, by role in the matrix's order, what it may do with select, insert, update, delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `table public.tickets`, `function public.close(bigint)`.
    pub object: String,
    /// By role: by verb for relations; functions have one permission.
    pub roles: Vec<Vec<Permission>>,
}

/// What is really served; sorted by object, so that texts can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    pub roles: Vec<String>,
    pub entries: Vec<Entry>,
}

/// Everything that could be served in the served schemas, and to which of `roles` it is. Objects of extensions are left
/// out unless a role may use them.
pub fn matrix(rules: &Rules, catalog: &Catalog, roles: &[RoleId]) -> Matrix {
    let mut entries = Vec::new();
    for at in 0..catalog.relations.len() {
        let id = RelationId(at as u32);
        if !catalog.is_resource(id) {
            continue;
        }
        let permissions: Vec<_> = roles.iter().map(|role| relation(rules, catalog, *role, id)).collect();
        let unused = permissions.iter().flatten().all(|p| *p == Permission::No);
        if !(catalog.relation(id).extension && unused) {
            let object = format!("{} {}", kind(catalog, id), sqltext::relation(catalog, id));
            entries.push(Entry { object, roles: permissions });
        }
    }
    for at in 0..catalog.functions.len() {
        let id = FunctionId(at as u32);
        let permissions: Vec<_> = roles.iter().map(|role| function(rules, catalog, *role, id)).collect();
        // Functions that nobody may call are no resources; there are many, and they change with extensions.
        if permissions.iter().flatten().any(|p| *p != Permission::No) {
            entries.push(Entry {
                object: format!("function {}", sqltext::function(catalog, id)),
                roles: permissions,
            });
        }
    }
    entries.sort_by(|a, b| a.object.cmp(&b.object));
    Matrix { roles: roles.iter().map(|role| role_name(catalog, *role).to_owned()).collect(), entries }
}

fn relation(rules: &Rules, catalog: &Catalog, role: RoleId, id: RelationId) -> Vec<Permission> {
    let permission = |verb| {
        if rules.refusal(catalog, role, id, verb).is_some() {
            Permission::No
        } else if catalog.can_whole(role, id, verb) {
            Permission::All
        } else {
            Permission::Columns(columns(catalog, role, id, verb))
        }
    };
    VERBS.into_iter().map(permission).collect()
}

fn function(rules: &Rules, catalog: &Catalog, role: RoleId, id: FunctionId) -> Vec<Permission> {
    let served = rules.function_refusal(catalog, role, id).is_none();
    vec![if served { Permission::All } else { Permission::No }]
}

pub(crate) fn kind(catalog: &Catalog, id: RelationId) -> &'static str {
    match catalog.relation(id).kind {
        RelationKind::Table | RelationKind::Partitioned => "table",
        RelationKind::View => "view",
        RelationKind::MaterializedView => "materialized view",
        RelationKind::Foreign => "foreign table",
    }
}

impl fmt::Display for Matrix {
    /// One block for each object, one line for each role, so that a diff reads well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.roles.iter().map(String::len).max().unwrap_or(0);
        for entry in &self.entries {
            writeln!(f, "{}", entry.object)?;
            for (role, permissions) in self.roles.iter().zip(&entry.roles) {
                writeln!(f, "  {role:width$}  {}", line(permissions))?;
            }
        }
        Ok(())
    }
}

fn line(permissions: &[Permission]) -> String {
    let mut line = String::new();
    let verbs: Vec<&str> = match permissions.len() {
        1 => vec!["execute"],
        _ => VERBS.iter().map(|verb| verb_name(*verb)).collect(),
    };
    for (verb, permission) in verbs.into_iter().zip(permissions) {
        let space = if line.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = match permission {
            Permission::No => continue,
            Permission::All => write!(line, "{space}{verb}"),
            Permission::Columns(columns) => write!(line, "{space}{verb}({})", columns.join(", ")),
        };
    }
    if line.is_empty() { "-".to_owned() } else { line }
}

/// How the tables of the served schemas stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    pub tables: usize,
    /// Row-level security is on.
    pub covered: usize,
    /// It is off: not served, unless `require_rls = false` holds for the schema.
    pub open: usize,
}

pub fn coverage(catalog: &Catalog) -> Coverage {
    let tables = catalog.relations.iter().enumerate().filter(|(at, relation)| {
        let table = matches!(relation.kind, RelationKind::Table | RelationKind::Partitioned);
        table && !relation.extension && catalog.is_resource(RelationId(*at as u32))
    });
    let (mut all, mut covered) = (0, 0);
    for (_, relation) in tables {
        all += 1;
        covered += usize::from(relation.rls_enabled);
    }
    Coverage { tables: all, covered, open: all - covered }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.tables == 1 { "table" } else { "tables" };
        write!(f, "{} {plural}: {} covered, {} open", self.tables, self.covered, self.open)
    }
}
