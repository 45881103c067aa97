//! `[rate_limit]` and `[budgets]` as the HTTP kit and the engine take them.

use std::time::Duration;

use bedplate_data::{Budgets, RoleBudget};
use bedplate_http::rate_limit::{Kinds, Quota, RateLimits, RoleLimits};
use bedplate_settings::Rate;
use bedplate_settings::sections::Settings;

/// `None`: requests are not counted.
pub fn rates(settings: &Settings) -> Option<RateLimits> {
    let rates = &settings.rate_limit;
    let of_role = |role: &bedplate_settings::sections::RoleRate| RoleLimits {
        requests: role.requests.map(quota),
        reads: role.reads.map(quota),
        writes: role.writes.map(quota),
        rpc: role.rpc.map(quota),
    };
    rates.enabled.then(|| RateLimits {
        address: quota(rates.address),
        failures: quota(rates.failures),
        user: quota(rates.user),
        service: quota(rates.service),
        kinds: Kinds { reads: quota(rates.reads), writes: quota(rates.writes), rpc: quota(rates.rpc) },
        roles: rates.roles.iter().map(|(name, role)| (name.clone(), of_role(role))).collect(),
        callers: rates.callers,
        shared: None,
    })
}

fn quota(rate: Rate) -> Option<Quota> {
    match rate {
        Rate::Off => None,
        Rate::Of { requests, seconds } => Quota::new(requests, seconds),
    }
}

pub fn budgets(settings: &Settings) -> Budgets {
    let budgets = &settings.budgets;
    let cost = |units: usize| (units > 0).then_some(units as u64);
    let roles = budgets.roles.iter().map(|(name, role)| {
        let own = RoleBudget {
            response_bytes: role.response_bytes.map(bedplate_settings::ByteSize::as_usize),
            cost: role.cost.map(cost),
            rows: role.rows.map(|rows| rows as u64),
            embed_depth: role.embed_depth,
        };
        (name.clone(), own)
    });
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let half = settings.database.read_connections(cores) / 2;
    Budgets {
        response_bytes: budgets.response_bytes.as_usize(),
        cost: cost(budgets.cost),
        expensive_at_once: budgets.expensive_at_once.unwrap_or(half).max(1),
        wait: settings.database.pool_wait,
        roles: roles.collect(),
    }
}

/// Time limits of single roles.
pub fn times(settings: &Settings) -> Vec<(String, Duration)> {
    let roles = settings.budgets.roles.iter();
    roles.filter_map(|(name, role)| role.time.map(|time| (name.clone(), time))).collect()
}
