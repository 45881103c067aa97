//! `PATCH` and `DELETE`: the filters judge the rows as they are before.

use bedplate_core::Result;
use bedplate_data::RunOptions;
use bedplate_http::{RequestBody, Response};
use bedplate_query::Operation;
use bedplate_query::request::{Delete, Logic, Name, Update, ValueRef};
use bedplate_query::validate::body::Object;
use http::StatusCode;

use super::Write;
use crate::Call;
use crate::body::{self, Payload};
use crate::error::{self, PGRST102};
use crate::prefer::Applies;

/// With rows, and without.
const STATUS: (StatusCode, StatusCode) = (StatusCode::OK, StatusCode::NO_CONTENT);

pub(crate) async fn update(call: &Call<'_>, name: &str, body: RequestBody) -> Result<Response> {
    call.report.set_class("rest.update");
    let mut write = Write::new(call, name)?;
    let bytes = body.collect().await?;
    let columns = write.columns.take();
    let payload = body::read(call, &bytes, columns.is_some())?;
    let mut filters = std::mem::take(&mut write.node.filters);
    let fields = first(payload)?;
    if fields.is_none() {
        // An array without elements changes no row, and yet its columns must be right.
        filters.push(Logic::Or(Vec::new()));
    }
    let (set, reset) = changes(&mut write, fields.unwrap_or_default(), columns)?;
    let returning = write.returning();
    let update = Update { target: write.target(), set, reset, filters, returning, style: write.style() };
    let options = RunOptions { max_affected: most(call), ..write.options() };
    let written = write.run(Operation::Update(update), options).await?;
    let applies = Applies { missing: true, max_affected: true, ..Applies::default() };
    written
        .respond(&write, STATUS, applies, |written, response| written.content_range(&write, response, true))
}

/// What the rows are set to: of an array, PostgREST takes one element.
fn first(payload: Payload) -> Result<Option<Object>> {
    match payload {
        Payload::One(fields) => Ok(Some(fields)),
        Payload::Many(many) if many.count == 0 => Ok(None),
        Payload::Many(many) => match many.first {
            Some(fields) => Ok(Some(fields)),
            None => Err(error::plain(&PGRST102, "All elements of the array must be objects")),
        },
    }
}

type Changes = (Vec<(Name, ValueRef)>, Vec<Name>);

/// The columns with their values, and those that get their defaults. Where columns are named, other keys do not count, and a
/// column that the body lacks is NULL, or its default if that is preferred.
fn changes(write: &mut Write<'_>, fields: Object, columns: Option<Vec<Name>>) -> Result<Changes> {
    let Some(columns) = columns else { return Ok((write.fields(fields)?, Vec::new())) };
    let defaults = write.call.preferences.missing_default == Some(true);
    let given = body::by_name(&fields);
    let lacks = |column: &Name| !given.contains_key(&**column);
    let (reset, columns): (Vec<Name>, Vec<Name>) =
        columns.into_iter().partition(|column| defaults && lacks(column));
    Ok((write.named_fields(&fields, columns)?, reset))
}

pub(crate) async fn delete(call: &Call<'_>, name: &str) -> Result<Response> {
    call.report.set_class("rest.delete");
    let mut write = Write::new(call, name)?;
    let filters = std::mem::take(&mut write.node.filters);
    let returning = write.returning();
    let delete = Delete { target: write.target(), filters, returning, style: write.style() };
    let options = RunOptions { max_affected: most(call), ..write.options() };
    let written = write.run(Operation::Delete(delete), options).await?;
    let applies = Applies { max_affected: true, ..Applies::default() };
    written
        .respond(&write, STATUS, applies, |written, response| written.content_range(&write, response, false))
}

fn most(call: &Call<'_>) -> Option<u64> {
    call.preferences.most_affected().map(|most| u64::try_from(most).unwrap_or(0))
}
