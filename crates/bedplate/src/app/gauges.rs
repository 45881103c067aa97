//! What the engine tells Prometheus: pools, catalog, plan cache.

use std::sync::{Arc, Weak};

use bedplate_data::Data;
use bedplate_data::catalog::Loader;
use bedplate_db::Pool;
use bedplate_http::{Collector, Samples};

/// Holds weak references: metrics must not keep the engine alive.
pub fn collector(data: &Arc<Data>, loader: &Arc<Loader>, vital: &Pool) -> impl Collector {
    let (data, loader, vital) = (Arc::downgrade(data), Arc::downgrade(loader), vital.clone());
    move |samples: &mut Samples| {
        if let Some(data) = Weak::upgrade(&data) {
            let pools = data.pools();
            pool("read", &pools.read, samples);
            pool("write", &pools.write, samples);
            pool("vital", &vital, samples);
            budgets(&data, samples);
            let plans = data.snapshot().cached_plans() as f64;
            samples.gauge("bedplate_plans_cached", "Plans in the cache of the present catalog.", &[], plans);
        }
        if let Some(loader) = Weak::upgrade(&loader) {
            catalog(&loader, samples);
        }
    }
}

fn pool(name: &'static str, pool: &Pool, samples: &mut Samples) {
    let metrics = pool.metrics();
    let labels = [("pool", name)];
    let gauge = |samples: &mut Samples, metric, help, value: usize| {
        samples.gauge(metric, help, &labels, value as f64);
    };
    gauge(samples, "bedplate_pool_connections", "Connections that exist.", metrics.size);
    gauge(samples, "bedplate_pool_idle_connections", "Connections that wait for work.", metrics.idle);
    gauge(samples, "bedplate_pool_waiting_requests", "Requests that wait for a connection.", metrics.waiting);
    samples.counter("bedplate_pool_acquired", "Leases given out.", &labels, metrics.acquired);
    samples.counter(
        "bedplate_pool_timeouts",
        "Requests that got no connection in time.",
        &labels,
        metrics.timeouts,
    );
    samples.counter(
        "bedplate_pool_waited_microseconds",
        "Time that requests waited for a connection.",
        &labels,
        metrics.waited.as_micros() as u64,
    );
    samples.counter("bedplate_pool_created", "Connections made.", &labels, metrics.created);
    samples.counter(
        "bedplate_pool_connect_failures",
        "Attempts to connect that failed.",
        &labels,
        metrics.connect_failures,
    );
    for (reason, count) in &metrics.closed {
        let labels = [("pool", name), ("reason", *reason)];
        samples.counter("bedplate_pool_closed", "Connections closed, by reason.", &labels, *count);
    }
}

fn budgets(data: &Data, samples: &mut Samples) {
    for (budget, count) in data.refusals() {
        let labels = [("budget", budget)];
        let help = "Requests refused because they would exceed a budget.";
        samples.counter("bedplate_budget_refusals", help, &labels, count);
    }
}

fn catalog(loader: &Loader, samples: &mut Samples) {
    let catalog = loader.current();
    let statistics = loader.statistics();
    samples.gauge("bedplate_catalog_version", "Version of the catalog in use.", &[], catalog.version as f64);
    samples.gauge(
        "bedplate_catalog_relations",
        "Tables and views in the catalog.",
        &[],
        catalog.relations.len() as f64,
    );
    samples.counter("bedplate_catalog_loads", "Times the catalog was read.", &[], statistics.loads);
    samples.counter(
        "bedplate_catalog_failures",
        "Times reading the catalog failed.",
        &[],
        statistics.failures,
    );
    let took = statistics.timings.queries + statistics.timings.assemble;
    samples.gauge("bedplate_catalog_load_seconds", "Duration of the last load.", &[], took.as_secs_f64());
}
