//! The URLs of other pages of the same list (RFC 8288).

/// The raw query string with one parameter replaced. Everything else stays as the client wrote it.
pub(crate) fn with_parameter(query: &str, name: &str, value: &str) -> String {
    let mut out = String::with_capacity(query.len() + name.len() + value.len() + 2);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if pair.split('=').next() == Some(name) {
            continue;
        }
        out.push_str(pair);
        out.push('&');
    }
    out.push_str(name);
    out.push('=');
    out.push_str(value);
    out
}

/// A `Link` header's value; `None` without targets.
pub(crate) fn header(path: &str, query: &str, targets: &[(&str, &str, Option<&str>)]) -> Option<String> {
    let mut out = String::new();
    for (relation, parameter, value) in targets {
        let Some(value) = value else { continue };
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(&format!("<{path}?{}>; rel=\"{relation}\"", with_parameter(query, parameter, value)));
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_replaced_and_the_rest_is_kept_as_written() {
        assert_eq!(with_parameter("", "cursor", "x"), "cursor=x");
        assert_eq!(
            with_parameter("a=eq.%20&cursor=old&limit=5", "cursor", "new"),
            "a=eq.%20&limit=5&cursor=new"
        );
        let link = header("/api/v1/t", "limit=5", &[("next", "cursor", Some("n")), ("prev", "cursor", None)]);
        assert_eq!(link.as_deref(), Some("</api/v1/t?limit=5&cursor=n>; rel=\"next\""));
        assert_eq!(header("/t", "", &[("next", "cursor", None)]), None);
    }
}
