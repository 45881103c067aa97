//! What is asked of PostgreSQL to build a catalog, and the raw answer. All statements go as one simple query: one round
//! trip, one snapshot, no prepared statement left behind, no transaction left open whatever happens.

use std::hash::{BuildHasher, Hasher};
use std::str::FromStr;
use std::sync::LazyLock;

use bedplate_core::Problem;

use super::arrays;

macro_rules! statements {
    ($($name:ident = $file:literal,)+) => {
        /// The statements, in the order in which they are asked.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Statement { $($name),+ }

        impl Statement {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            pub fn sql(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../../sql/catalog/", $file, ".sql")),)+
                }
            }
        }
    };
}

statements! {
    Server = "server",
    Roles = "roles",
    Members = "members",
    RoleSettings = "role_settings",
    Namespaces = "namespaces",
    Relations = "relations",
    Columns = "columns",
    Keys = "keys",
    ForeignKeys = "foreign_keys",
    Checks = "checks",
    Policies = "policies",
    Triggers = "triggers",
    Views = "views",
    ViewReads = "view_reads",
    Types = "types",
    Enums = "enums",
    Ranges = "ranges",
    Casts = "casts",
    Functions = "functions",
    MediaAggregates = "media_aggregates",
    ExtensionMembers = "extension_members",
    Estimates = "estimates",
}

/// The whole as text for one simple query. The search path is empty so that PostgreSQL prints qualified names.
pub fn script() -> &'static str {
    static SCRIPT: LazyLock<String> = LazyLock::new(|| {
        let mut script = String::from(
            "set transaction isolation level repeatable read, read only;\n\
             set local search_path = '';\nset local jit = off;\nset local statement_timeout = '60s';\n",
        );
        for statement in Statement::ALL {
            script.push_str(statement.sql());
        }
        script
    });
    &SCRIPT
}

/// A cheap statement with one text value that differs after any DDL that a catalog would notice.
pub const FINGERPRINT: &str = include_str!("../../sql/catalog/fingerprint.sql");

/// An answer that cannot be understood: another server than PostgreSQL, or a fault of ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the answer to the catalog statement {statement:?}, row {row}: {message}")]
pub struct Error {
    pub statement: Statement,
    pub row: usize,
    pub message: String,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::internal_error("the catalog cannot be read").caused_by(error)
    }
}

/// The answer as text cells, filled by whoever talks to the database: [`Answer::begin`] at each row description,
/// [`Answer::push`] for each row.
#[derive(Debug, Default)]
pub struct Answer {
    sets: Vec<Set>,
}

#[derive(Debug, Default)]
struct Set {
    text: String,
    /// Where each cell ends in `text`, and whether it is NULL. Row after row.
    cells: Vec<(u32, bool)>,
    rows: Vec<u32>,
}

impl Answer {
    /// The next statement's rows follow.
    pub fn begin(&mut self) {
        self.sets.push(Set::default());
    }

    /// One row. Rows before the first [`Answer::begin`] are not possible and are dropped.
    pub fn push<'a>(&mut self, cells: impl Iterator<Item = Option<&'a str>>) {
        let Some(set) = self.sets.last_mut() else { return };
        set.rows.push(set.cells.len() as u32);
        for cell in cells {
            set.text.push_str(cell.unwrap_or_default());
            set.cells.push((set.text.len() as u32, cell.is_none()));
        }
    }

    /// Equal for equal schemas. Row estimates do not count.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = foldhash::fast::FixedState::with_seed(0).build_hasher();
        for (set, statement) in self.sets.iter().zip(Statement::ALL) {
            if *statement == Statement::Estimates {
                continue;
            }
            hash.write(set.text.as_bytes());
            for (end, null) in &set.cells {
                hash.write_u32(*end);
                hash.write_u8((*null).into());
            }
        }
        hash.finish()
    }

    /// Reads each row of a statement.
    pub(super) fn each<'a>(
        &'a self,
        statement: Statement,
        mut read: impl FnMut(&mut Cells<'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let at = statement as usize;
        let missing = || Error { statement, row: 0, message: "is missing".into() };
        let set = self.sets.get(at).ok_or_else(missing)?;
        for (row, first) in set.rows.iter().enumerate() {
            let end = set.rows.get(row + 1).map_or(set.cells.len(), |next| *next as usize);
            read(&mut Cells { set, statement, row, next: *first as usize, end })?;
        }
        Ok(())
    }
}

/// The cells of one row, read from left to right.
#[derive(Debug)]
pub(super) struct Cells<'a> {
    set: &'a Set,
    statement: Statement,
    row: usize,
    next: usize,
    end: usize,
}

impl<'a> Cells<'a> {
    pub(super) fn error(&self, message: impl Into<String>) -> Error {
        Error { statement: self.statement, row: self.row, message: message.into() }
    }

    pub(super) fn maybe(&mut self) -> Result<Option<&'a str>, Error> {
        if self.next >= self.end {
            return Err(self.error("has too few columns"));
        }
        let start = self.next.checked_sub(1).map_or(0, |at| self.set.cells[at].0);
        let (end, null) = self.set.cells[self.next];
        self.next += 1;
        Ok((!null).then(|| &self.set.text[start as usize..end as usize]))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Error> {
        self.maybe()?.ok_or_else(|| self.error("has an unexpected NULL"))
    }

    pub(super) fn letter(&mut self) -> Result<char, Error> {
        Ok(self.text()?.chars().next().unwrap_or(' '))
    }

    pub(super) fn number<T: FromStr>(&mut self) -> Result<T, Error> {
        let text = self.text()?;
        text.parse().map_err(|_| self.error(format!("expected a number, got {text:?}")))
    }

    pub(super) fn maybe_number<T: FromStr>(&mut self) -> Result<Option<T>, Error> {
        let Some(text) = self.maybe()? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.error(format!("expected a number, got {text:?}")))
    }

    pub(super) fn flag(&mut self) -> Result<bool, Error> {
        Ok(self.maybe_flag()?.unwrap_or(false))
    }

    pub(super) fn maybe_flag(&mut self) -> Result<Option<bool>, Error> {
        Ok(self.maybe()?.map(|text| matches!(text, "t" | "true")))
    }

    /// An array; NULL is empty, NULL elements are empty texts.
    pub(super) fn list(&mut self) -> Result<Vec<String>, Error> {
        let Some(text) = self.maybe()? else { return Ok(Vec::new()) };
        let items = arrays::parse(text).ok_or_else(|| self.error("is not an array"))?;
        Ok(items.into_iter().map(Option::unwrap_or_default).collect())
    }

    pub(super) fn numbers<T: FromStr>(&mut self) -> Result<Vec<T>, Error> {
        let list = self.list()?;
        list.iter()
            .map(|n| n.parse().map_err(|_| self.error(format!("expected numbers, got {n:?}"))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_back_and_faults_name_the_statement() {
        let mut answer = Answer::default();
        answer.begin();
        answer.push([Some("150018"), None, Some("t"), Some("{1,2}")].into_iter());
        answer.push([Some("x")].into_iter());
        let mut seen = Vec::new();
        let result = answer.each(Statement::Server, |row| {
            seen.push((row.number::<u32>()?, row.maybe()?, row.flag()?, row.numbers::<i16>()?));
            Ok(())
        });
        assert_eq!(seen, [(150_018, None, true, vec![1, 2])]);
        assert_eq!(result.unwrap_err().row, 1);
        assert_eq!(answer.each(Statement::Estimates, |_| Ok(())).unwrap_err().message, "is missing");
    }

    #[test]
    fn the_fingerprint_sees_moved_boundaries() {
        let one = |cells: [Option<&str>; 2]| {
            let mut answer = Answer::default();
            answer.begin();
            answer.push(cells.into_iter());
            answer.fingerprint()
        };
        assert_ne!(one([Some("ab"), Some("c")]), one([Some("a"), Some("bc")]));
        assert_ne!(one([Some(""), Some("c")]), one([None, Some("c")]));
    }
}
