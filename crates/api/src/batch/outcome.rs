//! What becomes of operations: the entry of one in the answer, and the problem when some cannot be done.

use bedplate_core::{Problem, Result};
use bedplate_data::Refused;
use bedplate_http::{Body, Occurrence, Response, problems};
use http::header::{ETAG, LOCATION};
use serde_json::{Value, json};

use super::operation::Operation;
use crate::Call;

/// The result of one operation as it stands in the answer: the status, headers that matter, and the body's members.
pub(super) fn entry(response: &Response) -> Result<String> {
    let mut out = format!("{{\"status\":{}", response.status.as_u16());
    let mut headers = serde_json::Map::new();
    for name in [LOCATION, ETAG] {
        if let Some(value) = response.headers.get(&name).and_then(|value| value.to_str().ok()) {
            headers.insert(name.as_str().to_owned(), value.into());
        }
    }
    if !headers.is_empty() {
        out.push_str(",\"headers\":");
        out.push_str(&Value::Object(headers).to_string());
    }
    match &response.body {
        Body::Empty => out.push('}'),
        Body::Full(bytes) => {
            let text = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_prefix('{'));
            let members =
                text.ok_or_else(|| Problem::internal_error("an operation answered no JSON object"))?;
            if !members.trim_start().starts_with('}') {
                out.push(',');
            }
            out.push_str(members);
        }
        Body::Stream(_) => return Err(Problem::internal_error("an operation answered a stream")),
    }
    Ok(out)
}

/// Why a batch was not done.
pub(super) struct Failure {
    /// By operation. Empty: nobody in particular.
    faults: Vec<(usize, Problem)>,
    whole: Option<Problem>,
    pub again: bool,
}

impl Failure {
    pub fn whole(problem: Problem) -> Self {
        Self { faults: Vec::new(), whole: Some(problem), again: false }
    }

    pub fn of(at: usize, problem: Problem) -> Self {
        Self::all(vec![(at, problem)])
    }

    /// `faults` has at least one.
    pub fn all(faults: Vec<(usize, Problem)>) -> Self {
        Self { faults, whole: None, again: false }
    }

    /// While requests were run together; `operations` are theirs.
    pub fn running(refused: Refused, operations: &[usize]) -> Self {
        let again = refused.again;
        let failure = match refused.at.and_then(|at| operations.get(at)) {
            Some(at) => Self::of(*at, refused.problem),
            None => Self::whole(refused.problem),
        };
        Self { again, ..failure }
    }

    pub fn at_commit(refused: Refused) -> Self {
        let again = refused.again;
        let problem = refused.problem.hint(
            "every operation had succeeded; this is about all of them together (a deferred constraint, for example)",
        );
        Self { again, ..Self::whole(problem) }
    }

    /// The problem of the batch is that of its first faulty operation, with all of them in `details`.
    pub fn into_problem(self, call: &Call<'_>, operations: &[Operation]) -> Problem {
        let Some((first, problem)) = self.faults.first() else {
            return self.whole.unwrap_or_else(|| Problem::internal_error("a batch failed without a reason"));
        };
        let named = |at: usize| {
            let operation = operations.get(at);
            operation.map_or_else(String::new, |o| format!("{} {}", o.method, o.path.shown()))
        };
        let shown = |at: usize, problem: &Problem| {
            let path =
                operations.get(at).map(|operation| format!("{}{}", crate::PREFIX, operation.path.place()));
            let instance = path.as_deref();
            problems::nested(problem, Occurrence { request_id: &call.ctx.request_id, instance })
        };
        let mut details = json!({ "operation": first, "problem": shown(*first, problem) });
        if self.faults.len() > 1 {
            let all: Vec<Value> = self
                .faults
                .iter()
                .map(|(at, problem)| json!({ "operation": at, "problem": shown(*at, problem) }))
                .collect();
            details["operations"] = Value::Array(all);
        }
        let told = problem.detail_text().unwrap_or(problem.code().title);
        let detail = match self.faults.len() {
            1 => format!("operation {first} ({}): {told}", named(*first)),
            several => format!(
                "{several} operations cannot be done; the first is operation {first} ({}): {told}",
                named(*first)
            ),
        };
        let mut whole =
            Problem::new(problem.code()).detail(detail).document(details).internal(problem.to_string());
        if let Some(hint) = problem.hint_text() {
            whole = whole.hint(hint.to_owned());
        }
        if let Some(after) = problem.retry_after_value() {
            whole = whole.retry_after(after);
        }
        if let Some(state) = problem.sqlstate_text() {
            whole = whole.sqlstate(state);
        }
        whole
    }
}
