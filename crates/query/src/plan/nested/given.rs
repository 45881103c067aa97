//! What a body says of a relation: new rows, or an object of `create` and `connect`.

use bedplate_core::Problem;
use serde_json::value::RawValue;

use super::resolve::Resolver;
use crate::request::Name;
use crate::validate::body::{self, Object};

/// The body was read within its limits before.
const READ: body::Limits = body::Limits { depth: 128, keys: usize::MAX, items: usize::MAX };

/// A related row with its place in the body, and the row of the level above that it belongs to.
#[derive(Debug)]
pub(super) struct Related {
    pub above: usize,
    pub place: String,
    pub fields: Object,
}

/// The rows of one relation, by what is to become of them.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub create: Vec<Related>,
    /// Rows that are there already, by their keys.
    pub connect: Vec<Related>,
}

impl Resolver<'_> {
    /// Reads the value of a relation. `single`: a row has one related row at most. `is_column`: whether the related resource has
    /// a column of that name, which then is no verb.
    pub(super) fn given(
        &mut self,
        given: &mut Given,
        above: usize,
        place: &str,
        json: &str,
        single: bool,
        is_column: &dyn Fn(&Name) -> bool,
    ) -> Result<(), Problem> {
        if json.starts_with('[') {
            return if single {
                self.fault(place, "is one related row, not a list");
                Ok(())
            } else {
                self.rows(&mut given.create, above, place, json)
            };
        }
        let fields = body::parse_object(json.as_bytes(), &READ)?;
        let is_verb = |name: &Name| matches!(&**name, "create" | "connect") && !is_column(name);
        if fields.is_empty() || !fields.iter().all(|(name, _)| is_verb(name)) {
            if single {
                given.create.push(Related { above, place: place.to_owned(), fields });
            } else {
                self.fault(place, "must be a list of rows, or an object of create and connect");
            }
            return Ok(());
        }
        if single && fields.len() > 1 {
            self.fault(place, "is one related row: create or connect");
            return Ok(());
        }
        for (verb, value) in fields {
            let place = format!("{place}.{verb}");
            let list = if &*verb == "create" { &mut given.create } else { &mut given.connect };
            match (value.get().as_bytes().first(), single) {
                (Some(b'{'), true) => {
                    let fields = body::parse_object(value.get().as_bytes(), &READ)?;
                    list.push(Related { above, place, fields });
                }
                (Some(b'['), false) => self.rows(list, above, &place, value.get())?,
                (_, true) => self.fault(&place, "must be an object"),
                (_, false) => self.fault(&place, "must be a list of objects"),
            }
        }
        Ok(())
    }

    fn rows(
        &mut self,
        list: &mut Vec<Related>,
        above: usize,
        place: &str,
        json: &str,
    ) -> Result<(), Problem> {
        let items: Vec<&RawValue> =
            serde_json::from_str(json).map_err(|e| Problem::internal_error(e.to_string()))?;
        for (at, item) in items.into_iter().enumerate() {
            let place = format!("{place}.{at}");
            if item.get().starts_with('{') {
                let fields = body::parse_object(item.get().as_bytes(), &READ)?;
                list.push(Related { above, place, fields });
            } else {
                self.fault(&place, "must be an object");
            }
        }
        Ok(())
    }
}
