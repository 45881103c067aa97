//! Checks that a type alone does not make.

/// A name that can stand in a URL and in a file name.
pub(super) fn project_name(name: &String) -> Result<(), String> {
    let fine = !name.is_empty()
        && name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    if fine {
        Ok(())
    } else {
        Err(format!("`{name}` is not a project name: 1 to 63 of a-z 0-9 - _, starting with a letter"))
    }
}

/// `scheme://host[:port]` and nothing after it. `*` would let every web site call with a user's token.
pub(super) fn origins(origins: &Vec<String>) -> Result<(), String> {
    origins.iter().try_for_each(|text| origin(text))
}

/// Host names without scheme and port.
pub(super) fn host_names(names: &Vec<String>) -> Result<(), String> {
    let fine = |name: &&String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
    };
    match names.iter().find(|name| !fine(name)) {
        Some(name) => Err(format!("`{name}` is not a host name: write it without scheme, port and path")),
        None => Ok(()),
    }
}

fn origin(text: &str) -> Result<(), String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if is_authority(host) => Ok(()),
        _ => Err(format!(
            "`{text}` is not an origin: write scheme, host and port only, such as \"https://app.example.com\""
        )),
    }
}

fn is_authority(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'))
}

pub(super) fn public_url(url: &Option<String>) -> Result<(), String> {
    url.as_ref().map_or(Ok(()), |url| origin(url))
}

/// An `https://` URL; plain `http://` only to this machine.
pub(super) fn secure_url(url: &Option<String>) -> Result<(), String> {
    let Some(url) = url else { return Ok(()) };
    let local = ["http://localhost", "http://127.0.0.1", "http://[::1]"];
    let is_local = local.iter().any(|prefix| {
        url.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    });
    if is_local || url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()) {
        Ok(())
    } else {
        Err(format!("`{url}` must start with https:// (http:// is allowed to this machine only)"))
    }
}

/// What `[outgoing] allow` may list: an address, a network or a host name, with or without `:port` or `:*`.
pub(super) fn places(places: &Vec<String>) -> Result<(), String> {
    let is_host = |host: &str| {
        let labels = host.strip_suffix('.').unwrap_or(host);
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let numeric =
            labels.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
        crate::Network::parse(host).is_some()
            || (!numeric && labels.split('.').all(|label| !label.is_empty() && label.bytes().all(plain)))
    };
    let is_port = |port: &str| port == "*" || port.parse().is_ok_and(|port: u16| port != 0);
    let is_place = |place: &str| match place.strip_prefix('[') {
        Some(inner) => inner.split_once(']').is_some_and(|(host, rest)| {
            is_host(host) && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
        }),
        None if place.matches(':').count() > 1 => is_host(place),
        None => match place.split_once(':') {
            Some((host, port)) => is_host(host) && is_port(port),
            None => is_host(place),
        },
    };
    match places.iter().find(|place| !is_place(place.trim())) {
        Some(place) => Err(format!(
            "`{place}` is neither an address, a network nor a host name: write \"10.0.0.0/8\", \"10.1.2.3:8080\", \
             \"[fd00::/8]:8080\", \"keys.internal\" or \"localhost:1234\""
        )),
        None => Ok(()),
    }
}

/// An `http` or `https` URL.
pub(super) fn http_url(url: &Option<String>) -> Result<(), String> {
    let Some(url) = url else { return Ok(()) };
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains('@') => Ok(()),
        Some(rest) if rest.contains('@') => Err("must not have a name or password in it; use headers".into()),
        _ => Err(format!("`{url}` must start with https:// or http://")),
    }
}

/// A number from 0 to 1.
pub(super) fn ratio(text: &String) -> Result<(), String> {
    match text.trim().parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(()),
        _ => Err(format!("`{text}` is not a share: write a number from \"0\" to \"1\", such as \"0.1\"")),
    }
}

/// A path inside the project: relative, without `..`.
pub(super) fn project_path(path: &String) -> Result<(), String> {
    let path = std::path::Path::new(path);
    let inside = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if inside && path.components().next().is_some() {
        Ok(())
    } else {
        Err(format!("`{}` must be a path inside the project folder", path.display()))
    }
}

pub(super) fn optional_project_path(path: &Option<String>) -> Result<(), String> {
    path.as_ref().map_or(Ok(()), project_path)
}

pub(super) fn project_paths(paths: &Vec<String>) -> Result<(), String> {
    paths.iter().try_for_each(project_path)
}

/// A level, or several for single areas: `info,bedplate_db=debug`.
pub(super) fn log_filter(filter: &String) -> Result<(), String> {
    const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];
    for directive in filter.split(',').map(str::trim) {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level.trim());
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            let near = crate::nearest(level, LEVELS.iter().copied());
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("`{directive}` names no level: use {}{hint}", LEVELS.join(", ")));
        }
    }
    Ok(())
}

pub(super) fn not_empty(text: &String) -> Result<(), String> {
    if text.trim().is_empty() { Err("must not be empty".into()) } else { Ok(()) }
}

/// PostgreSQL cuts identifiers at 63 bytes, so a longer one would name something else.
pub(super) fn identifier(name: &String) -> Result<(), String> {
    if name.is_empty() || name.len() > 63 || name.contains('\0') {
        return Err(format!("`{name}` is not a name PostgreSQL can have: 1 to 63 bytes"));
    }
    Ok(())
}

pub(super) fn some_identifiers(names: &Vec<String>) -> Result<(), String> {
    if names.is_empty() {
        return Err("needs at least one name".into());
    }
    identifiers(names)
}

pub(super) fn identifiers(names: &Vec<String>) -> Result<(), String> {
    names.iter().try_for_each(identifier)
}

/// `name` or `schema.name`.
pub(super) fn qualified(names: &Vec<String>) -> Result<(), String> {
    for name in names {
        let mut parts = name.split('.');
        if !(1..=2).contains(&parts.clone().count()) || parts.any(str::is_empty) {
            return Err(format!("`{name}` must be written as \"name\" or \"schema.name\""));
        }
    }
    Ok(())
}

/// As [`qualified`], and `*` alone for all.
pub(super) fn qualified_or_all(names: &Vec<String>) -> Result<(), String> {
    if names.iter().any(|name| name == "*") && names.len() == 1 { Ok(()) } else { qualified(names) }
}

/// As [`qualified_or_all`]; what stands behind `rpc/` is a function.
pub(super) fn mutations(names: &Vec<String>) -> Result<(), String> {
    qualified_or_all(&names.iter().map(|name| name.trim_start_matches("rpc/").to_owned()).collect())
}

pub(super) fn sha256(text: &Option<String>) -> Result<(), String> {
    match text {
        Some(text) if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Err("is not a SHA-256: 64 hexadecimal digits (`sha256sum FILE` prints it)".into())
        }
        _ => Ok(()),
    }
}

/// RFC 7518 §3.2: a key for HS256 has at least 256 bits.
pub(super) fn hmac_key(key: &Option<bedplate_core::Secret>) -> Result<(), String> {
    match key {
        Some(key) if key.expose().len() < 32 => {
            Err("is too short: HS256 needs at least 32 bytes (`openssl rand -base64 48` makes one)".into())
        }
        _ => Ok(()),
    }
}

/// The form only; the name is looked up when it is used.
pub(super) fn redis_url(url: &Option<bedplate_core::Secret>) -> Result<(), String> {
    let Some(url) = url.as_ref().map(bedplate_core::Secret::expose) else { return Ok(()) };
    let rest = ["redis://", "rediss://", "unix:///"].iter().find_map(|scheme| url.strip_prefix(scheme));
    if url.ends_with("#insecure") {
        return Err("asks for TLS without checking the server's certificate, which is not offered: remove `#insecure`".into());
    }
    // The text is not repeated: it may hold a password.
    if rest.is_some_and(|rest| !rest.is_empty()) {
        Ok(())
    } else {
        Err("is not an address of a Redis: write redis://[user[:password]@]host[:port][/db], rediss://… for TLS, or unix:///path".into())
    }
}

/// One table or view: `name` or `schema.name`.
pub(super) fn resource(name: &String) -> Result<(), String> {
    if name.is_empty() {
        return Err("must be set: the table or view that it is about".into());
    }
    qualified(&vec![name.clone()])
}

/// Long enough not to be guessed.
pub(super) fn api_key(key: &Option<bedplate_core::Secret>) -> Result<(), String> {
    match key {
        Some(key) if key.expose().len() < 22 => Err("is too short for a key: at least 22 characters".into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_scheme_host_and_port_only() {
        for good in ["https://app.example.com", "http://localhost:3000", "http://[::1]:80"] {
            assert!(origins(&vec![good.to_owned()]).is_ok(), "{good}");
        }
        for bad in ["app.example.com", "https://a/", "https://u@h", "https://", "null", "*", "https://*.x"] {
            assert!(origins(&vec![bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn key_sets_are_fetched_safely() {
        assert!(secure_url(&Some("https://x/jwks".into())).is_ok());
        assert!(secure_url(&Some("http://127.0.0.1:9/jwks".into())).is_ok());
        for bad in ["http://x/jwks", "http://localhost.evil.example/", "file:///etc/passwd", "https://"] {
            assert!(secure_url(&Some(bad.into())).is_err(), "{bad}");
        }
    }

    #[test]
    fn places_are_addresses_networks_and_names() {
        for good in
            ["10.0.0.0/8", "10.1.2.3:8080", "fd00::/8", "[fd00::/8]:1", "keys.internal", "localhost:*"]
        {
            assert!(places(&vec![good.into()]).is_ok(), "{good}");
        }
        for bad in ["", "http://x", "10.0.0.0/40", "x:0", "x:99999", "127.1", "a b", "*"] {
            assert!(places(&vec![bad.into()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn log_levels_are_checked() {
        for good in ["info", "WARN", "info,bedplate_db=debug", "off, access=info"] {
            assert!(log_filter(&good.into()).is_ok(), "{good}");
        }
        assert!(log_filter(&"inof".into()).unwrap_err().contains("did you mean `info`?"));
        for bad in ["", "info,", "bedplate_db", "x=verbose"] {
            assert!(log_filter(&bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn project_paths_stay_inside() {
        assert!(project_path(&"db/migrations".into()).is_ok());
        for bad in ["", ".", "../x", "/etc", "a/../../b"] {
            assert!(project_path(&bad.into()).is_err(), "{bad}");
        }
    }
}
