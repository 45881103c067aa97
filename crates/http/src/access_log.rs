//! The access log: one structured line per request on the tracing target `access`. Query values, bodies and
//! credentials are never in it; a signed-in user appears as a hash of the subject.

use bedplate_core::PrincipalKind;
use sha2::{Digest, Sha256};

use crate::access_line::{self, Entry};
use crate::exchange::Exchange;
use crate::redact::shown_query;
use crate::report::Stage;

/// The status of a line whose client went away before there was an answer (nginx's convention).
pub(crate) const CLIENT_GONE: u16 = 499;

pub(crate) fn write(exchange: &Exchange, status: u16, bytes: u64, class: &str) {
    if !exchange.app().config.access_log || !tracing::enabled!(target: "access", tracing::Level::INFO) {
        return;
    }
    let principal = exchange.principal.as_deref();
    let kind = match principal.map(|p| p.kind) {
        None => "none",
        Some(PrincipalKind::Anonymous) => "anonymous",
        Some(PrincipalKind::User) => "user",
        Some(PrincipalKind::Service) => "service",
    };
    let subject = principal.and_then(|principal| {
        let subject = principal.subject.as_deref()?;
        Some(&**principal.logged_as.get_or_init(|| subject_hash(subject).into()))
    });
    // A path may hold what it should not: a token in a link, an address as an id.
    let redactor = exchange.app().config.redactor;
    let path = redactor.scrub(exchange.uri.path());
    let query = exchange.uri.query().map(|query| shown_query(query, redactor));
    if let Some(sink) = &exchange.app().config.access_lines {
        let entry = Entry {
            method: exchange.method.as_str(),
            path: &path,
            query,
            class,
            status,
            duration_us: exchange.started.elapsed().as_micros() as u64,
            db_us: exchange.report.micros(Stage::Database),
            bytes,
            request_id: &exchange.request_id,
            trace_id: exchange.trace.trace_id(),
            principal: kind,
            subject,
            client: exchange.client.address,
        };
        return access_line::write(&entry, &*sink.0);
    }
    tracing::info!(
        target: "access",
        method = exchange.method.as_str(),
        path = &*path,
        query,
        class,
        status,
        duration_us = exchange.started.elapsed().as_micros() as u64,
        db_us = exchange.report.micros(Stage::Database),
        bytes,
        request_id = &*exchange.request_id,
        trace_id = exchange.trace.trace_id(),
        principal = kind,
        subject,
        client = %exchange.client.address,
    );
}

/// 16 hexadecimal digits that are the same for the same user on every node.
fn subject_hash(subject: &str) -> String {
    let digest = Sha256::digest(subject.as_bytes());
    digest[..8].iter().fold(String::with_capacity(16), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}
