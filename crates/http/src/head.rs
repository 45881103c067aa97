//! A strict look at an HTTP/1 request head before hyper gets it. Everything that two parsers could read in two
//! ways is refused (RFC 9112 §2.2, §3.2, §6.1, §6.3, §11.2): request smuggling lives on such disagreements. hyper
//! would answer most of it with an empty 400; here it also gets a reason.

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::ops::Range;

use bedplate_core::problem::{HEADERS_TOO_LARGE, URI_TOO_LONG};
use bedplate_core::{Code, Problem};
use smallvec::SmallVec;

use crate::config::Limits;
use crate::pipeline::too_long;
use crate::problems::MALFORMED_HTTP;

/// How the body after a head is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Sized(u64),
    Chunked,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static Code,
    pub(crate) detail: Cow<'static, str>,
    /// The request's path where it could be read.
    pub(crate) path: Option<String>,
}

impl Fault {
    pub(crate) fn new(code: &'static Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), path: None }
    }

    fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(&MALFORMED_HTTP, detail)
    }

    pub(crate) fn problem(&self) -> Problem {
        Problem::new(self.code).detail(self.detail.clone())
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The head is the first `len` bytes.
    Complete {
        len: usize,
        framing: Framing,
    },
    Partial,
    /// The head is complete, but in its query (these bytes of it) stand characters as they are that a URL spells in percent:
    /// [`respell`] them and check again.
    Respell(Range<usize>),
    Refused(Fault),
}

type Headers<'b> = SmallVec<[MaybeUninit<httparse::Header<'b>>; 100]>;

pub(crate) fn check(bytes: &[u8], limits: &Limits) -> Verdict {
    let mut headers: Headers<'_> = SmallVec::from_elem(MaybeUninit::uninit(), limits.headers);
    let mut request = httparse::Request::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_request_with_uninit_headers(
        &mut request,
        bytes,
        &mut headers,
    );
    let fault = match parsed {
        Ok(httparse::Status::Complete(len)) if len > limits.head_bytes => head_too_long(limits),
        Ok(httparse::Status::Complete(len)) => match judge(&bytes[..len], &request, limits) {
            Ok(framing) => return Verdict::Complete { len, framing },
            Err(fault) => match respellable(bytes, request.path.unwrap_or_default()) {
                Some(query) => return Verdict::Respell(query),
                None => fault,
            },
        },
        Ok(httparse::Status::Partial) => match judge_partial(bytes, limits) {
            Some(fault) => fault,
            None => return Verdict::Partial,
        },
        Err(error) => unreadable(bytes, error, limits),
    };
    let path = request.path.and_then(|target| target.split('?').next()).map(str::to_owned);
    Verdict::Refused(Fault { path: path.filter(|path| path.len() <= 1024), ..fault })
}

fn head_too_long(limits: &Limits) -> Fault {
    Fault::new(&HEADERS_TOO_LARGE, too_long("header section", limits.head_bytes))
}

fn url_too_long(limits: &Limits) -> Fault {
    Fault::new(&URI_TOO_LONG, too_long("URL", limits.url_bytes))
}

/// A head that is not complete may already be too long.
fn judge_partial(bytes: &[u8], limits: &Limits) -> Option<Fault> {
    // The longest method that HTTP registers has 17 characters.
    let first_line_open = memchr::memchr(b'\n', &bytes[..bytes.len().min(limits.url_bytes + 32)]).is_none();
    if first_line_open && bytes.len() > limits.url_bytes + 32 {
        return Some(url_too_long(limits));
    }
    (bytes.len() >= limits.head_bytes).then(|| head_too_long(limits))
}

fn unreadable(bytes: &[u8], error: httparse::Error, limits: &Limits) -> Fault {
    use httparse::Error;
    match error {
        Error::TooManyHeaders => Fault::new(
            &HEADERS_TOO_LARGE,
            format!("A request may have at most {} header lines", limits.headers),
        ),
        Error::Token if bytes.starts_with(&[0x16, 0x03]) => {
            Fault::malformed("This port speaks plain HTTP, and the client speaks TLS; use http://")
        }
        Error::Token => Fault::malformed("The request line cannot be read"),
        Error::Version => Fault::malformed("The HTTP version is not 1.0 or 1.1"),
        Error::HeaderName => Fault::malformed("A header name is malformed, or a header is folded over lines"),
        Error::HeaderValue => Fault::malformed("A header value has a character that is not allowed"),
        Error::NewLine | Error::Status => Fault::malformed("A line does not end with CR LF"),
    }
}

fn judge(head: &[u8], request: &httparse::Request<'_, '_>, limits: &Limits) -> Result<Framing, Fault> {
    if has_bare_line_feed(head) {
        return Err(Fault::malformed("A line ends with LF without CR"));
    }
    let target = request.path.unwrap_or_default();
    if target.len() > limits.url_bytes {
        return Err(url_too_long(limits));
    }
    check_target(request.method.unwrap_or_default(), target)?;
    let mut framing = Found::default();
    for header in request.headers.iter() {
        framing.see(header)?;
    }
    framing.conclude(request.version == Some(1))
}

fn has_bare_line_feed(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head[at - 1] != b'\r')
}

/// What stands unescaped in a usual target, and in a host (RFC 3986 §3).
const IN_TARGET: [bool; 256] = alphanumeric_and(b"/-._~%!$&'()*+,;=:@?");
const IN_HOST: [bool; 256] = alphanumeric_and(b"-._~%!$&'()*+,;=:[]");

const fn alphanumeric_and(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

/// RFC 9112 §3.2: origin-form, absolute-form, or `*` with OPTIONS.
fn check_target(method: &str, target: &str) -> Result<(), Fault> {
    if target.starts_with('/') && target.bytes().all(|b| IN_TARGET[usize::from(b)]) {
        return Ok(());
    }
    // hyper parses the target in the same way, and would refuse what this refuses.
    let readable = target.parse::<http::Uri>().is_ok_and(|uri| {
        target.starts_with('/')
            || uri.scheme().is_some()
            || method == "CONNECT"
            || (target == "*" && method == "OPTIONS")
    });
    if readable { Ok(()) } else { Err(Fault::malformed(unreadable_target(target))) }
}

/// What curl sends as it was typed (`select=data->>name`, `in.("a","b")`), and every browser spells in percent. It
/// can mean nothing else in a query, so it need not be refused.
const TYPED: [u8; 3] = *b"\"<>";

/// Where the query of a target stands, when [`TYPED`] characters in it are all that is wrong with the target.
fn respellable(bytes: &[u8], target: &str) -> Option<Range<usize>> {
    let query_at = target.find('?')? + 1;
    // A fragment is for the client alone (RFC 9110 §4.2.5): what follows a # is not guessed at.
    let plain = target.starts_with('/') && !target.contains('#');
    if !plain || !target[query_at..].bytes().any(|b| TYPED.contains(&b)) {
        return None;
    }
    // The path keeps its characters: there they are refused.
    let spelled = respell(&target.as_bytes()[query_at..]);
    let whole = [&target.as_bytes()[..query_at], &spelled].concat();
    http::Uri::try_from(whole).ok()?;
    let start = memchr::memmem::find(bytes, target.as_bytes())? + query_at;
    Some(start..start + target.len() - query_at)
}

/// Spells the [`TYPED`] characters among `query` in percent.
pub(crate) fn respell(query: &[u8]) -> Vec<u8> {
    let mut spelled = Vec::with_capacity(query.len() + 32);
    for byte in query {
        if TYPED.contains(byte) {
            spelled.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            spelled.push(*byte);
        }
    }
    spelled
}

/// RFC 3986 §2.1: what no part of a URL may hold as it is, is percent-encoded. Browsers do that; a URL typed into
/// curl is sent as it is.
fn unreadable_target(target: &str) -> String {
    let refused = |c: &char| !c.is_ascii_graphic() || "\"#<>\\^`{|}".contains(*c);
    let alone = |c: &char| format!("/?{c}").parse::<http::Uri>().is_err() || *c == '#';
    match target.chars().filter(refused).find(alone) {
        Some(c) => {
            let encoded =
                percent_encoding::utf8_percent_encode(&c.to_string(), percent_encoding::NON_ALPHANUMERIC)
                    .to_string();
            format!("{c:?} in a URL must be written as {encoded}")
        }
        None => "The request target is not a path or a URL".to_owned(),
    }
}

/// The headers that say where the body ends and who is meant.
#[derive(Default)]
struct Found {
    length: Option<u64>,
    chunked: bool,
    hosts: usize,
}

impl Found {
    fn see(&mut self, header: &httparse::Header<'_>) -> Result<(), Fault> {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // Most headers are none of these; the length tells most of them apart.
        match header.name.len() {
            4 if is("host") => {
                self.hosts += 1;
                if self.hosts > 1 || !header.value.iter().all(|b| IN_HOST[usize::from(*b)]) {
                    return Err(Fault::malformed("There must be one Host header with a host name in it"));
                }
            }
            14 if is("content-length") => {
                if self.length.is_some() {
                    return Err(Fault::malformed("There is more than one Content-Length"));
                }
                self.length = Some(length(header.value)?);
            }
            17 if is("transfer-encoding") => {
                if self.chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Fault::malformed("The only Transfer-Encoding is chunked, once"));
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn conclude(&self, is_http_11: bool) -> Result<Framing, Fault> {
        if is_http_11 && self.hosts == 0 {
            return Err(Fault::malformed("The Host header is missing"));
        }
        match (self.length, self.chunked) {
            (Some(_), true) => {
                Err(Fault::malformed("Content-Length and Transfer-Encoding exclude each other"))
            }
            (_, true) if !is_http_11 => Err(Fault::malformed("HTTP/1.0 has no Transfer-Encoding")),
            (_, true) => Ok(Framing::Chunked),
            (Some(length), false) if length > 0 => Ok(Framing::Sized(length)),
            _ => Ok(Framing::None),
        }
    }
}

/// Digits only: no sign, no list, no white space inside (RFC 9110 §8.6).
fn length(value: &[u8]) -> Result<u64, Fault> {
    let digits = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| digits);
    text.and_then(|text| text.parse().ok()).ok_or(Fault::malformed("The Content-Length is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(head: &str) -> Verdict {
        check(head.as_bytes(), &Limits::default())
    }

    fn code(head: &str) -> u16 {
        match judged(head) {
            Verdict::Refused(fault) => fault.code.status,
            Verdict::Complete { .. } => 200,
            Verdict::Partial => 100,
            Verdict::Respell(_) => 300,
        }
    }

    #[test]
    fn good_heads_pass_with_their_framing() {
        let get = "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(judged(get), Verdict::Complete { len: get.len(), framing: Framing::None });
        let post = "POST / HTTP/1.1\r\nhost: x:80\r\ncontent-length: 5\r\n\r\n";
        let more = format!("{post}hello");
        assert_eq!(judged(&more), Verdict::Complete { len: post.len(), framing: Framing::Sized(5) });
        let chunked = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: Chunked\r\n\r\n";
        assert_eq!(judged(chunked), Verdict::Complete { len: chunked.len(), framing: Framing::Chunked });
        assert_eq!(code("OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n"), 200);
        assert_eq!(code("GET http://x/a HTTP/1.1\r\nhost: x\r\n\r\n"), 200);
        assert_eq!(code("GET / HTTP/1.0\r\n\r\n"), 200);
        assert_eq!(code("GET /a?x={} HTTP/1.1\r\nhost: x\r\n\r\n"), 200);
        assert_eq!(code("GET / HTTP/1.1\r\nhos"), 100);
    }

    #[test]
    fn what_curl_sends_as_typed_is_spelled_out_in_the_query_alone() {
        let head = "GET /a?select=b->>c&d=in.(\"x\") HTTP/1.1\r\nhost: x\r\n\r\n";
        let Verdict::Respell(query) = judged(head) else { panic!("{:?}", judged(head)) };
        assert_eq!(&head[query.clone()], "select=b->>c&d=in.(\"x\")");
        assert_eq!(respell(&head.as_bytes()[query]), b"select=b-%3E%3Ec&d=in.(%22x%22)");
        for refused in ["/<a>?b=c", "/<a>?b=<", "http://x/a?b=<", "/a?b=<#c", "/a\x7f?b=<"] {
            assert_eq!(code(&format!("GET {refused} HTTP/1.1\r\nhost: x\r\n\r\n")), 400, "{refused:?}");
        }
    }

    #[test]
    fn whatever_can_be_read_in_two_ways_is_refused() {
        for bad in [
            "GET / HTTP/1.1\nHost: x\n\n",
            "GET / HTTP/1.1\r\nHost: x\n\r\n",
            "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "GET / HTTP/3.0\r\nHost: x\r\n\r\n",
            "GET x HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
            "G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
            "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            "\x16\x03\x01\x02",
        ] {
            assert_eq!(code(bad), 400, "{bad:?}");
        }
    }

    #[test]
    fn long_heads_are_refused_before_they_are_complete() {
        let long = "x".repeat(9000);
        assert_eq!(code(&format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n")), 414);
        assert_eq!(code(&format!("GET /{long}")), 414);
        let long = "x".repeat(33_000);
        assert_eq!(code(&format!("GET / HTTP/1.1\r\nhost: x\r\na: {long}\r\n\r\n")), 431);
        assert_eq!(code(&format!("GET / HTTP/1.1\r\nhost: x\r\na: {long}")), 431);
        let many = "a: b\r\n".repeat(101);
        assert_eq!(code(&format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n")), 431);
    }
}
