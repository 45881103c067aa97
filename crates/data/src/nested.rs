//! Running nested writes: part after part in one transaction, each with what earlier ones answered in its rows. Parts that need
//! nothing of each other go to PostgreSQL in one message.

use std::sync::Arc;

use bedplate_core::problem::NOT_FOUND;
use bedplate_core::{Ctx, Problem, RequestInfo};
use bedplate_db::{Call, Row, RowSink};
use bedplate_query::plan::nested::{Cell, Nested, Part};
use bedplate_query::request::{Action, Bulk, Name, Node, Style, Value, ValueRef, Values, key_member};
use bedplate_query::{Operation, Request};
use bytes::BytesMut;

use crate::problems::ROW_DROPPED;
use crate::run::Bound;
use crate::transaction::{Like, Refused, Transaction, Work, place};
use crate::{Answer, Data};

/// What a row answered, column by column.
type Texts = Vec<Option<String>>;

/// The rows of a part that were answered, by their places in the body.
type Answered = Vec<Option<Texts>>;

/// A nested write as it is run.
#[derive(Clone, Copy)]
pub struct Write<'w> {
    pub nested: &'w Nested,
    /// How the rows are answered when all is written; `None`: not at all.
    pub answer: Option<(&'w Node, &'w Values)>,
    /// What SQL may know of the request.
    pub info: &'w RequestInfo,
}

/// The rows of the resource itself that a nested write made.
#[derive(Debug)]
pub struct Made {
    /// The primary key of each, in the order of the body.
    pub keys: Vec<Texts>,
    /// Of reading them, where they are answered.
    pub answer: Option<Answer>,
}

impl Data {
    /// Plans every part, without running any.
    pub fn check_nested(&self, ctx: &Ctx, nested: &Nested) -> Result<(), Problem> {
        for part in &nested.parts {
            let request =
                Request { operation: Operation::Bulk(part.bulk.clone()), values: Values::default() };
            let snapshot = self.snapshot();
            let role = self.role(&snapshot.catalog, ctx)?;
            self.compile(ctx, &snapshot, role, &request).map_err(|problem| placed(problem, part))?;
        }
        Ok(())
    }
}

impl Transaction {
    /// Runs a nested write. The rows that it answers are appended to `out`.
    pub async fn write(
        &self,
        data: &Data,
        ctx: &Ctx,
        write: Write<'_>,
        out: &mut BytesMut,
    ) -> Result<Made, Refused> {
        let nested = write.nested;
        let mut answered: Vec<Answered> = Vec::with_capacity(nested.parts.len());
        while answered.len() < nested.parts.len() {
            let from = answered.len();
            let free = |part: &Part| part.rows.iter().all(|row| !needs(row, from));
            let ready = nested.parts[from..].iter().take_while(|part| free(part)).count().max(1);
            let parts = &nested.parts[from..from + ready];
            let mut requests = Vec::with_capacity(ready);
            for part in parts {
                let body = body(part, &answered).map_err(whole)?;
                let values = Values(vec![Value::Json(body.into())]);
                requests.push(Request { operation: Operation::Bulk(part.bulk.clone()), values });
            }
            let rows = self
                .steps(data, ctx, write.info, &requests)
                .await
                .map_err(|refused| at_part(refused, parts))?;
            for (part, rows) in parts.iter().zip(rows) {
                answered.push(sorted(part, rows).map_err(whole)?);
            }
        }
        let keys = keys(nested, &answered[nested.root]).map_err(whole)?;
        let answer = match write.answer {
            Some(answer) => Some(self.fetch(data, ctx, &write, answer, &keys, out).await?),
            None => None,
        };
        Ok(Made { keys, answer })
    }

    async fn fetch(
        &self,
        data: &Data,
        ctx: &Ctx,
        write: &Write<'_>,
        (node, values): (&Node, &Values),
        keys: &[Texts],
        out: &mut BytesMut,
    ) -> Result<Answer, Refused> {
        let nested = write.nested;
        let key: Vec<Name> = nested.key.iter().map(|(name, _)| Name::clone(name)).collect();
        let objects: Vec<serde_json::Value> = keys
            .iter()
            .map(|texts| {
                let member = |(name, text): (&Name, &Option<String>)| (key_member(name), text.clone().into());
                serde_json::Value::Object(key.iter().zip(texts).map(member).collect())
            })
            .collect();
        let mut values = values.clone();
        let list = serde_json::Value::Array(objects).to_string();
        let body = values.push(Value::Json(list.into()));
        let body: ValueRef = body.ok_or_else(|| whole(Problem::internal_error("too many values")))?;
        let action = Action::Fetch { key, node: node.clone() };
        let target = nested.parts[nested.root].bulk.target.clone();
        let bulk = Bulk { target, action, body, answer: Vec::new(), style: Style::NATIVE };
        let request = Request { operation: Operation::Bulk(bulk), values };
        let works = [Work { request: &request, info: write.info }];
        let mut outs = [std::mem::take(out)];
        let ran = self.run(data, ctx, &works, &mut outs).await;
        let [filled] = outs;
        *out = filled;
        ran?.pop().ok_or_else(|| whole(Problem::internal_error("a read without an answer")))
    }

    /// Statements whose rows carry their numbers.
    async fn steps(
        &self,
        data: &Data,
        ctx: &Ctx,
        info: &RequestInfo,
        requests: &[Request],
    ) -> Result<Vec<Vec<(usize, Texts)>>, Refused> {
        let mut state = self.lock().await;
        let mut compiled = Vec::with_capacity(requests.len());
        for (at, request) in requests.iter().enumerate() {
            let plan = state.compile(data, ctx, request).map_err(|problem| Refused::at(at, problem))?;
            compiled.push(plan);
        }
        let mut bound = Vec::with_capacity(requests.len());
        for (at, (request, compiled)) in requests.iter().zip(&compiled).enumerate() {
            let values = Bound::new(&compiled.planned, &request.values);
            bound.push(values.map_err(|problem| Refused::at(at, problem))?);
        }
        let snapshot = Arc::clone(&state.snapshot);
        let like = Like::of(data, ctx, &snapshot, &state);
        let runs: Vec<_> =
            requests.iter().zip(&compiled).map(|(request, compiled)| like.run(request, compiled)).collect();
        let place = place(ctx, info);
        let mut calls: Vec<Call<'_>> = Vec::with_capacity(1 + requests.len());
        calls.extend(place.as_ref().map(|params| Call { statement: &data.set_place, params }));
        let first = calls.len();
        calls.extend(runs.iter().zip(&bound).flat_map(|(run, bound)| run.calls(bound)));
        let mut collected =
            Collected { first, rows: requests.iter().map(|_| Vec::new()).collect(), completed: 0 };
        match state.send(data, ctx, &calls, &mut collected).await {
            Ok(_) => Ok(collected.rows),
            Err(error) => {
                let again = error.is_stale() || error.is_conflict();
                let at = runs.get(collected.completed).filter(|_| error.db().is_some());
                let problem = match at {
                    Some(run) => run.problem(error),
                    None => error.into_problem(!ctx.principal.is_signed_in()),
                };
                Err(Refused { at: Some(collected.completed), problem, again })
            }
        }
    }
}

/// Whether a row needs what parts from this one on answer.
fn needs(row: &bedplate_query::plan::nested::Row, from: usize) -> bool {
    row.cells.iter().any(|(_, cell)| matches!(cell, Cell::Of { part, .. } if *part >= from))
}

/// The array of a part, with what earlier parts answered in it.
fn body(part: &Part, answered: &[Answered]) -> Result<String, Problem> {
    let mut out = String::from("[");
    for (at, row) in part.rows.iter().enumerate() {
        out.push_str(if at > 0 { ",{" } else { "{" });
        for (index, (name, cell)) in row.cells.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(&serde_json::Value::from(&**name).to_string());
            out.push(':');
            match cell {
                Cell::Json(json) => out.push_str(json.get()),
                Cell::Of { part: of, row: its, column } => {
                    let texts = answered.get(*of).and_then(|rows| rows.get(*its)).and_then(Option::as_ref);
                    let texts = texts.ok_or_else(|| missing(row.place.clone()))?;
                    let text = texts.get(*column).cloned().flatten();
                    out.push_str(&serde_json::Value::from(text).to_string());
                }
            }
        }
        out.push('}');
    }
    out.push(']');
    Ok(out)
}

/// A row that a trigger of the database dropped, though others need it.
fn missing(place: String) -> Problem {
    Problem::new(&ROW_DROPPED).field(place, "belongs to a row that the database did not keep")
}

/// The answers by row. Each number comes once; rows that were to be found must have been.
fn sorted(part: &Part, rows: Vec<(usize, Texts)>) -> Result<Answered, Problem> {
    let mut answered: Answered = vec![None; part.rows.len()];
    for (number, texts) in rows {
        let slot = number.checked_sub(1).and_then(|at| answered.get_mut(at));
        match slot {
            Some(slot @ None) => *slot = Some(texts),
            _ => {
                return Err(Problem::internal_error(format!(
                    "row {number} of a nested write was answered twice"
                )));
            }
        }
    }
    if !matches!(part.bulk.action, Action::Insert { .. }) {
        let lost = answered.iter().position(Option::is_none).and_then(|at| part.rows.get(at));
        if let Some(row) = lost {
            return Err(Problem::new(&NOT_FOUND)
                .detail(format!("{} is not there, or is named twice", row.place))
                .field(row.place.clone(), "is not there, or is named twice"));
        }
    }
    Ok(answered)
}

fn keys(nested: &Nested, roots: &Answered) -> Result<Vec<Texts>, Problem> {
    let key = |row: &Option<Texts>| {
        let texts = row.as_ref().ok_or_else(|| Problem::new(&ROW_DROPPED))?;
        Ok(nested.key.iter().map(|(_, at)| texts.get(*at).cloned().flatten()).collect())
    };
    roots.iter().map(key).collect()
}

fn whole(problem: Problem) -> Refused {
    Refused { at: None, problem, again: false }
}

/// A refusal of one of these parts, with its place in the body.
fn at_part(refused: Refused, parts: &[Part]) -> Refused {
    match refused.at.and_then(|at| parts.get(at)) {
        Some(part) => Refused { at: None, problem: placed(refused.problem, part), again: refused.again },
        None => refused,
    }
}

/// Names the place in the body: of the only row, or of all rows of a part.
fn placed(problem: Problem, part: &Part) -> Problem {
    let place = match part.rows.as_slice() {
        [one] => one.place.clone(),
        [first, ..] => unnumbered(&first.place),
        [] => String::new(),
    };
    if place.is_empty() {
        return problem;
    }
    let fields = problem.fields().clone();
    if fields.is_empty() {
        let told = problem.detail_text().unwrap_or(problem.code().title).to_owned();
        return problem.field(place, told);
    }
    let fields = fields.into_iter().map(|(field, faults)| (format!("{place}.{field}"), faults)).collect();
    problem.with_fields(fields)
}

/// `0.sections.3` is one of the `sections`.
fn unnumbered(place: &str) -> String {
    let names: Vec<&str> = place.split('.').filter(|part| part.parse::<usize>().is_err()).collect();
    names.join(".")
}

/// Keeps the rows of each statement: the number, then the columns.
struct Collected {
    /// How many calls come before the statements.
    first: usize,
    rows: Vec<Vec<(usize, Texts)>>,
    completed: usize,
}

impl RowSink for Collected {
    fn row(&mut self, call: usize, row: Row<'_>) -> Result<(), Problem> {
        if call < self.first {
            return Ok(());
        }
        let mut texts = row.columns().map(|c| c.map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
        let number = texts.next().flatten().and_then(|number| number.parse().ok());
        let number =
            number.ok_or_else(|| Problem::internal_error("a row of a nested write has no number"))?;
        if let Some(rows) = self.rows.get_mut(call - self.first) {
            rows.push((number, texts.collect()));
        }
        Ok(())
    }

    fn complete(&mut self, call: usize, _affected: u64) {
        self.completed = (call + 1).saturating_sub(self.first);
    }
}
