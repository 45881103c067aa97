//! `POST`, `PATCH`, `PUT` and `DELETE` of a table or view. What they have in common: what is answered, and how it looks.

mod change;
mod create;

pub(crate) use change::{delete, update};
pub(crate) use create::{create, replace};

use std::time::Instant;

use bedplate_core::Result;
use bedplate_data::{Answer, RunOptions};
use bedplate_http::{Body, Response, Stage};
use bedplate_query::request::{Count, Name, Node, Page, Returning, Style, Target, Values};
use bedplate_query::syntax::{self, Options};
use bedplate_query::{Operation, Request};
use bytes::Bytes;
use http::header::CONTENT_RANGE;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::prefer::{Applies, Return};
use crate::{Call, represent};

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
            columns: parsed.columns,
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

    /// Runs it; the body of the answer comes along.
    async fn run(&mut self, operation: Operation, options: RunOptions<'_>) -> Result<Written> {
        let request = Request { operation, values: std::mem::take(&mut self.values) };
        let mut out = represent::begin(if self.wants_rows() { CAPACITY } else { 1 });
        let answer = self.call.run(&request, options, &mut out).await?;
        let body = represent::complete(out, answer.shape);
        Ok(Written { answer, body })
    }

    /// The answer with rows if they are wanted, else without any type.
    fn response(&self, written: Written, with_rows: StatusCode, without: StatusCode) -> Response {
        if !self.wants_rows() {
            return Response::empty(without);
        }
        let mut response = Response::new(with_rows, Body::Full(written.body));
        represent::describe(self.call, &written.answer, &mut response);
        response
    }

    /// What every answer of a write says about the request.
    fn finish(&self, mut response: Response, applies: Applies, started: Instant) -> Response {
        let applied = self.call.preferences.applied(Applies { returning: true, ..applies });
        let header = |value| (HeaderName::from_static("preference-applied"), value);
        response.headers.extend(applied.map(header));
        self.call.report.since(Stage::Render, started);
        response
    }

    /// `*/N` (or, where the rows have places, `0-M/N`); N only if it was asked for.
    fn content_range(&self, response: &mut Response, rows: u64, placed: bool) {
        let counted = matches!(self.call.preferences.count, Some(Count::Exact | Count::Estimated));
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

/// What a write did, and what is answered of it.
struct Written {
    answer: Answer,
    body: Bytes,
}

impl Written {
    /// Rows answered, or where none are, rows written.
    fn rows(&self, write: &Write<'_>) -> u64 {
        if write.wants_rows() { self.answer.page.rows } else { self.answer.affected }
    }
}
