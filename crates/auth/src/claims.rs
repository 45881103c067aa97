//! The registered claims (RFC 7519 §4.1), checked for type and value.

use bedplate_core::Problem;
use serde_json::{Map, Value};

use crate::refusal::{Refusal, invalid};

/// Times of a token whose signature holds.
pub(crate) struct Times {
    pub expires_at: Option<i64>,
}

/// Checks `exp`, `nbf` and `iat` against `now`, in seconds, with `leeway` for clocks that differ. A time of the wrong
/// type is refused, never ignored.
pub(crate) fn check_times(
    claims: &Map<String, Value>,
    now: i64,
    leeway: i64,
    nulls: Nulls,
) -> Result<Times, Problem> {
    let expires_at = numeric_date(claims, "exp", nulls)?;
    if expires_at.is_some_and(|exp| exp.saturating_add(leeway) <= now) {
        return Err(Refusal::Expired.problem());
    }
    if numeric_date(claims, "nbf", nulls)?.is_some_and(|nbf| nbf.saturating_sub(leeway) > now) {
        return Err(Refusal::NotYetValid.problem());
    }
    if numeric_date(claims, "iat", nulls)?.is_some_and(|iat| iat.saturating_sub(leeway) > now) {
        return Err(Refusal::IssuedInFuture.problem());
    }
    Ok(Times { expires_at })
}

/// What a registered claim that is `null` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// A claim of the wrong type.
    Wrong,
    /// As if it were not there.
    Absent,
}

/// A `NumericDate`: seconds since the epoch, fractions allowed.
fn numeric_date(
    claims: &Map<String, Value>,
    name: &'static str,
    nulls: Nulls,
) -> Result<Option<i64>, Problem> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Null) if nulls == Nulls::Absent => Ok(None),
        Some(Value::Number(n)) => n
            .as_i64()
            .or_else(|| n.as_f64().filter(|f| f.is_finite() && f.abs() < 1e15).map(|f| f as i64))
            .map(Some)
            .ok_or_else(|| Refusal::NotANumber(name).problem()),
        Some(_) => Err(Refusal::NotANumber(name).problem()),
    }
}

/// A claim that must be a string when it is there.
pub(crate) fn string<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Problem> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid("a text claim is not a string")),
    }
}

/// Whether `aud` (a string or an array of strings, RFC 7519 §4.1.3) names one of `accepted`.
pub(crate) fn audience_fits(claims: &Map<String, Value>, accepted: &[String]) -> Result<bool, Problem> {
    let is_accepted = |value: &Value| value.as_str().is_some_and(|aud| accepted.iter().any(|a| a == aud));
    match claims.get("aud") {
        None => Ok(false),
        Some(one @ Value::String(_)) => Ok(is_accepted(one)),
        Some(Value::Array(many)) if many.iter().all(Value::is_string) => Ok(many.iter().any(is_accepted)),
        Some(_) => Err(Refusal::AudienceType.problem()),
    }
}

/// PostgREST's rule: a token that names nobody is for everybody. `None` accepts any.
pub(crate) fn audience_allows(claims: &Map<String, Value>, accepted: Option<&str>) -> Result<bool, Problem> {
    let fits = |aud: &str| accepted.is_none_or(|accepted| accepted == aud);
    match claims.get("aud") {
        None | Some(Value::Null) => Ok(true),
        Some(Value::String(one)) => Ok(fits(one)),
        Some(Value::Array(many)) if many.iter().all(Value::is_string) => {
            Ok(many.is_empty() || many.iter().filter_map(Value::as_str).any(fits))
        }
        Some(_) => Err(Refusal::AudienceType.problem()),
    }
}

/// A string claim by path: an exact name first (Auth0's are URLs with dots), else dotted (`app_metadata.role`).
pub(crate) fn at_path<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a str> {
    if let Some(value) = claims.get(path) {
        return value.as_str();
    }
    let (first, rest) = path.split_once('.')?;
    at_path(claims.get(first)?.as_object()?, rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn times_of_the_wrong_type_are_refused_and_leeway_counts_both_ways() {
        let ok = |v| check_times(&object(v), 1000, 30, Nulls::Wrong).is_ok();
        assert!(ok(json!({"exp": 1001, "nbf": 1030, "iat": 1000})));
        assert!(ok(json!({"exp": 971})));
        assert!(ok(json!({})));
        assert!(!ok(json!({"exp": 970})));
        assert!(!ok(json!({"nbf": 1031})));
        assert!(!ok(json!({"iat": 1031})));
        for bad in [json!("2000"), json!(null), json!([2000]), json!(1e300), json!(true)] {
            assert!(!ok(json!({"exp": bad})), "{bad}");
        }
    }

    #[test]
    fn postgrest_passes_over_nulls_and_tokens_for_nobody() {
        let claims = object(json!({"exp": null, "nbf": null, "iat": null, "aud": null}));
        assert!(check_times(&claims, 1000, 30, Nulls::Absent).is_ok());
        assert!(audience_allows(&claims, Some("a")).unwrap());
        for (aud, fits) in [
            (json!([]), true),
            (json!("a"), true),
            (json!(["b", "a"]), true),
            (json!(""), false),
            (json!(["b"]), false),
        ] {
            assert_eq!(audience_allows(&object(json!({"aud": aud})), Some("a")).unwrap(), fits, "{aud}");
            assert!(audience_allows(&object(json!({"aud": aud})), None).unwrap());
        }
        assert!(audience_allows(&object(json!({"aud": ["a", 1]})), None).is_err());
    }

    #[test]
    fn audiences_and_paths() {
        let accepted = vec!["api".to_owned()];
        assert!(audience_fits(&object(json!({"aud": "api"})), &accepted).unwrap());
        assert!(audience_fits(&object(json!({"aud": ["x", "api"]})), &accepted).unwrap());
        assert!(!audience_fits(&object(json!({"aud": "apix"})), &accepted).unwrap());
        assert!(!audience_fits(&object(json!({})), &accepted).unwrap());
        assert!(audience_fits(&object(json!({"aud": {"a": 1}})), &accepted).is_err());
        let claims = object(json!({"https://x.example/role": "a", "app": {"role": "b"}}));
        assert_eq!(at_path(&claims, "https://x.example/role"), Some("a"));
        assert_eq!(at_path(&claims, "app.role"), Some("b"));
        assert_eq!(at_path(&claims, "app.none"), None);
    }
}
