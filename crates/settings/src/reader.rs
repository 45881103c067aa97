//! Reads typed sections from the merged layers, gathering every fault on the way.

use std::collections::{BTreeMap, BTreeSet};

use crate::field::{Field, Reading};
use crate::layer::Layer;
use crate::secrets::{Resolver, reference};
use crate::{Fault, Key, Origin};

pub(crate) struct Reader<'a> {
    pub layer: &'a Layer,
    pub resolver: &'a Resolver<'a>,
    pub faults: Vec<Fault>,
    /// Where the secrets behind references were found, by setting.
    pub secret_places: BTreeMap<String, String>,
}

/// The rules a row puts on a value beside its type.
pub(crate) struct Rules<T> {
    pub range: Option<(T, T)>,
    pub check: Option<fn(&T) -> Result<(), String>>,
}

impl Reader<'_> {
    /// The value at `path`, or its default when it is not set or is faulty (then the fault is recorded).
    pub(crate) fn field<T: Field + PartialOrd>(&mut self, path: &str, default: T, rules: &Rules<T>) -> T {
        self.value(path, default, |value| {
            rules.range.as_ref().map_or(Ok(()), |(low, high)| {
                if value < low || value > high {
                    let (low, high) = (Key::text_of(&low.show()), Key::text_of(&high.show()));
                    return Err(format!("must be from {low} to {high}"));
                }
                Ok(())
            })?;
            rules.check.map_or(Ok(()), |check| check(value))
        })
    }

    /// As [`Reader::field`], for types without an order.
    pub(crate) fn value<T: Field>(
        &mut self,
        path: &str,
        default: T,
        check: impl Fn(&T) -> Result<(), String>,
    ) -> T {
        let Some(entry) = self.layer.entries.get(path) else { return default };
        let mut reading =
            Reading { resolver: self.resolver, in_file: entry.origin.is_file(), secret_place: None };
        let outcome = T::read(&entry.raw, &mut reading);
        let checkable = self.resolver.resolve || reading.secret_place.is_none();
        if let Some(place) = reading.secret_place {
            self.secret_places.insert(path.to_owned(), place);
        }
        match outcome.and_then(|value| if checkable { check(&value).map(|()| value) } else { Ok(value) }) {
            Ok(value) => value,
            Err(message) => {
                let fix = fix(path, T::kind().secret, entry, &message);
                self.faults.push(Fault::new(message, fix).at(&entry.origin).of(path));
                default
            }
        }
    }

    /// How many `[[path]]` tables there are. A variable may name one behind the last only if it is the next.
    pub(crate) fn table_count(&mut self, path: &str) -> usize {
        let mut count = 0;
        while self.names_inside(&format!("{path}[{count}]")) {
            count += 1;
        }
        let list = format!("{path}[");
        let inside = self.layer.entries.range(list.clone()..).take_while(|(p, _)| p.starts_with(&list));
        for (stray, entry) in inside {
            let index = stray[list.len()..].split(']').next().and_then(|index| index.parse::<usize>().ok());
            if index.is_none_or(|index| index >= count) {
                let message = format!("there are {count} of {path}, so the next index is {count}");
                let fix = format!("number them from 0 without gaps: {path}[{count}]");
                self.faults.push(Fault::new(message, fix).at(&entry.origin).of(stray));
            }
        }
        count
    }

    fn names_inside(&self, table: &str) -> bool {
        let inside = format!("{table}.");
        self.layer.tables.contains_key(table)
            || self.layer.entries.range(inside.clone()..).next().is_some_and(|(p, _)| p.starts_with(&inside))
    }

    /// The names in the map at `path`.
    pub(crate) fn map_names(&self, path: &str) -> BTreeSet<String> {
        let inside = format!("{path}.");
        let paths = self.layer.entries.keys().chain(self.layer.tables.keys());
        paths
            .filter_map(|p| p.strip_prefix(&inside))
            .filter_map(|rest| rest.split('.').next())
            .map(str::to_owned)
            .collect()
    }
}

fn fix(path: &str, secret: bool, entry: &crate::layer::Entry, message: &str) -> String {
    let text = match &entry.raw {
        crate::layer::Raw::Text(text) | crate::layer::Raw::Str(text) => text.as_str(),
        _ => "",
    };
    if secret {
        let name = path.rsplit('.').next().unwrap_or(path).to_ascii_uppercase();
        return match reference(text) {
            Some(Ok(name)) => {
                format!("set {name} in the environment or in .env, or put it into a file and set {name}_FILE")
            }
            Some(Err(_)) => format!("write 'secret(\"{name}\")'"),
            None if entry.origin.is_file() && message.contains("must not stand") => format!(
                "write {} = 'secret(\"{name}\")' here and set {name} in the environment or in .env",
                path.rsplit('.').next().unwrap_or(path)
            ),
            None => format!("see `bedplate config explain {path}`"),
        };
    }
    match &entry.origin {
        Origin::Environment { name } | Origin::Dotenv { name, .. } => {
            format!("correct {name}, or unset it; see `bedplate config explain {path}`")
        }
        _ => format!("see `bedplate config explain {path}`"),
    }
}
