//! Errors of PostgreSQL: the SQLSTATE is the code, and decides the status.

use bedplate_db::DbError;
use serde_json::Value;

use super::{Rendered, Said};

/// `known` is the platform's status for the error, which tells 401 from 403 for a missing privilege.
pub(super) fn translate(error: &DbError, known: u16) -> Rendered {
    if error.code == "PGRST" {
        return raised(error);
    }
    let said = Said {
        message: error.message.clone(),
        details: error.detail.clone().map(Value::String),
        hint: error.hint.clone(),
    };
    let status = status(error, known);
    // `raise sqlstate 'PT402' using message = 'Payment Required'`: the message is the status's words too.
    let chosen = error.code.strip_prefix("PT").is_some_and(|digits| digits.parse() == Ok(status));
    let reason = chosen.then(|| error.message.clone());
    Rendered { reason, ..Rendered::new(status, error.code.clone(), said) }
}

/// PostgREST's table; the first row that fits counts.
fn status(error: &DbError, known: u16) -> u16 {
    let code = error.code.as_str();
    let class = code.get(..2).unwrap_or_default();
    match code {
        "23503" | "23505" => return 409,
        "25006" => return 405,
        // Of the extension safeupdate, which is the caller's fault; else several rows where one was meant.
        "21000" => return if error.message.ends_with("requires a WHERE clause") { 400 } else { 500 },
        "22023" => {
            let unknown_role = error.message.starts_with("role") && error.message.ends_with("does not exist");
            return if unknown_role { 401 } else { 400 };
        }
        "53400" => return 500,
        // A value that is more than a type can hold, such as an array of seven dimensions. PostgREST answers 500.
        "54000" => return 400,
        "57P01" => return 503,
        "P0001" => return 400,
        "42883" => return if error.message.starts_with("function xmlagg(") { 406 } else { 404 },
        "42P01" => return 404,
        "42P17" => return 500,
        "42501" => return if known == 401 { 401 } else { 403 },
        _ => {}
    }
    match class {
        "08" | "53" => 503,
        "09" | "25" | "2D" | "38" | "39" | "3B" | "40" | "54" | "55" | "57" | "58" | "F0" | "HV" | "P0"
        | "XX" => 500,
        "0L" | "0P" | "28" => 403,
        "PT" => code
            .get(2..)
            .and_then(|status| status.parse().ok())
            .filter(|s| (100..1000).contains(s))
            .unwrap_or(500),
        _ => 400,
    }
}

/// `RAISE SQLSTATE 'PGRST'`: the message is the body and the detail the status and headers, both JSON.
fn raised(error: &DbError) -> Rendered {
    let parse_message = || -> Option<(String, Said)> {
        let body: Value = serde_json::from_str(&error.message).ok()?;
        let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
        let said = Said {
            message: text("message")?,
            details: text("details").map(Value::String),
            hint: text("hint"),
        };
        Some((text("code")?, said))
    };
    let Some((code, said)) = parse_message() else {
        return unreadable(
            format!("Invalid JSON value for MESSAGE: '{}'", error.message),
            "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.",
        );
    };
    const DETAIL: &str = "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";
    let Some(detail) = &error.detail else {
        return unreadable("DETAIL is missing in the RAISE statement".into(), DETAIL);
    };
    let parse_detail = || -> Option<(u16, Vec<(String, String)>, Option<String>)> {
        let detail: Value = serde_json::from_str(detail).ok()?;
        let status = u16::try_from(detail.get("status")?.as_u64()?).ok()?;
        let pairs = detail.get("headers")?.as_object()?.iter();
        let headers = pairs.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let reason = detail.get("status_text").and_then(Value::as_str).map(str::to_owned);
        Some((status, headers.collect::<Option<_>>()?, reason))
    };
    let Some((status, headers, reason)) = parse_detail() else {
        return unreadable(format!("Invalid JSON value for DETAIL: '{detail}'"), DETAIL);
    };
    Rendered { status, code, said, headers, reason }
}

fn unreadable(details: String, hint: &str) -> Rendered {
    let said =
        Said::new("Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error").details(details).hint(hint);
    Rendered::new(500, "PGRST121", said)
}
