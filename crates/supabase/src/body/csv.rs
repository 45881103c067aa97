//! `text/csv` (RFC 4180) as a JSON array of objects: the first record names the columns, the word `NULL` is null, all other
//! values are strings that PostgreSQL reads. Records end with CR, LF or both; empty lines are skipped.

use std::borrow::Cow;
use std::collections::HashMap;

use bedplate_core::{Problem, Result};
use bedplate_query::ident::MAX_BYTES;
use bedplate_query::request::Name;
use bedplate_query::validate::body::Object;

use super::{Many, limit_exceeded, null, raw};
use crate::error::{self, PGRST102};

/// Reads a table of at most `most` cells.
pub(super) fn read(text: &str, most: usize) -> Result<Many> {
    let mut records = Records { rest: text, line: 1 };
    let header = loop {
        match records.next_record(most)? {
            None => return Err(error::plain(&PGRST102, "The CSV body has no header line")),
            Some(record) if is_blank(&record) => {}
            Some(record) => break record,
        }
    };
    if header.iter().any(|name| name.len() > MAX_BYTES) {
        let message = format!("A column name of the CSV body is longer than {MAX_BYTES} bytes");
        return Err(error::plain(&PGRST102, &message));
    }
    let keys: Vec<String> = header.iter().map(|name| serde_json::Value::from(&**name).to_string()).collect();
    let mut json = String::with_capacity(text.len() * 2);
    json.push('[');
    let mut count = 0;
    let mut first = None;
    while let Some(record) = records.next_record(most)? {
        if is_blank(&record) {
            continue;
        }
        if record.len() < keys.len() {
            return Err(error::plain(&PGRST102, "All lines must have same number of fields"));
        }
        if count > 0 {
            json.push(',');
        }
        count += 1;
        if count * keys.len() > most {
            return Err(limit_exceeded(format!("the body has more than {most} values")));
        }
        if count == 1 {
            first = Some(fields(&header, &record)?);
        }
        push_object(&mut json, &keys, &record);
    }
    json.push(']');
    // Without a row nothing is said of any column.
    let keys = first.iter().flatten().map(|(name, _)| Name::clone(name)).collect();
    Ok(Many { json: json.into(), keys, first, count })
}

/// Of equal names the last counts.
fn fields(header: &[Cow<'_, str>], record: &[Cow<'_, str>]) -> Result<Object> {
    let mut fields = Object::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (name, value) in header.iter().zip(record) {
        let value = if value == "NULL" { null()? } else { raw(value)? };
        if let Some(at) = places.get(&**name) {
            fields[*at].1 = value;
        } else {
            places.insert(name, fields.len());
            fields.push((Name::from(&**name), value));
        }
    }
    Ok(fields)
}

fn is_blank(record: &[Cow<'_, str>]) -> bool {
    matches!(record, [only] if only.is_empty())
}

/// Values behind the last key are dropped.
fn push_object(json: &mut String, keys: &[String], record: &[Cow<'_, str>]) {
    json.push('{');
    for (at, (key, value)) in keys.iter().zip(record).enumerate() {
        if at > 0 {
            json.push(',');
        }
        json.push_str(key);
        json.push(':');
        if value == "NULL" {
            json.push_str("null");
        } else {
            json.push_str(&serde_json::Value::from(&**value).to_string());
        }
    }
    json.push('}');
}

type Record<'t> = Vec<Cow<'t, str>>;

struct Records<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Records<'t> {
    /// The next record, of at most `most` fields; `None` at the end.
    fn next_record(&mut self, most: usize) -> Result<Option<Record<'t>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut fields = Vec::new();
        loop {
            if fields.len() >= most {
                return Err(limit_exceeded(format!("a line of the body has more than {most} fields")));
            }
            fields.push(self.field()?);
            let bytes = self.rest.as_bytes();
            match bytes.first() {
                Some(b',') => self.rest = &self.rest[1..],
                Some(b'\r') if bytes.get(1) == Some(&b'\n') => return Ok(self.end(2, fields).into()),
                Some(b'\r' | b'\n') => return Ok(self.end(1, fields).into()),
                None => return Ok(Some(fields)),
                Some(_) => return Err(self.fault("a quote stands inside a value")),
            }
        }
    }

    fn end(&mut self, bytes: usize, fields: Record<'t>) -> Record<'t> {
        self.rest = &self.rest[bytes..];
        self.line += 1;
        fields
    }

    fn field(&mut self) -> Result<Cow<'t, str>> {
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        let end = self.rest.find([',', '\r', '\n', '"']).unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Cow::Borrowed(field))
    }

    /// `"a ""quoted"" value"`.
    fn quoted(&mut self) -> Result<Cow<'t, str>> {
        let inner = &self.rest[1..];
        let mut value = Cow::Borrowed("");
        let mut from = 0;
        loop {
            let Some(at) = inner[from..].find('"').map(|at| from + at) else {
                return Err(self.fault("a quote is not closed"));
            };
            let piece = &inner[from..at];
            self.line += piece.matches('\n').count();
            if from == 0 {
                value = Cow::Borrowed(piece);
            } else {
                value.to_mut().push_str(piece);
            }
            if inner[at + 1..].starts_with('"') {
                value.to_mut().push('"');
                from = at + 2;
            } else {
                self.rest = &inner[at + 1..];
                return Ok(value);
            }
        }
    }

    fn fault(&self, what: &str) -> Problem {
        error::plain(&PGRST102, &format!("The CSV body is not valid at line {}: {what}", self.line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Said;

    fn csv(text: &str) -> std::result::Result<String, String> {
        match read(text, 100) {
            Ok(many) => Ok(many.json.into_string()),
            Err(problem) => Err(problem
                .cause::<Said>()
                .map_or_else(|| problem.code().name.to_owned(), |said| said.message.clone())),
        }
    }

    #[test]
    fn records_become_objects() {
        assert_eq!(csv("a,b\nbar,baz").unwrap(), r#"[{"a":"bar","b":"baz"}]"#);
        assert_eq!(csv("a,b\r\nNULL,foo\r\n").unwrap(), r#"[{"a":null,"b":"foo"}]"#);
        assert_eq!(csv("\n\na\r1\r\r2").unwrap(), r#"[{"a":"1"},{"a":"2"}]"#);
        assert_eq!(csv("a,b\n,\"\"").unwrap(), r#"[{"a":"","b":""}]"#);
        assert_eq!(csv("a,b\n\"x,\"\"y\"\"\nz\",1").unwrap(), r#"[{"a":"x,\"y\"\nz","b":"1"}]"#);
        assert_eq!(csv("a\n1,2").unwrap(), r#"[{"a":"1"}]"#);
        assert_eq!(
            csv("a\"b").unwrap_err(),
            "The CSV body is not valid at line 1: a quote stands inside a value"
        );
        let first = read("a,b,a\n1,NULL,x\n2,,", 100).unwrap().first.unwrap();
        let first: Vec<(&str, &str)> = first.iter().map(|(name, value)| (&**name, value.get())).collect();
        assert_eq!(first, [("a", "\"x\""), ("b", "null")]);
        let none = read("a,b\n", 100).unwrap();
        assert_eq!((&*none.json, none.keys.len(), none.count), ("[]", 0, 0));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert_eq!(csv("a,b\nfoo,bar\nbaz").unwrap_err(), "All lines must have same number of fields");
        assert_eq!(csv("").unwrap_err(), "The CSV body has no header line");
        assert!(csv("a\n\"x\ny").unwrap_err().contains("line 2: a quote is not closed"));
        assert!(csv("a\n1\n\"x\"y").unwrap_err().contains("line 3: a quote stands inside"));
        assert_eq!(csv(&",".repeat(101)).unwrap_err(), "limit_exceeded");
        assert_eq!(csv(&format!("a\n{}", "1\n".repeat(101))).unwrap_err(), "limit_exceeded");
        assert!(csv(&format!("{}\n1", "x".repeat(64))).is_err());
    }
}
