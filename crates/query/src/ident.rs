//! [`Ident`]: the only way for a name into SQL text.

use std::fmt;
use std::sync::Arc;

/// A database identifier. Made by the catalog loader from names that exist, or by [`Ident::alias`] for output names;
/// written only through [`Ident::push_quoted`], which always quotes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ident(Arc<str>);

/// PostgreSQL cuts identifiers at 63 bytes (`NAMEDATALEN - 1`); we refuse longer ones instead.
pub const MAX_BYTES: usize = 63;

impl Ident {
    /// A name that PostgreSQL itself reported.
    pub fn from_catalog(name: &str) -> Self {
        Self(name.into())
    }

    /// As [`Ident::from_catalog`], sharing the text with other names alike.
    pub fn from_shared(name: Arc<str>) -> Self {
        Self(name)
    }

    /// The text, shared.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// An output name chosen by a caller. `None` when it is empty, has a NUL, or would be cut by PostgreSQL.
    pub fn alias(name: &str) -> Option<Self> {
        (!name.is_empty() && name.len() <= MAX_BYTES && !name.contains('\0')).then(|| Self(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Appends the name in double quotes, inner quotes doubled.
    pub fn push_quoted(&self, sql: &mut String) {
        sql.push('"');
        for c in self.0.chars() {
            if c == '"' {
                sql.push('"');
            }
            sql.push(c);
        }
        sql.push('"');
    }
}

impl fmt::Debug for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl fmt::Display for Ident {
    /// Plain, for messages; SQL is written with [`Ident::push_quoted`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Ident;

    #[test]
    fn quoting_doubles_quotes_and_aliases_are_bounded() {
        let mut sql = String::new();
        Ident::from_catalog("we\"ird").push_quoted(&mut sql);
        assert_eq!(sql, "\"we\"\"ird\"");
        assert!(Ident::alias(&"x".repeat(64)).is_none());
        assert!(Ident::alias("a\0b").is_none());
        assert!(Ident::alias("").is_none());
    }
}
