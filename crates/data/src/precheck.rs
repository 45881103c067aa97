//! The pre-request function by itself, before answers that need no other statement.

use bedplate_core::{Ctx, Problem};
use bedplate_db::{Call, Context, End, Row, RowSink};

use crate::context::{self, Hoisting};
use crate::door::{Door, SqlResponse};
use crate::violations::{self, Audience};
use crate::{Data, sink};

impl Data {
    /// Calls the door's pre-request function as the caller, in a transaction that may not write; without one nothing
    /// happens. Answers what it says of the answer.
    ///
    /// # Errors
    /// What the function raised, and what can go wrong with the database.
    pub async fn pre_request(
        &self,
        ctx: &Ctx,
        door: &Door,
        search_path: Option<&str>,
    ) -> Result<SqlResponse, Problem> {
        let Some(function) = &door.pre_request else { return Ok(SqlResponse::default()) };
        let catalog = self.catalog();
        let role = self.role(&catalog, ctx)?;
        let settings = catalog.role(role).map_or(&[][..], |role| &role.settings);
        let hoisting = Hoisting { role: settings, function: &[], allowed: None };
        let mut pairs = context::pairs(ctx, &self.session, hoisting, true);
        let search_path = search_path.or(self.search_path.as_deref());
        pairs.extend(search_path.map(|path| ("search_path", path)));
        pairs.extend(door.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        pairs.extend(sink::SILENT);
        let calls = [&function.0, &self.sql_response].map(|statement| Call { statement, params: &[] });
        let mut said = Said::default();
        let mut lease =
            self.pools.read.acquire(ctx.deadline).await.map_err(|error| error.into_problem(false))?;
        let ran =
            lease.run(&Context { settings: &pairs }, &calls, End::Implicit, &mut said, ctx.deadline).await;
        match ran {
            Ok(_) => Ok(said.0),
            Err(error) => {
                let anonymous = !ctx.principal.is_signed_in();
                let audience = Audience { catalog: &catalog, gate: &*door.gate, role, anonymous };
                Err(violations::for_door(error, &audience, self.explain_refusals))
            }
        }
    }
}

/// Keeps what SQL says of the answer, which is the second call's row.
#[derive(Default)]
struct Said(SqlResponse);

impl RowSink for Said {
    fn row(&mut self, call: usize, row: Row<'_>) -> Result<(), Problem> {
        if call == 1 {
            self.0 = sink::response(row);
        }
        Ok(())
    }
}
