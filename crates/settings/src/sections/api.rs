use std::time::Duration;

use bedplate_core::Secret;

use super::{checks, secs};
use crate::ByteSize;
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

choices! {
    /// Who gets the description of the API at `/openapi.json`. Each caller gets what the caller's role may use.
    pub enum OpenApiAudience {
        /// Nobody: there is no such path.
        Off = "off",
        /// The service role, by the secret key. For all others there is no such path.
        Service = "service",
        /// Signed-in users too.
        SignedIn = "signed_in",
        /// Everybody.
        Public = "public",
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
        /// Who gets the description of the API, `/openapi.json`: "off", "service", "signed_in" or "public". Not set: everybody
        /// in `bedplate dev`, the service role in production.
        openapi: Option<OpenApiAudience> = None;
        /// Whether there is a page at `/docs` on which people read the description and try requests. Not set: in
        /// `bedplate dev` only.
        docs: Option<bool> = None;
        /// Tables and views, as `name` or `schema.name`, whose rows can only be changed by requests that say which version they
        /// are about (`If-Match`); `*` for all. Others are answered 428.
        require_if_match: Vec<String> = Vec::new(), check(checks::qualified_or_all);
        /// Resources whose writes need an `Idempotency-Key`, as `name` or `schema.name`, functions as `rpc/name`; `*` for all.
        /// Like the settings below it holds for `/rest/v1` too.
        idempotency_required: Vec<String> = Vec::new(), check(checks::mutations);
        /// How long the answer to a request with an `Idempotency-Key` is kept.
        idempotency_keep: Duration = secs(86_400), range(secs(1), secs(31 * 86_400));
        /// How long a request waits for another one with its key before it is answered 409.
        idempotency_wait: Duration = secs(2), range(Duration::ZERO, secs(30));
        /// Largest answer that is kept. A write with a larger one is undone and refused.
        idempotency_answer: ByteSize = ByteSize::mib(1), range(ByteSize::kib(1), ByteSize::mib(64));
        /// Keys that a user may have at a time, roughly. Anonymous callers together, and the service role, may have a hundred
        /// times as many.
        idempotency_keys_per_user: usize = 10_000, range(1, 10_000_000);
        /// Secret that authenticates page cursors and entity tags; made at the first start when not set.
        cursor_key: Option<Secret> = None, check(checks::hmac_key);
    }
}
