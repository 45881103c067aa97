//! Refusals in PostgREST's form: `{"code","message","details","hint"}` with its codes and statuses.
//!
//! Everything arrives as a [`Problem`]; its cause says what happened (this crate's own [`Said`], an error of PostgreSQL, the
//! planner's or the parser's fault), and the table below turns it into the dialect.

mod credentials;
mod database;
mod parsec;
mod plan;
mod platform;
mod syntax;

use bedplate_auth::Refusal;
use bedplate_core::redact::Redactor;
use bedplate_core::{Code, Problem};
use bedplate_data::problems::{NOT_SINGLE, TOO_MANY_AFFECTED};
use bedplate_data::{NotASet, RoleRefusal, RowCount};
use bedplate_db::DbError;
use bedplate_http::problems::add_headers;
use bedplate_http::{Occurrence, Response};
use bedplate_query::fault::Fault;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::sql_response::is_framing;

bedplate_core::codes! {
    /// The query string cannot be read.
    PGRST100 = "pgrst100", 400, Request, "The query string cannot be read", final;
    PGRST101 = "pgrst101", 405, Request, "This method is not offered on functions", final;
    PGRST102 = "pgrst102", 400, Request, "The body cannot be read", final;
    PGRST103 = "pgrst103", 416, Request, "The range cannot be satisfied", final;
    PGRST105 = "pgrst105", 405, Request, "PUT needs exactly the primary key as filters", final;
    PGRST106 = "pgrst106", 406, Request, "The schema is not exposed", final;
    PGRST107 = "pgrst107", 406, Request, "None of the accepted media types is offered", final;
    PGRST108 = "pgrst108", 400, Request, "The relation is not embedded", final;
    PGRST111 = "pgrst111", 500, Data, "response.headers is not valid", final;
    PGRST112 = "pgrst112", 500, Data, "response.status is not valid", final;
    PGRST114 = "pgrst114", 400, Request, "PUT takes no limit or offset", final;
    PGRST115 = "pgrst115", 400, Request, "The body's key is not the URL's", final;
    PGRST116 = "pgrst116", 406, Data, "The result is not exactly one row", final;
    PGRST117 = "pgrst117", 405, Request, "This method is not offered", final;
    PGRST118 = "pgrst118", 400, Request, "Only to-one relations can be ordered by", final;
    PGRST120 = "pgrst120", 400, Request, "An embedded relation takes null tests only", final;
    PGRST121 = "pgrst121", 500, Data, "A raised PGRST error cannot be read", final;
    PGRST122 = "pgrst122", 400, Request, "A preference is not known", final;
    PGRST123 = "pgrst123", 400, Access, "Aggregates are off", final;
    PGRST124 = "pgrst124", 400, Data, "More rows would be changed than allowed", final;
    PGRST125 = "pgrst125", 404, Request, "The path is not valid", final;
    PGRST126 = "pgrst126", 404, Request, "The description is disabled", final;
    PGRST127 = "pgrst127", 400, Request, "Not implemented", final;
    PGRST128 = "pgrst128", 400, Request, "max-affected needs a function that returns a set", final;
}

/// What the dialect says of a refusal; becomes the cause of a [`Problem`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    pub message: String,
    pub details: Option<Value>,
    pub hint: Option<String>,
}

impl Said {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(Value::String(details.into()));
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn problem(self, code: &'static Code) -> Problem {
        Problem::new(code).detail(self.message.clone()).caused_by(self)
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Said {}

pub(crate) fn plain(code: &'static Code, message: &str) -> Problem {
    Said::new(message).problem(code)
}

pub(crate) fn unsupported_method(method: &Method) -> Problem {
    Said::new(format!("Unsupported HTTP method: {method}"))
        .problem(&PGRST117)
        .header("Allow", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE")
}

pub(crate) fn rpc_method(method: &Method) -> Problem {
    Said::new(format!("Cannot use the {method} method on RPC"))
        .problem(&PGRST101)
        .header("Allow", "OPTIONS,GET,HEAD,POST")
}

/// What goes over the wire.
pub(crate) struct Rendered {
    pub status: u16,
    pub code: String,
    pub said: Said,
    /// Headers that a raised PGRST error asks for.
    pub headers: Vec<(String, String)>,
    /// The words after the status, where SQL chose them.
    pub reason: Option<String>,
}

impl Rendered {
    pub fn new(status: u16, code: impl Into<String>, said: Said) -> Self {
        Self { status, code: code.into(), said, headers: Vec::new(), reason: None }
    }
}

/// Renders any problem of this front door.
pub fn render(problem: &Problem, _: Occurrence<'_>) -> Response {
    let rendered = translate(problem);
    let status = status_code(rendered.status);
    // What is quoted may be a credential that stood in the wrong place; it is not repeated.
    let told = |text: &str| Redactor::default().scrub_values(text).into_owned();
    let said = &rendered.said;
    let body = json!({
        "code": rendered.code,
        "details": match &said.details {
            Some(Value::String(text)) => told(text).into(),
            other => other.clone().unwrap_or_default(),
        },
        "hint": said.hint.as_deref().map(told),
        "message": told(&said.message),
    });
    let mut response = Response::json(status, body.to_string());
    if let Some(reason) = &rendered.reason {
        response = response.reason(reason);
    }
    if let Ok(value) = HeaderValue::try_from(format!("PostgREST; error={}", rendered.code)) {
        response.headers.insert(HeaderName::from_static("proxy-status"), value);
    }
    add_headers(problem, &mut response);
    if status == StatusCode::UNAUTHORIZED {
        response.headers.entry(WWW_AUTHENTICATE).or_insert(HeaderValue::from_static("Bearer"));
    } else {
        response.headers.remove(WWW_AUTHENTICATE);
    }
    for (name, value) in rendered.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
            && !is_framing(&name)
        {
            response.headers.insert(name, value);
        }
    }
    response
}

/// SQL may ask for any; what cannot end an exchange (RFC 9110 §15.2) is a fault of the app.
fn status_code(status: u16) -> StatusCode {
    let known = StatusCode::from_u16(status).ok().filter(|status| !status.is_informational());
    known.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn translate(problem: &Problem) -> Rendered {
    if let Some(said) = problem.cause::<Said>() {
        let code = problem.code().name.to_ascii_uppercase();
        return Rendered::new(problem.status(), code, said.clone());
    }
    if let Some(error) = problem.cause::<DbError>() {
        return database::translate(error, problem.status());
    }
    if let Some(fault) = problem.cause::<Fault>() {
        return plan::translate(fault, problem.status());
    }
    if let Some(error) = problem.cause::<bedplate_query::syntax::Error>() {
        return syntax::translate(error);
    }
    if let Some(RowCount(rows)) = problem.cause::<RowCount>() {
        return row_count(problem, *rows);
    }
    if problem.cause::<NotASet>().is_some() {
        let message =
            "Function must return SETOF or TABLE when max-affected preference is used with handling=strict";
        return Rendered::new(400, "PGRST128", Said::new(message));
    }
    if let Some(refusal) = problem.cause::<Refusal>() {
        return credentials::translate(refusal);
    }
    if let Some(refusal) = problem.cause::<RoleRefusal>() {
        return credentials::role(refusal);
    }
    platform::translate(problem)
}

fn row_count(problem: &Problem, rows: u64) -> Rendered {
    if *problem.code() == TOO_MANY_AFFECTED {
        let said = Said::new("Query result exceeds max-affected preference constraint")
            .details(format!("The query affects {rows} rows"));
        return Rendered::new(400, "PGRST124", said);
    }
    debug_assert!(*problem.code() == NOT_SINGLE);
    let said = Said::new("Cannot coerce the result to a single JSON object")
        .details(format!("The result contains {rows} rows"));
    Rendered::new(406, "PGRST116", said)
}

#[cfg(test)]
mod tests;
