//! Functions.

use std::sync::Arc;

use super::super::acl;
use super::super::introspect::{Cells, Error, Statement};
use super::super::model::*;
use super::{Scope, key, setting};

const RECORD: Oid = 2249;
const VOID: Oid = 2278;

/// Argument type names and the shape of results are filled in by [`resolve`], once the types are known.
pub(super) fn load(scope: &mut Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::Functions, |row| {
        let id = FunctionId(catalog.functions.len() as u32);
        let function = function(scope, catalog, row)?;
        catalog.function_names.entry(key(&function.schema, &function.name)).or_default().push(id);
        catalog.functions.push(function);
        Ok(())
    })
}

fn function(scope: &mut Scope<'_>, catalog: &Catalog, row: &mut Cells<'_>) -> Result<Function, Error> {
    let oid = row.number()?;
    let (schema, name) = (scope.names.ident(row.text()?), scope.names.ident(row.text()?));
    let owner = scope.owner(row.number()?);
    let mut grants = acl::parse(row.maybe()?, acl::Default::OwnerAndPublic(owner), &catalog.role_names)
        .ok_or_else(|| row.error("has an unreadable ACL"))?;
    let public_execute = std::mem::take(&mut grants.public).has(Privileges::EXECUTE);
    let security_definer = row.flag()?;
    let volatility = match row.letter()? {
        'i' => Volatility::Immutable,
        's' => Volatility::Stable,
        _ => Volatility::Volatile,
    };
    let (set, result) = (row.flag()?, row.number()?);
    let estimated_rows = row.number()?;
    let (inputs, defaults): (usize, usize) = (row.number()?, row.number()?);
    let variadic = row.flag()?;
    let signature = Signature::read(row)?;
    let arguments = signature.arguments(scope, inputs.saturating_sub(defaults));
    let returns = signature.returns(scope, result, set);
    Ok(Function {
        oid,
        schema,
        name,
        owner,
        arguments,
        variadic,
        returns,
        volatility,
        security_definer,
        settings: row.list()?.iter().filter_map(|text| setting(text)).collect(),
        comment: row.maybe()?.map(Into::into),
        grants,
        public_execute,
        estimated_rows,
        extension: false,
        aggregate: false,
    })
}

/// All parameters, whatever their direction.
struct Signature {
    types: Vec<Oid>,
    /// `i`, `o`, `b` (INOUT), `v` (VARIADIC), `t` (TABLE).
    modes: Vec<char>,
    names: Vec<String>,
}

impl Signature {
    fn read(row: &mut Cells<'_>) -> Result<Self, Error> {
        let inputs: Vec<Oid> = row.numbers()?;
        let all: Vec<Oid> = row.numbers()?;
        let types = if all.is_empty() { inputs } else { all };
        let given = row.list()?;
        let mode = |at: usize| given.get(at).and_then(|m| m.chars().next()).unwrap_or('i');
        let modes = (0..types.len()).map(mode).collect();
        Ok(Self { types, modes, names: row.list()? })
    }

    fn name(&self, at: usize) -> &str {
        self.names.get(at).map_or("", String::as_str)
    }

    fn arguments(&self, scope: &mut Scope<'_>, required: usize) -> Vec<Argument> {
        let inputs = (0..self.types.len()).filter(|at| matches!(self.modes[*at], 'i' | 'b' | 'v'));
        let nameless: Arc<str> = scope.names.text("");
        inputs
            .enumerate()
            .map(|(position, at)| Argument {
                name: scope.names.text(self.name(at)),
                type_oid: self.types[at],
                type_name: Arc::clone(&nameless),
                has_default: position >= required,
                variadic: self.modes[at] == 'v',
            })
            .collect()
    }

    /// Any output parameter makes the result a row of its own, as `select * from f()` shows it.
    fn returns(&self, scope: &mut Scope<'_>, result: Oid, set: bool) -> Returns {
        let outputs = (0..self.types.len()).filter(|at| matches!(self.modes[*at], 'o' | 'b' | 't'));
        let columns: Vec<_> = outputs
            .enumerate()
            .map(|(position, at)| {
                let name = self.name(at);
                // PostgreSQL's own name for a nameless one.
                let name = if name.is_empty() { format!("column{}", position + 1) } else { name.to_owned() };
                (scope.names.ident(&name), self.types[at])
            })
            .collect();
        match result {
            _ if !columns.is_empty() => Returns::Table { columns, set },
            VOID => Returns::Void,
            type_oid => Returns::Scalar { type_oid, set },
        }
    }
}

/// Needs the types.
pub(super) fn resolve(catalog: &mut Catalog) {
    let Catalog { functions, types, row_types, .. } = catalog;
    for function in functions {
        for argument in &mut function.arguments {
            if let Some(found) = types.get(&argument.type_oid) {
                argument.type_name = Arc::clone(&found.sql_name);
            }
        }
        if let Returns::Scalar { type_oid, set } = function.returns {
            let base = base_of(types, type_oid);
            function.returns = match types.get(&base).map(|t| &t.kind) {
                Some(TypeKind::Composite(_)) => {
                    Returns::Row { type_oid: base, relation: row_types.get(&base).copied(), set }
                }
                _ if base == RECORD => Returns::Scalar { type_oid, set },
                Some(TypeKind::Pseudo) | None => Returns::Other,
                Some(_) => Returns::Scalar { type_oid, set },
            };
        }
    }
}

/// The type under all domains.
fn base_of(types: &Map<Oid, Type>, mut oid: Oid) -> Oid {
    while let Some(TypeKind::Domain { base, .. }) = types.get(&oid).map(|t| &t.kind) {
        oid = *base;
    }
    oid
}
