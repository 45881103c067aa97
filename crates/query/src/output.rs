//! The shape of a row's JSON: which result column stands where, and how its bytes become JSON. Made by the writer
//! together with the SQL, read by the encoder.

use std::sync::Arc;

/// How PostgreSQL sends a result column (Bind's result format codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Text,
    Binary,
}

/// How a column's bytes become JSON. The text is what PostgreSQL's `to_json` gives for the same value, so that rows
/// encoded here and rows nested by `json_agg` agree byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Binary.
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Uuid,
    /// Binary; microseconds since 2000-01-01, ±infinity; printed as ISO 8601 with `T`.
    Timestamp,
    /// As [`Codec::Timestamp`], printed in UTC with `+00:00`.
    Timestamptz,
    Date,
    /// text, varchar, bpchar, name, char, citext, enums, xml: UTF-8 bytes, escaped as a JSON string.
    String,
    /// json: passed through. Also `to_json(...)` and `json_agg(...)` expressions.
    Json,
    /// jsonb in binary: a version byte, then the text.
    Jsonb,
    /// Binary; printed as to_json does: a string of `\x` and hex digits.
    Bytea,
    /// Text format; printed as a number unless it is NaN or ±Infinity (strings).
    Number,
    /// Text format, printed as a JSON string: every type without a rule of its own.
    Quoted,
}

impl Codec {
    pub fn format(self) -> Format {
        match self {
            Self::Number | Self::Quoted | Self::Json | Self::String => Format::Text,
            _ => Format::Binary,
        }
    }
}

/// A JSON object made of result columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    pub fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The key as it stands in the output: quoted, escaped, with the colon: `"id":`.
    pub key: Arc<[u8]>,
    pub value: Node,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Column {
        index: u16,
        codec: Codec,
    },
    /// A to-one embed flattened into the row. `null` when the boolean column `present` (binary) is not true.
    Object {
        present: Option<u16>,
        object: Object,
    },
}

/// What a statement's rows become.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Output {
    /// One JSON object a row.
    Rows(Object),
    /// One bare JSON value a row (functions that return scalars).
    Values(Codec),
    /// As [`Output::Rows`], without the members that are null, at every depth.
    StrippedRows(Object),
    /// As [`Output::Values`], without members that are null.
    StrippedValues(Codec),
    /// CSV as PostgREST has it: the header (when there is a row), then each row as the text of a record without its
    /// parentheses. The first `columns` columns of a row, in text format.
    Csv { header: Arc<[u8]>, columns: u16 },
    /// One row: the whole answer in its first column, as it comes.
    Body,
    /// The text of an EXPLAIN: its first column, line by line.
    Lines,
    /// No rows are answered (counts, minimal writes, void functions).
    #[default]
    Nothing,
}

/// The number of a row among keys that rows are read by. No column has this name, unless on purpose.
pub(crate) const NUMBER: &str = "#";

/// How to write the column names of a JSON key: escaped once, at planning time.
pub fn json_key(name: &str) -> Arc<[u8]> {
    let mut key = serde_json::Value::from(name).to_string().into_bytes();
    key.push(b':');
    key.into()
}
