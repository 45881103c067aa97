//! `POST`, `PATCH`, `PUT` and `DELETE` of a table or view. What they have in common: what is answered, and how it looks.

mod change;
mod create;

pub(crate) use change::{delete, update};
pub(crate) use create::{create, replace};

use std::time::Instant;

use bedplate_core::Result;
use bedplate_data::{Answer, RunOptions};
use bedplate_http::{Body, Response, Stage};
use bedplate_query::request::{Count, Name, Node, Page, Returning, Style, Target, Value, ValueRef, Values};
use bedplate_query::syntax::{self, Options};
use bedplate_query::validate::body::Object;
use bedplate_query::{Operation, Request};
use bytes::Bytes;
use http::header::CONTENT_RANGE;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::prefer::{Applies, Return};
use crate::{Call, body, represent, sql_response};

const CAPACITY: usize = 1024;

/// A write before its body is read.
struct Write<'c> {
    call: &'c Call<'c>,
    name: &'c str,
    node: Node,
    values: Values,
    columns: Option<Vec<Name>>,
    on_conflict: Option<Vec<Name>>,
}

impl<'c> Write<'c> {
    fn new(call: &'c Call<'c>, name: &'c str) -> Result<Self> {
        let options = Options { extensions: call.config.extensions, ..Options::POSTGREST };
        let parsed = syntax::parse(call.request.query(), &call.config.door.limits, &options)?;
        Ok(Self {
            call,
            name,
            node: parsed.node,
            values: parsed.values,
            // CSV and forms name their columns themselves, and PostgREST goes by that alone.
            columns: parsed.columns.filter(|_| body::is_json(call)),
            on_conflict: parsed.on_conflict,
        })
    }

    fn target(&self) -> Target {
        Target { schema: Some(self.call.schema.name.into()), name: self.name.into() }
    }

    fn style(&self) -> Style {
        represent::style(self.call)
    }

    fn wants_rows(&self) -> bool {
        self.call.preferences.returning == Some(Return::Representation)
    }

    /// The rows as `select` and `order` want them. Filters choose what is written, not what is answered, and a page would
    /// hide what was: PostgREST has none here.
    fn returning(&mut self) -> Returning {
        if !self.wants_rows() {
            return Returning::Nothing;
        }
        let mut node = std::mem::take(&mut self.node);
        node.filters.clear();
        node.page = Page::default();
        Returning::Rows(node)
    }

    fn options(&self) -> RunOptions<'c> {
        RunOptions { rollback: self.call.preferences.rolls_back(self.call.config), ..RunOptions::default() }
    }

    /// Fields as columns with their values.
    fn fields(&mut self, fields: Object) -> Result<Vec<(Name, ValueRef)>> {
        let column = |(name, raw): (Name, Box<serde_json::value::RawValue>)| {
            let value = crate::read::push(&mut self.values, Value::Json(raw.get().into()))?;
            Ok((name, value))
        };
        fields.into_iter().map(column).collect()
    }

    /// The named columns with their values; NULL where there is no such field.
    fn named_fields(&mut self, fields: &Object, columns: Vec<Name>) -> Result<Vec<(Name, ValueRef)>> {
        let fields = body::by_name(fields);
        let column = |column: Name| {
            let value = fields.get(&*column).map_or(Value::Null, |raw| Value::Json(raw.get().into()));
            Ok((column, crate::read::push(&mut self.values, value)?))
        };
        columns.into_iter().map(column).collect()
    }

    /// Runs it; the body of the answer comes along.
    async fn run(&mut self, operation: Operation, options: RunOptions<'_>) -> Result<Written> {
        let request = Request { operation, values: std::mem::take(&mut self.values) };
        let mut out = represent::begin(if self.wants_rows() { CAPACITY } else { 1 });
        let answer = self.call.run(&request, options, &mut out).await?;
        let started = Instant::now();
        let body = represent::complete(out, answer.shape);
        Ok(Written { answer, body, started })
    }
}

/// What a write did, and what is answered of it.
struct Written {
    answer: Answer,
    body: Bytes,
    started: Instant,
}

impl Written {
    /// Rows answered, or where none are, rows written.
    fn rows(&self, write: &Write<'_>) -> u64 {
        if write.wants_rows() { self.answer.page.rows } else { self.answer.affected }
    }

    /// The answer with rows if they are wanted, else without any type. `describe` adds what the kind of write says of itself;
    /// an execution plan says nothing of rows.
    fn respond(
        self,
        write: &Write<'_>,
        (with_rows, without): (StatusCode, StatusCode),
        applies: Applies,
        describe: impl FnOnce(&Self, &mut Response),
    ) -> Result<Response> {
        let call = write.call;
        if represent::is_plan(&self.answer) {
            let mut response = Response::new(StatusCode::OK, Body::Full(self.body.clone()));
            represent::describe(call, &self.answer, &mut response);
            return Ok(response);
        }
        let mut response = if write.wants_rows() {
            let mut response = Response::new(with_rows, Body::Full(self.body.clone()));
            represent::describe(call, &self.answer, &mut response);
            response
        } else {
            Response::empty(without)
        };
        describe(&self, &mut response);
        let applied = call.preferences.applied(Applies { returning: true, ..applies });
        let header = |value| (HeaderName::from_static("preference-applied"), value);
        response.headers.extend(applied.map(header));
        call.report.since(Stage::Render, self.started);
        sql_response::apply(response, &self.answer.response)
    }

    /// `*/N` (or, where the rows have places, `0-M/N`); N only if it was asked for.
    fn content_range(&self, write: &Write<'_>, response: &mut Response, placed: bool) {
        let rows = self.rows(write);
        let counted = matches!(write.call.preferences.count, Some(Count::Exact | Count::Estimated));
        let total = if counted { rows.to_string() } else { "*".to_owned() };
        let range = match rows {
            1.. if placed => format!("0-{}/{total}", rows - 1),
            _ => format!("*/{total}"),
        };
        if let Ok(value) = HeaderValue::try_from(range) {
            response.headers.insert(CONTENT_RANGE, value);
        }
    }
}
