//! Operations that need the results of others, looked at as far as that is possible before anything runs.

use bedplate_core::Result;
use bedplate_http::decode_segment;
use bedplate_query::gate::Verb;
use bedplate_query::request::Name;
use bedplate_query::validate::{self, Field, body};
use http::Method;

use super::operation::Operation;
use crate::path::{self, Place};
use crate::resource::Resource;
use crate::{Call, create};

/// Whether the resource is there, the verb is allowed, and the fields that are known are valid.
pub(super) fn check(call: &Call<'_>, operation: &Operation) -> Result<()> {
    let sketch = operation.path.sketch();
    let place = sketch.split('?').next().unwrap_or_default().trim_start_matches('/');
    let segments = place.split('/').map(decode_segment).collect::<Result<Vec<_>>>()?;
    let (name, nested, single) = match path::read(segments)? {
        Place::Collection { above, resource } => (resource, !above.is_empty(), false),
        Place::One { above, resource, .. } => (resource, !above.is_empty(), true),
        Place::Function { .. } => return Ok(()),
    };
    let verb = match operation.method {
        Method::GET => Verb::Select,
        Method::PATCH => Verb::Update,
        Method::DELETE => Verb::Delete,
        _ => Verb::Insert,
    };
    // What else may be wrong with nested paths, the handler says: a parent may fill fields.
    let resource = Resource::get_for(call, &name, verb)?;
    if nested {
        return Ok(());
    }
    let Some(content) = &operation.body else { return Ok(()) };
    if !content.get().starts_with('{') {
        return Ok(());
    }
    let fields = body::parse_object(content.get().as_bytes(), &call.api.config.json)?;
    let (known, filled) = split(&resource, fields);
    match (&operation.method, single) {
        (&Method::POST, false) => {
            let checked =
                validate::create_below(&resource.catalog, resource.role, resource.id, &known, &filled);
            create::check(checked)
        }
        (&Method::PATCH, true) => {
            create::check(validate::update(&resource.catalog, resource.role, resource.id, &known))
        }
        _ => Ok(()),
    }
}

/// Fields whose values are known, and the names of those that come from elsewhere: references, and related rows.
fn split(resource: &Resource, fields: body::Object) -> (Vec<Field>, Vec<Name>) {
    let mut known = Vec::with_capacity(fields.len());
    let mut filled = Vec::new();
    for (name, value) in fields {
        let nested = value.get().starts_with(['{', '[']);
        let refers = nested && value.get().contains('$');
        let is_column = resource.catalog.find_column(resource.id, &name).is_some();
        if is_column && !refers {
            known.push((name, value));
        } else if is_column || !nested {
            // A name that is not there is told by the validation.
            if is_column { filled.push(name) } else { known.push((name, value)) }
        } else {
            // Related rows may fill any key column; which, the planner finds out.
            let relation = resource.relation();
            filled.extend(relation.foreign_keys.iter().flat_map(|key| {
                key.columns.iter().map(|c| Name::from(relation.columns[c.0 as usize].name.as_str()))
            }));
        }
    }
    (known, filled)
}
