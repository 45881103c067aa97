//! W3C Trace Context: a valid `traceparent` is continued, anything else starts a new trace. It is for finding
//! things in logs and never says what a caller may do.

use http::{HeaderMap, HeaderName};
use rand::RngExt;

pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Longest `tracestate` passed on, bytes (Trace Context §3.3.1.5).
const MAX_STATE: usize = 512;

#[derive(Debug, Clone)]
pub struct TraceContext {
    trace_id: [u8; 32],
    span_id: [u8; 16],
    /// The span of the caller, where it began the trace.
    parent_id: Option<[u8; 16]>,
    sampled: bool,
    state: Option<Box<str>>,
}

impl TraceContext {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let Some((trace_id, parent_id, sampled)) = parent(headers) else { return Self::start() };
        let parent_id = Some(parent_id);
        Self { trace_id, span_id: random_hex(), parent_id, sampled, state: state(headers) }
    }

    /// A new trace.
    pub(crate) fn start() -> Self {
        Self { trace_id: random_hex(), span_id: random_hex(), parent_id: None, sampled: false, state: None }
    }

    /// Decides about a trace that began here: sampled when the number in its id is below the threshold, of 2^56.
    pub(crate) fn sample(&mut self, threshold: u64) {
        if self.parent_id.is_none() {
            let digits = std::str::from_utf8(&self.trace_id[18..]).unwrap_or_default();
            self.sampled = u64::from_str_radix(digits, 16).is_ok_and(|number| number < threshold);
        }
    }

    /// The caller's span, as [`Self::span_id`].
    pub fn parent_id(&self) -> Option<&str> {
        self.parent_id.as_ref().and_then(|id| std::str::from_utf8(id).ok())
    }

    /// 32 lower-case hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        std::str::from_utf8(&self.trace_id).unwrap_or_default()
    }

    /// This request's own span: 16 lower-case hexadecimal digits.
    pub fn span_id(&self) -> &str {
        std::str::from_utf8(&self.span_id).unwrap_or_default()
    }

    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The `tracestate` to pass on with [`Self::traceparent`].
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The header for calls made on behalf of this request.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id(), self.span_id(), u8::from(self.sampled))
    }
}

/// Parses the one `traceparent` (§3.2.2): version 00 exactly, later versions by their known prefix.
fn parent(headers: &HeaderMap) -> Option<([u8; 32], [u8; 16], bool)> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let value = values.next()?.as_bytes();
    if values.next().is_some() || value.len() < 55 {
        return None;
    }
    let (version, rest) = (&value[..2], &value[55..]);
    let is_hex = |bytes: &[u8]| bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let well_formed = is_hex(version)
        && version != b"ff"
        && (rest.is_empty() || (version != b"00" && rest[0] == b'-'))
        && [value[2], value[35], value[52]] == [b'-'; 3]
        && is_hex(&value[3..35])
        && is_hex(&value[36..52])
        && is_hex(&value[53..55]);
    let is_zero = |bytes: &[u8]| bytes.iter().all(|b| *b == b'0');
    if !well_formed || is_zero(&value[3..35]) || is_zero(&value[36..52]) {
        return None;
    }
    let flags = u8::from_str_radix(std::str::from_utf8(&value[53..55]).ok()?, 16).ok()?;
    Some((value[3..35].try_into().ok()?, value[36..52].try_into().ok()?, flags & 1 == 1))
}

fn state(headers: &HeaderMap) -> Option<Box<str>> {
    let mut joined = String::new();
    for value in headers.get_all(TRACESTATE) {
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(value.to_str().ok()?);
    }
    (!joined.is_empty() && joined.len() <= MAX_STATE).then(|| joined.into())
}

fn random_hex<const N: usize>() -> [u8; N] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = [0; N];
    let mut random: u128 = rand::rng().random();
    // All zeros would be invalid; the first digit is made not to be.
    random |= 1;
    for digit in &mut out {
        *digit = DIGITS[(random & 15) as usize];
        random >>= 4;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> TraceContext {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, value.parse().unwrap());
        TraceContext::from_headers(&headers)
    }

    #[test]
    fn valid_parents_are_continued_and_invalid_ones_restarted() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = with(&format!("00-{id}-00f067aa0ba902b7-01"));
        assert_eq!(good.trace_id(), id);
        assert!(good.is_sampled());
        assert_ne!(good.span_id(), "00f067aa0ba902b7");
        assert_eq!(good.parent_id(), Some("00f067aa0ba902b7"));
        assert!(good.traceparent().starts_with(&format!("00-{id}-")));
        assert_eq!(with(&format!("cc-{id}-00f067aa0ba902b7-00-more")).trace_id(), id);
        for bad in [
            String::new(),
            format!("00-{id}-00f067aa0ba902b7"),
            format!("00-{id}-00f067aa0ba902b7-01-more"),
            format!("ff-{id}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{id}-0000000000000000-01"),
        ] {
            let trace = with(&bad);
            assert_ne!(trace.trace_id(), id, "{bad}");
            assert_eq!(trace.trace_id().len(), 32);
        }
    }

    #[test]
    fn only_traces_that_begin_here_are_decided_about() {
        let sampled = |threshold| {
            let count = (0..1000).filter(|_| {
                let mut trace = TraceContext::start();
                trace.sample(threshold);
                trace.is_sampled()
            });
            count.count()
        };
        assert_eq!((sampled(0), sampled(1 << 56)), (0, 1000));
        assert!((50..=450).contains(&sampled((1 << 56) / 4)));
        let mut continued = with("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
        continued.sample(1 << 56);
        assert!(!continued.is_sampled());
    }

    #[test]
    fn a_state_that_is_too_long_is_dropped() {
        let mut headers = HeaderMap::new();
        headers
            .insert(TRACEPARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap());
        headers.insert(TRACESTATE, "a=1".parse().unwrap());
        headers.append(TRACESTATE, "b=2".parse().unwrap());
        assert_eq!(TraceContext::from_headers(&headers).state(), Some("a=1,b=2"));
        headers.insert(TRACESTATE, format!("a={}", "x".repeat(600)).parse().unwrap());
        assert_eq!(TraceContext::from_headers(&headers).state(), None);
    }
}
