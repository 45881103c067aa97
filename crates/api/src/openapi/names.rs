//! Names of the database as OpenAPI takes them.

use std::collections::{HashMap, HashSet};

use bedplate_query::catalog::RelationId;
use percent_encoding::utf8_percent_encode;

use super::{Resource, Scope};
use crate::create::SEGMENT;

/// Components have names of `[A-Za-z0-9._-]` (OpenAPI 3.1, "Components Object").
#[derive(Debug)]
pub(super) struct Names(HashMap<RelationId, String>);

/// Schemas of the platform.
pub(super) const OWN: &[&str] = &["Problem", "Meta", "Filter", "After"];

impl Names {
    pub fn new(scope: Scope<'_>, resources: &[Resource]) -> Self {
        let mut taken: HashSet<String> = OWN.iter().map(|name| (*name).to_owned()).collect();
        let mut names = HashMap::new();
        for resource in resources {
            let wanted = plain(scope.name(resource.id));
            let mut free = wanted.clone();
            let mut number = 2;
            while !taken.insert(free.clone()) {
                free = format!("{wanted}-{number}");
                number += 1;
            }
            names.insert(resource.id, free);
        }
        Self(names)
    }

    pub fn of(&self, id: RelationId) -> &str {
        self.0.get(&id).map_or("", String::as_str)
    }
}

/// A dot separates a resource from its operation, so none stays in a name.
pub(super) fn plain(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    name.chars().map(keep).collect()
}

/// A name as a segment of a path: whatever could be taken for a template is escaped.
pub(super) fn segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_fit() {
        assert_eq!(plain("Größe ☃.x"), "Gr__e___x");
        assert_eq!(segment("a{b}/c"), "a%7Bb%7D%2Fc");
    }
}
