use std::time::Duration;

use super::{ms, secs};
use crate::ByteSize;
use crate::table::section;

section! {
    /// What one request may cost, besides `[limits]`. Past a budget the answer is an error that names it, and nothing is cut
    /// off (docs/limits.md).
    pub struct Budgets {
        /// Size of an answer, before compression.
        response_bytes: ByteSize = ByteSize::mib(32), range(ByteSize::kib(1), ByteSize::mib(1024));
        /// Cost of a statement as PostgreSQL's planner estimates it, in its own units (reading one page in order costs 1);
        /// 0: no bound. Each shape of request is estimated once and again every five minutes, not each request.
        cost: usize = 0, range(0, 1_000_000_000_000);
        /// Requests that count, aggregate or export CSV and run at once, so that they never take all connections; not set:
        /// half of those for reads.
        expensive_at_once: Option<usize> = None, range(Some(1), Some(1_000));
        maps {
            /// Differences for callers with a database role: `[budgets.roles.anon]`.
            roles: RoleBudget;
        }
    }
}

section! {
    /// Budgets of callers with this database role. What is not set is as for all.
    pub struct RoleBudget {
        /// Size of an answer, in place of `budgets.response_bytes`.
        response_bytes: Option<ByteSize> = None, range(Some(ByteSize::kib(1)), Some(ByteSize::mib(1024)));
        /// Cost of a statement, in place of `budgets.cost`; 0: no bound.
        cost: Option<usize> = None, range(Some(0), Some(1_000_000_000_000));
        /// Time limit of one statement, in place of `database.statement_timeout_*` and of what the database sets for the role.
        /// One that a called function sets for itself still holds.
        time: Option<Duration> = None, range(Some(ms(10)), Some(secs(3_600)));
        /// Rows on a page at most, where that is fewer than `limits.page_size_max` (at `/rest/v1`: `rest.db_max_rows`).
        rows: Option<usize> = None, range(Some(1), Some(100_000));
        /// Depth of embedded relations, where that is less than `limits.embed_depth`.
        embed_depth: Option<usize> = None, range(Some(0), Some(20));
    }
}
