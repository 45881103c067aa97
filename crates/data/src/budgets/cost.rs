//! [`Cost`]: what PostgreSQL's planner expects of a statement. It is asked once for a shape of request, as the role that
//! asks, and again when what it said is old: tables grow, and statistics change. It is asked for the generic plan, which does
//! not depend on the values: else a shape would be judged by whoever asked first, with values that suit them.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bedplate_core::{Ctx, Problem};
use bedplate_db::{Call, Context, End, Error, Format, Lease, Row, RowSink, Statement};
use bedplate_query::request::Count;
use bedplate_query::statement::Sql;
use serde_json::Value;

use super::Allowance;
use crate::Data;
use crate::plans::Compiled;
use crate::problems::QUERY_TOO_EXPENSIVE;

/// How long an estimate is good for.
const AGE: Duration = Duration::from_mins(5);
/// How long one is that refuses: an index or fresh statistics are meant to help at once.
const AGE_OF_REFUSAL: Duration = Duration::from_secs(5);

/// What is known of the cost of one plan's statements.
#[derive(Debug, Default)]
pub(crate) struct Cost(Mutex<Option<Known>>);

#[derive(Debug, Clone)]
struct Known {
    /// In the planner's units.
    units: f64,
    at: Instant,
    /// The costly parts of the plan, for developers.
    why: String,
}

impl Cost {
    /// What is known, unless it is old. Of several requests that find it old one asks anew, and the others go by the old one.
    fn find(&self, most: u64, now: Instant) -> Option<Known> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_mut()?;
        let age = if known.units > most as f64 { AGE_OF_REFUSAL } else { AGE };
        if now.saturating_duration_since(known.at) > age {
            // The caller replaces it; should that fail, the old one holds for another while.
            known.at = now;
            return None;
        }
        Some(known.clone())
    }

    fn keep(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

impl Data {
    /// Refuses a statement that costs more than the role may spend. Nothing is done where the role has no such budget.
    pub(crate) async fn check_cost(
        &self,
        ctx: &Ctx,
        compiled: &Compiled,
        context: &Context<'_>,
    ) -> Result<(), Problem> {
        let Some(most) = compiled.allowance.cost else { return Ok(()) };
        let known = match compiled.cost.find(most, Instant::now()) {
            Some(known) => known,
            // Boxed, so that requests which do not ask do not carry the room for it.
            None => match Box::pin(self.estimate_cost(ctx, compiled, context)).await? {
                Some(known) => known,
                None => return Ok(()),
            },
        };
        if known.units <= most as f64 {
            return Ok(());
        }
        self.refusals.cost.fetch_add(1, Relaxed);
        Err(self.too_expensive(&compiled.allowance, most, &known))
    }

    /// How much it would be stays in the log: estimates tell of rows that the caller cannot see.
    fn too_expensive(&self, allowance: &Allowance, most: u64, known: &Known) -> Problem {
        let advice = "Filter by an indexed column, order by the primary key, or ask for fewer relations; budgets.cost is the \
                      setting";
        let hint = if self.explain_refusals {
            format!("{advice}. PostgreSQL expects {:.0}: {}", known.units, known.why)
        } else {
            advice.to_owned()
        };
        Problem::new(&QUERY_TOO_EXPENSIVE)
            .detail(format!("The request would cost more than the role {} may spend", allowance.role))
            .field("cost", format!("at most {most}"))
            .hint(hint)
            .internal(format!("estimated {:.0}: {}", known.units, known.why))
    }

    /// Asks the planner. `None`: it could not say, because the statement itself is refused; it will be when it runs, with the
    /// reason.
    async fn estimate_cost(
        &self,
        ctx: &Ctx,
        compiled: &Compiled,
        context: &Context<'_>,
    ) -> Result<Option<Known>, Problem> {
        let planned = &compiled.planned;
        let counted = planned.count.as_ref().filter(|count| count.kind != Count::Planned);
        let main = Some(&planned.main.sql).filter(|_| !planned.main.is_plan());
        let mut settings: Vec<(&str, &str)> = context.settings.to_vec();
        settings.push(("plan_cache_mode", "force_generic_plan"));
        let context = Context { settings: &settings };
        let refuse = |error: Error| error.into_problem(!ctx.principal.is_signed_in());
        let mut known = Known { units: 0.0, at: Instant::now(), why: String::new() };
        let mut lease = self.pools.read.acquire(ctx.deadline).await.map_err(refuse)?;
        for sql in main.into_iter().chain(counted.map(|count| &count.sql)) {
            match explain(&mut lease, &context, sql, ctx.deadline).await {
                Ok(text) => add(&mut known, &text),
                Err(error @ Error::Db(_)) => {
                    tracing::debug!(%error, "the cost of a statement could not be estimated");
                    return Ok(None);
                }
                Err(error) => return Err(refuse(error)),
            }
        }
        compiled.cost.keep(known.clone());
        Ok(Some(known))
    }
}

/// The generic plan as JSON text. `EXPLAIN (GENERIC_PLAN)` is not in PostgreSQL 15; what a prepared statement would run by
/// is the same.
async fn explain(
    lease: &mut Lease,
    context: &Context<'_>,
    sql: &Sql,
    deadline: Option<Instant>,
) -> Result<String, Error> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let name = format!("bedplate_cost_{}", NEXT.fetch_add(1, Relaxed));
    let mut execute = format!("explain (format json) execute {name}");
    for at in 0..sql.params.len() {
        let separator = if at == 0 { '(' } else { ',' };
        // Writing to a string cannot fail.
        let _ = write!(execute, "{separator}null");
    }
    if !sql.params.is_empty() {
        execute.push(')');
    }
    let deallocate = format!("deallocate {name}");
    let statements = [format!("prepare {name} as {}", sql.text), execute, deallocate.clone()];
    let statements = statements.map(|text| Statement::new(text, [Format::Text]));
    let calls = statements.each_ref().map(|statement| Call { statement, params: &[] });
    let mut text = Text::default();
    let ran = lease.run(context, &calls, End::Implicit, &mut text, deadline).await;
    if matches!(ran, Err(Error::Db(_))) {
        // It outlives the transaction that failed, if it was made.
        let statement = Statement::new(deallocate, [Format::Text]);
        let call = [Call { statement: &statement, params: &[] }];
        if let Err(error) = lease.run(context, &call, End::Implicit, &mut Text::default(), deadline).await {
            tracing::debug!(%error, "a statement that was to be estimated is gone already");
        }
    }
    ran.map(|_| text.0)
}

/// Takes the text of an EXPLAIN.
#[derive(Default)]
struct Text(String);

impl RowSink for Text {
    fn row(&mut self, _call: usize, row: Row<'_>) -> Result<(), Problem> {
        self.0.push_str(&String::from_utf8_lossy(row.columns().next().flatten().unwrap_or_default()));
        Ok(())
    }

    fn restart(&mut self) -> bool {
        self.0.clear();
        true
    }
}

/// Adds what one plan says.
fn add(known: &mut Known, text: &str) {
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    let Some(plan) = parsed.as_ref().and_then(|plan| plan.get(0)?.get("Plan")) else {
        tracing::warn!(text, "a plan that cannot be read");
        return;
    };
    known.units += plan.get("Total Cost").and_then(Value::as_f64).unwrap_or(0.0);
    let mut parts = Vec::new();
    costly(plan, &mut parts);
    parts.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    for (_, part) in parts.into_iter().take(4) {
        let comma = if known.why.is_empty() { "" } else { ", " };
        let _ = write!(known.why, "{comma}{part}");
    }
}

/// The plan's nodes that do much by themselves, with what they cost.
fn costly(plan: &Value, parts: &mut Vec<(f64, String)>) {
    let number = |plan: &Value, name: &str| plan.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let text = |name: &str| plan.get(name).and_then(Value::as_str);
    let below: &[Value] = plan.get("Plans").and_then(Value::as_array).map_or(&[], Vec::as_slice);
    let own = number(plan, "Total Cost") - below.iter().map(|plan| number(plan, "Total Cost")).sum::<f64>();
    if let Some(kind) = text("Node Type").filter(|_| own > 0.0) {
        let of = text("Relation Name").map(|name| format!(" on {name}")).unwrap_or_default();
        parts.push((own, format!("{kind}{of} ({:.0} rows)", number(plan, "Plan Rows"))));
    }
    for plan in below {
        costly(plan, parts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(units: f64, at: Instant) -> Known {
        Known { units, at, why: String::new() }
    }

    #[test]
    fn an_estimate_is_asked_for_again_when_it_is_old_and_by_one_request_only() {
        let cost = Cost::default();
        let now = Instant::now();
        let find = |most, at| cost.find(most, at).map(|known| known.units as u64);
        assert_eq!(find(9, now), None);
        cost.keep(known(5.0, now));
        assert_eq!(find(9, now + AGE), Some(5));
        let later = now + AGE + Duration::from_secs(1);
        assert_eq!(find(9, later), None, "one asks anew");
        assert_eq!(find(9, later), Some(5), "meanwhile the old one holds");
        assert_eq!(find(4, later + AGE_OF_REFUSAL), Some(5));
        assert_eq!(find(4, later + AGE_OF_REFUSAL * 2), None, "who is refused may have made an index");
    }

    #[test]
    fn a_plan_is_summed_up_by_its_costly_parts() {
        let text = r#"[{"Plan":{"Node Type":"Limit","Total Cost":900.5,"Plan Rows":20,"Plans":[
            {"Node Type":"Sort","Total Cost":900.0,"Plan Rows":5000,"Plans":[
             {"Node Type":"Seq Scan","Relation Name":"posts","Total Cost":400.0,"Plan Rows":5000}]}]}}]"#;
        let mut sum = known(10.0, Instant::now());
        add(&mut sum, text);
        assert_eq!(sum.units as u64, 910);
        assert_eq!(sum.why, "Sort (5000 rows), Seq Scan on posts (5000 rows), Limit (20 rows)");
        add(&mut sum, "not a plan");
        assert_eq!(sum.units as u64, 910);
    }
}
