//! Traces and metrics at a collector (P-11).

use serde_json::Value;

use super::collector::Collector;
use super::program::Program;
use crate::api::server::{ALICE, user};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// All spans that came.
fn spans(collector: &Collector) -> Vec<Value> {
    let bodies = collector.received().into_iter().filter(|it| it.head.starts_with("POST /v1/traces"));
    let batches = bodies.map(|it| serde_json::from_str::<Value>(&it.body).unwrap());
    batches
        .flat_map(|body| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone())
        .collect()
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let found = span["attributes"].as_array().unwrap().iter().find(|attribute| attribute["key"] == key);
    &found.unwrap_or_else(|| panic!("{key} in {span}"))["value"]
}

#[tokio::test]
async fn p11_a_trace_is_continued_and_has_a_span_for_each_stage() {
    let collector = Collector::start(200, "{}").await;
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("OTEL_SERVICE_NAME", "helpdesk"),
        ("OTEL_TRACES_SAMPLER_ARG", "0"),
        ("BEDPLATE_TELEMETRY__METRICS_INTERVAL", "1s"),
    ];
    let program = Program::start(&settings, "").await;
    let bearer = format!("Bearer {}", user(ALICE));
    let sampled = format!("00-{TRACE}-{CALLER}-01");
    let not_sampled = format!("00-{}-{CALLER}-00", TRACE.replace('4', "5"));
    for parent in [Some(sampled.as_str()), Some(not_sampled.as_str()), Some("00-nonsense"), None] {
        let mut headers = vec![("authorization", bearer.as_str()), ("tracestate", "vendor=1")];
        headers.extend(parent.map(|parent| ("traceparent", parent)));
        assert_eq!(program.send("GET", "/api/v1/tickets?limit=2", &headers, b"").await.status, 200);
    }
    // Metrics come by themselves.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let metrics = loop {
        let found = collector.received().into_iter().find(|it| it.head.starts_with("POST /v1/metrics"));
        if let Some(found) = found {
            break found.body;
        }
        assert!(std::time::Instant::now() < until, "no metrics came");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let log = program.stop().await;
    for name in
        ["bedplate_http_requests", "bedplate_http_request_duration_seconds", "bedplate_pool_connections"]
    {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }

    let spans = spans(&collector);
    let roots: Vec<&Value> = spans.iter().filter(|span| span["kind"] == 2).collect();
    assert_eq!(roots.len(), 1, "only the caller that asked is traced: {spans:?}");
    let root = roots[0];
    assert_eq!((&root["traceId"], &root["parentSpanId"]), (&TRACE.into(), &CALLER.into()));
    assert_eq!(root["traceState"], "vendor=1");
    assert_eq!(attribute(root, "url.path")["stringValue"], "/api/v1/tickets");
    assert_eq!(attribute(root, "http.response.status_code")["intValue"], "200");
    assert_eq!(attribute(root, "bedplate.role")["stringValue"], "authenticated");
    let time = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
    let mut names = Vec::new();
    for part in spans.iter().filter(|span| span["kind"] != 2) {
        assert_eq!((&part["traceId"], &part["parentSpanId"]), (&root["traceId"], &root["spanId"]));
        assert!(time(part, "startTimeUnixNano") >= time(root, "startTimeUnixNano"), "{part} in {root}");
        assert!(
            time(part, "endTimeUnixNano") <= time(root, "endTimeUnixNano") + 1_000_000,
            "{part} in {root}"
        );
        names.push(part["name"].as_str().unwrap());
    }
    for name in ["identify", "plan", "db"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    // The same trace is in the log.
    assert!(log.contains(TRACE), "{log}");
}

#[tokio::test]
async fn a_collector_that_is_down_costs_requests_nothing() {
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ("SENTRY_DSN", "http://abcdef0123456789abcd@127.0.0.1:9/1"),
    ];
    let program = Program::start(&settings, "").await;
    for _ in 0..50 {
        assert_eq!(program.send("GET", "/health/ready", &[], b"").await.status, 200);
    }
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let metrics = program.metrics().await;
        let lost = metrics.lines().find(|line| {
            line.contains("bedplate_telemetry_exported_total")
                && line.contains("spans")
                && line.contains("dropped")
        });
        if lost.is_some_and(|line| !line.ends_with(" 0")) {
            break;
        }
        assert!(std::time::Instant::now() < until, "{metrics}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    program.stop().await;
}
