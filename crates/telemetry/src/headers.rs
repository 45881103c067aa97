//! Headers that a collector wants, such as for its own authentication.

use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

/// `name=value` pairs with commas between them, values percent-encoded: the form of `OTEL_EXPORTER_OTLP_HEADERS`.
///
/// # Errors
/// Which pair is none; the value is not quoted, it may be a secret.
pub fn parse_headers(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let parse = |(at, pair): (usize, &str)| {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| format!("pair {} has no `=`: write name=value", at + 1))?;
        let name =
            HeaderName::try_from(name.trim()).map_err(|_| format!("pair {} has no header's name", at + 1))?;
        let decoded = percent_decode_str(value.trim()).collect::<Vec<u8>>();
        let mut value = HeaderValue::try_from(decoded)
            .map_err(|_| format!("the value of {name} cannot be a header's"))?;
        value.set_sensitive(true);
        Ok((name, value))
    };
    pairs.enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_and_a_fault_does_not_quote_the_value() {
        let pairs = parse_headers("Api-Key=a%20b=c , x-other=1,").unwrap();
        let shown: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        assert_eq!(shown, [("api-key", &b"a b=c"[..]), ("x-other", b"1")]);
        assert!(parse_headers("").unwrap().is_empty());
        for bad in ["s3cret", "a b=s3cret", "a=s3cret%0a"] {
            assert!(!parse_headers(bad).unwrap_err().contains("s3cret"), "{bad}");
        }
    }
}
