//! `Server-Timing` of the dialect (`server-timing-enabled`): PostgREST's stages, in milliseconds.

use std::time::{Duration, Instant};

use bedplate_http::{Report, Response, Stage};
use http::{HeaderName, HeaderValue};

/// `jwt` is from credentials to a principal; `parse` is all of the handling that is not one of the others.
pub(crate) fn apply(report: &Report, started: Instant, response: &mut Response) {
    if let Ok(value) = HeaderValue::try_from(header(report, started.elapsed())) {
        response.headers.insert(HeaderName::from_static("server-timing"), value);
    }
}

fn header(report: &Report, handled: Duration) -> String {
    let spent = |stage| u64::from(report.micros(stage));
    let (plan, transaction, response) = (spent(Stage::Plan), spent(Stage::Database), spent(Stage::Render));
    let handled = u64::try_from(handled.as_micros()).unwrap_or(u64::MAX);
    let parse = handled.saturating_sub(plan + transaction + response);
    let stages = [
        ("jwt", spent(Stage::Identify)),
        ("parse", parse),
        ("plan", plan),
        ("transaction", transaction),
        ("response", response),
    ];
    let stages = stages.map(|(name, micros)| format!("{name};dur={}.{}", micros / 1000, micros % 1000 / 100));
    stages.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_other_stage_is_parsing() {
        let report = Report::default();
        report.add(Stage::Identify, Duration::from_micros(150));
        report.add(Stage::Plan, Duration::from_micros(1_250));
        report.add(Stage::Database, Duration::from_millis(12));
        assert_eq!(
            header(&report, Duration::from_millis(14)),
            "jwt;dur=0.1, parse;dur=0.7, plan;dur=1.2, transaction;dur=12.0, response;dur=0.0"
        );
    }
}
