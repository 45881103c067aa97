//! Functions of the served schemas.

use bedplate_query::catalog::{FunctionId, Returns, Volatility};

use super::{Finding, Kind, Scope, Severity};
use crate::rules::is_callable;
use crate::sqltext;

pub(super) fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let catalog = scope.catalog;
    for (at, function) in catalog.functions.iter().enumerate() {
        let id = FunctionId(at as u32);
        let served = catalog.is_served_schema(function.schema.as_str());
        if !served || function.extension || !is_callable(catalog, function) {
            continue;
        }
        let object = sqltext::function(catalog, id);
        let on_purpose = scope.roles.iter().any(|role| catalog.is_granted_execute(*role, id));
        let listed = scope.rules.config().functions.has(catalog, &function.schema, &function.name);
        let found = if function.security_definer && !listed && (on_purpose || function.public_execute) {
            let name = format!("{}.{}", function.schema, function.name);
            let pinned = function.settings.iter().any(|(name, _)| &**name == "search_path");
            let pin = if pinned {
                String::new()
            } else {
                format!("alter function {object} set search_path = '';\n")
            };
            let message = "not served: it runs with its owner's rights (SECURITY DEFINER)";
            let fix = format!("{pin}-- if that is meant, in bedplate.toml: [access] functions = [{name:?}]");
            (Kind::FunctionDefiner, message, fix)
        } else if function.public_execute && !on_purpose {
            let role = scope.example_role(&[]);
            let message = "not served: EXECUTE comes from PUBLIC only, which every function has by default";
            let fix = format!(
                "revoke execute on function {object} from public;\ngrant execute on function {object} to {role};"
            );
            (Kind::FunctionPublic, message, fix)
        } else {
            continue;
        };
        // A function of rows that only computes is a column of its table rather than a call of its own.
        let computed = matches!(function.arguments.as_slice(), [a] if catalog.row_types.contains_key(&a.type_oid))
            && function.volatility != Volatility::Volatile
            && !matches!(function.returns, Returns::Void);
        let severity = if computed { Severity::Advice } else { Severity::Warning };
        let (kind, message, fix) = found;
        findings.push(Finding { severity, object, kind, message: message.to_owned(), fix: Some(fix) });
    }
}
