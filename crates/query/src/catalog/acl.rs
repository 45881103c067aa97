//! Access control lists as PostgreSQL prints them: `{owner=arwdDxt/owner,=r/owner,"\"odd name\"=w*/owner"}`.

use std::sync::Arc;

use super::arrays;
use super::model::{Grants, Map, Privileges, RoleId};

/// What an object grants when its list is NULL.
#[derive(Debug, Clone, Copy)]
pub(super) enum Default {
    /// Relations and schemas: everything to the owner.
    Owner(RoleId),
    /// Functions: EXECUTE to the owner and to PUBLIC.
    OwnerAndPublic(RoleId),
    /// Columns: nothing beyond the relation's.
    Nothing,
}

impl Default {
    fn grants(self) -> Grants {
        let all = Privileges(u8::MAX);
        match self {
            Self::Owner(owner) => Grants { public: Privileges::default(), roles: vec![(owner, all)] },
            Self::OwnerAndPublic(owner) => Grants { public: Privileges::EXECUTE, roles: vec![(owner, all)] },
            Self::Nothing => Grants::default(),
        }
    }
}

/// Reads one list. Grantees that no longer exist are left out: they can do nothing.
pub(super) fn parse(acl: Option<&str>, default: Default, roles: &Map<Arc<str>, RoleId>) -> Option<Grants> {
    let Some(acl) = acl else { return Some(default.grants()) };
    let mut grants = Grants::default();
    for item in arrays::parse(acl)? {
        let item = item?;
        let (grantee, letters) = split(&item)?;
        let privileges = letters.chars().fold(Privileges::default(), |sum, c| sum.with(privilege(c)));
        if grantee.is_empty() {
            grants.public = grants.public.with(privileges);
        } else if let Some(role) = roles.get(grantee.as_str()) {
            match grants.roles.iter_mut().find(|(r, _)| r == role) {
                Some((_, sum)) => *sum = sum.with(privileges),
                None => grants.roles.push((*role, privileges)),
            }
        }
    }
    grants.roles.sort_unstable_by_key(|(role, _)| *role);
    Some(grants)
}

/// `grantee=letters/grantor`; the grantee is in double quotes when it is not a plain word.
fn split(item: &str) -> Option<(String, &str)> {
    let mut grantee = String::new();
    let mut quoted = false;
    let mut chars = item.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if quoted && chars.next_if(|(_, next)| *next == '"').is_some() => grantee.push('"'),
            '"' => quoted = !quoted,
            '=' if !quoted => return Some((grantee, item[at + 1..].split('/').next().unwrap_or_default())),
            c => grantee.push(c),
        }
    }
    None
}

/// The letters of the documentation's table "ACL Privilege Abbreviations" that matter here; `*` is the grant option.
fn privilege(letter: char) -> Privileges {
    match letter {
        'r' => Privileges::SELECT,
        'a' => Privileges::INSERT,
        'w' => Privileges::UPDATE,
        'd' => Privileges::DELETE,
        'X' => Privileges::EXECUTE,
        'U' => Privileges::USAGE,
        _ => Privileges::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_public_odd_names_grant_options_and_defaults() {
        let roles: Map<Arc<str>, RoleId> =
            [("anon".into(), RoleId(1)), ("we\"ird=/ x".into(), RoleId(2))].into_iter().collect();
        let read = |acl| parse(acl, Default::OwnerAndPublic(RoleId(0)), &roles).unwrap();
        let acl = r#"{anon=r*a/postgres,=X/postgres,"\"we\"\"ird=/ x\"=wd/postgres",gone=r/postgres}"#;
        let grants = read(Some(acl));
        assert_eq!(grants.public, Privileges::EXECUTE);
        let expected = [
            (RoleId(1), Privileges::SELECT.with(Privileges::INSERT)),
            (RoleId(2), Privileges::UPDATE.with(Privileges::DELETE)),
        ];
        assert_eq!(grants.roles, expected);
        assert_eq!(read(None).public, Privileges::EXECUTE);
        assert!(read(None).roles[0].1.has(Privileges::EXECUTE));
        assert_eq!(read(Some("{}")), Grants::default());
        assert_eq!(parse(Some("{oops}"), Default::Nothing, &roles), None);
    }
}
