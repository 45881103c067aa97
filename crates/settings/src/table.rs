//! One table per section: `section!` turns rows into the struct, its defaults, its reader and its documentation.

use serde_json::Value;

use crate::field::Kind;
use crate::reader::Reader;

/// The description of one setting, made from its row.
#[derive(Debug, Clone)]
pub struct Key {
    /// Dotted; `[]` stands for an index of a list of tables and `*` for a name in a map:
    /// `auth.issuers[].issuer`, `access.schemas.*.require_rls`.
    pub path: String,
    pub doc: String,
    /// The type in words, for example `duration`.
    pub kind: String,
    /// The default as JSON; `null` means not set.
    pub default: Value,
    /// Lowest and highest value, where the row has a range.
    pub range: Option<(Value, Value)>,
    pub secret: bool,
    pub(crate) schema: Value,
}

impl Key {
    pub(crate) fn new(path: String, doc: &[&str], kind: Kind, default: Value) -> Self {
        let doc = doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned();
        Self { path, doc, kind: kind.name, default, range: None, secret: kind.secret, schema: kind.schema }
    }

    /// A shown value as plain text: `30s`, `a, b`, `not set`.
    pub fn text_of(value: &Value) -> String {
        match value {
            Value::Null => "not set".into(),
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().map(Self::text_of).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        }
    }

    /// The variable that overrides this setting: `BEDPLATE_SERVER__PORT`.
    pub fn variable(&self) -> String {
        let name = self.path.replace("[]", "__0").replace('.', "__").replace('*', "NAME");
        format!("BEDPLATE_{}", name.to_ascii_uppercase())
    }

    /// The section of the file it belongs to: everything before the last dot.
    pub fn section(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }
}

/// A group of settings that can be read from its part of the configuration.
pub trait Section: Sized + Default {
    /// What the group is about.
    fn doc() -> String;

    /// Appends the description of every setting in it, and of the groups inside.
    fn describe(prefix: &str, keys: &mut Vec<Key>, sections: &mut Vec<(String, String)>);

    /// Appends path and shown value of every setting.
    fn rows(&self, prefix: &str, rows: &mut Vec<(String, Value)>);
}

/// The half of [`Section`] that only this crate can call.
pub(crate) trait ReadSection: Section {
    fn read(reader: &mut Reader<'_>, prefix: &str) -> Self;
}

/// Every setting there is, in the order of the file.
pub fn keys() -> Vec<Key> {
    let (mut keys, mut sections) = (Vec::new(), Vec::new());
    crate::Settings::describe("", &mut keys, &mut sections);
    keys
}

pub(crate) fn join(prefix: &str, name: &str) -> String {
    // A field whose name is a keyword of Rust is a raw identifier.
    let name = name.strip_prefix("r#").unwrap_or(name);
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// Declares a section. A row is `/// doc`, `name: Type = default`, then optionally `, range(low, high)` and
/// `, check(function)`. `groups`, `tables` and `maps` hold other sections: one, a list of them, or
/// one per name. `texts` holds texts by names of the user's choice.
macro_rules! section {
    (
        $(#[doc = $sdoc:literal])+
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $type:ty = $default:expr
                    $(, range($low:expr, $high:expr))? $(, check($check:path))? ;
            )*
            $(groups { $($(#[doc = $gdoc:literal])* $group:ident : $gtype:ty;)+ })?
            $(tables { $($(#[doc = $tdoc:literal])+ $table:ident : $ttype:ty;)+ })?
            $(maps { $($(#[doc = $mdoc:literal])+ $map:ident : $mtype:ty;)+ })?
            $(texts { $($(#[doc = $tedoc:literal])+ $text:ident;)+ })?
        }
    ) => {
        $(#[doc = $sdoc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)*
            $($($(#[doc = $gdoc])* pub $group: $gtype,)+)?
            $($($(#[doc = $tdoc])+ pub $table: Vec<$ttype>,)+)?
            $($($(#[doc = $mdoc])+ pub $map: std::collections::BTreeMap<String, $mtype>,)+)?
            $($($(#[doc = $tedoc])+ pub $text: std::collections::BTreeMap<String, String>,)+)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $default,)*
                    $($($group: Default::default(),)+)?
                    $($($table: Vec::new(),)+)?
                    $($($map: std::collections::BTreeMap::new(),)+)?
                    $($($text: std::collections::BTreeMap::new(),)+)?
                }
            }
        }

        impl $crate::table::Section for $name {
            fn doc() -> String {
                [$($sdoc),+].map(str::trim).join(" ").trim().to_owned()
            }

            #[allow(unused_imports, unused_mut, unused_variables, reason = "sections differ in what they hold")]
            fn describe(prefix: &str, keys: &mut Vec<$crate::Key>, sections: &mut Vec<(String, String)>) {
                use $crate::field::Field;
                sections.push((prefix.to_owned(), <Self as $crate::table::Section>::doc()));
                $({
                    let path = $crate::table::join(prefix, stringify!($field));
                    let default: $type = $default;
                    let kind = <$type as Field>::kind();
                    let mut key = $crate::Key::new(path, &[$($doc),+], kind, default.show());
                    $(
                        let bounds: ($type, $type) = ($low, $high);
                        key.range = Some((bounds.0.show(), bounds.1.show()));
                    )?
                    keys.push(key);
                })*
                $($(<$gtype as $crate::table::Section>::describe(
                    &$crate::table::join(prefix, stringify!($group)), keys, sections);)+)?
                $($(<$ttype as $crate::table::Section>::describe(
                    &format!("{}[]", $crate::table::join(prefix, stringify!($table))), keys, sections);)+)?
                $($(<$mtype as $crate::table::Section>::describe(
                    &format!("{}.*", $crate::table::join(prefix, stringify!($map))), keys, sections);)+)?
                $($({
                    let table = $crate::table::join(prefix, stringify!($text));
                    let kind = <String as Field>::kind();
                    let key = $crate::Key::new(format!("{table}.*"), &[$($tedoc),+], kind, serde_json::Value::Null);
                    sections.push((table, key.doc.clone()));
                    keys.push(key);
                })+)?
            }

            #[allow(unused_variables, reason = "sections differ in what they hold")]
            fn rows(&self, prefix: &str, rows: &mut Vec<(String, serde_json::Value)>) {
                $(rows.push((
                    $crate::table::join(prefix, stringify!($field)),
                    $crate::field::Field::show(&self.$field),
                ));)*
                $($($crate::table::Section::rows(
                    &self.$group, &$crate::table::join(prefix, stringify!($group)), rows);)+)?
                $($(for (index, inner) in self.$table.iter().enumerate() {
                    let path = format!("{}[{index}]", $crate::table::join(prefix, stringify!($table)));
                    $crate::table::Section::rows(inner, &path, rows);
                })+)?
                $($(for (name, inner) in &self.$map {
                    let path = format!("{}.{name}", $crate::table::join(prefix, stringify!($map)));
                    $crate::table::Section::rows(inner, &path, rows);
                })+)?
                $($(for (name, text) in &self.$text {
                    let table = $crate::table::join(prefix, stringify!($text));
                    rows.push((format!("{table}.{name}"), text.as_str().into()));
                })+)?
            }
        }

        impl $crate::table::ReadSection for $name {
            fn read(reader: &mut $crate::reader::Reader<'_>, prefix: &str) -> Self {
                Self {
                    $($field: {
                        let path = $crate::table::join(prefix, stringify!($field));
                        $crate::table::section!(@read reader, &path, $type, $default
                            $(, range($low, $high))? $(, check($check))?)
                    },)*
                    $($($group: <$gtype as $crate::table::ReadSection>::read(
                        reader, &$crate::table::join(prefix, stringify!($group))),)+)?
                    $($($table: {
                        let path = $crate::table::join(prefix, stringify!($table));
                        let mut tables = Vec::new();
                        for index in 0..reader.table_count(&path) {
                            tables.push(<$ttype as $crate::table::ReadSection>::read(
                                reader, &format!("{path}[{index}]")));
                        }
                        tables
                    },)+)?
                    $($($map: {
                        let path = $crate::table::join(prefix, stringify!($map));
                        let mut map = std::collections::BTreeMap::new();
                        for name in reader.map_names(&path) {
                            let inner = <$mtype as $crate::table::ReadSection>::read(
                                reader, &format!("{path}.{name}"));
                            map.insert(name, inner);
                        }
                        map
                    },)+)?
                    $($($text: {
                        let table = $crate::table::join(prefix, stringify!($text));
                        let mut texts = std::collections::BTreeMap::new();
                        for name in reader.map_names(&table) {
                            let text = reader.value::<String>(
                                &format!("{table}.{name}"), String::new(), |_| Ok(()));
                            texts.insert(name, text);
                        }
                        texts
                    },)+)?
                }
            }
        }
    };
    (@read $reader:expr, $path:expr, $type:ty, $default:expr) => {
        $reader.value::<$type>($path, $default, |_| Ok(()))
    };
    (@read $reader:expr, $path:expr, $type:ty, $default:expr, check($check:path)) => {
        $reader.value::<$type>($path, $default, $check)
    };
    (@read $reader:expr, $path:expr, $type:ty, $default:expr, range($low:expr, $high:expr)) => {
        $reader.field::<$type>($path, $default, &$crate::reader::Rules {
            range: Some(($low, $high)), check: None,
        })
    };
    (@read $reader:expr, $path:expr, $type:ty, $default:expr, range($low:expr, $high:expr), check($check:path)) => {
        $reader.field::<$type>($path, $default, &$crate::reader::Rules {
            range: Some(($low, $high)), check: Some($check),
        })
    };
}
pub(crate) use section;
