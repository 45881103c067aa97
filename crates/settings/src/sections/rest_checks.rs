//! Checks of the settings of `[rest]`.

use super::checks;

type Texts = Option<Vec<String>>;

pub(super) fn schemas(names: &Texts) -> Result<(), String> {
    names.as_ref().map_or(Ok(()), checks::some_identifiers)
}

pub(super) fn optional_identifiers(names: &Texts) -> Result<(), String> {
    names.as_ref().map_or(Ok(()), checks::identifiers)
}

/// `name` or `schema.name`; what follows the first dot is the name, as PostgREST has it.
pub(super) fn function(name: &Option<String>) -> Result<(), String> {
    let Some(name) = name else { return Ok(()) };
    let fine = match name.split_once('.') {
        Some((schema, name)) => !schema.is_empty() && !name.is_empty(),
        None => !name.is_empty(),
    };
    if fine { Ok(()) } else { Err(format!("`{name}` must be written as \"schema.name\"")) }
}

/// An absolute http or https URL without user, query and fragment.
pub(super) fn proxy_uri(uri: &Option<String>) -> Result<(), String> {
    let Some(uri) = uri else { return Ok(()) };
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.split('/').next().unwrap_or_default());
    let port_fits = |authority: &str| match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        }
        _ => !authority.is_empty(),
    };
    let plain = !uri.contains(['?', '#', '@', ' ']);
    if plain && authority.is_some_and(port_fits) {
        Ok(())
    } else {
        Err(format!("`{uri}` is not a URL such as \"https://example.com:8443/basePath\""))
    }
}

/// A token of RFC 9110 §5.6.2.
pub(super) fn header(name: &Option<String>) -> Result<(), String> {
    match name {
        Some(name)
            if name.is_empty()
                || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)) =>
        {
            Err(format!("`{name}` is not a header's name"))
        }
        _ => Ok(()),
    }
}

/// Origins, or `*` alone.
pub(super) fn origins(origins: &Texts) -> Result<(), String> {
    match origins {
        Some(origins) if origins.len() != 1 || origins[0] != "*" => checks::origins(origins),
        _ => Ok(()),
    }
}

/// A first look at the path's form; `auth` reads it in full when the server starts.
pub(super) fn claim_path(path: &String) -> Result<(), String> {
    if path.starts_with(['.', '[']) {
        Ok(())
    } else {
        Err(format!(
            "`{path}` is not a path to a claim: it begins with a dot, as in \".role\" or \".app.role\""
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_urls_are_absolute_and_plain() {
        for good in ["http://postgrest.com/openapi.json", "https://postgrest.com:8080/x", "https://[::1]/x"] {
            assert!(proxy_uri(&Some(good.into())).is_ok(), "{good}");
        }
        for bad in [
            "postgrest.com",
            "ftp://x",
            "https://",
            "https://u@h/",
            "https://h:0/",
            "https://h:99999/",
            "https://h/?a",
        ] {
            assert!(proxy_uri(&Some(bad.into())).is_err(), "{bad}");
        }
    }

    #[test]
    fn functions_may_have_a_schema() {
        for good in ["f", "s.f", "s.f.g"] {
            assert!(function(&Some(good.into())).is_ok(), "{good}");
        }
        for bad in ["", ".f", "s."] {
            assert!(function(&Some(bad.into())).is_err(), "{bad}");
        }
    }
}
