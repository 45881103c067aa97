//! Entity tags of answers, and requests that depend on them (RFC 9110 §8.8, §13).
//!
//! A tag is a digest of what is answered, byte for byte: it differs for each `select` and each caller that sees something
//! else, it tells nothing of columns and rows that the caller does not see, and it costs no second look at the database.
//!
//! A write that demands a tag is one transaction, sent as one message: lock the row, read what `GET` at the same address would
//! answer, write. It is committed when that answer has the tag, and undone otherwise. The lock holds every other writer off
//! between the reading and the commit, so of many writes that demand the same tag one is done. A DELETE needs no lock of its
//! own: it answers the row that it took.

use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bedplate_core::problem::NOT_FOUND;
use bedplate_core::{Problem, Result};
use bedplate_data::{Answer, Needs, Refused, Transaction, Work};
use bedplate_http::conditional::{Conditions, Validators, Verdict, last_modified, whole_second};
use bedplate_http::{Response, Stage};
use bedplate_query::request::{Field, Item, Node, Path, Read, Style, Values};
use bedplate_query::{Operation, Request};
use bytes::BytesMut;
use http::header::{CACHE_CONTROL, ETAG, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::batch::desk::Desk;
use crate::problems::{PRECONDITION_FAILED, PRECONDITION_NOT_OFFERED, PRECONDITION_REQUIRED};
use crate::resource::{Resource, target};
use crate::{Call, json};

/// What an answer to a read depends on beside the address. `Origin` is added where it is so.
const VARY_BY: HeaderValue =
    HeaderValue::from_static("Authorization, apikey, Accept, Accept-Encoding, Prefer");

/// 16 bytes in base64url.
const TAG_LENGTH: usize = 22;

/// A quoted entity tag.
pub(crate) struct Tag([u8; TAG_LENGTH + 2]);

impl Tag {
    pub fn of(call: &Call<'_>, answer: &[u8]) -> Option<Self> {
        let digest = call.api.cursors.digest(answer)?;
        let mut text = [b'"'; TAG_LENGTH + 2];
        BASE64_URL_SAFE_NO_PAD.encode_slice(digest, &mut text[1..=TAG_LENGTH]).ok()?;
        Some(Self(text))
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub fn put(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_bytes(&self.0) {
            headers.insert(ETAG, value);
        }
    }
}

/// The answer to a read, or 304 where the client has it. `tag` is that of the body; without one there are no conditions.
/// `control`: what its policy lets caches do.
pub(crate) fn respond(
    call: &Call<'_>,
    tag: Option<Tag>,
    modified: Option<SystemTime>,
    control: Option<HeaderValue>,
    body: BytesMut,
) -> Result<Response> {
    let Some(tag) = tag else { return Ok(json(StatusCode::OK, body)) };
    let there = Validators { tag: tag.as_str(), modified: modified.map(whole_second) };
    let mut response = match Conditions::of(&call.request.headers).judge(Some(there), true) {
        Verdict::Proceed => {
            let mut response = json(StatusCode::OK, body);
            tag.put(&mut response.headers);
            response
        }
        Verdict::NotModified(known) => {
            let mut response = Response::empty(StatusCode::NOT_MODIFIED);
            if let Ok(known) = HeaderValue::try_from(known) {
                response.headers.insert(ETAG, known);
            }
            response
        }
        Verdict::Failed => return Err(failed()),
    };
    response.headers.insert(VARY, VARY_BY);
    if let Some(control) = control {
        response.headers.insert(CACHE_CONTROL, control);
    }
    if let Some((name, value)) = there.modified.and_then(last_modified) {
        response.headers.insert(name, value);
    }
    Ok(response)
}

/// POST makes something new, and a function is no representation: a condition there would be believed to hold.
pub(crate) fn refuse(call: &Call<'_>) -> Result<()> {
    if !Conditions::of(&call.request.headers).concern_writes() {
        return Ok(());
    }
    Err(Problem::new(&PRECONDITION_NOT_OFFERED)
        .detail("If-Match, If-None-Match and If-Unmodified-Since are for single resources: GET, PATCH, PUT and DELETE")
        .hint("To create a row only if there is none with its key: PUT with If-None-Match: *"))
}

/// The conditions of a write, `None` when there are none; 428 when the settings want some.
pub(crate) fn of_write<'h>(call: &Call<'h>, resource: &Resource) -> Result<Option<Conditions<'h>>> {
    let conditions = Conditions::of(&call.request.headers);
    if conditions.concern_writes() {
        return Ok(Some(conditions));
    }
    let relation = resource.relation();
    let required = call.api.config.require_if_match.iter().any(|listed| match listed.split_once('.') {
        Some((schema, name)) => relation.schema.as_str() == schema && relation.name.as_str() == name,
        None => listed == "*" || relation.name.as_str() == listed,
    });
    if !required {
        return Ok(None);
    }
    Err(Problem::new(&PRECONDITION_REQUIRED)
        .detail("Writes to this resource must say which version they are about")
        .hint("GET it, then send its ETag as If-Match; to create it by PUT, send If-None-Match: *"))
}

/// `PUT` with `If-None-Match: *` and nothing else: create it or fail.
pub(crate) fn only_creates(conditions: &Conditions<'_>) -> bool {
    let any = conditions.if_none_match.as_deref().is_some_and(|list| list.trim() == "*");
    any && conditions.if_match.is_none() && conditions.unmodified_since.is_none()
}

pub(crate) fn failed() -> Problem {
    Problem::new(&PRECONDITION_FAILED)
        .detail("It is not, or no longer, what the request's precondition says; nothing was changed")
        .hint("GET it again at the same address, select included, and decide anew. Tags are sent with their quotes")
}

/// What a conditional write looks at before it is done.
pub(crate) struct Guarded<'h> {
    conditions: Conditions<'h>,
    look: Look,
}

enum Look {
    /// The row is locked, and read as `GET` reads it.
    Before(Box<Before>),
    /// The write answers the row as it was.
    Answered,
}

struct Before {
    lock: Request,
    read: Request,
}

impl<'h> Guarded<'h> {
    /// For writes that leave the row there. `node` and `values` are what the address selects.
    pub fn before(
        conditions: Conditions<'h>,
        resource: &Resource,
        name: &str,
        key: &str,
        node: &Node,
        values: &Values,
    ) -> Result<Self> {
        let mut locked = Values::default();
        let filters = resource.key_filters(key, &mut locked)?;
        let path = |column| Path { column, steps: Vec::new() };
        let select = resource.key_names()?.into_iter().take(1).map(|column| {
            Item::Field(Field { path: Some(path(column)), cast: None, alias: None, aggregate: None })
        });
        let select = select.collect();
        let style = Style { locked: true, ..Style::NATIVE };
        let lock = read(name, Node { select, filters, ..Node::default() }, locked, style);
        let (mut node, mut values) = (node.clone(), values.clone());
        node.filters.extend(resource.key_filters(key, &mut values)?);
        let read = read(name, node, values, Style::NATIVE);
        Ok(Self { conditions, look: Look::Before(Box::new(Before { lock, read })) })
    }

    /// For DELETE, which must be asked for its row.
    pub fn answered(conditions: Conditions<'h>) -> Self {
        Self { conditions, look: Look::Answered }
    }

    /// Runs the write if what is there is what it demands. Rows are appended to `out`.
    pub async fn run(
        &self,
        call: &Call<'_>,
        write: &Request,
        dry_run: bool,
        out: &mut BytesMut,
    ) -> Result<Answer> {
        let mut again = true;
        loop {
            match self.attempt(call, write, dry_run, out).await {
                Err(refused) if refused.again && again => again = false,
                Err(refused) => return Err(refused.problem),
                Ok(answer) => return Ok(answer),
            }
        }
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        write: &Request,
        dry_run: bool,
        out: &mut BytesMut,
    ) -> std::result::Result<Answer, Refused> {
        let refuse = |problem| Refused { at: None, problem, again: false };
        let (data, ctx) = (&call.api.data, call.ctx);
        let requests: Vec<&Request> = match &self.look {
            Look::Before(before) => vec![&before.lock, &before.read, write],
            Look::Answered => vec![write],
        };
        if let Some(desk) = call.desk {
            return self.at(desk, call, &requests, write, out).await.map_err(refuse);
        }
        let transaction = Transaction::new(data, ctx).map_err(refuse)?.within(call.claim(dry_run));
        let mut needs = Needs::default();
        for request in &requests {
            needs.add(data.check(ctx, request).map_err(refuse)?);
        }
        transaction.require(needs).await;
        let works: Vec<Work<'_>> =
            requests.iter().map(|request| Work { request, info: &ctx.request }).collect();
        let mut outs: Vec<BytesMut> = works.iter().map(|_| BytesMut::new()).collect();
        let ran = transaction.run(data, ctx, &works, &mut outs).await;
        let looked = works.len().saturating_sub(2);
        let modified = ran.as_ref().ok().and_then(|answers| answers.get(looked)?.modified);
        // Also when the write failed: what the request demanded comes first, where that much is known.
        let known = ran.is_ok() || outs.get(looked).is_some_and(|rows| !rows.is_empty());
        if known {
            self.judge(call, outs.get(looked).map_or(&[], |rows| rows), modified, write).map_err(refuse)?;
        }
        let mut answers = ran?;
        let held = answers.len() < 2 || answers[0].page.rows > 0;
        let answer =
            answers.pop().ok_or_else(|| refuse(Problem::internal_error("a write without an answer")))?;
        // The row came to be between the lock and the write: nobody has seen it before.
        if !held && answer.affected > 0 && answer.inserted != Some(true) {
            return Err(refuse(failed()));
        }
        let timings = transaction.commit(data, ctx, dry_run).await?;
        call.report.add(Stage::Plan, timings.plan);
        call.report.add(Stage::Wait, timings.wait);
        call.report.add(Stage::Database, timings.wait + timings.database);
        out.extend_from_slice(outs.last().map_or(&[], |rows| rows));
        Ok(answer)
    }

    /// As an operation of a batch, in its transaction.
    async fn at(
        &self,
        desk: &Desk,
        call: &Call<'_>,
        requests: &[&Request],
        write: &Request,
        out: &mut BytesMut,
    ) -> Result<Answer> {
        let requests = requests.iter().map(|request| (*request).clone()).collect();
        let mut answers = desk.run(requests).await?;
        let looked = answers.len().saturating_sub(2);
        let (seen, row) = answers.get(looked).map_or((None, &[][..]), |(seen, row)| (seen.modified, row));
        self.judge(call, row, seen, write)?;
        let held = answers.len() < 2 || answers[0].0.page.rows > 0;
        let (answer, rows) =
            answers.pop().ok_or_else(|| Problem::internal_error("a write without an answer"))?;
        if !held && answer.affected > 0 && answer.inserted != Some(true) {
            return Err(failed());
        }
        out.extend_from_slice(&rows);
        Ok(answer)
    }

    /// Whether what was there is what the request demands. Where there is nothing to write to, that is told first (§13.2.1).
    fn judge(
        &self,
        call: &Call<'_>,
        row: &[u8],
        modified: Option<SystemTime>,
        write: &Request,
    ) -> Result<()> {
        let tag = if row.is_empty() { None } else { Tag::of(call, row) };
        let there =
            tag.as_ref().map(|tag| Validators { tag: tag.as_str(), modified: modified.map(whole_second) });
        if there.is_none() && !matches!(write.operation, Operation::Insert(_)) {
            return Err(Problem::new(&NOT_FOUND));
        }
        match self.conditions.judge(there, false) {
            Verdict::Proceed => Ok(()),
            Verdict::NotModified(_) | Verdict::Failed => Err(failed()),
        }
    }
}

fn read(name: &str, node: Node, values: Values, style: Style) -> Request {
    let read = Read { target: target(name), parents: Vec::new(), node, count: None, style };
    Request { operation: Operation::Read(read), values }
}
