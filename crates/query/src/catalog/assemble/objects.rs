//! What hangs on relations: keys, foreign keys, checks, policies, triggers, extension membership. And the schemas.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::super::introspect::{Error, Statement};
use super::super::model::*;
use super::super::{acl, checks as rules};
use super::{Scope, columns_at, relation_mut};
use crate::gate::Verb;

pub(super) fn namespaces(scope: &mut Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::Namespaces, |row| {
        let name = scope.names.text(row.text()?);
        let owner = scope.owner(row.number()?);
        let grants = acl::parse(row.maybe()?, acl::Default::Owner(owner), &catalog.role_names)
            .ok_or_else(|| row.error("has an unreadable ACL"))?;
        let comment = row.maybe()?.map(Into::into);
        catalog.namespaces.insert(name, Namespace { owner, grants, comment });
        Ok(())
    })
}

pub(super) fn keys(scope: &mut Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::Keys, |row| {
        let Some(id) = scope.relations.get(&row.number()?).copied() else { return Ok(()) };
        let name = scope.names.ident(row.text()?);
        let (primary, is_constraint) = (row.flag()?, row.flag()?);
        let count: usize = row.number()?;
        let mut numbers: Vec<i16> = row.numbers()?;
        numbers.truncate(count);
        let nulls_not_distinct = row.flag()?;
        let relation = relation_mut(catalog, id);
        let Some(columns) = columns_at(relation, &numbers) else { return Ok(()) };
        if primary {
            relation.primary_key = columns;
        } else {
            relation.uniques.push(Unique { name, columns, nulls_not_distinct, is_constraint });
        }
        Ok(())
    })
}

pub(super) fn foreign_keys(scope: &mut Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::ForeignKeys, |row| {
        let name = scope.names.ident(row.text()?);
        let source = scope.relations.get(&row.number()?).copied();
        let columns: Vec<i16> = row.numbers()?;
        let target = scope.relations.get(&row.number()?).copied();
        let target_columns: Vec<i16> = row.numbers()?;
        let (Some(source), Some(target)) = (source, target) else { return Ok(()) };
        let target_columns = columns_at(&catalog.relations[target.0 as usize], &target_columns);
        let relation = relation_mut(catalog, source);
        if let (Some(columns), Some(target_columns)) = (columns_at(relation, &columns), target_columns) {
            relation.foreign_keys.push(ForeignKey { name, columns, target, target_columns });
        }
        Ok(())
    })
}

/// Also the checks of domains; needs columns and types.
pub(super) fn checks(scope: &mut Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::Checks, |row| {
        let name = scope.names.ident(row.text()?);
        let (relation, domain): (Oid, Oid) = (row.number()?, row.number()?);
        let expression = scope.names.text(row.maybe()?.unwrap_or_default());
        if let Some(id) = scope.relations.get(&relation) {
            let rules = rules::of_relation(&expression, catalog, *id);
            relation_mut(catalog, *id).checks.push(Check { name, expression, rules });
        } else if let Some(new) = rules::of_domain(&expression, catalog, domain)
            && let Some(Type { kind: TypeKind::Domain { checks, rules, .. }, .. }) =
                catalog.types.get_mut(&domain)
        {
            checks.push(expression);
            rules.extend(new);
        }
        Ok(())
    })
}

pub(super) fn policies(scope: &mut Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::Policies, |row| {
        let Some(id) = scope.relations.get(&row.number()?).copied() else { return Ok(()) };
        let name = scope.names.ident(row.text()?);
        let permissive = row.flag()?;
        let verb = match row.letter()? {
            'r' => Some(Verb::Select),
            'a' => Some(Verb::Insert),
            'w' => Some(Verb::Update),
            'd' => Some(Verb::Delete),
            _ => None,
        };
        let oids: Vec<Oid> = row.numbers()?;
        // Oid 0 is PUBLIC. A role that does not exist any more must not turn the policy into one for all.
        let public = oids.contains(&0);
        let roles = if public { Vec::new() } else { oids.iter().map(|oid| scope.owner(*oid)).collect() };
        let (using, check) = (row.maybe()?.map(Into::into), row.maybe()?.map(Into::into));
        relation_mut(catalog, id).policies.push(Policy { name, permissive, verb, roles, using, check });
        Ok(())
    })
}

pub(super) fn view_reads(scope: &Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::ViewReads, |row| {
        let view = scope.relations.get(&row.number()?).copied();
        let read = scope.relations.get(&row.number()?).copied();
        if let (Some(view), Some(read)) = (view, read) {
            relation_mut(catalog, view).reads.push(read);
        }
        Ok(())
    })
}

/// `tgtype`: 2 is BEFORE, 64 INSTEAD OF, 4 INSERT, 16 UPDATE (pg_trigger.h).
pub(super) fn triggers(scope: &Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::Triggers, |row| {
        let Some(id) = scope.relations.get(&row.number()?).copied() else { return Ok(()) };
        let bits: i16 = row.number()?;
        let relation = relation_mut(catalog, id);
        relation.before_insert = bits & 4 != 0;
        relation.before_update = bits & 16 != 0;
        Ok(())
    })
}

pub(super) fn extension_members(scope: &Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    let mut members: HashSet<Oid, RandomState> = HashSet::default();
    scope.answer.each(Statement::ExtensionMembers, |row| {
        let function = row.flag()?;
        let oid: Oid = row.number()?;
        if function {
            members.insert(oid);
        } else if let Some(id) = scope.relations.get(&oid) {
            relation_mut(catalog, *id).extension = true;
        }
        Ok(())
    })?;
    for function in &mut catalog.functions {
        function.extension = members.contains(&function.oid);
    }
    Ok(())
}
