use crate::Rate;
use crate::table::section;

section! {
    /// How many requests a caller may make, told in the `RateLimit` headers and refused with 429 (docs/limits.md). A rate is
    /// written `300/10s`: so many at once, and then as many as are earned in that time; `off` is no limit.
    pub struct RateLimit {
        /// Whether requests are counted at all. `dev` counts only where something of this section is set.
        enabled: bool = true;
        /// Callers who are not signed in, each address by itself (of IPv6, each network of 64 bits).
        address: Rate = Rate::of(300, 10);
        /// Each signed-in user, from wherever the requests come.
        user: Rate = Rate::of(1_000, 10);
        /// Each service key.
        service: Rate = Rate::Off;
        /// Credentials that are refused, by address. Past it none is looked at, the right ones neither.
        failures: Rate = Rate::of(300, 10);
        /// Reads of each caller, besides the limits above; service keys excepted.
        reads: Rate = Rate::Off;
        /// Writes of each caller, besides the limits above; service keys excepted.
        writes: Rate = Rate::Off;
        /// Calls of functions by each caller, besides the limits above; service keys excepted.
        rpc: Rate = Rate::Off;
        /// Callers that are remembered at once, 32 bytes each; past it those are forgotten who used least.
        callers: usize = 65_536, range(1_024, 16_777_216);
        /// Whether all servers count together, where the cache is Redis. While that is away each counts for itself.
        shared: bool = true;
        maps {
            /// Differences for callers with a database role: `[rate_limit.roles.support]`.
            roles: RoleRate;
        }
    }
}

section! {
    /// Limits of callers with this database role. What is not set is as in `[rate_limit]`.
    pub struct RoleRate {
        /// All requests, in place of `address`, `user` or `service`.
        requests: Option<Rate> = None;
        /// Reads of each such caller, in place of `rate_limit.reads`.
        reads: Option<Rate> = None;
        /// Writes of each such caller, in place of `rate_limit.writes`.
        writes: Option<Rate> = None;
        /// Calls of functions by each such caller, in place of `rate_limit.rpc`.
        rpc: Option<Rate> = None;
    }
}
