use bedplate_core::problem::VALIDATION_FAILED;
use bedplate_core::{Problem, codes};
use bedplate_http::config::ErrorFormat;
use bedplate_http::{Access, App, Response, Route, handler_fn};
use http::{Method, StatusCode};

use crate::server::{config, plain, start};

codes! {
    BUSY = "test_busy", 503, Server, "Busy", retry;
    WHO = "test_who", 401, Auth, "Who are you", final;
}

fn failing() -> Vec<Route> {
    let route = |pattern, problem: fn() -> Problem| {
        let handler = handler_fn(move |_, _| async move { Err::<Response, _>(problem()) });
        Route::new(&[Method::GET], pattern, "test.fail", Access::Public, handler)
    };
    vec![
        route("/fields", || {
            Problem::new(&VALIDATION_FAILED)
                .detail("2 fields are not valid")
                .field("email", "must be an e-mail address")
                .field("age", "must be at least 0")
                .hint("look at the \"schema\"")
        }),
        route("/internal", || Problem::internal_error("select secret from vault").caused_by("/etc/passwd")),
        route("/busy", || Problem::new(&BUSY)),
        route("/who", || Problem::new(&WHO)),
    ]
}

#[tokio::test]
async fn problems_are_rfc_9457_documents() {
    let server = start(App::builder(config()).routes(failing()));
    let problem = server.get("/fields?a=b").await.problem(400, "validation_failed");
    assert_eq!(problem["detail"], "2 fields are not valid");
    assert_eq!(problem["instance"], "/fields");
    assert_eq!(problem["hint"], "look at the \"schema\"");
    assert_eq!(
        problem["details"],
        serde_json::json!({"age": ["must be at least 0"], "email": ["must be an e-mail address"]})
    );
}

#[tokio::test]
async fn what_is_ours_stays_ours() {
    let server = start(App::builder(config()).routes(failing()));
    let answer = server.get("/internal").await;
    answer.problem(500, "internal_error");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(!text.contains("vault") && !text.contains("passwd"), "{text}");
}

#[tokio::test]
async fn statuses_bring_their_headers() {
    let server = start(App::builder(config()).routes(failing()));
    assert_eq!(server.get("/busy").await.header("retry-after"), "1");
    assert_eq!(server.get("/who").await.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn the_envelope_is_another_form_of_the_same() {
    let mut config = config();
    config.error_format = ErrorFormat::Envelope;
    let server = start(App::builder(config).routes(failing()));
    let answer = server.get("/fields").await;
    assert_eq!((answer.status, answer.header("content-type")), (400, "application/json; charset=utf-8"));
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "validation_failed");
    assert_eq!(error["message"], "2 fields are not valid");
    assert_eq!(error["details"]["age"][0], "must be at least 0");
}

#[tokio::test]
async fn a_panic_is_one_requests_problem() {
    let server = plain();
    let web = crate::server::web();
    for _ in 0..3 {
        let answer = server.send_with(&web, http::Request::get(server.url("/panic")), "").await;
        answer.problem(500, "internal_error");
        assert!(!String::from_utf8_lossy(&answer.body).contains("secret text"));
    }
    assert_eq!(server.get("/ok").await.status, 200);
    assert_eq!(server.metrics.panics(), 3);
    assert_eq!(server.get("/panic?calm").await.status, StatusCode::NO_CONTENT.as_u16());
}
