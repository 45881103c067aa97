//! The types a setting can have: how each is read, shown and described.

use std::net::IpAddr;
use std::time::Duration;

use bedplate_core::Secret;
use serde_json::{Value, json};

use crate::layer::Raw;
use crate::secrets::{ConnectionUrl, Resolver, reference};
use crate::{ByteSize, Network, Rate, format_duration, parse_duration};

/// How a type is described to people and to editors.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// For the reference, for example `duration`.
    pub name: String,
    pub schema: Value,
    pub secret: bool,
}

impl Kind {
    pub(crate) fn new(name: impl Into<String>, schema: Value) -> Self {
        Self { name: name.into(), schema, secret: false }
    }
}

/// What a value's text is read with.
pub(crate) struct Reading<'a> {
    pub resolver: &'a Resolver<'a>,
    /// The value stands in the configuration file, where no secret may stand.
    pub in_file: bool,
    /// Set when the value came through a reference: where the secret was found.
    pub secret_place: Option<String>,
}

pub(crate) trait Field: Sized {
    fn kind() -> Kind;

    /// Reads the value; the error completes the sentence "… :" and says what is expected.
    fn read(raw: &Raw, reading: &mut Reading<'_>) -> Result<Self, String>;

    /// For `config show`, the reference and JSON; secrets are masked.
    fn show(&self) -> Value;
}

fn expected<T>(what: &str, raw: &Raw) -> Result<T, String> {
    let got = match raw {
        Raw::Text(text) | Raw::Str(text) => format!("`{text}`"),
        Raw::Int(number) => format!("`{number}`"),
        Raw::Bool(boolean) => format!("`{boolean}`"),
        Raw::List(_) => "a list".into(),
        Raw::Other(what) => (*what).into(),
    };
    Err(format!("expected {what}, got {got}"))
}

/// The text of a string value.
fn text<'a>(what: &str, raw: &'a Raw) -> Result<&'a str, String> {
    match raw {
        Raw::Text(text) | Raw::Str(text) => Ok(text),
        _ => expected(what, raw),
    }
}

impl Field for String {
    fn kind() -> Kind {
        Kind::new("text", json!({ "type": "string" }))
    }

    fn read(raw: &Raw, _: &mut Reading<'_>) -> Result<Self, String> {
        text("text in quotes", raw).map(str::to_owned)
    }

    fn show(&self) -> Value {
        self.as_str().into()
    }
}

impl Field for bool {
    fn kind() -> Kind {
        Kind::new("true or false", json!({ "type": "boolean" }))
    }

    fn read(raw: &Raw, _: &mut Reading<'_>) -> Result<Self, String> {
        match raw {
            Raw::Bool(boolean) => Ok(*boolean),
            Raw::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(true),
                "false" | "0" | "no" | "off" => Ok(false),
                _ => expected("true or false", raw),
            },
            _ => expected("true or false, without quotes", raw),
        }
    }

    fn show(&self) -> Value {
        (*self).into()
    }
}

macro_rules! integers {
    ($($type:ty),+) => {$(
        impl Field for $type {
            fn kind() -> Kind {
                Kind::new("number", json!({ "type": "integer", "minimum": 0 }))
            }

            fn read(raw: &Raw, _: &mut Reading<'_>) -> Result<Self, String> {
                let number = match raw {
                    Raw::Int(number) => Self::try_from(*number).ok(),
                    Raw::Text(text) => text.trim().replace('_', "").parse().ok(),
                    _ => None,
                };
                number.map_or_else(|| expected(&format!("a whole number from 0 to {}", Self::MAX), raw), Ok)
            }

            fn show(&self) -> Value {
                (*self).into()
            }
        }
    )+};
}
integers!(u16, u32, usize);

impl Field for Duration {
    fn kind() -> Kind {
        let pattern = "^(0|([0-9]+(d|h|m|s|ms))+|secret\\(.*\\))$";
        Kind::new("duration", json!({ "type": "string", "pattern": pattern }))
    }

    fn read(raw: &Raw, _: &mut Reading<'_>) -> Result<Self, String> {
        let what = "a duration such as \"30s\", \"5m\" or \"250ms\"";
        match raw {
            Raw::Int(0) => Ok(Self::ZERO),
            _ => parse_duration(text(what, raw)?).map_or_else(|| expected(what, raw), Ok),
        }
    }

    fn show(&self) -> Value {
        format_duration(*self).into()
    }
}

impl Field for ByteSize {
    fn kind() -> Kind {
        Kind::new("size", json!({ "type": "string", "pattern": "^[0-9]+ ?(B|[KMG]iB|kB|[MG]B)$" }))
    }

    fn read(raw: &Raw, _: &mut Reading<'_>) -> Result<Self, String> {
        let what = "a size such as \"2MiB\" or \"32KiB\"";
        Self::parse(text(what, raw)?).map_or_else(|| expected(what, raw), Ok)
    }

    fn show(&self) -> Value {
        self.to_string().into()
    }
}

impl Field for Rate {
    fn kind() -> Kind {
        let pattern = "^(off|[0-9_]+ ?/ ?([0-9]*(d|h|m|s))+)$";
        Kind::new("rate", json!({ "type": "string", "pattern": pattern }))
    }

    fn read(raw: &Raw, _: &mut Reading<'_>) -> Result<Self, String> {
        let what = "a rate of whole seconds such as \"300/10s\" or \"20/1m\", or \"off\"";
        Self::parse(text(what, raw)?).map_or_else(|| expected(what, raw), Ok)
    }

    fn show(&self) -> Value {
        self.to_string().into()
    }
}

impl Field for IpAddr {
    fn kind() -> Kind {
        Kind::new("address", json!({ "type": "string" }))
    }

    fn read(raw: &Raw, _: &mut Reading<'_>) -> Result<Self, String> {
        let what = "an IP address such as \"127.0.0.1\", \"0.0.0.0\" or \"::1\"";
        let text = text(what, raw)?.trim();
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        let bare = if bare.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { bare };
        bare.parse().or_else(|_| expected(what, raw))
    }

    fn show(&self) -> Value {
        self.to_string().into()
    }
}

impl Field for Network {
    fn kind() -> Kind {
        Kind::new("network", json!({ "type": "string" }))
    }

    fn read(raw: &Raw, _: &mut Reading<'_>) -> Result<Self, String> {
        let what = "a network such as \"10.0.0.0/8\" or an address";
        Self::parse(text(what, raw)?).map_or_else(|| expected(what, raw), Ok)
    }

    fn show(&self) -> Value {
        self.to_string().into()
    }
}

impl<T: Field> Field for Vec<T> {
    fn kind() -> Kind {
        let item = T::kind();
        Kind::new(format!("list of {}", item.name), json!({ "type": "array", "items": item.schema }))
    }

    fn read(raw: &Raw, reading: &mut Reading<'_>) -> Result<Self, String> {
        match raw {
            Raw::List(items) => items.iter().map(|item| T::read(item, reading)).collect(),
            // In the environment: separated by commas.
            Raw::Text(text) => text
                .trim()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .split(',')
                .map(|item| item.trim().trim_matches(['"', '\'']))
                .filter(|item| !item.is_empty())
                .map(|item| T::read(&Raw::Text(item.to_owned()), reading))
                .collect(),
            _ => expected("a list such as [\"a\", \"b\"]", raw),
        }
    }

    fn show(&self) -> Value {
        self.iter().map(Field::show).collect()
    }
}

impl<T: Field> Field for Option<T> {
    fn kind() -> Kind {
        T::kind()
    }

    fn read(raw: &Raw, reading: &mut Reading<'_>) -> Result<Self, String> {
        T::read(raw, reading).map(Some)
    }

    fn show(&self) -> Value {
        self.as_ref().map_or(Value::Null, Field::show)
    }
}

const SECRET_PATTERN: &str = "^secret\\([\"']?[A-Za-z_][A-Za-z0-9_]*[\"']?\\)$";

/// The text behind a secret setting: through its reference, or as given outside the file.
fn secret_text(raw: &Raw, reading: &mut Reading<'_>, may_stand_in_file: bool) -> Result<String, String> {
    // The text itself must not reach an error message.
    let text = text("a reference such as 'secret(\"NAME\")'", raw).map_err(|_| "expected text".to_owned())?;
    match reference(text) {
        Some(name) => {
            let found = reading.resolver.get(name?)?;
            reading.secret_place = Some(found.place);
            Ok(found.value)
        }
        None if reading.in_file && !may_stand_in_file => Err("a secret must not stand in this file".into()),
        None => Ok(text.to_owned()),
    }
}

impl Field for Secret {
    fn kind() -> Kind {
        let schema = json!({ "type": "string", "pattern": SECRET_PATTERN });
        Kind { secret: true, ..Kind::new("secret", schema) }
    }

    fn read(raw: &Raw, reading: &mut Reading<'_>) -> Result<Self, String> {
        secret_text(raw, reading, false).map(Self::new)
    }

    fn show(&self) -> Value {
        "***".into()
    }
}

impl Field for ConnectionUrl {
    fn kind() -> Kind {
        let schema = json!({ "type": "string", "pattern": "^(secret\\(.*\\)|postgres(ql)?://.*)$" });
        Kind { secret: true, ..Kind::new("database URL (secret when it has a password)", schema) }
    }

    fn read(raw: &Raw, reading: &mut Reading<'_>) -> Result<Self, String> {
        let free = matches!(raw, Raw::Str(text) if !Self::has_password(text));
        let text = secret_text(raw, reading, free)?;
        if !reading.resolver.resolve && text.is_empty() {
            return Self::parse("postgres://");
        }
        Self::parse(&text)
    }

    fn show(&self) -> Value {
        self.to_string().into()
    }
}

/// Declares a setting that is one of a few words.
macro_rules! choices {
    ($(#[doc = $doc:literal])+ pub enum $name:ident { $($(#[doc = $vdoc:literal])* $variant:ident = $text:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $vdoc])* $variant,)+ }

        impl $name {
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The word's meaning; the error says which words there are.
            pub fn from_text(text: &str) -> Result<Self, String> {
                match text.trim() {
                    $($text => Ok(Self::$variant),)+
                    other => {
                        let words: &[&str] = &[$($text),+];
                        let hint = $crate::nearest(other, words.iter().copied())
                            .map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                        let words = words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(" or ");
                        Err(format!("expected {words}, got `{other}`{hint}"))
                    }
                }
            }
        }

        impl $crate::field::Field for $name {
            fn kind() -> $crate::field::Kind {
                let words: &[&str] = &[$($text),+];
                $crate::field::Kind::new(
                    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(" or "),
                    serde_json::json!({ "type": "string", "enum": words }),
                )
            }

            fn read(raw: &$crate::layer::Raw, reading: &mut $crate::field::Reading<'_>) -> Result<Self, String> {
                Self::from_text(&<String as $crate::field::Field>::read(raw, reading)?)
            }

            fn show(&self) -> serde_json::Value {
                self.as_str().into()
            }
        }
    };
}
pub(crate) use choices;
