//! Secrets: `secret("NAME")` references, and where their values are found.

use std::fmt;
use std::path::{Path, PathBuf};

use bedplate_core::Secret;

use crate::environment::is_variable_name;

/// A `postgres://` URL. It may stand in the file when it has no password; with one it must be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionUrl(Secret);

impl ConnectionUrl {
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Ok(Self(Secret::new(text)))
        } else {
            Err("a database URL starts with postgres:// or postgresql://".into())
        }
    }

    pub fn secret(&self) -> &Secret {
        &self.0
    }

    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    pub(crate) fn has_password(text: &str) -> bool {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let userinfo = rest.rsplit_once('@').map(|(userinfo, _)| userinfo);
        userinfo.is_some_and(|u| u.contains(':')) || rest.contains("password=")
    }
}

impl fmt::Display for ConnectionUrl {
    /// The URL without its password and without its query, which may hold one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.expose();
        let Some((scheme, rest)) = text.split_once("://") else { return f.write_str("***") };
        let (body, query) = rest.split_once('?').map_or((rest, ""), |(body, _)| (body, "?…"));
        match body.rsplit_once('@') {
            Some((userinfo, host)) => {
                let user = userinfo.split_once(':').map_or(userinfo, |(user, _)| user);
                let mask = if userinfo.contains(':') { ":***" } else { "" };
                write!(f, "{scheme}://{user}{mask}@{host}{query}")
            }
            None => write!(f, "{scheme}://{body}{query}"),
        }
    }
}

impl fmt::Debug for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionUrl({self})")
    }
}

/// The NAME of `secret("NAME")`; quotes may be single, double or left out. `None` for any other text,
/// `Some(Err)` for a reference with a name that no environment variable can have.
pub(crate) fn reference(text: &str) -> Option<Result<&str, String>> {
    let inner = text.trim().strip_prefix("secret(")?.strip_suffix(')')?.trim();
    let name = [('"', '"'), ('\'', '\'')]
        .iter()
        .find_map(|(open, close)| inner.strip_prefix(*open)?.strip_suffix(*close))
        .unwrap_or(inner);
    if is_variable_name(name) {
        Some(Ok(name))
    } else {
        Some(Err(format!("`{name}` is not a name for a secret: use letters, digits and _")))
    }
}

/// Finds the values of secrets: a variable, a file named by `NAME_FILE` (as container platforms mount them), or a
/// file of the same name in the project's keys folder.
pub(crate) struct Resolver<'a> {
    pub find_variable: &'a dyn Fn(&str) -> Option<(String, String)>,
    pub project_dir: &'a Path,
    pub keys_dir: PathBuf,
    /// With `false`, references are checked for their form only: for overlays of other environments.
    pub resolve: bool,
}

/// A found secret and, for `config show`, the place it was in.
pub(crate) struct Found {
    pub value: String,
    pub place: String,
}

impl Resolver<'_> {
    pub(crate) fn get(&self, name: &str) -> Result<Found, String> {
        if !self.resolve {
            return Ok(Found { value: String::new(), place: String::new() });
        }
        if let Some((value, place)) = (self.find_variable)(name) {
            return Ok(Found { value, place });
        }
        let file_variable = format!("{name}_FILE");
        if let Some((path, _)) = (self.find_variable)(&file_variable) {
            return read_secret(&self.project_dir.join(&path))
                .map(|value| Found { value, place: format!("file {path}, from {file_variable}") })
                .map_err(|why| format!("{file_variable} names {path}, which {why}"));
        }
        let path = self.keys_dir.join(name);
        if path.is_file() {
            return read_secret(&path)
                .map(|value| Found { value, place: format!("key file {name}") })
                .map_err(|why| format!("the key file {name} {why}"));
        }
        Err(format!("the secret {name} is not set"))
    }
}

fn read_secret(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "cannot be read: permission denied".to_owned(),
        std::io::ErrorKind::InvalidData => "is not text".to_owned(),
        other => format!("cannot be read: {other}"),
    })?;
    // Editors and `echo` end a file with a newline that is not part of the secret.
    let value = text.trim_end_matches(['\n', '\r']);
    if value.is_empty() { Err("is empty".into()) } else { Ok(value.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_literals() {
        assert_eq!(reference("secret(\"DB_URL\")"), Some(Ok("DB_URL")));
        assert_eq!(reference(" secret('A1') "), Some(Ok("A1")));
        assert_eq!(reference("secret(A)"), Some(Ok("A")));
        assert_eq!(reference("hunter2"), None);
        assert!(matches!(reference("secret(\"a b\")"), Some(Err(_))));
        assert!(matches!(reference("secret()"), Some(Err(_))));
    }

    #[test]
    fn a_shown_url_has_no_password() {
        for (url, shown) in [
            ("postgres://u:p@ss@h:5432/db?sslmode=require&password=x", "postgres://u:***@h:5432/db?…"),
            ("postgres://u@h/db", "postgres://u@h/db"),
            ("postgresql://h1,h2/db", "postgresql://h1,h2/db"),
        ] {
            let url = ConnectionUrl::parse(url).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("ConnectionUrl({shown})"));
        }
        assert!(ConnectionUrl::parse("host=localhost").is_err());
        assert!(ConnectionUrl::has_password("postgres://u:p@h/db"));
        assert!(!ConnectionUrl::has_password("postgres://u@h:5432/db"));
    }
}
