//! The `Prefer` header (RFC 7240), as far as it means something here.

use bedplate_core::Problem;
use http::HeaderMap;

use crate::problems::PREFERENCE_UNKNOWN;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    /// `return=minimal|representation`
    pub minimal: Option<bool>,
    /// `tx=rollback`: a dry run.
    pub rollback: bool,
    /// What goes into `Preference-Applied`.
    pub applied: Vec<&'static str>,
}

/// Unknown preferences are ignored (RFC 7240 §2), unless the caller asks for `handling=strict`.
pub(crate) fn read(headers: &HeaderMap) -> Result<Preferences, Problem> {
    let mut preferences = Preferences::default();
    let mut strict = false;
    let mut unknown = Vec::new();
    let values = headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok());
    for token in values.flat_map(|v| v.split(',')).map(str::trim).filter(|t| !t.is_empty()) {
        let applied = match &*plain(token) {
            "return=minimal" if preferences.minimal.is_none() => {
                preferences.minimal = Some(true);
                "return=minimal"
            }
            "return=representation" if preferences.minimal.is_none() => {
                preferences.minimal = Some(false);
                "return=representation"
            }
            "tx=rollback" => {
                preferences.rollback = true;
                "tx=rollback"
            }
            "handling=strict" => {
                strict = true;
                "handling=strict"
            }
            "handling=lenient" => "handling=lenient",
            // The first of a repeated preference counts (RFC 7240 §2).
            "return=minimal" | "return=representation" => continue,
            _ => {
                unknown.push(token.to_owned());
                continue;
            }
        };
        preferences.applied.push(applied);
    }
    if strict && !unknown.is_empty() {
        return Err(Problem::new(&PREFERENCE_UNKNOWN)
            .detail(format!("not offered here: {}", unknown.join(", ")))
            .hint("offered: return=minimal, return=representation, tx=rollback, handling=strict, handling=lenient"));
    }
    Ok(preferences)
}

/// A preference as it is usually written: names are compared without case, blanks around the `=` and quotes around the value
/// mean nothing (RFC 7240 §2).
fn plain(token: &str) -> String {
    match token.split_once('=') {
        Some((name, value)) => {
            let value = value.trim();
            let unquoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
            format!("{}={unquoted}", name.trim().to_ascii_lowercase())
        }
        None => token.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn preferences(lines: &[&'static str]) -> Result<Preferences, Problem> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("prefer", HeaderValue::from_static(line));
        }
        read(&headers)
    }

    #[test]
    fn known_ones_are_applied_and_unknown_ones_only_matter_when_strict() {
        let read =
            preferences(&["return=minimal, respond-async", "return=representation,tx=rollback"]).unwrap();
        assert_eq!(read.minimal, Some(true));
        assert!(read.rollback);
        assert_eq!(read.applied, ["return=minimal", "tx=rollback"]);
        assert_eq!(preferences(&["Return = \"minimal\""]).unwrap().minimal, Some(true));
        assert_eq!(preferences(&["handling=strict, respond-async"]).unwrap_err().status(), 400);
        assert_eq!(preferences(&[]).unwrap(), Preferences::default());
    }
}
