//! `[cache]`: what the servers share, what of it counts requests, and its metrics.

use std::sync::Arc;
use std::time::Duration;

use bedplate_api::CachePolicy;
use bedplate_cache::{Cache, Memory, Rate, Redis, State, memory, redis};
use bedplate_core::Problem;
use bedplate_http::rate_limit::{Quota, SharedCounts, Taken};
use bedplate_http::{BoxFuture, Collector, Samples};
use bedplate_query::catalog::Catalog;
use bedplate_settings::sections::Settings;

bedplate_core::codes! {
    /// The address in `cache.redis_url` cannot be used.
    CACHE_INVALID = "cache_invalid", 500, Server, "The shared cache's address is not valid", final;
    /// `api.require_if_match` or `cache.policies` names something that is not there.
    CACHE_RESOURCE_UNKNOWN = "cache_resource_unknown", 500, Access,
        "A resource with rules of caching is not there", final;
}

/// Without a Redis little is kept here so far, and nothing of size.
const MEMORY: memory::Config = memory::Config { bytes: 8 * 1024 * 1024, states: 65_536 };

/// Connects in the background: a Redis that is away keeps no server from starting.
pub fn cache(settings: &Settings) -> Result<Cache, Problem> {
    let Some(url) = &settings.cache.redis_url else {
        return Ok(Cache::Memory(Arc::new(Memory::new(MEMORY))));
    };
    let config = redis::Config {
        url: url.clone(),
        prefix: settings.cache.prefix.clone(),
        timeout: settings.cache.timeout,
    };
    let redis = Redis::new(&config);
    redis.map(|redis| Cache::Redis(Arc::new(redis))).map_err(|why| {
        Problem::new(&CACHE_INVALID)
            .detail(format!("cache.redis_url: {why}"))
            .hint("correct it, or leave it out")
    })
}

/// Rate limits that all servers count together.
pub fn counts(cache: &Cache) -> Option<Arc<dyn SharedCounts>> {
    match cache {
        Cache::Memory(_) => None,
        Cache::Redis(redis) => Some(Arc::new(Counts(Arc::clone(redis)))),
    }
}

struct Counts(Arc<Redis>);

impl SharedCounts for Counts {
    fn take<'a>(&'a self, key: &'a str, quota: Quota) -> BoxFuture<'a, Option<Taken>> {
        Box::pin(async move {
            let window = Duration::from_secs(u64::from(quota.seconds()));
            let rate = Rate::new(quota.requests(), window, quota.requests());
            let taken = self.0.take(&format!("limit:{key}"), rate, 1).await.ok()?;
            let reset = match (taken.allowed, taken.remaining) {
                (false, _) => taken.retry_after,
                // Until one request has been earned.
                (true, 0) => (taken.reset + rate.interval()).saturating_sub(rate.window()),
                (true, _) => taken.reset,
            };
            Some(Taken { allowed: taken.allowed, remaining: taken.remaining, reset })
        })
    }
}

/// A slip in a name would leave open what is meant to be guarded.
pub fn check_names(settings: &Settings, catalog: &Catalog) -> Result<(), Problem> {
    let there = |name: &str| match name.split_once('.') {
        _ if name == "*" => true,
        Some((schema, name)) => catalog.find_relation(Some(schema), name).is_some(),
        None => catalog.find_relation(None, name).is_some(),
    };
    let required = settings.api.require_if_match.iter().map(|name| ("api.require_if_match", name));
    let policies = settings.cache.policies.iter().map(|policy| ("cache.policies", &policy.resource));
    match required.chain(policies).find(|(_, name)| !there(name)) {
        None => Ok(()),
        Some((key, name)) => Err(Problem::new(&CACHE_RESOURCE_UNKNOWN)
            .detail(format!("{key} names what is not there: {name}"))
            .hint("write tables and views of the API's schemas as `name` or `schema.name`")),
    }
}

/// Who may keep answers.
pub fn policies(settings: &Settings) -> Vec<CachePolicy> {
    let policies = settings.cache.policies.iter();
    let policy = |policy: &bedplate_settings::sections::CachePolicy| CachePolicy {
        resource: policy.resource.clone(),
        public: policy.public,
        max_age: policy.max_age,
        stale_while_revalidate: policy.stale_while_revalidate,
    };
    policies.map(policy).collect()
}

pub fn collector(cache: Cache) -> impl Collector {
    move |samples: &mut Samples| {
        let told = cache.statistics();
        let kind = if told.state == State::Memory { "memory" } else { "redis" };
        let labels = [("kind", kind)];
        let up = f64::from(u8::from(told.state != State::Unavailable));
        samples.gauge("bedplate_cache_up", "Whether the cache can be used: 1, or 0.", &labels, up);
        samples.counter("bedplate_cache_hits", "Values found.", &labels, told.hits);
        samples.counter("bedplate_cache_misses", "Values not found.", &labels, told.misses);
        samples.counter(
            "bedplate_cache_failures",
            "Calls that got no answer, those refused at once because it is away included.",
            &labels,
            told.failures,
        );
        samples.counter("bedplate_cache_openings", "Times it went away.", &labels, told.openings);
    }
}
