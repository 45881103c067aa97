//! Conditional requests (RFC 9110 §13): what a request demands of the representation that is there.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderValue};

use crate::etag;

/// What a representation is told from others by.
#[derive(Debug, Clone, Copy)]
pub struct Validators<'a> {
    /// Quoted, without the mark of a content coding.
    pub tag: &'a str,
    /// The second in which it was last changed, where that is known.
    pub modified: Option<SystemTime>,
}

/// The preconditions of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions<'h> {
    pub if_match: Option<Cow<'h, str>>,
    pub if_none_match: Option<Cow<'h, str>>,
    /// Present only where `If-Match` is absent: it is ignored beside it (§13.1.4).
    pub unmodified_since: Option<SystemTime>,
    /// Present only where `If-None-Match` is absent (§13.1.3).
    modified_since: Option<SystemTime>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Proceed,
    /// GET and HEAD: the client has what it would get; 304, with the tag that the client knows it by.
    NotModified(String),
    /// 412
    Failed,
}

impl<'h> Conditions<'h> {
    /// A date that is none is ignored, as the standard has it.
    pub fn of(headers: &'h HeaderMap) -> Self {
        let if_match = list(headers, &IF_MATCH);
        let if_none_match = list(headers, &IF_NONE_MATCH);
        let unmodified_since = if if_match.is_some() { None } else { date(headers, &IF_UNMODIFIED_SINCE) };
        let modified_since = if if_none_match.is_some() { None } else { date(headers, &IF_MODIFIED_SINCE) };
        Self { if_match, if_none_match, unmodified_since, modified_since }
    }

    /// Whether anything is demanded of what a write finds.
    pub fn concern_writes(&self) -> bool {
        self.if_match.is_some() || self.if_none_match.is_some() || self.unmodified_since.is_some()
    }

    /// In the order of §13.2.2; `None` is that there is no representation.
    pub fn judge(&self, current: Option<Validators<'_>>, reads: bool) -> Verdict {
        let held = match (&self.if_match, self.unmodified_since) {
            (Some(list), _) => current.is_some_and(|there| etag::matches_strongly(list, there.tag)),
            (None, Some(since)) => current.and_then(|there| there.modified).is_none_or(|at| at <= since),
            (None, None) => true,
        };
        if !held {
            return Verdict::Failed;
        }
        let Some(there) = current else { return Verdict::Proceed };
        match (&self.if_none_match, self.modified_since) {
            (Some(list), _) => match etag::find_weakly(list, there.tag) {
                Some(known) if reads => Verdict::NotModified(known),
                Some(_) => Verdict::Failed,
                None => Verdict::Proceed,
            },
            (None, Some(since)) if reads && there.modified.is_some_and(|at| at <= since) => {
                Verdict::NotModified(there.tag.to_owned())
            }
            _ => Verdict::Proceed,
        }
    }
}

/// `Last-Modified` for a time, unless that second has only just passed: whoever got it then could not tell a later change
/// within the same second from this one (§8.8.2.2).
pub fn last_modified(at: SystemTime) -> Option<(HeaderName, HeaderValue)> {
    const SETTLED: Duration = Duration::from_secs(2);
    let age = SystemTime::now().duration_since(at).ok()?;
    let text = (age >= SETTLED).then(|| httpdate::fmt_http_date(at))?;
    Some((LAST_MODIFIED, HeaderValue::try_from(text).ok()?))
}

/// Cut to whole seconds, which is all that a header can say.
pub fn whole_second(at: SystemTime) -> SystemTime {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A list that may come in several lines; none of text is a list that nothing matches.
fn list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Cow<'h, str>> {
    let mut lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default());
    let first = lines.next()?;
    Some(lines.fold(Cow::Borrowed(first), |all, next| Cow::Owned(format!("{all}, {next}"))))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"abc\"";

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds)
    }

    fn judge(lines: &[(HeaderName, &str)], there: Option<u64>, reads: bool) -> Verdict {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let there = there.map(|second| Validators { tag: TAG, modified: Some(at(second)) });
        Conditions::of(&headers).judge(there, reads)
    }

    #[test]
    fn tags_decide_before_dates() {
        let date = httpdate::fmt_http_date(at(5));
        let same = || Verdict::NotModified(TAG.to_owned());
        assert_eq!(judge(&[], Some(0), true), Verdict::Proceed);
        assert_eq!(judge(&[(IF_MATCH, "\"abc;gzip\"")], Some(0), false), Verdict::Proceed);
        assert_eq!(judge(&[(IF_MATCH, "W/\"abc\"")], Some(0), false), Verdict::Failed);
        assert_eq!(judge(&[(IF_MATCH, "abc")], Some(0), false), Verdict::Failed);
        assert_eq!(judge(&[(IF_MATCH, "*")], Some(0), false), Verdict::Proceed);
        assert_eq!(judge(&[(IF_MATCH, "*")], None, false), Verdict::Failed);
        assert_eq!(judge(&[(IF_MATCH, "\"x\""), (IF_MATCH, "\"abc\"")], Some(0), false), Verdict::Proceed);
        assert_eq!(judge(&[(IF_NONE_MATCH, "*")], None, false), Verdict::Proceed);
        assert_eq!(judge(&[(IF_NONE_MATCH, "*")], Some(0), false), Verdict::Failed);
        assert_eq!(judge(&[(IF_NONE_MATCH, "*")], Some(0), true), same());
        assert_eq!(judge(&[(IF_NONE_MATCH, "\"x\", W/\"abc\"")], Some(0), true), same());
        let coded = Verdict::NotModified("\"abc;gzip\"".to_owned());
        assert_eq!(judge(&[(IF_NONE_MATCH, "\"abc;gzip\"")], Some(0), true), coded);
        assert_eq!(judge(&[(IF_MODIFIED_SINCE, &date)], Some(5), true), same());
        assert_eq!(judge(&[(IF_MODIFIED_SINCE, &date)], Some(6), true), Verdict::Proceed);
        assert_eq!(judge(&[(IF_MODIFIED_SINCE, &date)], Some(5), false), Verdict::Proceed);
        assert_eq!(judge(&[(IF_UNMODIFIED_SINCE, &date)], Some(5), false), Verdict::Proceed);
        assert_eq!(judge(&[(IF_UNMODIFIED_SINCE, &date)], Some(6), false), Verdict::Failed);
        assert_eq!(judge(&[(IF_UNMODIFIED_SINCE, "yesterday")], Some(6), false), Verdict::Proceed);
        // A date beside a tag does not count.
        assert_eq!(
            judge(&[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, &date)], Some(5), true),
            Verdict::Proceed
        );
        assert_eq!(judge(&[(IF_MATCH, TAG), (IF_UNMODIFIED_SINCE, &date)], Some(6), false), Verdict::Proceed);
    }

    #[test]
    fn a_second_that_is_not_over_is_not_told() {
        let now = whole_second(SystemTime::now());
        assert!(last_modified(now).is_none());
        assert!(last_modified(now + Duration::from_mins(1)).is_none());
        assert!(last_modified(at(0)).is_some());
    }
}
