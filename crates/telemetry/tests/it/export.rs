//! What arrives at a collector.

use std::time::{Duration, SystemTime};

use bedplate_core::redact::Redactor;
use bedplate_outgoing::Client;
use bedplate_telemetry::{
    Dsn, Endpoint, Kind, Metric, MetricsExporter, Points, Report, Reporter, Resource, Span, SpanExporter,
    Status, parse_headers,
};
use serde_json::Value;

use crate::collector::Collector;

fn resource() -> Resource {
    Resource {
        service: "shop".to_owned(),
        version: "1.2.3",
        environment: "test".to_owned(),
        instance: "i1".to_owned(),
    }
}

fn span(name: &str, parent: Option<&str>) -> Span {
    Span {
        trace: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        id: Span::new_id(),
        parent: parent.map(str::to_owned),
        state: Some("a=1".to_owned()),
        name: name.to_owned(),
        kind: Kind::Server,
        start: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        duration: Duration::from_millis(5),
        attributes: vec![("url.path", "/x?token=s3cret".into()), ("http.response.status_code", 500.into())],
        status: Status::Error,
    }
}

fn exporter(collector: &Collector) -> SpanExporter {
    let headers = parse_headers("api-key=a%20b").unwrap();
    let endpoint = Endpoint::new(&format!("{}/", collector.url), headers).unwrap();
    SpanExporter::start(Client::default(), endpoint, resource(), Redactor::default())
}

#[tokio::test]
async fn spans_arrive_in_one_batch_as_the_protocol_has_them() {
    let collector = Collector::start(200, "{}").await;
    let exporter = exporter(&collector);
    exporter.put(vec![span("api.list", None), span("db", Some("00f067aa0ba902b7"))]);
    exporter.put(vec![span("api.get", None)]);
    exporter.flush().within(Duration::from_secs(10)).await;
    let received = collector.wait(1).await;
    assert_eq!(received.len(), 1);
    let head = received[0].head.to_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1") && head.contains("content-type: application/json"));
    assert!(head.contains("api-key: a b"));
    let body: Value = serde_json::from_str(&received[0].body).unwrap();
    let batch = &body["resourceSpans"][0];
    assert_eq!(batch["resource"]["attributes"][0]["value"]["stringValue"], "shop");
    let spans = batch["scopeSpans"][0]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 3);
    assert_eq!(spans[0]["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(spans[0]["spanId"].as_str().unwrap().len(), 16);
    assert_eq!(spans[0]["startTimeUnixNano"], "1700000000000000000");
    assert_eq!(spans[0]["endTimeUnixNano"], "1700000000005000000");
    assert_eq!((&spans[0]["kind"], &spans[0]["status"]["code"]), (&2.into(), &2.into()));
    assert_eq!(spans[1]["parentSpanId"], "00f067aa0ba902b7");
    assert_eq!(spans[0]["attributes"][1]["value"]["intValue"], "500");
    assert!(!received[0].body.contains("s3cret"), "{}", received[0].body);
    assert_eq!((exporter.counts().sent, exporter.counts().dropped), (3, 0));
}

#[tokio::test]
async fn what_a_collector_refuses_or_cannot_be_told_is_dropped_and_counted() {
    let partial = Collector::start(200, r#"{"partialSuccess":{"rejectedSpans":"2"}}"#).await;
    let refusing = Collector::start(400, "").await;
    for (collector, counts) in [(&partial, (1, 2)), (&refusing, (0, 3))] {
        let exporter = exporter(collector);
        exporter.put(vec![span("a", None), span("b", None), span("c", None)]);
        exporter.flush().within(Duration::from_secs(10)).await;
        assert_eq!((exporter.counts().sent, exporter.counts().dropped), counts);
    }
    // Nobody listens: putting in never waits, and what finds no room is counted.
    let endpoint = Endpoint::new("http://127.0.0.1:9", Vec::new()).unwrap();
    let exporter = SpanExporter::start(Client::default(), endpoint, resource(), Redactor::default());
    let begun = std::time::Instant::now();
    for _ in 0..10_000 {
        exporter.put(vec![span("a", None)]);
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(exporter.counts().dropped >= 7_000, "{:?}", exporter.counts());
}

#[tokio::test]
async fn metrics_arrive_as_gauges_sums_and_histograms() {
    let collector = Collector::start(200, "{}").await;
    let endpoint = Endpoint::new(&collector.url, Vec::new()).unwrap();
    let read = || {
        vec![
            Metric {
                name: "g",
                help: "A gauge",
                points: Points::Gauge(vec![(vec![("pool", "read".into())], 1.5)]),
            },
            Metric { name: "c", help: "A counter", points: Points::Counter(vec![(Vec::new(), 7)]) },
            Metric {
                name: "h",
                help: "A histogram",
                points: Points::Histogram(vec![0.1, 1.0], vec![(Vec::new(), vec![1, 2, 3], 4.5)]),
            },
        ]
    };
    let exporter =
        MetricsExporter::start(Client::default(), endpoint, resource(), Duration::from_millis(20), read);
    let received = collector.wait(1).await;
    assert!(received[0].head.starts_with("POST /v1/metrics"));
    let body: Value = serde_json::from_str(&received[0].body).unwrap();
    let metrics = &body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
    assert_eq!(metrics[0]["gauge"]["dataPoints"][0]["asDouble"], 1.5);
    assert_eq!(metrics[0]["gauge"]["dataPoints"][0]["attributes"][0]["key"], "pool");
    assert_eq!(metrics[1]["sum"]["dataPoints"][0]["asInt"], "7");
    assert_eq!(metrics[1]["sum"]["isMonotonic"], true);
    let point = &metrics[2]["histogram"]["dataPoints"][0];
    assert_eq!((&point["count"], &point["sum"]), (&"6".into(), &4.5.into()));
    assert_eq!(point["bucketCounts"], serde_json::json!(["1", "2", "3"]));
    drop(exporter);
}

#[tokio::test]
async fn an_error_is_reported_without_its_secrets() {
    let collector = Collector::start(200, "{}").await;
    let address = collector.url.trim_start_matches("http://");
    let dsn = Dsn::parse(&format!("http://0123456789abcdef0123@{address}/7")).unwrap();
    let reporter = Reporter::start(Client::default(), dsn, resource(), Redactor { emails: true });
    reporter.put(Report {
        message: "request failed".to_owned(),
        place: "bedplate_http::pipeline".to_owned(),
        fields: vec![
            ("request_id".to_owned(), "r1".to_owned()),
            ("problem".to_owned(), "internal_error: x [postgres://u:hunter2@h/db for a@b.test]".to_owned()),
            ("password".to_owned(), "hunter2".to_owned()),
        ],
    });
    reporter.flush().within(Duration::from_secs(10)).await;
    let received = collector.wait(1).await;
    let head = received[0].head.to_lowercase();
    assert!(head.starts_with("post /api/7/envelope/"), "{head}");
    assert!(head.contains("sentry_key=0123456789abcdef0123"), "{head}");
    let lines: Vec<Value> =
        received[0].body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["event_id"], lines[2]["event_id"]);
    assert_eq!(lines[1]["length"], received[0].body.lines().nth(2).unwrap().len());
    assert_eq!(lines[2]["exception"]["values"][0]["type"], "request failed");
    assert_eq!(lines[2]["tags"]["request_id"], "r1");
    assert!(
        !received[0].body.contains("hunter2") && !received[0].body.contains("a@b.test"),
        "{}",
        received[0].body
    );
    assert_eq!(reporter.counts().sent, 1);
}
