//! Budgets: what one request may cost, by the caller's role. How long a statement may run is set in its transaction
//! (`context.rs`), how many rows and how deep goes into the plan, how large the answer may be is looked at while it is made
//! (`sink.rs`), what the planner expects of a statement is looked at before it runs (`cost.rs`), and what costs more than
//! others do waits for its turn (`turns.rs`).

mod cost;
mod turns;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bedplate_core::Problem;
use bedplate_query::limits::Limits;

pub(crate) use cost::Cost;
pub(crate) use turns::{Turns, is_expensive};

use crate::problems::ANSWER_TOO_LARGE;

/// The budgets of all callers, and what differs by role.
#[derive(Debug, Clone)]
pub struct Budgets {
    /// Bytes of an answer, before compression.
    pub response_bytes: usize,
    /// Of a statement, as the planner estimates it, in its units; `None`: no bound.
    pub cost: Option<u64>,
    /// Expensive requests that run at once.
    pub expensive_at_once: usize,
    /// How long one of them waits for its turn.
    pub wait: Duration,
    pub roles: Vec<(String, RoleBudget)>,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            response_bytes: 32 << 20,
            cost: None,
            expensive_at_once: 5,
            wait: Duration::from_secs(3),
            roles: Vec::new(),
        }
    }
}

/// What differs for one role. `None`: as for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoleBudget {
    pub response_bytes: Option<usize>,
    /// `Some(None)`: no bound.
    pub cost: Option<Option<u64>>,
    /// Rows of a page, at most.
    pub rows: Option<u64>,
    /// Levels of embedding, at most.
    pub embed_depth: Option<usize>,
}

/// What one role may spend on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub role: Arc<str>,
    pub response_bytes: usize,
    pub cost: Option<u64>,
    own: RoleBudget,
}

impl Budgets {
    pub(crate) fn of(&self, role: &str) -> Allowance {
        let own = self.own(role);
        Allowance {
            role: role.into(),
            response_bytes: own.response_bytes.unwrap_or(self.response_bytes),
            cost: own.cost.unwrap_or(self.cost),
            own,
        }
    }

    fn own(&self, role: &str) -> RoleBudget {
        self.roles.iter().find(|(name, _)| name == role).map(|(_, own)| *own).unwrap_or_default()
    }

    /// The most rows of a page of the role, where that differs from `most`.
    pub(crate) fn rows(&self, role: &str) -> Option<u64> {
        if self.roles.is_empty() { None } else { self.own(role).rows }
    }
}

impl Allowance {
    /// The limits of a request's shape, as far as the role's are narrower. Where callers ask for pages by their size the
    /// front door has said so before.
    pub fn within<'l>(&self, limits: &'l Limits) -> Cow<'l, Limits> {
        if self.own.rows.is_none() && self.own.embed_depth.is_none() {
            return Cow::Borrowed(limits);
        }
        let mut narrower = limits.clone();
        narrower.embed_depth =
            self.own.embed_depth.map_or(limits.embed_depth, |own| own.min(limits.embed_depth));
        narrower.page_max = self.own.rows.map_or(limits.page_max, |own| own.min(limits.page_max));
        narrower.page_default = narrower.page_default.min(narrower.page_max);
        Cow::Owned(narrower)
    }

    pub fn too_large(&self) -> Problem {
        let most = format!("at most {} bytes", self.response_bytes);
        Problem::new(&ANSWER_TOO_LARGE)
            .detail(format!("The answer has more bytes than the role {} may ask for: {most}", self.role))
            .field("response_bytes", most)
            .hint(
                "Ask for fewer rows (limit), fewer columns (select) or fewer embedded rows; budgets.response_bytes \
                 is the setting",
            )
    }
}

/// Requests refused because of a budget.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    pub bytes: AtomicU64,
    pub cost: AtomicU64,
    pub turn: AtomicU64,
}

impl Refusals {
    /// By the name of the budget.
    pub fn by_budget(&self) -> [(&'static str, u64); 3] {
        [
            ("response_bytes", self.bytes.load(Relaxed)),
            ("cost", self.cost.load(Relaxed)),
            ("expensive_at_once", self.turn.load(Relaxed)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_what_is_set_for_it_and_else_what_all_have() {
        let guest = RoleBudget { rows: Some(10), embed_depth: Some(1), ..RoleBudget::default() };
        let robot = RoleBudget { cost: Some(None), response_bytes: Some(5), ..RoleBudget::default() };
        let roles = vec![("guest".to_owned(), guest), ("robot".to_owned(), robot)];
        let budgets = Budgets { cost: Some(7), roles, ..Budgets::default() };
        let of = |role| {
            let allowance = budgets.of(role);
            let limits = Limits::default();
            let limits = allowance.within(&limits).into_owned();
            (
                allowance.cost,
                allowance.response_bytes,
                limits.page_max,
                limits.page_default,
                limits.embed_depth,
            )
        };
        assert_eq!(of("guest"), (Some(7), 32 << 20, 10, 10, 1));
        assert_eq!(of("robot"), (None, 5, 100, 20, 5));
        assert_eq!(of("others"), (Some(7), 32 << 20, 100, 20, 5));
        assert_eq!((budgets.rows("guest"), budgets.rows("others")), (Some(10), None));
    }

    #[test]
    fn a_role_is_told_which_budget_and_how_to_stay_in_it() {
        let problem = Budgets { response_bytes: 1024, ..Budgets::default() }.of("anon").too_large();
        assert_eq!(problem.status(), 400);
        assert_eq!(problem.fields()["response_bytes"], ["at most 1024 bytes"]);
        assert!(problem.detail_text().unwrap().contains("role anon") && problem.hint_text().is_some());
    }
}
