use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use bedplate_http::{App, Health, Metrics, Samples, Shutdown, health_routes, metrics_route};

use crate::server::{config, ok, start};

/// A check of the database that counts how often it is asked, and fails until told otherwise.
fn health(asked: &Arc<AtomicU32>, works: &Arc<AtomicBool>) -> (Health, Shutdown) {
    let (shutdown, count, state) = (Shutdown::default(), Arc::clone(asked), Arc::clone(works));
    let health =
        Health::new(shutdown.clone()).check("cache", || async { Ok(()) }).check("database", move || {
            count.fetch_add(1, Relaxed);
            let works = state.load(Relaxed);
            async move { if works { Ok(()) } else { Err("no connection".into()) } }
        });
    (health, shutdown)
}

#[tokio::test]
async fn ready_names_the_part_that_fails() {
    let (asked, works) = (Arc::default(), Arc::default());
    let (health, shutdown) = health(&asked, &works);
    let server = start(App::builder(config()).routes(health_routes(Arc::new(health))).shutdown(shutdown));
    let problem = server.get("/health/ready").await.problem(503, "not_ready");
    assert_eq!(problem["details"], serde_json::json!({"database": ["no connection"]}));
    assert_eq!(server.get("/health/live").await.json()["status"], "live");
}

#[tokio::test(start_paused = true)]
async fn the_checks_are_asked_at_most_once_a_second() {
    let (asked, works) = (Arc::default(), Arc::default());
    let (health, _) = health(&asked, &works);
    for _ in 0..20 {
        assert!(health.ready().await.is_err());
    }
    assert_eq!(asked.load(Relaxed), 1);
    works.store(true, Relaxed);
    tokio::time::advance(Duration::from_millis(999)).await;
    assert!(health.ready().await.is_err());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(health.ready().await.is_ok());
    assert_eq!(asked.load(Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_does_not_answer_has_failed() {
    let health = Health::new(Shutdown::default()).check("database", std::future::pending);
    let problem = health.ready().await.unwrap_err();
    assert_eq!(problem.code().name, "not_ready");
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
