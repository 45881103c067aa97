//! The operations of a batch on their way: handlers that wait for answers, and the transaction that gives them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bedplate_core::problem::MALFORMED;
use bedplate_core::{Ctx, Problem, RequestInfo, Result};
use bedplate_data::{Needs, Refused, Transaction, Work};
use bedplate_http::{Request, Response};
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Uri};

use super::desk::{Desk, Question, Reply};
use super::operation::Operation;
use super::outcome::{Failure, entry};
use super::{info, precheck, reference};
use crate::nested::Write;
use crate::resource::Resource;
use crate::{Call, PREFIX, route};

type Handling<'a> = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

/// One operation that has begun.
struct Begun<'a> {
    desk: Arc<Desk>,
    info: Arc<RequestInfo>,
    state: State<'a>,
}

enum State<'a> {
    Handling(Handling<'a>),
    Done(Result<Response>),
}

/// The requests that an operation asks for.
type Asked = (usize, Vec<bedplate_query::Request>, Arc<RequestInfo>);

/// All operations of a batch.
pub(super) struct Running<'a> {
    call: &'a Call<'a>,
    operations: &'a [Operation],
    begun: Vec<Option<Begun<'a>>>,
    /// The entries of those that are done.
    results: Vec<Option<String>>,
}

impl<'a> Running<'a> {
    pub fn new(call: &'a Call<'a>, operations: &'a [Operation]) -> Self {
        Self {
            call,
            operations,
            begun: operations.iter().map(|_| None).collect(),
            results: vec![None; operations.len()],
        }
    }

    /// Everything that can be done before the transaction: operations that need no others are validated and planned, the rest
    /// as far as it goes. Tells what the transaction has to be.
    pub async fn prepare(&mut self) -> Result<Needs, Failure> {
        let mut faults: Vec<(usize, Problem)> = Vec::new();
        for (at, operation) in self.operations.iter().enumerate() {
            let ready = if operation.needs.is_empty() {
                self.begin(at)
            } else {
                precheck::check(self.call, operation)
            };
            faults.extend(ready.err().map(|problem| (at, problem)));
        }
        self.drive().await;
        let mut needs = Needs::default();
        for (at, operation) in self.operations.iter().enumerate() {
            match &mut self.begun[at] {
                None => needs.writes |= operation.method != http::Method::GET,
                Some(Begun { state: State::Done(done), .. }) if done.is_err() => {
                    faults.extend(std::mem::replace(done, Ok(gone())).err().map(|problem| (at, problem)));
                }
                Some(begun) => {
                    let data = &self.call.api.data;
                    let check = |question: &Question| match question {
                        Question::Run(requests) => requests.iter().try_for_each(|request| {
                            data.check(self.call.ctx, request).map(|checked| needs.add(checked))
                        }),
                        // Its handler has checked it.
                        Question::Write(_) => {
                            needs.writes = true;
                            Ok(())
                        }
                    };
                    let checked = begun.desk.look(check);
                    faults.extend(checked.and_then(Result::err).map(|problem| (at, problem)));
                }
            }
        }
        if faults.is_empty() {
            return Ok(needs);
        }
        faults.sort_by_key(|(at, _)| *at);
        Err(Failure::all(faults))
    }

    /// Runs all in their order, as many as possible together.
    pub async fn finish(mut self, transaction: &Transaction) -> Result<Vec<String>, Failure> {
        let mut from = 0;
        for at in 0..self.operations.len() {
            if self.operations[at].needs.is_empty() {
                continue;
            }
            if self.operations[at].needs.iter().any(|needed| *needed >= from) {
                self.flush(transaction, from..at).await?;
                from = at;
            }
            self.begin(at).map_err(|problem| Failure::of(at, problem))?;
            self.drive().await;
        }
        let end = self.operations.len();
        self.flush(transaction, from..end).await?;
        Ok(self.results.into_iter().flatten().collect())
    }

    /// Answers the questions of these operations, in one message, and lets their handlers end.
    async fn flush(
        &mut self,
        transaction: &Transaction,
        range: std::ops::Range<usize>,
    ) -> Result<(), Failure> {
        let mut asked = Vec::new();
        for at in range.clone() {
            // A handler that failed without a question failed before those behind it.
            self.check_done(at)?;
            let Some(begun) = &self.begun[at] else { continue };
            if let Some(question) = begun.desk.take() {
                asked.push((at, question, Arc::clone(&begun.info)));
            }
        }
        let mut together = Vec::new();
        for (at, question, info) in asked {
            match question {
                Question::Run(requests) => together.push((at, requests, info)),
                Question::Write(write) => {
                    self.run(transaction, std::mem::take(&mut together)).await?;
                    self.write(transaction, at, &write, &info).await?;
                }
            }
        }
        self.run(transaction, together).await?;
        self.drive().await;
        for at in range {
            self.check_done(at)?;
            self.settle(at)?;
        }
        Ok(())
    }

    /// Runs the requests of several operations in one message.
    async fn run(&mut self, transaction: &Transaction, asked: Vec<Asked>) -> Result<(), Failure> {
        if asked.is_empty() {
            return Ok(());
        }
        let mut works = Vec::new();
        let mut at = Vec::new();
        for (operation, requests, info) in &asked {
            works.extend(requests.iter().map(|request| Work { request, info }));
            at.extend(requests.iter().map(|_| *operation));
        }
        let mut outs = vec![BytesMut::new(); works.len()];
        let ran = transaction.run(&self.call.api.data, self.call.ctx, &works, &mut outs).await;
        let answers = ran.map_err(|refused| Failure::running(refused, &at))?;
        let mut answers = answers.into_iter().zip(outs);
        for (operation, requests, _) in &asked {
            let own = answers.by_ref().take(requests.len()).collect();
            self.answer(*operation, Reply::Rows(own));
        }
        Ok(())
    }

    async fn write(
        &mut self,
        transaction: &Transaction,
        at: usize,
        write: &Write,
        info: &RequestInfo,
    ) -> Result<(), Failure> {
        let mut out = BytesMut::new();
        let made = transaction.write(&self.call.api.data, self.call.ctx, write.with(info), &mut out).await;
        let made = made.map_err(|refused| Failure::running(Refused { at: Some(0), ..refused }, &[at]))?;
        self.answer(at, Reply::Made(Box::new(made), out));
        Ok(())
    }

    fn answer(&self, at: usize, reply: Reply) {
        if let Some(begun) = &self.begun[at] {
            begun.desk.answer(Ok(reply));
        }
    }

    fn check_done(&mut self, at: usize) -> Result<(), Failure> {
        match &mut self.begun[at] {
            Some(Begun { state: State::Done(done), .. }) if done.is_err() => {
                match std::mem::replace(done, Ok(gone())) {
                    Err(problem) => Err(Failure::of(at, problem)),
                    Ok(_) => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Keeps the result of an operation that is done.
    fn settle(&mut self, at: usize) -> Result<(), Failure> {
        match self.begun[at].take().map(|begun| begun.state) {
            Some(State::Done(Ok(response))) => {
                let entry = entry(&response).map_err(|problem| Failure::of(at, problem))?;
                self.results[at] = Some(entry);
                Ok(())
            }
            Some(State::Done(Err(problem))) => Err(Failure::of(at, problem)),
            _ => Err(Failure::of(at, Problem::internal_error("an operation did not end with its answer"))),
        }
    }

    /// Starts the handler of an operation, with values in the place of its references.
    fn begin(&mut self, at: usize) -> Result<()> {
        let operation = &self.operations[at];
        let call = self.call;
        let results = &self.results;
        let result = |operation: usize| {
            let found = results.get(operation).and_then(Option::as_deref);
            found.ok_or_else(|| Problem::internal_error("an operation ran before the one that it needs"))
        };
        let columns = |resource: &str| {
            let found =
                Resource::get(call, &percent_encoding::percent_decode_str(resource).decode_utf8_lossy());
            found.map_or(1, |resource| resource.relation().primary_key.len())
        };
        let path =
            operation.path.fill(|reference| reference.find_text(result(reference.operation)?), columns)?;
        let content = match &operation.body {
            None => Bytes::new(),
            Some(content) => {
                let value = |reference: &reference::Reference| {
                    reference.find(result(reference.operation)?).map(str::to_owned)
                };
                let limits = &call.api.config.json;
                Bytes::from(reference::fill_body(content.get(), limits, value)?)
            }
        };
        let uri: Uri = format!("{PREFIX}{path}").parse().map_err(|_| {
            Problem::new(&MALFORMED).detail("the path is not a URL path; write special characters as %20")
        })?;
        let mut headers = operation.headers.clone();
        if operation.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let info = Arc::new(info(call, &operation.method, uri.path()));
        let ctx = Ctx { request: Arc::clone(&info), ..call.ctx.clone() };
        let request = call.request.within(operation.method.clone(), uri, headers, content);
        let desk = Arc::new(Desk::default());
        let handling = handle(call, ctx, request, Arc::clone(&desk));
        self.begun[at] = Some(Begun { desk, info, state: State::Handling(Box::pin(handling)) });
        Ok(())
    }

    /// Lets every handler go on until it has asked its question or is done.
    async fn drive(&mut self) {
        poll_fn(|cx| if self.poll_all(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn poll_all(&mut self, cx: &mut Context<'_>) -> bool {
        let mut settled = true;
        for begun in self.begun.iter_mut().flatten() {
            let State::Handling(handling) = &mut begun.state else { continue };
            if begun.desk.is_asked() {
                continue;
            }
            match handling.as_mut().poll(cx) {
                Poll::Ready(done) => begun.state = State::Done(done),
                Poll::Pending => settled &= begun.desk.is_asked(),
            }
        }
        settled
    }
}

/// Takes the place of a result that was moved out.
fn gone() -> Response {
    Response::empty(http::StatusCode::NO_CONTENT)
}

async fn handle(call: &Call<'_>, ctx: Ctx, mut request: Request, desk: Arc<Desk>) -> Result<Response> {
    let body = request.body.take();
    let call = Call { ctx: &ctx, request: &request, desk: Some(&desk), ..*call };
    let preferences = call.preferences()?;
    if preferences.rollback {
        return Err(Problem::new(&crate::problems::ROLLBACK_NOT_ALLOWED)
            .detail("a dry run is for the batch as a whole; send Prefer: tx=rollback with the request"));
    }
    route(&call, body).await
}
