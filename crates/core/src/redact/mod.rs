//! The one redaction layer: what must not be seen in logs, traces, metrics, reports of errors and problem documents.
//!
//! Two rules. A value whose *name* is on the list is not shown, wherever the name stands: a field, a header, JSON (nested,
//! and escaped in another text), a query string, a form, a connection string, what PostgreSQL says of a key. A value that
//! *looks* like a credential is not shown, whatever its name: tokens, API keys, passwords in URLs, private keys, card
//! numbers, and e-mail addresses where that is wanted.

mod line;
mod names;
mod scan;
mod secrets;

use std::borrow::Cow;

pub use names::is_sensitive;

/// What stands in place of a value.
pub const MASK: &str = "***";

/// Takes secrets out of texts. Cheap to copy; the default shows e-mail addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redactor {
    /// Whether e-mail addresses are taken out too.
    pub emails: bool,
}

impl Redactor {
    /// For texts made for logs: by name and by look.
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        scan::scrub(text, self.emails, true)
    }

    /// For texts made for callers: by look only. A caller is told that `password` is too short, and has to be.
    pub fn scrub_values<'a>(&self, text: &'a str) -> Cow<'a, str> {
        scan::scrub(text, self.emails, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrub(text: &str) -> String {
        Redactor::default().scrub(text).into_owned()
    }

    #[test]
    fn values_are_hidden_by_their_name_wherever_it_stands() {
        for (text, shown) in [
            ("password=hunter2 status=200", "password=*** status=200"),
            ("?a=1&token=s3cret&b=2", "?a=1&token=***&b=2"),
            ("/x?access_token=a%2Fb#c", "/x?access_token=***#c"),
            ("a%26password%3Dhunter2%26b", "a%26password%3D***%26b"),
            (r#"{"user":"u","password":"hun\"ter2","n":1}"#, r#"{"user":"u","password":"***","n":1}"#),
            (r#"{"a":{"Client-Secret": 12345},"b":2}"#, r#"{"a":{"Client-Secret": "***"},"b":2}"#),
            (
                r#"{"accessToken":"x","apiKey":["a","b]"],"b":2}"#,
                r#"{"accessToken":"***","apiKey":"***","b":2}"#,
            ),
            (r#"{"token":{"a":{"b":"c"}},"d":null}"#, r#"{"token":"***","d":null}"#),
            (r#"{"password":null,"code":true}"#, r#"{"password":null,"code":true}"#),
            (
                r#""message":"got {\"otp\":\"123456\",\"x\":1}""#,
                r#""message":"got {\"otp\":\"***\",\"x\":1}""#,
            ),
            (
                r#""m":"{\\\"pin\\\":1,\\\"totp\\\":123456}""#,
                r#""m":"{\\\"pin\\\":1,\\\"totp\\\":\\\"***\\\"}""#,
            ),
            ("Authorization: Bearer abc def", "Authorization: ***"),
            ("authorization=Basic dXNlcjpwYXNz x=1", "authorization=***"),
            ("cookie: a=b; c=d\nnext", "cookie: ***\nnext"),
            (r#""set-cookie":"a=b; Path=/""#, r#""set-cookie":"***""#),
            ("X-Api-Key: k1, accept: */*", "X-Api-Key: ***, accept: */*"),
            ("host=h password='a b' user=u", "host=h password='***' user=u"),
            ("jwt_secret = \"abc\"", "jwt_secret = \"***\""),
            ("BEDPLATE_AUTH__JWT_SECRET=abcdef", "BEDPLATE_AUTH__JWT_SECRET=***"),
            ("alter role x with password 'p''w' valid", "alter role x with password '***' valid"),
            ("Key (email, token)=(a@b.c, t0k(e)n) exists", "Key (email, token)=(***) exists"),
            ("Failing row contains (1, hunter2, null).", "Failing row contains (***)."),
            (r#"Credentials { password: Some("hunter2"), n: 1 }"#, r#"Credentials { password: ***, n: 1 }"#),
            ("password: hunter2, next", "password: ***, next"),
            (
                "token: `Hunter-2` has no operator: write eq.Hunter-2",
                "token: `***` has no operator: write eq.***",
            ),
            (r#"{"m":"token=Hunter2","n":"Hunter2"}"#, r#"{"m":"token=***","n":"Hunter2"}"#),
            ("token=request and request_id", "token=*** and request_id"),
        ] {
            assert_eq!(scrub(text), shown);
        }
    }

    #[test]
    fn what_only_resembles_a_secret_stays() {
        for text in [
            "",
            "error code: 42P01, state: idle",
            "the token is too long; max_token_bytes=8192",
            "tokens=3 secrets: none passwords",
            "password is required",
            "unknown column password",
            "(SQLSTATE 28P01) http://127.0.0.1:54321/api/v1/tickets?select=id",
            "duration_us=1234567890123456 trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
            "at 2026-11-21T08:17:57.123456Z, 1795248000000000000 ns",
            "id 00000000-0000-4000-8000-000000000001",
            "sb_publishable_abcdefghijklmnopqrstuv is public",
            "eyJ eyJhbGciOi. basic bearer",
            "user@host:path a@b",
            "ünïcödé → ☃ \u{1F600}",
            "password=",
            r#"{"password":""}"#,
        ] {
            assert_eq!(scrub(text), text);
        }
    }

    #[test]
    fn values_are_hidden_by_their_look() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJl";
        for (text, shown) in [
            (format!("got {jwt}, and"), "got ***, and".to_owned()),
            (format!("/verify/{jwt}"), "/verify/***".to_owned()),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSJ9.".to_owned(), "***".to_owned()),
            ("key sb_secret_abcdefghijklmnopqrstuv!".to_owned(), "key sb_secret_***!".to_owned()),
            ("bearer abcdefgh12345 x".to_owned(), "bearer *** x".to_owned()),
            ("postgres://user:p%40ss@h:5432/db".to_owned(), "postgres://user:***@h:5432/db".to_owned()),
            ("postgres://user:p@s/s@h:5432/db".to_owned(), "postgres://user:***@h:5432/db".to_owned()),
            ("https://u:pw@h/x?y=z@w".to_owned(), "https://u:***@h/x?y=z@w".to_owned()),
            (
                "https://0123456789abcdef0123@sentry.example/1".to_owned(),
                "https://***@sentry.example/1".to_owned(),
            ),
            ("card 4111 1111 1111 1111.".to_owned(), "card ***.".to_owned()),
            ("5500-0000-0000-0004".to_owned(), "***".to_owned()),
            ("n=378282246310005,".to_owned(), "n=***,".to_owned()),
            ("4111111111111112".to_owned(), "4111111111111112".to_owned()),
            (
                "x -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- y".to_owned(),
                "x *** y".to_owned(),
            ),
            (
                "sk_live_4eC39HqLyjWDarjtT1zdp7dc whsec_MfKQ9r8GKYqrTwjUPD8I".to_owned(),
                "sk_live_*** whsec_***".to_owned(),
            ),
        ] {
            assert_eq!(scrub(&text), shown);
            assert_eq!(Redactor::default().scrub_values(&text), shown);
        }
        assert_eq!(Redactor::default().scrub_values("password: too short"), "password: too short");
    }

    #[test]
    fn addresses_are_hidden_where_that_is_wanted() {
        let with = Redactor { emails: true };
        let text = "to \"Ann.Other+tag@mail.example.com\", not a@b or @handle";
        assert_eq!(with.scrub(text), "to \"***\", not a@b or @handle");
        assert_eq!(scrub(text), text);
        assert_eq!(with.scrub("x=a@b.co&y=ä@b.co"), "x=***&y=ä@b.co");
    }

    #[test]
    fn any_text_is_taken_twice_to_the_same_and_json_stays_json() {
        let pieces = [
            "\"",
            "\\",
            "password",
            "=",
            ":",
            " ",
            "{",
            "}",
            "[",
            "]",
            "eyJ",
            ".",
            "@",
            "://",
            "(",
            ")=(",
            "4111111111111111",
            "é",
            "`",
            "Hunter2",
            "token",
            "Bearer ",
            "'",
            "%3D",
            "&",
            "\n",
            "-----BEGIN PRIVATE KEY-----",
            "null",
            "a",
            "row contains (",
        ];
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as usize
        };
        for _ in 0..20_000 {
            let text: String = (0..next() % 12).map(|_| pieces[next() % pieces.len()]).collect();
            let once = Redactor { emails: true }.scrub(&text).into_owned();
            let json = serde_json::json!({ "message": text, "password": text, "n": 1 }).to_string();
            let scrubbed = Redactor::default().scrub(&json).into_owned();
            let read: serde_json::Value =
                serde_json::from_str(&scrubbed).unwrap_or_else(|e| panic!("{e}: {json} became {scrubbed}"));
            assert!(read.get("n").is_none_or(|n| *n == 1), "{json} became {scrubbed}");
            assert!(once.len() <= text.len() + 4 * text.len(), "{text}");
        }
    }
}
