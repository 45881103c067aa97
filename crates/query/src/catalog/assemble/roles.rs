//! Roles, what they inherit and what they may become.

use super::super::introspect::{Error, Statement};
use super::super::model::*;
use super::{Scope, setting};

/// One membership: `member` is in `role`.
struct Membership {
    role: RoleId,
    member: RoleId,
    inherit: bool,
    set: bool,
}

pub(super) fn load(scope: &mut Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::Roles, |row| {
        let id = RoleId(catalog.roles.len() as u32);
        let oid = row.number()?;
        let name = scope.names.ident(row.text()?);
        scope.roles.insert(oid, id);
        catalog.role_names.insert(name.shared(), id);
        catalog.roles.push(Role {
            oid,
            name,
            superuser: row.flag()?,
            bypass_rls: row.flag()?,
            inherit: row.flag()?,
            member_of: Vec::new(),
            can_set: Vec::new(),
            settings: Vec::new(),
        });
        Ok(())
    })?;
    let memberships = memberships(scope, catalog)?;
    let all: Vec<RoleId> = (0..catalog.roles.len() as u32).map(RoleId).collect();
    for id in &all {
        let member_of = reachable(*id, &memberships, |m| m.inherit);
        let role = &mut catalog.roles[id.0 as usize];
        role.member_of = member_of;
        role.can_set = if role.superuser { all.clone() } else { reachable(*id, &memberships, |m| m.set) };
    }
    settings(scope, catalog)
}

/// PostgreSQL 16 and newer say per membership whether it inherits and may be set; before, the member's own INHERIT
/// decides, and every membership may be set.
fn memberships(scope: &Scope<'_>, catalog: &Catalog) -> Result<Vec<Membership>, Error> {
    let mut found = Vec::new();
    scope.answer.each(Statement::Members, |row| {
        let (role, member): (Oid, Oid) = (row.number()?, row.number()?);
        let (inherit, set) = (row.maybe_flag()?, row.maybe_flag()?);
        if let (Some(role), Some(member)) = (scope.roles.get(&role), scope.roles.get(&member)) {
            found.push(Membership {
                role: *role,
                member: *member,
                inherit: inherit.unwrap_or(catalog.roles[member.0 as usize].inherit),
                set: set.unwrap_or(true),
            });
        }
        Ok(())
    })?;
    Ok(found)
}

/// The role itself and all that it reaches through memberships that `count`, in role order.
fn reachable(from: RoleId, memberships: &[Membership], count: impl Fn(&Membership) -> bool) -> Vec<RoleId> {
    let mut found = vec![from];
    let mut next = 0;
    while let Some(member) = found.get(next).copied() {
        next += 1;
        for m in memberships.iter().filter(|m| m.member == member && count(m)) {
            if !found.contains(&m.role) {
                found.push(m.role);
            }
        }
    }
    found.sort_unstable();
    found
}

fn settings(scope: &Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::RoleSettings, |row| {
        let Some(role) = scope.roles.get(&row.number()?) else { return Ok(()) };
        let settings = &mut catalog.roles[role.0 as usize].settings;
        for (name, value) in row.list()?.iter().filter_map(|text| setting(text)) {
            settings.retain(|(known, _)| *known != name);
            settings.push((name, value));
        }
        Ok(())
    })
}
