//! What a path below `/api/v1` names.

use std::borrow::Cow;

use bedplate_core::Problem;
use bedplate_core::problem::NOT_FOUND;

/// A row by its primary key: the segment as decoded.
pub(crate) type Key<'a> = Cow<'a, str>;

/// A step above the resource: `users/7` in `users/7/posts`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Above<'a> {
    pub resource: Cow<'a, str>,
    pub key: Key<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// `users`, `users/7/posts`
    Collection { above: Vec<Above<'a>>, resource: Cow<'a, str> },
    /// `users/7`, `users/7/posts/3`
    One { above: Vec<Above<'a>>, resource: Cow<'a, str>, key: Key<'a> },
    /// `rpc/ticket_counts`
    Function { name: Cow<'a, str> },
}

/// Nested steps that a path may have.
const MAX_STEPS: usize = 4;

/// Reads decoded segments. A trailing slash, an empty segment, or too many steps name nothing.
pub(crate) fn read(segments: Vec<Cow<'_, str>>) -> Result<Place<'_>, Problem> {
    let nowhere = || Problem::new(&NOT_FOUND);
    if segments.is_empty() || segments.iter().any(|s| s.is_empty()) || segments.len() > 2 * MAX_STEPS {
        return Err(nowhere());
    }
    if segments[0] == "rpc" {
        let mut rest = segments.into_iter().skip(1);
        return match (rest.next(), rest.next()) {
            (Some(name), None) => Ok(Place::Function { name }),
            _ => Err(nowhere()),
        };
    }
    let mut above = Vec::new();
    let mut segments = segments.into_iter();
    while let Some(resource) = segments.next() {
        match (segments.next(), segments.len()) {
            (None, _) => return Ok(Place::Collection { above, resource }),
            (Some(key), 0) => return Ok(Place::One { above, resource, key }),
            (Some(key), _) => above.push(Above { resource, key }),
        }
    }
    Err(nowhere())
}

/// The values of a key segment: one, or for a composite key as many as it has columns, separated by commas. A value with a
/// comma is written in double quotes, a quote inside doubled.
pub(crate) fn key_values(segment: &str, columns: usize) -> Result<Vec<String>, Problem> {
    if columns == 1 {
        return Ok(vec![segment.to_owned()]);
    }
    let values = split(segment).filter(|values| values.len() == columns);
    values.ok_or_else(|| {
        Problem::new(&NOT_FOUND).hint(format!("this key has {columns} parts, separated by commas"))
    })
}

fn split(segment: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let mut rest = segment;
    loop {
        let (value, after) = match rest.strip_prefix('"') {
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
            Some(quoted) => unquote(quoted)?,
        };
        values.push(value);
        if after.is_empty() {
            return Some(values);
        }
        rest = after.strip_prefix(',')?;
    }
}

fn unquote(mut rest: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    loop {
        let end = rest.find('"')?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                value.push('"');
                rest = more;
            }
            None => return Some((value, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Option<String> {
        let segments = path.split('/').map(Cow::Borrowed).collect();
        read(segments).ok().map(|p| match p {
            Place::Collection { above, resource } => format!("{} list of {resource}", above.len()),
            Place::One { above, resource, key } => format!("{} {resource}={key}", above.len()),
            Place::Function { name } => format!("call {name}"),
        })
    }

    #[test]
    fn paths() {
        assert_eq!(place("users").as_deref(), Some("0 list of users"));
        assert_eq!(place("users/7").as_deref(), Some("0 users=7"));
        assert_eq!(place("users/7/posts").as_deref(), Some("1 list of posts"));
        assert_eq!(place("users/7/posts/3").as_deref(), Some("1 posts=3"));
        assert_eq!(place("rpc/f").as_deref(), Some("call f"));
        for nowhere in ["", "users/", "/users", "users//posts", "rpc", "rpc/f/x", "a/1/b/2/c/3/d/4/e"] {
            assert_eq!(place(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn composite_keys() {
        assert_eq!(key_values("a,b", 1).unwrap(), ["a,b"]);
        assert_eq!(key_values("a,b", 2).unwrap(), ["a", "b"]);
        assert_eq!(key_values("\"a,\"\"x\",b", 2).unwrap(), ["a,\"x", "b"]);
        assert_eq!(key_values(",", 2).unwrap(), ["", ""]);
        for bad in ["a", "a,b,c", "\"a,b", "\"a\"x,b"] {
            assert!(key_values(bad, 2).is_err(), "{bad}");
        }
    }
}
