use std::time::Duration;

use bedplate_core::Secret;

use super::{checks, ms, secs};
use crate::table::section;

section! {
    /// What the servers of one deployment share beside the database, and how long answers may be kept (docs/caching.md).
    pub struct Cache {
        /// A Redis or Valkey that all servers share: `redis://[user[:password]@]host[:port][/db]`, `rediss://` for TLS (the
        /// certificate is checked), `unix:///path`. Without one each server has its own memory. When it is away, servers go on
        /// without it.
        redis_url: Option<Secret> = None, check(checks::redis_url);
        /// Before every key and channel in Redis, so that several deployments may share one.
        prefix: String = "bedplate:".into();
        /// How long a call to Redis may take before the server goes on without it, until it answers again.
        timeout: Duration = ms(50), range(ms(5), secs(5));
        tables {
            /// Who may keep answers to reads, and for how long. Without a policy nobody may: `Cache-Control: no-store`.
            policies: CachePolicy;
        }
    }
}

section! {
    /// For answers to reads of one table or view at `/api/v1` that hold nothing else (no embedded relations): one
    /// `[[cache.policies]]` each.
    pub struct CachePolicy {
        /// The table or view, as `name` or `schema.name`. Required.
        resource: String = String::new(), check(checks::resource);
        /// Whether answers to callers who are not signed in may be kept by caches that many share, such as a CDN. Only
        /// right when all such callers see the same.
        public: bool = false;
        /// How long an answer may be used without asking again. `0s`: it may be kept, and is asked for with `If-None-Match`
        /// each time.
        max_age: Duration = secs(0), range(secs(0), secs(31_536_000));
        /// How long after that it may still be used while it is asked for in the background (RFC 5861); for answers that
        /// many share.
        stale_while_revalidate: Duration = secs(0), range(secs(0), secs(31_536_000));
    }
}
