//! The environment variables a configuration may use, taken once at start.

use std::collections::BTreeMap;

use crate::{Fault, Origin};

/// Environment variables. [`Environment::from_process`] is the one place that reads the real ones.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// A copy of the process's environment. Names and values that are not UTF-8 are left out: no setting of ours
    /// can be written with them.
    pub fn from_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { variables }
    }

    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self { variables: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }

    /// The value; an empty variable counts as not set, as container tools often pass empty ones.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A line of `.env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DotenvLine {
    pub name: String,
    pub value: String,
    pub line: usize,
}

/// Reads `.env` text: `NAME=value`, optional `export `, `#` comments, single quotes for literal values, double
/// quotes with `\n`, `\"` and `\\`. No interpolation: a value means what it says.
pub(crate) fn parse_dotenv(text: &str, faults: &mut Vec<Fault>) -> Vec<DotenvLine> {
    let mut lines = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let trimmed = raw.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let assignment = trimmed.strip_prefix("export ").unwrap_or(trimmed);
        match assignment.split_once('=').map(|(name, value)| (name.trim(), dotenv_value(value.trim()))) {
            Some((name, Some(value))) if is_variable_name(name) => {
                lines.push(DotenvLine { name: name.to_owned(), value, line });
            }
            _ => faults.push(
                Fault::new("this line is not NAME=value", "write NAME=value, or NAME=\"value with spaces\"")
                    .at(&Origin::Dotenv { name: "?".into(), line }),
            ),
        }
    }
    lines
}

pub(crate) fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn dotenv_value(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix('\'') {
        let (value, after) = rest.split_once('\'')?;
        return is_comment_or_empty(after).then(|| value.to_owned());
    }
    if let Some(rest) = text.strip_prefix('"') {
        return double_quoted(rest);
    }
    // An unquoted value ends at " #", so that URLs may contain '#'.
    let value = text.split_once(" #").map_or(text, |(value, _)| value);
    Some(value.trim_end().to_owned())
}

fn double_quoted(rest: &str) -> Option<String> {
    let mut value = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return is_comment_or_empty(chars.as_str()).then_some(value),
            '\\' => match chars.next()? {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

fn is_comment_or_empty(text: &str) -> bool {
    let text = text.trim_start();
    text.is_empty() || text.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotenv_lines_mean_what_they_say() {
        let mut faults = Vec::new();
        let text = "# comment\nA=1\nexport B = two words # note\nC='x # y'\nD=\"a\\n\\\"b\\\"\" # z\nE=http://h/#frag\n\nnonsense\nF='open\n";
        let lines = parse_dotenv(text, &mut faults);
        let values: Vec<_> = lines.iter().map(|l| (l.name.as_str(), l.value.as_str(), l.line)).collect();
        assert_eq!(
            values,
            [
                ("A", "1", 2),
                ("B", "two words", 3),
                ("C", "x # y", 4),
                ("D", "a\n\"b\"", 5),
                ("E", "http://h/#frag", 6)
            ]
        );
        assert_eq!(faults.len(), 2);
        assert_eq!(faults[0].location(), ".env:8 (?)");
    }
}
