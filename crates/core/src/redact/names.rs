//! The list of names whose values are not shown.

/// Compared without case and separators: `X-Api-Key`, `x_api_key` and `xApiKey` are one name.
const SENSITIVE: &[&str] = &[
    "accesstoken",
    "apikey",
    "assertion",
    "authorization",
    "card",
    "clientsecret",
    "code",
    "codeverifier",
    "connectionstring",
    "cookie",
    "currentpassword",
    "cvc",
    "databaseurl",
    "dsn",
    "iban",
    "idtoken",
    "newpassword",
    "nonce",
    "otp",
    "passwd",
    "password",
    "privatekey",
    "proxyauthorization",
    "refreshtoken",
    "secret",
    "setcookie",
    "signature",
    "ssn",
    "state",
    "stripesignature",
    "token",
    "totp",
    "webhooksignature",
    "xamzsecuritytoken",
    "xamzsignature",
    "xapikey",
];

/// Names that end so are secrets whatever stands before: `jwt_secret`, `SENTRY_DSN`, `db_password`.
const ENDINGS: &[&str] = &[
    "apikey",
    "authorization",
    "connectionstring",
    "cookie",
    "databaseurl",
    "dsn",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "signingkey",
    "token",
];

/// Longer names are not looked at.
const LONGEST: usize = 64;

/// Whether values under this name (of a header, a query key, a field) must not be shown.
pub fn is_sensitive(name: &str) -> bool {
    with_folded(name, |folded| SENSITIVE.iter().any(|known| known.as_bytes() == folded)).unwrap_or(false)
}

/// As [`is_sensitive`], and names that end like one.
pub(super) fn names_secret(name: &str) -> bool {
    let found = with_folded(name, |folded| {
        // The length alone tells nearly all of them apart.
        SENSITIVE.iter().any(|known| known.len() == folded.len() && known.as_bytes() == folded)
            || ENDINGS.iter().any(|ending| folded.ends_with(ending.as_bytes()))
    });
    found.unwrap_or(false)
}

/// Names that mean something else in prose: `error code: 5`, `state: idle`.
pub(super) fn is_everyday(name: &str) -> bool {
    ["code", "state", "card", "signature"].iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Values of these go on to the end of the line: a scheme and a token, or pairs.
pub(super) fn is_whole_line(name: &str) -> bool {
    let ends = |folded: &[u8]| folded.ends_with(b"authorization") || folded.ends_with(b"cookie");
    with_folded(name, ends).unwrap_or(false)
}

fn with_folded<T>(name: &str, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
    if name.len() > LONGEST {
        return None;
    }
    let mut folded = [0_u8; LONGEST];
    let mut length = 0;
    for byte in name.bytes().filter(|byte| !matches!(byte, b'-' | b'_')) {
        folded[length] = byte.to_ascii_lowercase();
        length += 1;
    }
    Some(read(&folded[..length]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_spelling() {
        assert!(SENSITIVE.is_sorted() && ENDINGS.is_sorted());
        for name in [
            "Authorization",
            "X-Api-Key",
            "new_password",
            "SET-COOKIE",
            "token",
            "accessToken",
            "code_verifier",
        ] {
            assert!(is_sensitive(name) && names_secret(name), "{name}");
        }
        for name in
            ["accept", "tokens", "", "x-a-very-long-header-name-indeed", "max_token_bytes", "sqlstate"]
        {
            assert!(!is_sensitive(name) && !names_secret(name), "{name}");
        }
        for name in ["jwt_secret", "BEDPLATE_AUTH__SIGNING_KEY", "sentryDsn", "api_url_password"] {
            assert!(names_secret(name) && !is_sensitive(name), "{name}");
        }
    }
}
