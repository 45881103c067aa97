//! JSON bodies of the PostgREST dialect: read once, for their shape. Any value is a body, keys may stand twice in one object
//! (the last counts), and of an array only the keys and the first element matter here: PostgreSQL reads the rest. The
//! limits hold as for every body.

use std::collections::HashMap;

use bedplate_core::Result;

use super::body::{Limits, Object, Reader};
use crate::request::Name;

/// What a body is.
#[derive(Debug)]
pub enum Payload {
    /// Each key once.
    Object(Object),
    Array(Items),
    /// A string, a number, a boolean or null.
    Scalar,
}

/// The elements of an array.
#[derive(Debug, Default)]
pub struct Items {
    pub count: usize,
    /// The first element, when it is an object: each key once.
    pub first: Option<Object>,
    /// All elements are objects with the keys of the first.
    pub uniform: bool,
}

/// Reads a body of any shape.
///
/// # Errors
/// `malformed_request` with the place, or `limit_exceeded`.
pub fn parse(body: &[u8], limits: &Limits) -> Result<Payload> {
    let mut reader = Reader::new(body, limits)?.lenient();
    reader.space();
    let payload = match reader.peek() {
        Some(b'{') => Payload::Object(last_of_each(reader.fields()?)),
        Some(b'[') => Payload::Array(items(&mut reader)?),
        _ => {
            reader.value()?;
            Payload::Scalar
        }
    };
    reader.end()?;
    Ok(payload)
}

fn items(reader: &mut Reader<'_>) -> Result<Items> {
    let mut items = Items { uniform: true, ..Items::default() };
    let mut keys = Keys::default();
    reader.array(|reader| {
        items.count += 1;
        if reader.peek() != Some(b'{') {
            items.uniform = false;
            return reader.value();
        }
        if items.count == 1 {
            let first = last_of_each(reader.fields()?);
            keys.names = first.iter().map(|(name, _)| name.clone()).collect();
            items.first = Some(first);
            return Ok(());
        }
        keys.begin();
        reader.object(|key, _| {
            keys.see(key);
            Ok(())
        })?;
        items.uniform &= keys.all_seen();
        Ok(())
    })?;
    Ok(items)
}

/// Compares the keys of one object after the other with those of the first.
#[derive(Default)]
struct Keys {
    names: Vec<Name>,
    /// Made when an object has another order than the first.
    places: HashMap<Name, usize>,
    seen: Vec<bool>,
    count: usize,
    /// Where the next key stands when the order is the first's.
    next: usize,
    strange: bool,
}

impl Keys {
    fn begin(&mut self) {
        self.seen.clear();
        self.seen.resize(self.names.len(), false);
        (self.count, self.next, self.strange) = (0, 0, false);
    }

    fn see(&mut self, key: &str) {
        match self.place(key) {
            Some(at) => {
                self.next = at + 1;
                self.count += usize::from(!std::mem::replace(&mut self.seen[at], true));
            }
            None => self.strange = true,
        }
    }

    fn place(&mut self, key: &str) -> Option<usize> {
        if self.names.get(self.next).is_some_and(|name| **name == *key) {
            return Some(self.next);
        }
        if self.places.is_empty() {
            self.places = self.names.iter().enumerate().map(|(at, name)| (name.clone(), at)).collect();
        }
        self.places.get(key).copied()
    }

    fn all_seen(&self) -> bool {
        !self.strange && self.count == self.names.len()
    }
}

const FEW: usize = 16;

/// Of equal keys the last value counts, at the place of the first.
fn last_of_each(fields: Object) -> Object {
    let mut places: HashMap<Name, usize> = HashMap::new();
    let mut kept: Object = Vec::with_capacity(fields.len());
    let few = fields.len() <= FEW;
    for (name, value) in fields {
        let known =
            if few { kept.iter().position(|(known, _)| *known == name) } else { places.get(&name).copied() };
        match known {
            Some(at) => kept[at].1 = value,
            None => {
                if !few {
                    places.insert(name.clone(), kept.len());
                }
                kept.push((name, value));
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Payload> {
        parse(text.as_bytes(), &Limits::default())
    }

    fn array(text: &str) -> (usize, bool, Vec<String>) {
        match read(text).unwrap() {
            Payload::Array(items) => {
                let first = items.first.unwrap_or_default();
                (items.count, items.uniform, first.iter().map(|(name, _)| name.to_string()).collect())
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    fn object(text: &str) -> Vec<(String, String)> {
        match read(text).unwrap() {
            Payload::Object(fields) => {
                fields.iter().map(|(name, value)| (name.to_string(), value.get().to_owned())).collect()
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn every_value_is_a_body() {
        for scalar in ["1", " \"x\" ", "null", "true", "-1.5e3"] {
            assert!(matches!(read(scalar).unwrap(), Payload::Scalar), "{scalar}");
        }
        assert!(object(" { } ").is_empty());
        for bad in ["", " ", "}{ x = 2", "{\"a\":}", "[1,]", "{} {}", "nul", "\u{feff}{}"] {
            assert_eq!(read(bad).map(|_| ()).map_err(|p| p.status()), Err(400), "{bad}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}", &Limits::default()).is_err());
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        let text = r#"{"a":1,"b":{"x":1,"x":2},"\u0061":3}"#;
        let wanted = [("a", "3"), ("b", r#"{"x":1,"x":2}"#)].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(object(text), wanted);
        let many: Vec<String> = (0..100).map(|n| format!("\"k{}\":{n}", n % 50)).collect();
        let fields = object(&format!("{{{}}}", many.join(",")));
        assert_eq!((fields.len(), fields[7].1.as_str()), (50, "57"));
    }

    #[test]
    fn keys_of_an_array_are_compared_whatever_their_order() {
        assert_eq!(array("[]"), (0, true, vec![]));
        assert_eq!(array("[{},{}]"), (2, true, vec![]));
        let ab = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(array(r#"[{"a":1,"b":2},{"b":[{"c":1}],"a":1,"a":2}]"#), (2, true, ab.clone()));
        assert_eq!(array(r#"[{"a":1,"b":2},{"a":1}]"#), (2, false, ab.clone()));
        assert_eq!(array(r#"[{"a":1,"b":2},{"a":1,"c":1}]"#), (2, false, ab.clone()));
        assert_eq!(array(r#"[{"a":1,"b":2},{"a":1,"b":2,"c":1}]"#), (2, false, ab.clone()));
        assert_eq!(array(r#"[{"a":1,"b":2},7]"#), (2, false, ab));
        assert_eq!(array(r#"[7,{"a":1}]"#), (2, false, vec![]));
    }

    #[test]
    fn r18_limits_hold_before_the_body_is_through() {
        let limits = Limits { depth: 8, keys: 10, items: 10 };
        let code = |text: &str| parse(text.as_bytes(), &limits).map_err(|p| p.code().name).map(|_| ());
        assert_eq!(code(&"[".repeat(100_000)), Err("limit_exceeded"));
        assert_eq!(code(&format!("[{}]", ["{\"a\":1}"; 11].join(","))), Err("limit_exceeded"));
        assert_eq!(code(&format!("[{}]", ["1"; 11].join(","))), Err("limit_exceeded"));
        assert_eq!(code(&format!("[{}]", ["{\"a\":1}"; 10].join(","))), Ok(()));
    }
}
