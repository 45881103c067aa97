use bedplate_core::problem::{BODY_TOO_LARGE, FORBIDDEN, NOT_FOUND, UNAUTHENTICATED};
use bedplate_http::{Body, Occurrence};
use serde_json::Value;

use super::*;

fn rendered(problem: &Problem) -> (u16, Value, http::HeaderMap) {
    let response = render(problem, Occurrence { request_id: "r", instance: None });
    let Body::Full(body) = response.body else { panic!("no body") };
    (response.status.as_u16(), serde_json::from_slice(&body).unwrap(), response.headers)
}

fn database(code: &str, message: &str, detail: Option<&str>) -> Problem {
    let error = DbError {
        code: code.to_owned(),
        message: message.to_owned(),
        detail: detail.map(str::to_owned),
        ..DbError::default()
    };
    Problem::new(&FORBIDDEN).caused_by(error)
}

#[test]
fn the_body_is_byte_for_byte_what_postgrest_sends() {
    let response = render(
        &plain(&PGRST125, "Invalid path specified in request URL"),
        Occurrence { request_id: "r", instance: None },
    );
    let Body::Full(body) = response.body else { panic!("no body") };
    let expected =
        r#"{"code":"PGRST125","details":null,"hint":null,"message":"Invalid path specified in request URL"}"#;
    assert_eq!(&body[..], expected.as_bytes());
    assert_eq!(response.headers["proxy-status"], "PostgREST; error=PGRST125");
    assert_eq!(response.headers["content-type"], "application/json; charset=utf-8");
}

#[test]
fn sqlstates_decide_the_status() {
    for (code, message, status) in [
        ("08006", "", 503),
        ("23505", "", 409),
        ("25006", "", 405),
        ("21000", "more than one row", 500),
        ("21000", "UPDATE requires a WHERE clause", 400),
        ("22023", "role \"x\" does not exist", 401),
        ("22023", "other", 400),
        ("22P02", "", 400),
        ("40001", "", 500),
        ("53400", "", 500),
        ("53300", "", 503),
        ("54001", "", 500),
        ("57P01", "", 503),
        ("57014", "", 500),
        ("P0001", "", 400),
        ("P0002", "", 500),
        ("42883", "function xmlagg(integer) does not exist", 406),
        ("42883", "operator does not exist", 404),
        ("42P01", "", 404),
        ("42P17", "", 500),
        ("42501", "", 403),
        ("PT402", "Payment Required", 402),
        ("PTxxx", "", 500),
        ("PT101", "", 500),
        ("42703", "", 400),
    ] {
        assert_eq!(rendered(&database(code, message, None)).0, status, "{code} {message}");
    }
}

#[test]
fn sql_has_full_control_with_the_code_pgrst() {
    let message = r#"{"code":"123","message":"ABC","details":"DEF","hint":"XYZ"}"#;
    let detail = r#"{"status":332,"headers":{"X-Header":"str","Content-Length":"1"}}"#;
    let (status, body, headers) = rendered(&database("PGRST", message, Some(detail)));
    assert_eq!(status, 332);
    assert_eq!(body, json!({"code": "123", "message": "ABC", "details": "DEF", "hint": "XYZ"}));
    assert_eq!(headers["x-header"], "str");
    assert!(!headers.contains_key("content-length"));
    assert_eq!(headers["proxy-status"], "PostgREST; error=123");
    for (message, detail) in
        [("x", Some(detail)), (message, None), (message, Some("x")), (message, Some("{}"))]
    {
        let (status, body, _) = rendered(&database("PGRST", message, detail));
        assert_eq!((status, body["code"].as_str()), (500, Some("PGRST121")));
    }
}

#[test]
fn sql_may_choose_the_words_of_the_status() {
    let words = |code: &str, message: &str, detail: Option<&str>| {
        let response =
            render(&database(code, message, detail), Occurrence { request_id: "r", instance: None });
        response.reason.map(|reason| String::from_utf8(reason.as_bytes().to_vec()).unwrap())
    };
    assert_eq!(words("PT402", "Payment Required", None).as_deref(), Some("Payment Required"));
    let body = r#"{"code":"1","message":"m"}"#;
    let detail = r#"{"status":419,"status_text":"Page Expired","headers":{}}"#;
    assert_eq!(words("PGRST", body, Some(detail)).as_deref(), Some("Page Expired"));
    // Not words, not asked for, or not a status that can be: the usual words stay.
    for (code, message) in [
        ("PT402", "a\r\nSet-Cookie: b=c"),
        ("PT402", ""),
        ("PTxxx", "Payment Required"),
        ("23505", "duplicate key"),
    ] {
        assert_eq!(words(code, message, None), None, "{code} {message}");
    }
    assert_eq!(words("PT402", &"x".repeat(300), None), None);
}

#[test]
fn tokens_are_refused_with_a_challenge() {
    let (status, body, headers) = rendered(&Problem::new(&FORBIDDEN).caused_by(Refusal::Expired));
    assert_eq!(
        (status, body["code"].as_str(), body["message"].as_str()),
        (401, Some("PGRST303"), Some("JWT expired"))
    );
    assert_eq!(
        headers["www-authenticate"],
        r#"Bearer error="invalid_token", error_description="JWT expired""#
    );
    let (status, body, headers) = rendered(&Problem::new(&FORBIDDEN).caused_by(Refusal::TokenRequired));
    assert_eq!((status, body["code"].as_str()), (401, Some("PGRST302")));
    assert_eq!(headers["www-authenticate"], "Bearer");
    let (status, _, headers) = rendered(&Problem::new(&FORBIDDEN).caused_by(Refusal::TokensOff));
    assert_eq!(status, 500);
    assert!(!headers.contains_key("www-authenticate"));
}

#[test]
fn refusals_of_the_platform_have_its_codes() {
    let (status, body, _) =
        rendered(&Problem::new(&BODY_TOO_LARGE).detail("The body may have at most 7 bytes"));
    assert_eq!((status, body["code"].as_str()), (413, Some("body_too_large")));
    assert_eq!(body["message"], "The body may have at most 7 bytes");
    assert_eq!(body["hint"], "Split the request into several");
    let (status, body, headers) = rendered(&Problem::new(&UNAUTHENTICATED));
    assert_eq!((status, body["code"].as_str()), (401, Some("42501")));
    assert_eq!(headers["www-authenticate"], "Bearer");
    let (status, body, _) = rendered(&Problem::new(&bedplate_auth::problems::API_KEY_INVALID));
    assert_eq!((status, body["message"].as_str()), (401, Some("Invalid API key")));
    let (_, body, _) = rendered(&Problem::new(&NOT_FOUND));
    assert_eq!(body["code"], "not_found");
}

#[test]
fn a_function_that_is_not_there_is_told_as_it_was_asked_for() {
    use bedplate_query::request::BodyMedia;
    let told = |arguments: &[&str], body, similar: Option<&str>| {
        let fault = Fault::NoFunction {
            schema: Some("test".into()),
            name: "f".into(),
            arguments: arguments.iter().map(|name| (*name).into()).collect(),
            body,
            similar: similar.map(str::to_owned),
        };
        rendered(&Problem::new(&NOT_FOUND).caused_by(fault)).1
    };
    let body = told(&[], None, Some("test.g"));
    assert_eq!(body["message"], "Could not find the function test.f without parameters in the schema cache");
    assert_eq!(body["hint"], "Perhaps you meant to call the function test.g");
    let body = told(&["a", "b"], Some(BodyMedia::Json), None);
    assert_eq!(body["message"], "Could not find the function test.f(a, b) in the schema cache");
    assert_eq!(
        body["details"],
        "Searched for the function test.f with parameters a, b or with a single unnamed json/jsonb parameter, but no \
         matches were found in the schema cache."
    );
    let body = told(&[], Some(BodyMedia::Text), Some("test.g"));
    assert_eq!(body["message"], "Could not find the function test.f in the schema cache");
    assert_eq!(body["hint"], Value::Null);
}
