//! Which aggregates make representations of rows.

use super::super::introspect::{Error, Statement};
use super::super::model::*;
use super::Scope;
use crate::media::Media;

/// Only those of served schemas count, so that whoever may create objects elsewhere changes no answer. Needs the types.
pub(super) fn load(scope: &mut Scope<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    scope.answer.each(Statement::MediaAggregates, |row| {
        let (schema, name) = (scope.names.ident(row.text()?), scope.names.ident(row.text()?));
        let (argument, result): (Oid, Oid) = (row.number()?, row.number()?);
        let of = match argument {
            ANYELEMENT => None,
            row_type => match catalog.row_types.get(&row_type) {
                Some(relation) => Some(*relation),
                None => return Ok(()),
            },
        };
        let named = catalog.type_of(result).and_then(|t| Media::of_domain(t.name.as_str()));
        if let (Some((accepted, media)), true) = (named, catalog.is_served_schema(schema.as_str())) {
            catalog.media_handlers.entry((of, accepted)).or_insert(MediaHandler { schema, name, media });
        }
        Ok(())
    })
}

const ANYELEMENT: Oid = 2283;
