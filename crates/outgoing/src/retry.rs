//! When a call is repeated, and after which wait.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use rand::RngExt;

use crate::Error;

/// The longest wait before the second attempt; doubled for each further one.
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

/// What an attempt came to, as far as repeating it depends on it.
pub(crate) enum Seen<'a> {
    Failed(&'a Error),
    Answered(StatusCode, &'a HeaderMap),
}

/// The wait before the next attempt; `None`: what came is the answer. `attempt` counts from 1.
pub(crate) fn wait(seen: &Seen<'_>, attempt: u32) -> Option<Duration> {
    let most = FIRST.saturating_mul(2_u32.saturating_pow(attempt - 1)).min(LONGEST);
    // Full jitter: callers that failed together do not come back together.
    let jittered = || most.mul_f64(rand::rng().random_range(0.0..=1.0));
    match seen {
        Seen::Failed(error) => error.is_transient().then(jittered),
        Seen::Answered(status, headers) => {
            let again = [
                StatusCode::TOO_MANY_REQUESTS,
                StatusCode::BAD_GATEWAY,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ];
            // Never earlier than the host wants (RFC 9110 §10.2.3).
            again
                .contains(status)
                .then(|| retry_after(headers).map_or_else(jittered, |after| after + jittered()))
        }
    }
}

/// `Retry-After`: seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        headers
    }

    #[test]
    fn only_what_may_pass_by_itself_is_repeated() {
        let none = HeaderMap::new();
        for status in [429, 502, 503, 504] {
            let seen = Seen::Answered(StatusCode::from_u16(status).unwrap(), &none);
            assert!(wait(&seen, 1).unwrap() <= FIRST, "{status}");
            assert!(wait(&seen, 40).unwrap() <= LONGEST);
        }
        for status in [200, 301, 400, 401, 404, 500, 501] {
            assert!(
                wait(&Seen::Answered(StatusCode::from_u16(status).unwrap(), &none), 1).is_none(),
                "{status}"
            );
        }
        let refused = Error::Refused { host: "h".to_owned(), port: 1 };
        for error in
            [refused, Error::Busy, Error::Tls(String::new()), Error::TooLarge { limit: 1 }, Error::Encoded]
        {
            assert!(wait(&Seen::Failed(&error), 1).is_none(), "{error}");
        }
        assert!(wait(&Seen::Failed(&Error::Connect(String::new())), 1).is_some());
    }

    #[test]
    fn the_host_says_when() {
        let seconds = wait(&Seen::Answered(StatusCode::SERVICE_UNAVAILABLE, &with("7")), 1).unwrap();
        assert!((7.0..=7.3).contains(&seconds.as_secs_f64()));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(90));
        assert!((88.0..=91.0).contains(&retry_after(&with(&date)).unwrap().as_secs_f64()));
        assert_eq!(retry_after(&with("Mon, 01 Jan 2001 00:00:00 GMT")), Some(Duration::ZERO));
        assert_eq!(retry_after(&with("soon")), None);
    }
}
