//! The one table from SQLSTATE to problem (PostgreSQL documentation, appendix "PostgreSQL Error Codes").
//!
//! The caller gets a neutral text: PostgreSQL's own message, detail and hint may carry values of rows that the
//! caller cannot see, or names of objects it may not know of. They go to the log. The exception is a plain
//! `RAISE EXCEPTION` (P0001) of the app's own SQL, which is written for the caller.

use std::time::Duration;

use bedplate_core::problem::{FORBIDDEN, INTERNAL, NOT_FOUND, UNAUTHENTICATED};
use bedplate_core::{Code, Problem};

use crate::error::DbError;
use crate::problems as p;

/// Whole codes first, then classes (two characters); the first match counts.
static TABLE: &[(&str, &Code)] = &[
    ("21000", &p::INVALID_QUERY),
    ("22", &p::INVALID_VALUE),
    ("23001", &p::FOREIGN_KEY_VIOLATION),
    ("23502", &p::NOT_NULL_VIOLATION),
    ("23503", &p::FOREIGN_KEY_VIOLATION),
    ("23505", &p::UNIQUE_VIOLATION),
    ("23514", &p::CHECK_VIOLATION),
    ("23P01", &p::EXCLUSION_VIOLATION),
    ("23", &p::CHECK_VIOLATION),
    ("25006", &p::READ_ONLY_TRANSACTION),
    ("25P04", &p::STATEMENT_TIMEOUT),
    ("40", &p::TRANSACTION_CONFLICT),
    ("42501", &FORBIDDEN),
    // An object that is gone, or not to be known of: schema, table, function, type, parameter.
    ("3F000", &NOT_FOUND),
    ("42P01", &NOT_FOUND),
    ("42883", &NOT_FOUND),
    ("42704", &NOT_FOUND),
    ("42703", &p::INVALID_QUERY),
    ("42804", &p::INVALID_QUERY),
    ("42846", &p::INVALID_QUERY),
    ("42P10", &p::INVALID_QUERY),
    ("42725", &p::INVALID_QUERY),
    ("44000", &p::CHECK_VIOLATION),
    ("53100", &p::STORAGE_FULL),
    ("53", &p::DATABASE_OVERLOADED),
    ("54", &p::TOO_COMPLEX),
    ("55P03", &p::LOCK_TIMEOUT),
    ("55006", &p::LOCK_TIMEOUT),
    ("57014", &p::STATEMENT_TIMEOUT),
    ("57P", &p::DATABASE_UNAVAILABLE),
    ("08", &p::DATABASE_UNAVAILABLE),
    ("28", &p::DATABASE_UNAVAILABLE),
    ("3D000", &p::DATABASE_UNAVAILABLE),
    ("58030", &p::DATABASE_UNAVAILABLE),
    ("0A", &p::NOT_SUPPORTED),
    ("P0001", &p::RAISED),
];

/// The code for a SQLSTATE. What no row names is ours: an internal error.
pub fn code(sqlstate: &str) -> &'static Code {
    TABLE.iter().find(|(prefix, _)| sqlstate.starts_with(prefix)).map_or(&INTERNAL, |(_, code)| code)
}

/// Whether the fault lies in SQL that lives in the database (a function, trigger, policy or default), not in the
/// statement of the request: names are looked up there, too, and fail there with the same codes. Such an error has
/// the call stack of a function, or, where a name could not be found, no place in the statement's text.
fn is_in_stored_code(error: &DbError) -> bool {
    match error.code.as_str() {
        "42P01" | "42883" | "42704" | "3F000" => error.context.is_some() || error.position.is_none(),
        "42703" | "42804" | "42846" | "42P10" | "42725" | "42601" => error.context.is_some(),
        _ => false,
    }
}

/// Whether a search text (`tsquery`, `tsvector`) cannot be read. PostgreSQL calls that a syntax error, as if the statement
/// were at fault; only the routine tells (`tsquery.c`, `tsvector_parser.c`).
fn is_in_search_text(error: &DbError) -> bool {
    let routine = error.routine.as_deref().unwrap_or_default();
    error.code == "42601"
        && (routine.starts_with("gettoken_")
            || matches!(
                routine,
                "makepol" | "parse_tsquery" | "prssyntaxerror" | "findoprnd" | "findoprnd_recurse"
            ))
}

/// The problem for an error of PostgreSQL. `anonymous`: the caller has not signed in, so a missing privilege is
/// 401 rather than 403.
pub fn problem(error: &DbError, anonymous: bool) -> Problem {
    let mut code = if is_in_search_text(error) {
        &p::INVALID_VALUE
    } else if is_in_stored_code(error) {
        &p::STORED_CODE_FAILED
    } else {
        code(&error.code)
    };
    if anonymous && std::ptr::eq(code, &raw const FORBIDDEN) {
        code = &UNAUTHENTICATED;
    }
    let mut problem = Problem::new(code).sqlstate(&error.code).internal(error.to_string());
    if let Some(text) = neutral_detail(&error.code) {
        problem = problem.detail(text);
    }
    if error.code == "P0001" {
        problem = problem.detail(error.message.clone());
        if let Some(hint) = &error.hint {
            problem = problem.hint(hint.clone());
        }
    }
    match code.status {
        503 => problem.retry_after(Duration::from_secs(1)),
        507 => problem.retry_after(Duration::from_secs(30)),
        _ => problem,
    }
}

/// What may be said of a code without naming a value or an object.
fn neutral_detail(sqlstate: &str) -> Option<&'static str> {
    Some(match sqlstate {
        "22001" => "A text is longer than its column allows",
        "22003" => "A number is out of range for its column",
        "22007" | "22008" => "A date or time cannot be read or is out of range",
        "22P02" | "22P03" => "A value cannot be read as the type of its column",
        "22021" | "22P05" => "A text holds a character that the database cannot store",
        "22012" => "Division by zero",
        "2201B" => "A regular expression is not valid",
        "23001" => "The record is still referred to by others",
        "23503" => "A record that is referred to does not exist, or this one is still referred to",
        "42501" => "The role of this request lacks the privilege, or a row security policy refuses the row",
        "40001" => "Another transaction changed the same records; nothing was changed, try again",
        "40P01" => "Two operations waited for each other; nothing was changed, try again",
        "21000" => "The same record is written twice in one request",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> DbError {
        DbError {
            code: code.into(),
            position: Some(1),
            message: "message naming secret_table".into(),
            detail: Some("Key (email)=(hidden@example.org) already exists.".into()),
            hint: Some("hint naming secret_table".into()),
            ..DbError::default()
        }
    }

    #[test]
    fn statuses_follow_the_api_conventions() {
        for (state, status) in [
            ("23505", 409),
            ("23P01", 409),
            ("23503", 422),
            ("23514", 422),
            ("23502", 422),
            ("44000", 422),
            ("22P02", 400),
            ("22003", 400),
            ("42501", 403),
            ("42P01", 404),
            ("42883", 404),
            ("42703", 400),
            ("40001", 409),
            ("40P01", 409),
            ("57014", 504),
            ("53300", 503),
            ("53100", 507),
            ("25006", 405),
            ("57P01", 503),
            ("08006", 503),
            ("P0001", 400),
            ("XX000", 500),
            ("39000", 500),
        ] {
            assert_eq!(problem(&error(state), false).status(), status, "{state}");
        }
        assert_eq!(problem(&error("42501"), true).status(), 401);
        assert_eq!(problem(&error("23505"), true).status(), 409);
    }

    #[test]
    fn a_name_that_is_missing_in_a_function_or_policy_is_not_a_missing_resource() {
        let elsewhere = |code: &str, context: Option<&str>| DbError {
            position: None,
            context: context.map(str::to_owned),
            ..error(code)
        };
        let function = Some("PL/pgSQL function may_see(uuid) line 3 at RETURN");
        for (state, context) in [
            // `operator does not exist` in a function; `current_setting('app.x')` in a policy, where it is not set.
            ("42883", function),
            ("42P01", function),
            ("42703", function),
            ("42704", None),
        ] {
            let p = problem(&elsewhere(state, context), false);
            assert_eq!((p.status(), p.code().name), (500, "database_code_failed"), "{state}");
            assert!(p.internal_text().unwrap().contains("secret_table"));
            assert_eq!((p.detail_text(), p.hint_text()), (None, None));
        }
        // ON CONFLICT without a fitting constraint has no place in the text either, and is the request's fault.
        assert_eq!(problem(&elsewhere("42P10", None), false).status(), 400);
        assert_eq!(problem(&elsewhere("42501", function), false).status(), 403);
    }

    #[test]
    fn only_a_plain_raise_speaks_to_the_caller() {
        for (_, code) in TABLE {
            assert!(!code.title.is_empty());
        }
        for state in ["23505", "23503", "42P01", "42501", "22P02", "XX000", "0A000", "57014"] {
            let p = problem(&error(state), false);
            for text in [p.detail_text(), p.hint_text()].into_iter().flatten() {
                assert!(!text.contains("secret_table") && !text.contains("hidden@"), "{state}: {text}");
            }
            assert_eq!(p.sqlstate_text(), Some(state));
        }
        let raised = problem(&error("P0001"), false);
        assert_eq!(raised.detail_text(), Some("message naming secret_table"));
        assert_eq!(raised.hint_text(), Some("hint naming secret_table"));
    }
}
