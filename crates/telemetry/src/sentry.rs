//! Reports of unexpected errors, as Sentry's envelopes (develop.sentry.dev, "Envelopes" and "Event Payloads"). Only what
//! the log says of an error is reported, freed of secrets: no headers, no bodies, no addresses.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bedplate_core::redact::Redactor;
use bedplate_outgoing::{Client, Limits, Request, Target};
use http::{HeaderName, HeaderValue};
use rand::RngExt;
use serde_json::{Value as Json, json};
use url::Url;

use crate::attribute::Resource;
use crate::queue::{Counts, Flushed, Queue, Sizes};

/// Reports that may wait. A failure that repeats itself tells nothing new.
const WAITING: usize = 64;
const LIMITS: Limits = Limits {
    first_byte: Duration::from_secs(5),
    total: Duration::from_secs(10),
    idle: Duration::from_secs(5),
    bytes: 64 * 1024,
};
const AUTH: HeaderName = HeaderName::from_static("x-sentry-auth");
/// Bytes of one text in a report.
const LONGEST: usize = 8 * 1024;

/// A project's address: `https://KEY@HOST/PROJECT`. Not shown: the key is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Dsn {
    address: String,
    key: String,
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dsn(***)")
    }
}

impl Dsn {
    /// # Errors
    /// What is wrong with it, without quoting it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = || "is not a DSN: write https://KEY@HOST/PROJECT".to_owned();
        let url = Url::parse(text.trim()).map_err(|_| form())?;
        let host = url.host_str().ok_or_else(form)?;
        let (path, project) = url.path().rsplit_once('/').ok_or_else(form)?;
        let is_plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !matches!(url.scheme(), "https" | "http") || !is_plain(url.username()) || !is_plain(project) {
            return Err(form());
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let address = format!("{}://{host}{port}{path}/api/{project}/envelope/", url.scheme());
        Target::configured(&address).map_err(|error| error.to_string())?;
        Ok(Self { address, key: url.username().to_owned() })
    }
}

/// One error, as the log has it.
#[derive(Debug, Clone)]
pub struct Report {
    /// What happened: the message of the log line.
    pub message: String,
    /// Where in the code, such as `bedplate_http::pipeline`.
    pub place: String,
    /// The line's fields.
    pub fields: Vec<(String, String)>,
}

/// Takes reports and sends them one by one. Cheap to clone.
#[derive(Clone)]
pub struct Reporter(Queue<Report>);

impl Reporter {
    /// Starts the task that sends.
    pub fn start(client: Client, dsn: Dsn, resource: Resource, redactor: Redactor) -> Self {
        let sizes = Sizes { waiting: WAITING, batch: 1, gather: Duration::ZERO };
        let shared = Arc::new((client, dsn, resource));
        Self(Queue::start(sizes, move |reports: Vec<Report>, tally| {
            let shared = Arc::clone(&shared);
            async move {
                let (client, dsn, resource) = &*shared;
                for report in reports {
                    match send(client, dsn, &envelope(&report, resource, redactor)).await {
                        Ok(()) => tally.sent(1),
                        Err(why) => {
                            tally.dropped(1);
                            // Not an error: that would be reported in its turn.
                            tracing::warn!(target: "telemetry", why, "an error could not be reported");
                        }
                    }
                }
            }
        }))
    }

    pub fn put(&self, report: Report) {
        self.0.put(report);
    }

    /// Sends what waits.
    pub fn flush(&self) -> Flushed {
        self.0.flush()
    }

    pub fn counts(&self) -> Counts {
        self.0.tally.counts()
    }
}

async fn send(client: &Client, dsn: &Dsn, envelope: &str) -> Result<(), String> {
    let target = Target::configured(&dsn.address).map_err(|error| error.to_string())?;
    let auth = format!(
        "Sentry sentry_version=7, sentry_client=bedplate/{}, sentry_key={}",
        env!("CARGO_PKG_VERSION"),
        dsn.key
    );
    let auth = HeaderValue::try_from(auth).map_err(|error| error.to_string())?;
    // An event has an id: whoever gets it twice keeps it once.
    let request = Request::post("sentry", target, envelope.to_owned())
        .repeatable()
        .limits(LIMITS)
        .header(http::header::CONTENT_TYPE, HeaderValue::from_static("application/x-sentry-envelope"))
        .header(AUTH, auth);
    let answer = client.send(request).await.map_err(|error| error.to_string())?;
    if answer.status.is_success() { Ok(()) } else { Err(format!("answered {}", answer.status)) }
}

/// Three lines: the envelope's head, the item's head, the event.
fn envelope(report: &Report, resource: &Resource, redactor: Redactor) -> String {
    let id = format!("{:032x}", rand::rng().random::<u128>());
    let clean = |text: &str| {
        let mut text = redactor.scrub(text).into_owned();
        if let Some((cut, _)) = text.char_indices().find(|(at, _)| *at >= LONGEST) {
            text.truncate(cut);
        }
        text
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let named =
        |name: &str| report.fields.iter().find(|(known, _)| known == name).map(|(_, value)| clean(value));
    let extra: serde_json::Map<String, Json> =
        report.fields.iter().map(|(name, value)| (name.clone(), field(name, value, &clean))).collect();
    let event = json!({
        "event_id": id,
        "timestamp": now,
        "platform": "other",
        "level": "error",
        "logger": report.place,
        "server_name": resource.instance,
        "release": format!("bedplate@{}", resource.version),
        "environment": resource.environment,
        "tags": { "service": resource.service, "request_id": named("request_id") },
        "exception": { "values": [{
            "type": clean(&report.message),
            "value": named("problem").or_else(|| named("error")).unwrap_or_default(),
            "module": report.place,
        }] },
        "extra": extra,
    });
    // Hidden by name too, whatever a field holds.
    let event = redactor.scrub(&event.to_string()).into_owned();
    let head = json!({ "event_id": id });
    format!("{head}\n{}\n{event}\n", json!({ "type": "event", "length": event.len() }))
}

fn field(name: &str, value: &str, clean: &impl Fn(&str) -> String) -> Json {
    if bedplate_core::redact::is_sensitive(name) {
        return bedplate_core::redact::MASK.into();
    }
    clean(value).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_names_host_project_and_key() {
        let dsn = Dsn::parse("https://0123456789abcdef@errors.example:8443/sub/42").unwrap();
        assert_eq!(dsn.address, "https://errors.example:8443/sub/api/42/envelope/");
        assert_eq!(dsn.key, "0123456789abcdef");
        assert_eq!(format!("{dsn:?}"), "Dsn(***)");
        for bad in
            ["", "x", "https://errors.example/42", "ftp://k@h/1", "https://k@h/", "https://k@0x7f000001x@h/1"]
        {
            assert!(Dsn::parse(bad).is_err(), "{bad}");
        }
    }
}
