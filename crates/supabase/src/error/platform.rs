//! Refusals of the platform: those that PostgREST has a code for, and those that it does not have, under their own codes.

use bedplate_auth::problems::API_KEY_INVALID;
use bedplate_core::Problem;
use bedplate_core::problem::{
    BODY_TOO_LARGE, HEADERS_TOO_LARGE, INTERNAL, LIMIT_EXCEEDED, OVERLOADED, REQUEST_TIMEOUT, SHUTTING_DOWN,
    TIMEOUT, UNAUTHENTICATED, UNSUPPORTED_MEDIA_TYPE, URI_TOO_LONG,
};
use bedplate_data::problems::CATALOG_MISSING;
use bedplate_db::problems::{DATABASE_UNAVAILABLE, POOL_TIMEOUT};

use super::{Rendered, Said};

pub(super) fn translate(problem: &Problem) -> Rendered {
    let code = problem.code();
    let own = |code: &str, status, message: &str| Rendered::new(status, code, Said::new(message));
    if *code == POOL_TIMEOUT {
        return own("PGRST003", 504, "Timed out acquiring connection from connection pool.");
    }
    if *code == DATABASE_UNAVAILABLE {
        return own("PGRST000", 503, "Database connection error. Retrying the connection.");
    }
    if *code == CATALOG_MISSING {
        return own("PGRST002", 503, "Could not query the database for the schema cache. Retrying.");
    }
    if *code == INTERNAL {
        return own("PGRSTX00", 500, code.title);
    }
    if *code == TIMEOUT {
        // What PostgREST's callers know a cancelled statement by.
        return own("57014", 504, "canceling statement due to statement timeout");
    }
    if *code == API_KEY_INVALID {
        // What the gateway before Supabase's PostgREST says, which clients look for.
        let said =
            Said::new("Invalid API key").hint("Double check your Supabase `anon` or `service_role` API key.");
        return Rendered::new(401, code.name, said);
    }
    if *code == UNAUTHENTICATED && problem.detail_text().is_none() {
        // A privilege that somebody who signs in may have; PostgreSQL's code for it.
        let mut said = Said::new("permission denied");
        said.hint = problem.hint_text().map(str::to_owned);
        return Rendered::new(401, "42501", said);
    }
    let mut said = Said::new(problem.detail_text().unwrap_or(code.title));
    said.hint = problem.hint_text().or_else(|| advice(problem)).map(str::to_owned);
    if !problem.fields().is_empty() {
        said.details = serde_json::to_value(problem.fields()).ok();
    }
    Rendered::new(problem.status(), code.name, said)
}

/// What to do about a limit.
fn advice(problem: &Problem) -> Option<&'static str> {
    let code = problem.code();
    let any = |codes: &[&bedplate_core::Code]| codes.contains(&code);
    if any(&[&BODY_TOO_LARGE, &LIMIT_EXCEEDED]) {
        return Some("Split the request into several");
    }
    if any(&[&URI_TOO_LONG, &HEADERS_TOO_LARGE]) {
        return Some("Send long lists of values in the body of a call to a function instead");
    }
    if any(&[&UNSUPPORTED_MEDIA_TYPE]) {
        return Some("Send application/json, text/csv or application/x-www-form-urlencoded, not compressed");
    }
    any(&[&OVERLOADED, &SHUTTING_DOWN, &REQUEST_TIMEOUT])
        .then_some("Try again, after Retry-After where it is given")
}
