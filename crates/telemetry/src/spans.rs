//! Spans as the protocol has them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bedplate_core::redact::Redactor;
use serde_json::{Value as Json, json};

use crate::attribute::{self, Attribute};

/// Part of a trace: what was done, when, under what.
#[derive(Debug, Clone)]
pub struct Span {
    /// 32 and 16 lower-case hexadecimal digits (W3C Trace Context §3.2.2.3).
    pub trace: String,
    pub id: String,
    /// The span that this one is part of.
    pub parent: Option<String>,
    /// The `tracestate` that came with the trace.
    pub state: Option<String>,
    pub name: String,
    pub kind: Kind,
    pub start: SystemTime,
    pub duration: Duration,
    pub attributes: Vec<Attribute>,
    pub status: Status,
}

/// `SpanKind` of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
}

/// `StatusCode` of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Unset = 0,
    Error = 2,
}

impl Span {
    /// A new id for a part of this span's trace.
    pub fn new_id() -> String {
        use rand::RngExt;
        // All zeros would be no id.
        format!("{:016x}", rand::rng().random::<u64>() | 1)
    }

    pub(crate) fn encode(&self, redactor: Redactor) -> Json {
        let mut span = json!({
            "traceId": self.trace,
            "spanId": self.id,
            "name": redactor.scrub(&self.name),
            "kind": self.kind as u8,
            "startTimeUnixNano": nanos(self.start).to_string(),
            "endTimeUnixNano": nanos(self.start + self.duration).to_string(),
            "attributes": attribute::encode(&self.attributes, redactor),
        });
        if let Some(parent) = &self.parent {
            span["parentSpanId"] = parent.as_str().into();
        }
        if let Some(state) = &self.state {
            span["traceState"] = state.as_str().into();
        }
        if self.status != Status::Unset {
            span["status"] = json!({ "code": self.status as u8 });
        }
        span
    }
}

/// Nanoseconds since the Unix epoch.
pub(crate) fn nanos(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}
