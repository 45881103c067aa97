//! Prometheus metrics. What a request touches are atomics made at start; everything else is asked for when
//! somebody scrapes. Names are `bedplate_<area>_<what>_<unit>`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

/// Upper bounds of the latency buckets, seconds.
const BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const LATENCY: &str = "bedplate_http_request_duration_seconds";
const LATENCY_HELP: &str = "From the end of the request's head to the answer";
const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counters of one class of requests.
#[derive(Debug)]
pub struct ClassMetrics {
    name: &'static str,
    by_status: [AtomicU64; STATUS_CLASSES.len()],
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl ClassMetrics {
    fn new(name: &'static str) -> Self {
        Self { name, by_status: Default::default(), buckets: Default::default(), micros: AtomicU64::new(0) }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn record(&self, status: StatusCode, duration: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, STATUS_CLASSES.len()) - 1;
        self.by_status[class].fetch_add(1, Relaxed);
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.micros.fetch_add(duration.as_micros() as u64, Relaxed);
    }

    /// Requests answered so far, whatever the status.
    pub fn requests(&self) -> u64 {
        self.by_status.iter().map(|count| count.load(Relaxed)).sum()
    }
}

/// One registry for the process; shared by the listeners.
#[derive(Default)]
pub struct Metrics {
    pub(crate) in_flight: AtomicI64,
    pub(crate) connections: AtomicI64,
    pub(crate) accepted: AtomicU64,
    pub(crate) refused_by_listener: AtomicU64,
    pub(crate) refused_by_address: AtomicU64,
    pub(crate) accept_errors: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) sheds: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) abandoned: AtomicU64,
    classes: Mutex<Vec<Arc<ClassMetrics>>>,
    collectors: Mutex<Vec<Box<dyn Collector>>>,
}

/// Gives samples when somebody scrapes: pool sizes, catalog age, cache hits. Must be quick and must not wait.
pub trait Collector: Send + Sync + 'static {
    fn collect(&self, samples: &mut Samples);
}

impl<F: Fn(&mut Samples) + Send + Sync + 'static> Collector for F {
    fn collect(&self, samples: &mut Samples) {
        self(samples);
    }
}

/// Names and values of a row.
pub type Labels = Vec<(&'static str, String)>;

struct Family {
    name: &'static str,
    help: &'static str,
    rows: Vec<(Labels, Value)>,
}

#[derive(Clone, Copy)]
enum Value {
    Gauge(f64),
    Counter(u64),
}

impl Value {
    fn number(self) -> f64 {
        match self {
            Self::Gauge(value) => value,
            Self::Counter(value) => value as f64,
        }
    }

    fn whole(self) -> u64 {
        match self {
            Self::Gauge(value) => value as u64,
            Self::Counter(value) => value,
        }
    }

    fn encode(self, metric: &mut MetricEncoder<'_>) -> std::fmt::Result {
        match self {
            Self::Gauge(value) => metric.encode_gauge(&value),
            Self::Counter(value) => metric.encode_counter::<NoLabelSet, _, u64>(&value, None),
        }
    }
}

/// Where a [`Collector`] puts its samples. Samples of one name become one metric family.
#[derive(Default)]
pub struct Samples {
    families: Vec<Family>,
}

impl Samples {
    /// A value that goes up and down.
    pub fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        value: f64,
    ) {
        self.add(name, help, labels, Value::Gauge(value));
    }

    /// A total that only grows; the name is given without `_total`.
    pub fn counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        value: u64,
    ) {
        self.add(name, help, labels, Value::Counter(value));
    }

    fn add(&mut self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)], value: Value) {
        let labels = labels.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        match self.families.iter_mut().find(|family| family.name == name) {
            Some(family) => family.rows.push((labels, value)),
            None => self.families.push(Family { name, help, rows: vec![(labels, value)] }),
        }
    }
}

impl Metrics {
    /// The counters of a class; the same ones for the same name.
    pub(crate) fn class(&self, name: &'static str) -> Arc<ClassMetrics> {
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = classes.iter().find(|class| class.name == name) {
            return Arc::clone(known);
        }
        let class = Arc::new(ClassMetrics::new(name));
        classes.push(Arc::clone(&class));
        class
    }

    /// Registers another crate's metrics.
    pub fn register(&self, collector: impl Collector) {
        self.collectors.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(collector));
    }

    /// Panics caught in request handlers since the start.
    pub fn panics(&self) -> u64 {
        self.panics.load(Relaxed)
    }

    /// Requests being worked on.
    pub fn in_flight(&self) -> i64 {
        self.in_flight.load(Relaxed)
    }

    /// Open connections.
    pub fn connections(&self) -> i64 {
        self.connections.load(Relaxed)
    }

    /// The exposition text (OpenMetrics 1.0).
    pub fn render(self: &Arc<Self>) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Scrape(Arc::clone(self))));
        let mut out = String::with_capacity(8192);
        // Writing to a String cannot fail; an encoder's own refusal leaves what was written before it.
        if text::encode(&mut out, &registry).is_err() {
            tracing::error!("a metric could not be encoded");
        }
        out
    }

    fn own_samples(&self, samples: &mut Samples) {
        let gauges = [
            ("bedplate_http_requests_in_flight", "Requests being worked on", &self.in_flight),
            ("bedplate_http_connections_open", "Open connections", &self.connections),
        ];
        for (name, help, value) in gauges {
            samples.gauge(name, help, &[], value.load(Relaxed) as f64);
        }
        let counters = [
            ("bedplate_http_connections_accepted", "Connections accepted", &self.accepted),
            ("bedplate_http_accept_errors", "Failures to accept a connection", &self.accept_errors),
            ("bedplate_http_panics", "Panics caught in request handlers", &self.panics),
            ("bedplate_http_requests_shed", "Requests refused because too many were in flight", &self.sheds),
            ("bedplate_http_requests_malformed", "Requests that were not well-formed HTTP", &self.malformed),
            ("bedplate_http_requests_abandoned", "Requests whose client went away", &self.abandoned),
        ];
        for (name, help, value) in counters {
            samples.counter(name, help, &[], value.load(Relaxed));
        }
        for (limit, count) in [("listener", &self.refused_by_listener), ("address", &self.refused_by_address)]
        {
            let labels = [("limit", limit)];
            let help = "Connections over a limit: the listener's, or that of their address";
            samples.counter("bedplate_http_connections_refused", help, &labels, count.load(Relaxed));
        }
        for class in self.classes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            for (status, count) in STATUS_CLASSES.iter().zip(&class.by_status) {
                let count = count.load(Relaxed);
                if count > 0 {
                    let labels = [("class", class.name), ("status", *status)];
                    samples.counter("bedplate_http_requests", "Requests answered", &labels, count);
                }
            }
        }
    }

    fn encode_latency(&self, encoder: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
        let mut family = encoder.encode_descriptor(LATENCY, LATENCY_HELP, None, MetricType::Histogram)?;
        for class in self.classes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let bounds = BOUNDS.iter().copied().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> =
                bounds.zip(&class.buckets).map(|(bound, count)| (bound, count.load(Relaxed))).collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            let seconds = class.micros.load(Relaxed) as f64 / 1e6;
            family
                .encode_family(&[("class", class.name)])?
                .encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)?;
        }
        Ok(())
    }
}

/// One family of metrics, for exporters.
#[derive(Debug)]
pub struct FamilyReading {
    pub name: &'static str,
    pub help: &'static str,
    pub readings: Readings,
}

/// Rows with their labels.
#[derive(Debug)]
pub enum Readings {
    Gauges(Vec<(Labels, f64)>),
    /// Totals since the start.
    Counters(Vec<(Labels, u64)>),
    /// Upper bounds; for each row the count of each bucket (the last one has no bound) and the sum.
    Histograms(Vec<f64>, Vec<(Labels, Vec<u64>, f64)>),
}

impl Metrics {
    /// Everything that `/metrics` shows.
    pub fn read(&self) -> Vec<FamilyReading> {
        let mut samples = Samples::default();
        self.own_samples(&mut samples);
        for collector in self.collectors.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            collector.collect(&mut samples);
        }
        let family = |family: Family| {
            let is_counter = matches!(family.rows.first(), Some((_, Value::Counter(_))));
            let rows = family.rows.into_iter();
            let readings = if is_counter {
                Readings::Counters(rows.map(|(labels, value)| (labels, value.whole())).collect())
            } else {
                Readings::Gauges(rows.map(|(labels, value)| (labels, value.number())).collect())
            };
            FamilyReading { name: family.name, help: family.help, readings }
        };
        let mut families: Vec<FamilyReading> = samples.families.into_iter().map(family).collect();
        let classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |class: &Arc<ClassMetrics>| {
            let counts = class.buckets.iter().map(|count| count.load(Relaxed)).collect();
            (vec![("class", class.name.to_owned())], counts, class.micros.load(Relaxed) as f64 / 1e6)
        };
        families.push(FamilyReading {
            name: LATENCY,
            help: LATENCY_HELP,
            readings: Readings::Histograms(BOUNDS.to_vec(), classes.iter().map(row).collect()),
        });
        families
    }
}

struct Scrape(Arc<Metrics>);

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrape")
    }
}

impl prometheus_client::collector::Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let mut samples = Samples::default();
        self.0.own_samples(&mut samples);
        for collector in self.0.collectors.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            collector.collect(&mut samples);
        }
        for family in &samples.families {
            let kind = match family.rows.first() {
                Some((_, Value::Counter(_))) => MetricType::Counter,
                _ => MetricType::Gauge,
            };
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for (labels, value) in &family.rows {
                // An empty set of labels would leave its braces behind.
                if labels.is_empty() {
                    value.encode(&mut metric)?;
                } else {
                    value.encode(&mut metric.encode_family(labels)?)?;
                }
            }
        }
        self.0.encode_latency(&mut encoder)
    }
}
