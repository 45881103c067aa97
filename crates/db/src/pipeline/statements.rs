//! Which statements are prepared on a connection.

use std::collections::{HashMap, VecDeque};
use std::io::Write as _;

use foldhash::fast::RandomState;

/// How many statements of requests one connection keeps prepared. A plan takes tens of kilobytes in the backend.
pub(super) const CAPACITY: usize = 400;

/// The name of a prepared statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Name {
    /// A request's statement, by [`super::Statement::id`].
    Call(u64),
    /// `set_config` for the settings of one list of names, by its place among those of the connection.
    Context(u8),
    /// `set_config` for this many settings of any names.
    Settings(usize),
    /// BEGIN in one of its modes.
    Begin(u8),
    Commit,
    Rollback,
    CheckConstraints,
}

impl Name {
    pub(super) fn write(self, out: &mut Vec<u8>) {
        // Writing to memory cannot fail.
        let _ = match self {
            Self::Call(id) => {
                out.push(b's');
                out.extend_from_slice(itoa::Buffer::new().format(id).as_bytes());
                return;
            }
            Self::Context(place) => write!(out, "context{place}"),
            Self::Settings(count) => write!(out, "settings{count}"),
            Self::Begin(mode) => write!(out, "begin{mode}"),
            Self::Commit => write!(out, "commit"),
            Self::Rollback => write!(out, "rollback"),
            Self::CheckConstraints => write!(out, "check_constraints"),
        };
    }
}

/// The prepared statements of one connection, least recently used ones given up first.
#[derive(Default)]
pub(super) struct Statements {
    /// When each was last used, in ticks.
    prepared: HashMap<Name, u64, RandomState>,
    tick: u64,
    /// Parse was sent, the answer is outstanding; in the order sent.
    pending: VecDeque<Name>,
    /// To be closed with the next pipeline, before anything in it can fail.
    closing: Vec<Name>,
    /// Lists of settings that contexts have set; few, since requests differ in the values.
    contexts: Vec<Box<[Box<str>]>>,
}

/// How many lists of settings get a statement of their own.
const MOST_CONTEXTS: usize = 32;

/// Whether the name of a setting can stand in SQL as it is.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
}

impl Statements {
    /// Whether a Parse must go before the Bind; if so it counts as sent.
    pub(super) fn needs_parse(&mut self, name: Name) -> bool {
        self.tick += 1;
        if let Some(used) = self.prepared.get_mut(&name) {
            *used = self.tick;
            return false;
        }
        if self.pending.contains(&name) {
            return false;
        }
        self.pending.push_back(name);
        true
    }

    /// The statement that sets these. With the names in its text PostgreSQL has half the parameters to read.
    pub(super) fn context(&mut self, settings: &[(&str, &str)]) -> Name {
        let is_it = |known: &[Box<str>]| {
            known.len() == settings.len()
                && known.iter().zip(settings).all(|(known, (name, _))| **known == **name)
        };
        let place = match self.contexts.iter().position(|known| is_it(known)) {
            Some(place) => place,
            None if self.contexts.len() < MOST_CONTEXTS
                && settings.iter().all(|(name, _)| is_plain(name)) =>
            {
                self.contexts.push(settings.iter().map(|(name, _)| (*name).into()).collect());
                self.contexts.len() - 1
            }
            None => return Name::Settings(settings.len()),
        };
        u8::try_from(place).map_or(Name::Settings(settings.len()), Name::Context)
    }

    /// A ParseComplete arrived.
    pub(super) fn parsed(&mut self) {
        if let Some(name) = self.pending.pop_front() {
            self.prepared.insert(name, self.tick);
        }
    }

    /// All answers are in: what was not confirmed was skipped after an error.
    pub(super) fn settle(&mut self) {
        self.pending.clear();
    }

    /// Prepare it anew next time. Closing a statement that the server does not know is no error.
    pub(super) fn invalidate(&mut self, name: Name) {
        self.prepared.remove(&name);
        if !self.closing.contains(&name) {
            self.closing.push(name);
        }
    }

    /// Prepare everything anew next time.
    pub(super) fn invalidate_all(&mut self) {
        self.closing.extend(self.prepared.drain().map(|(name, _)| name));
    }

    /// What to close now, so that `coming` new statements fit.
    pub(super) fn take_closing(&mut self, coming: usize) -> Vec<Name> {
        let surplus = (self.prepared.len() + coming).saturating_sub(CAPACITY);
        if surplus > 0 {
            let mut by_age: Vec<_> = self.prepared.iter().map(|(name, used)| (*used, *name)).collect();
            by_age.sort_unstable_by_key(|(used, _)| *used);
            // An eighth more than needed, so that a full cache is not sorted for every new statement.
            for (_, name) in by_age.into_iter().take(surplus + CAPACITY / 8) {
                self.prepared.remove(&name);
                self.closing.push(name);
            }
        }
        std::mem::take(&mut self.closing)
    }

    pub(super) fn has(&self, name: Name) -> bool {
        self.prepared.contains_key(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_once_and_forgets_what_was_not_confirmed() {
        let mut s = Statements::default();
        assert!(s.needs_parse(Name::Call(1)));
        assert!(!s.needs_parse(Name::Call(1)), "the Parse is already on its way");
        assert!(s.needs_parse(Name::Call(2)));
        s.parsed();
        s.settle();
        assert!(s.has(Name::Call(1)));
        assert!(s.needs_parse(Name::Call(2)), "skipped after an error");
    }

    #[test]
    fn a_context_is_known_by_the_names_of_its_settings() {
        let mut s = Statements::default();
        let one = s.context(&[("role", "a"), ("request.path", "/x")]);
        assert_eq!(one, s.context(&[("role", "b"), ("request.path", "/y")]));
        assert_ne!(one, s.context(&[("role", "a")]));
        assert_ne!(one, s.context(&[("role", "a"), ("request.method", "GET")]));
        assert_eq!(s.context(&[("role", "a"), ("a'; --", "x")]), Name::Settings(2));
        for i in 0..100 {
            let name = format!("app.s{i}");
            s.context(&[("role", "a"), (&name, "")]);
        }
        assert_eq!(s.contexts.len(), MOST_CONTEXTS);
        assert_eq!(s.context(&[("role", "a"), ("app.late", "")]), Name::Settings(2));
        assert_eq!(one, s.context(&[("role", "c"), ("request.path", "/z")]));
    }

    #[test]
    fn gives_up_the_least_recently_used() {
        let mut s = Statements::default();
        for id in 0..CAPACITY as u64 {
            assert!(s.needs_parse(Name::Call(id)));
            s.parsed();
        }
        assert!(s.take_closing(0).is_empty());
        assert!(!s.needs_parse(Name::Call(0)));
        let closed = s.take_closing(1);
        assert!(closed.contains(&Name::Call(1)) && !closed.contains(&Name::Call(0)));
        assert!(s.prepared.len() < CAPACITY);
    }
}
