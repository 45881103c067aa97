use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use bedplate_http::{App, Health, Metrics, Samples, Shutdown, health_routes, metrics_route};

use crate::server::{config, ok, start};

#[tokio::test]
async fn ready_names_the_part_that_fails_and_asks_at_most_once_a_second() {
    let shutdown = Shutdown::default();
    let (asked, works) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, state) = (Arc::clone(&asked), Arc::clone(&works));
    let health =
        Health::new(shutdown.clone()).check("cache", || async { Ok(()) }).check("database", move || {
            count.fetch_add(1, Relaxed);
            let works = state.load(Relaxed);
            async move { if works { Ok(()) } else { Err("no connection".into()) } }
        });
    let server = start(App::builder(config()).routes(health_routes(Arc::new(health))).shutdown(shutdown));
    for _ in 0..20 {
        let problem = server.get("/health/ready").await.problem(503, "not_ready");
        assert_eq!(problem["details"], serde_json::json!({"database": ["no connection"]}));
    }
    assert!(asked.load(Relaxed) <= 3, "{asked:?}");
    assert_eq!(server.get("/health/live").await.json()["status"], "live");
    works.store(true, Relaxed);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while server.get("/health/ready").await.status != 200 {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn metrics_of_all_listeners_and_crates_are_on_the_admin_listener() {
    let metrics = Arc::new(Metrics::default());
    metrics.register(|samples: &mut Samples| {
        for (state, value) in [("idle", 3.0), ("busy", 1.0)] {
            samples.gauge("bedplate_pool_connections", "Pool", &[("state", state)], value);
        }
        samples.counter("bedplate_catalog_reloads", "Reloads", &[], 7);
    });
    let public = start(App::builder(config()).routes([ok()]).metrics(Arc::clone(&metrics)));
    let admin = start(App::builder(config()).routes([metrics_route(Arc::clone(&metrics))]).metrics(metrics));
    public.get("/ok").await;
    public.get("/metrics").await.problem(404, "not_found");
    let answer = admin.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text; version=1.0.0"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    for line in [
        "# TYPE bedplate_pool_connections gauge",
        "bedplate_pool_connections{state=\"idle\"} 3",
        "bedplate_pool_connections{state=\"busy\"} 1",
        "bedplate_catalog_reloads_total 7",
        "bedplate_http_requests_total{class=\"test.ok\",status=\"2xx\"} 1",
        "bedplate_http_requests_in_flight 1",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}
