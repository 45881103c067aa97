//! Types of columns and their values, as PostgreSQL writes them.

use super::dice::Dice;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Text,
    Int,
    Bigint,
    Numeric,
    Bool,
    Date,
    Time,
    Jsonb,
    Ints,
    Texts,
    Mood,
    Uuid,
    Range,
}

impl Type {
    pub const ALL: [Self; 13] = [
        Self::Text,
        Self::Int,
        Self::Bigint,
        Self::Numeric,
        Self::Bool,
        Self::Date,
        Self::Time,
        Self::Jsonb,
        Self::Ints,
        Self::Texts,
        Self::Mood,
        Self::Uuid,
        Self::Range,
    ];

    pub fn sql(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Bigint => "bigint",
            Self::Numeric => "numeric",
            Self::Bool => "boolean",
            Self::Date => "date",
            Self::Time => "timestamptz",
            Self::Jsonb => "jsonb",
            Self::Ints => "int[]",
            Self::Texts => "text[]",
            Self::Mood => "mood",
            Self::Uuid => "uuid",
            Self::Range => "int4range",
        }
    }

    pub fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Bigint | Self::Numeric)
    }

    pub fn is_array(self) -> bool {
        matches!(self, Self::Ints | Self::Texts)
    }

    /// Few, so that there are equal ones.
    fn values(self) -> &'static [&'static str] {
        match self {
            Self::Text => &[
                "",
                "a",
                "b",
                "A",
                "a,b",
                "say \"hi\"",
                "it's",
                "back\\slash",
                "ünï 漢字",
                "(x)",
                "null",
                "100%",
                "a*b",
                "{1}",
                "x.y",
                "plan the plan",
                "tab\tand\nline",
                "&=#+?",
            ],
            Self::Int => &["0", "1", "-1", "2", "7", "2147483647", "-2147483648"],
            Self::Bigint => &["0", "1", "-5", "9007199254740993", "-9223372036854775808"],
            Self::Numeric => &["0", "1.50", "-0.001", "100000000000000000000.5", "1.5", "NaN"],
            Self::Bool => &["t", "f"],
            Self::Date => &["2024-02-29", "1999-12-31", "0001-01-01", "2024-03-01", "infinity"],
            Self::Time => &[
                "2024-01-31 10:00:00+00",
                "2024-01-31 10:00:00.123456+00",
                "1969-12-31 23:59:59+00",
                "2024-06-30 22:00:00+00",
            ],
            Self::Jsonb => &[
                r#"{"a": 1, "b": {"c": [1, "x", null]}}"#,
                r#"{"a": "x", "b": null}"#,
                "[1, 2, 3]",
                "null",
                r#""text""#,
                "1.50",
                r#"{"a": null, "q\"k": true}"#,
                "[]",
                "{}",
            ],
            Self::Ints => &["{}", "{1,2}", "{1,2,3}", "{NULL,-1}", "{7}"],
            Self::Texts => {
                &["{}", "{a}", r#"{a,"b,c"}"#, r#"{NULL,"say \"hi\"",""}"#, r#"{"null","back\\\\slash"}"#]
            }
            Self::Mood => &["sad", "ok", "very happy"],
            Self::Uuid => &[
                "00000000-0000-0000-0000-000000000000",
                "11111111-1111-4111-8111-111111111111",
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
            ],
            Self::Range => &["[1,5)", "empty", "(,3)", "[5,9)", "(,)"],
        }
    }

    pub fn value(self, dice: &mut Dice) -> String {
        (*dice.pick(self.values())).to_owned()
    }

    /// One of many that hardly repeat, for keys.
    pub fn key(self, dice: &mut Dice, at: usize) -> String {
        match self {
            Self::Text => format!("{}{at}", *dice.pick(&["k", "K,", "k\"", "k ü", "(", "\\", "'"])),
            Self::Uuid => format!("{:08x}-0000-4000-8000-{at:012x}", dice.below(1 << 30)),
            Self::Bigint => format!("{}", 9_007_199_254_740_990_u64 + at as u64),
            _ => format!("{}", at + 1),
        }
    }

    /// A value of a body.
    pub fn json(self, value: &str) -> String {
        match self {
            Self::Int | Self::Bigint => value.to_owned(),
            Self::Numeric if value != "NaN" => value.to_owned(),
            Self::Bool => (if value == "t" { "true" } else { "false" }).to_owned(),
            Self::Jsonb => value.to_owned(),
            _ => serde_json::Value::from(value).to_string(),
        }
    }
}

/// A text as a literal of SQL.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name in SQL.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
