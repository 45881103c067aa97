//! [`Teller`]: says to the caller what an error of the database was about, also after the request that led to it has ended.

use std::sync::Arc;

use bedplate_core::Problem;
use bedplate_db::{DbError, Error};
use bedplate_query::catalog::RoleId;
use bedplate_query::gate::Gate;

use crate::plans::Snapshot;
use crate::violations::{self, Audience};

pub(crate) struct Teller {
    pub snapshot: Arc<Snapshot>,
    pub gate: Arc<dyn Gate>,
    pub role: RoleId,
    pub anonymous: bool,
    /// Callers of a dialect that shows PostgreSQL's words.
    pub door: bool,
    /// In development the caller is the developer, and gets to see what PostgreSQL said.
    pub explain: bool,
}

impl Teller {
    pub fn problem(&self, error: Error) -> Problem {
        let said = self.explain.then(|| error.db().map(said)).flatten();
        let audience = Audience {
            catalog: &self.snapshot.catalog,
            gate: &*self.gate,
            role: self.role,
            anonymous: self.anonymous,
        };
        let problem = if self.door {
            violations::for_door(error, &audience, self.explain)
        } else {
            violations::problem(error, &audience)
        };
        with_said(problem, said)
    }
}

/// What a plain RAISE says, everybody gets to see.
pub(crate) fn with_said(problem: Problem, said: Option<String>) -> Problem {
    match said {
        Some(said) if problem.hint_text().is_none() && problem.sqlstate_text() != Some("P0001") => {
            problem.hint(said)
        }
        _ => problem,
    }
}

pub(crate) fn said(error: &DbError) -> String {
    let hint = error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    let place = error.context.as_ref().and_then(|context| context.lines().next());
    let place = place.map(|place| format!(", in {place}")).unwrap_or_default();
    format!("PostgreSQL says: {}{hint}{place}", error.message)
}
