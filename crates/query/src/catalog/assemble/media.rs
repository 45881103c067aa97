//! Which aggregates make representations of rows.

use super::super::acl;
use super::super::introspect::{Error, Statement};
use super::super::model::*;
use super::Scope;
use crate::media::Media;

/// Only those of served schemas count, so that whoever may create objects elsewhere changes no answer. Needs the types.
pub(super) fn load(scope: &mut Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::MediaAggregates, |row| {
        let (schema, name) = (scope.names.ident(row.text()?), scope.names.ident(row.text()?));
        let (argument, result): (Oid, Oid) = (row.number()?, row.number()?);
        let owner = scope.owner(row.number()?);
        let mut grants = acl::parse(row.maybe()?, acl::Default::OwnerAndPublic(owner), &catalog.role_names)
            .ok_or_else(|| row.error("has an unreadable ACL"))?;
        let public_execute = std::mem::take(&mut grants.public).has(Privileges::EXECUTE);
        let of = match argument {
            ANYELEMENT => None,
            row_type => match catalog.row_types.get(&row_type) {
                Some(relation) => Some(*relation),
                None => return Ok(()),
            },
        };
        let named = catalog.type_of(result).and_then(|t| Media::of_domain(t.name.as_str()));
        if let (Some((accepted, media)), true) = (named, catalog.is_served_schema(schema.as_str())) {
            let handler = MediaHandler { schema, name, media, grants, public_execute };
            catalog.media_handlers.entry((of, accepted)).or_insert(handler);
        }
        Ok(())
    })
}

const ANYELEMENT: Oid = 2283;
