//! Rows asked for and rows answered: `Range`, `limit`, `offset`, and `Content-Range` (RFC 9110 §14, with PostgREST's unit).

use bedplate_core::{Problem, Result};
use bedplate_query::request::{Page, Value, Values};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::error::{PGRST103, Said};

/// Zero-based rows from `offset` on, `limit` of them at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub offset: u64,
    pub limit: Option<u64>,
}

impl Window {
    /// What both the query string and (for GET) the `Range` header ask for: their intersection. `limit=0` wins over the
    /// header.
    pub fn read(method: &Method, headers: &HeaderMap, page: &Page, values: &Values) -> Result<Self> {
        let number = |at| match values.get(at) {
            Value::Int(number) => u64::try_from(*number).unwrap_or(0),
            _ => 0,
        };
        let asked = Self { offset: page.offset.map_or(0, number), limit: page.limit.map(number) };
        let header = from_header(method, headers)?;
        if asked.limit == Some(0) {
            // PostgREST takes no rows from the start on as a range without rows, and from elsewhere on as a wrong one.
            return if asked.offset == 0 { Ok(asked) } else { Err(negative()) };
        }
        let Some(header) = header else { return Ok(asked) };
        asked.intersect(header).ok_or_else(negative)
    }

    fn intersect(self, other: Self) -> Option<Self> {
        let end = |window: Self| window.limit.map(|limit| window.offset.saturating_add(limit));
        let offset = self.offset.max(other.offset);
        let limit = match (end(self), end(other)) {
            (None, None) => return Some(Self { offset, limit: None }),
            (Some(a), Some(b)) => a.min(b),
            (Some(a), None) | (None, Some(a)) => a,
        };
        (limit > offset).then(|| Self { offset, limit: Some(limit - offset) })
    }

    /// The limit as part of the statement's text where it is small enough to be a page: PostgreSQL then plans once.
    pub fn apply(self, page: &mut Page, values: &mut Values) -> Result<()> {
        page.rows = self.limit.and_then(|limit| u32::try_from(limit).ok());
        page.limit = None;
        if page.rows.is_none() && self.limit.is_some() {
            page.limit = Some(crate::read::push(values, int(self.limit.unwrap_or_default()))?);
        }
        page.offset = match self.offset {
            0 => None,
            offset => Some(crate::read::push(values, int(offset))?),
        };
        Ok(())
    }
}

fn negative() -> Problem {
    unsatisfiable("Limit should be greater than or equal to zero.")
}

fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// `Range: 0-9`, `Range: 10-`. What looks otherwise is not for us (RFC 9110 §14.2).
fn from_header(method: &Method, headers: &HeaderMap) -> Result<Option<Window>> {
    if *method != Method::GET {
        return Ok(None);
    }
    let Some(text) = headers.get(http::header::RANGE).and_then(|value| value.to_str().ok()) else {
        return Ok(None);
    };
    let Some((lower, upper)) = text.split_once('-') else { return Ok(None) };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if lower.is_empty() || !digits(lower) || !digits(upper) {
        return Ok(None);
    }
    let lower: u64 = lower.parse().unwrap_or(u64::MAX);
    if upper.is_empty() {
        return Ok(Some(Window { offset: lower, limit: None }));
    }
    let upper: u64 = upper.parse().unwrap_or(u64::MAX);
    if upper < lower {
        return Err(unsatisfiable(
            "The lower boundary must be lower than or equal to the upper boundary in the Range header.",
        ));
    }
    Ok(Some(Window { offset: lower, limit: Some((upper - lower).saturating_add(1)) }))
}

pub(crate) fn unsatisfiable(details: impl Into<String>) -> Problem {
    Said::new("Requested range not satisfiable").details(details).problem(&PGRST103)
}

/// The status of a list with `rows` rows from `offset` on, out of `total` where that is known.
///
/// # Errors
/// 416 when the offset lies behind the last row; what was preferred (`applied`) was looked at even then.
pub(crate) fn status(
    offset: u64,
    rows: u64,
    total: Option<u64>,
    applied: Option<&HeaderValue>,
) -> Result<StatusCode> {
    match total {
        Some(total) if offset > total => {
            let problem = unsatisfiable(format!(
                "An offset of {offset} was requested, but there are only {total} rows."
            ))
            .header("Content-Range", format!("*/{total}"));
            Err(match applied.and_then(|value| value.to_str().ok()) {
                Some(applied) => problem.header("Preference-Applied", applied),
                None => problem,
            })
        }
        Some(total) if rows < total => Ok(StatusCode::PARTIAL_CONTENT),
        _ => Ok(StatusCode::OK),
    }
}

/// `0-9/100`, `0-9/*`, `*/0`.
pub(crate) fn content_range(offset: u64, rows: u64, total: Option<u64>) -> HeaderValue {
    let part = match rows {
        0 => "*".to_owned(),
        _ if total == Some(0) => "*".to_owned(),
        _ => format!("{offset}-{}", offset.saturating_add(rows - 1)),
    };
    let total = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    // Digits, a dash, a slash and an asterisk are always valid in a header.
    HeaderValue::try_from(format!("{part}/{total}")).unwrap_or(HeaderValue::from_static("*/*"))
}
