//! Sending metrics: the same families that Prometheus scrapes, at an interval.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bedplate_core::redact::Redactor;
use bedplate_outgoing::Client;
use serde_json::{Value as Json, json};

use crate::attribute::{self, Attribute, Resource};
use crate::queue::{Counts, Tally};
use crate::spans::nanos;
use crate::traces::{Endpoint, account};

/// One family with its points.
#[derive(Debug, Clone)]
pub struct Metric {
    pub name: &'static str,
    pub help: &'static str,
    pub points: Points,
}

/// Points with their attributes.
#[derive(Debug, Clone)]
pub enum Points {
    Gauge(Vec<(Vec<Attribute>, f64)>),
    /// Totals since the start of the process.
    Counter(Vec<(Vec<Attribute>, u64)>),
    /// Upper bounds; for each point the counts of each bucket (one more than bounds) and the sum.
    Histogram(Vec<f64>, Vec<(Vec<Attribute>, Vec<u64>, f64)>),
}

/// Sends metrics as long as it lives.
pub struct MetricsExporter {
    tally: Arc<Tally>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for MetricsExporter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MetricsExporter {
    /// `read` gives what there is; it must be quick.
    pub fn start(
        client: Client,
        endpoint: Endpoint,
        resource: Resource,
        interval: Duration,
        read: impl Fn() -> Vec<Metric> + Send + Sync + 'static,
    ) -> Self {
        let tally = Arc::new(Tally::default());
        let shared = Arc::clone(&tally);
        let begun = nanos(SystemTime::now());
        let task = tokio::spawn(async move {
            let mut turns = tokio::time::interval(interval);
            turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            // The first turn comes at once, when there is nothing to tell.
            turns.tick().await;
            loop {
                turns.tick().await;
                let metrics = read();
                let body = encode(&resource, &metrics, begun);
                let outcome = endpoint.send(&client, "metrics", &body).await;
                account(&shared, metrics.len() as u64, outcome, "partialSuccess", "rejectedDataPoints");
            }
        });
        Self { tally, task }
    }

    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }
}

/// `AGGREGATION_TEMPORALITY_CUMULATIVE` of the protocol.
const CUMULATIVE: u8 = 2;

fn encode(resource: &Resource, metrics: &[Metric], begun: u64) -> Json {
    let now = nanos(SystemTime::now()).to_string();
    let begun = begun.to_string();
    let metrics: Vec<Json> = metrics.iter().map(|metric| one(metric, &begun, &now)).collect();
    json!({ "resourceMetrics": [{
        "resource": resource.encode(),
        "scopeMetrics": [{ "scope": resource.scope(), "metrics": metrics }],
    }] })
}

fn one(metric: &Metric, begun: &str, now: &str) -> Json {
    let labels = |attributes: &Vec<Attribute>| attribute::encode(attributes, Redactor::default());
    let (kind, data) = match &metric.points {
        Points::Gauge(points) => {
            let point = |(attributes, value): &(Vec<Attribute>, f64)| json!({ "attributes": labels(attributes), "timeUnixNano": now, "asDouble": value });
            ("gauge", json!({ "dataPoints": points.iter().map(point).collect::<Vec<_>>() }))
        }
        Points::Counter(points) => {
            let point = |(attributes, value): &(Vec<Attribute>, u64)| {
                json!({
                    "attributes": labels(attributes), "startTimeUnixNano": begun, "timeUnixNano": now,
                    "asInt": value.to_string(),
                })
            };
            let points: Vec<Json> = points.iter().map(point).collect();
            (
                "sum",
                json!({ "aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points }),
            )
        }
        Points::Histogram(bounds, points) => {
            let point = |(attributes, counts, sum): &(Vec<Attribute>, Vec<u64>, f64)| {
                let texts: Vec<String> = counts.iter().map(u64::to_string).collect();
                json!({
                    "attributes": labels(attributes), "startTimeUnixNano": begun, "timeUnixNano": now,
                    "count": counts.iter().sum::<u64>().to_string(), "sum": sum, "bucketCounts": texts,
                    "explicitBounds": bounds,
                })
            };
            let points: Vec<Json> = points.iter().map(point).collect();
            ("histogram", json!({ "aggregationTemporality": CUMULATIVE, "dataPoints": points }))
        }
    };
    let mut value = json!({ "name": metric.name, "description": metric.help });
    value[kind] = data;
    value
}
