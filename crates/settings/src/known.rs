//! Which paths the tables know, and what was probably meant by one they do not know.

use crate::layer::Layer;
use crate::table::{Key, Section};
use crate::{Fault, Origin, Settings, nearest};

/// The names of all settings and sections.
pub(crate) struct Known {
    keys: Vec<Key>,
    sections: Vec<String>,
}

impl Known {
    pub(crate) fn new() -> Self {
        let (mut keys, mut sections) = (Vec::new(), Vec::new());
        Settings::describe("", &mut keys, &mut sections);
        Self { keys, sections: sections.into_iter().map(|(path, _)| path).collect() }
    }

    /// The row for a concrete path such as `auth.issuers[2].issuer`.
    pub(crate) fn find(&self, path: &str) -> Option<&Key> {
        self.keys.iter().find(|key| fits(&key.path, path))
    }

    fn is_section(&self, path: &str) -> bool {
        // A map such as `access.schemas` is not a section itself, but it may be named.
        self.sections.iter().any(|s| fits(s, path) || s.strip_suffix(".*").is_some_and(|map| fits(map, path)))
    }

    /// Records a fault for each path of the layer that no row describes.
    pub(crate) fn refuse_unknown(&self, layer: &Layer, faults: &mut Vec<Fault>) {
        let mut unknown_tables: Vec<&str> = Vec::new();
        for (path, origin) in &layer.tables {
            let inside_unknown = unknown_tables.iter().any(|t| path.starts_with(&format!("{t}.")));
            if !self.is_section(path) && !inside_unknown {
                unknown_tables.push(path);
                faults.push(self.unknown(path, origin));
            }
        }
        for (path, entry) in &layer.entries {
            let reported = unknown_tables.iter().any(|t| path.starts_with(&format!("{t}.")));
            if self.find(path).is_none() && !reported {
                faults.push(self.unknown(path, &entry.origin));
            }
        }
    }

    fn unknown(&self, path: &str, origin: &Origin) -> Fault {
        if self.find(path).is_some() {
            let message = format!("`{path}` is a setting, not a section");
            return Fault::new(message, format!("write a value; see `bedplate config explain {path}`"))
                .at(origin);
        }
        let what = if self.is_section(path) { "is a section, not a setting" } else { "is not a setting" };
        let fix = match self.suggest(path) {
            Some(near) => format!("did you mean `{near}`? See `bedplate config explain {near}`"),
            None => "remove it; `bedplate config explain` lists every setting".into(),
        };
        Fault::new(format!("`{path}` {what}"), fix).at(origin)
    }

    /// The nearest known name: by the whole path, or the same last word in another section.
    pub(crate) fn suggest(&self, path: &str) -> Option<&str> {
        let names = || {
            let keys = self.keys.iter().map(|k| k.path.as_str());
            keys.chain(self.sections.iter().map(String::as_str)).filter(|name| !name.is_empty())
        };
        let section = path.rsplit_once('.').map_or("", |(section, _)| section);
        let same_section = || names().filter(|name| !section.is_empty() && name.starts_with(section));
        let last = path.rsplit('.').next().unwrap_or(path);
        let elsewhere = || names().find(|name| name.rsplit('.').next() == Some(last));
        // In a section that exists, the very same name in another one is a better guess than a similar name.
        let misplaced = if self.is_section(section) { elsewhere() } else { None };
        misplaced
            .or_else(|| nearest(path, same_section()))
            .or_else(|| nearest(path, names()))
            .or_else(elsewhere)
    }
}

/// Whether a concrete path fits a pattern with `[]` for any index and `*` for any name.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut names) = (pattern.split('.'), path.split('.'));
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (Some(pattern), Some(name)) if segment_fits(pattern, name) => {}
            _ => return false,
        }
    }
}

fn segment_fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix("[]") {
        _ if pattern == "*" => true,
        None => pattern == name,
        Some(list) => name
            .strip_prefix(list)
            .and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'))
            .is_some_and(|index| !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_indexes_and_names() {
        assert!(fits("auth.issuers[].issuer", "auth.issuers[12].issuer"));
        assert!(fits("access.schemas.*.require_rls", "access.schemas.legacy.require_rls"));
        assert!(!fits("auth.issuers[].issuer", "auth.issuers.issuer"));
        assert!(!fits("server.port", "server.port.x"));
    }

    #[test]
    fn a_setting_in_the_wrong_section_is_found_again() {
        let known = Known::new();
        assert_eq!(known.suggest("server.body_bytes"), Some("limits.body_bytes"));
        assert_eq!(known.suggest("servr"), Some("server"));
        assert_eq!(known.suggest("database.pool_raed"), Some("database.pool_read"));
    }
}
