use bedplate_core::Secret;

use super::checks;
use crate::field::choices;
use crate::table::section;

choices! {
    /// The shape of error answers on `/api/v1`.
    pub enum ErrorFormat {
        /// RFC 9457 Problem Details.
        Problem = "problem",
        /// `{"error":{code,message,details}}`.
        Envelope = "envelope",
    }
}

choices! {
    /// Ways to count the rows of a list.
    pub enum Count {
        /// Counts every row: as slow as reading them.
        Exact = "exact",
        /// The planner's estimate.
        Planned = "planned",
        /// Exact for small results, the estimate for large ones.
        Estimated = "estimated",
    }
}

section! {
    /// The REST API under `/api/v1`.
    pub struct Api {
        /// Whether it is offered at all.
        enabled: bool = true;
        /// Shape of error answers.
        error_format: ErrorFormat = ErrorFormat::Problem;
        /// Tables and views, as `name` in the first API schema or `schema.name`, on which aggregates (`count()`, `sum()` …) may be selected; `*` for all.
        aggregates: Vec<String> = Vec::new(), check(checks::qualified_or_all);
        /// Counts that callers who are not signed in may ask for. Estimates tell of rows that the caller cannot see.
        counts_anon: Vec<Count> = vec![Count::Exact];
        /// Counts that signed-in users may ask for. The service role may ask for all.
        counts: Vec<Count> = vec![Count::Exact];
        /// Request headers that SQL sees in `request.headers`, in lower case; `*` for all. Credentials never are.
        request_headers: Vec<String> = vec!["*".into()];
        /// Secret that authenticates page cursors; made at the first start when not set.
        cursor_key: Option<Secret> = None, check(checks::hmac_key);
    }
}
