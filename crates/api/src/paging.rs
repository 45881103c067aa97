//! Which page of a list is asked for: by cursor (the default), by keyset (`after_id=…`), or by number (`page=…`).

use std::borrow::Cow;

use bedplate_core::problem::LIMIT_EXCEEDED;
use bedplate_core::{PrincipalKind, Problem};
use bedplate_query::limits::Limits;
use bedplate_query::request::{Count, Node, Seek, Value, Values};

use crate::problems::{COUNT_NOT_ALLOWED, PAGING_INVALID};

/// Keys of the query string that are ours, not the grammar's. A column with such a name is written in quotes.
pub(crate) fn is_reserved(key: &str) -> bool {
    matches!(key, "cursor" | "page" | "per_page" | "count") || key.starts_with(AFTER)
}

const AFTER: &str = "after_";

/// Which counts a caller may ask for. Estimates tell of rows that the caller cannot see, so they are the service's.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountPolicy {
    pub exact: bool,
    pub planned: bool,
    pub estimated: bool,
}

impl CountPolicy {
    fn allows(self, count: Count) -> bool {
        match count {
            Count::Exact => self.exact,
            Count::Planned => self.planned,
            Count::Estimated => self.estimated,
        }
    }
}

#[derive(Debug, PartialEq)]
pub(crate) enum Mode<'q> {
    /// From the start, or from where the cursor says.
    Cursor(Option<Cow<'q, str>>),
    /// Values by column, without the prefix.
    After(Vec<(Cow<'q, str>, Cow<'q, str>)>),
    Number {
        page: u64,
    },
}

#[derive(Debug, PartialEq)]
pub(crate) struct Paging<'q> {
    pub mode: Mode<'q>,
    pub limit: u64,
    pub count: Option<Count>,
}

/// Reads the reserved keys and the grammar's own `limit`.
pub(crate) fn read<'q>(
    leftovers: Vec<(Cow<'q, str>, Cow<'q, str>)>,
    node: &Node,
    values: &Values,
    limits: &Limits,
) -> Result<Paging<'q>, Problem> {
    if node.page.offset.is_some() {
        return Err(fault("offset", "is not offered: use cursor, after_<key>, or page and per_page"));
    }
    let limit = node.page.limit.map(|at| values.get(at)).and_then(|value| match value {
        Value::Int(limit) => u64::try_from(*limit).ok(),
        _ => None,
    });
    let mut given = Given { limit, ..Given::default() };
    for (key, value) in leftovers {
        given.take(key, value)?;
    }
    given.decide(limits)
}

#[derive(Default)]
struct Given<'q> {
    limit: Option<u64>,
    cursor: Option<Cow<'q, str>>,
    page: Option<u64>,
    per_page: Option<u64>,
    count: Option<Count>,
    after: Vec<(Cow<'q, str>, Cow<'q, str>)>,
}

impl<'q> Given<'q> {
    fn take(&mut self, key: Cow<'q, str>, value: Cow<'q, str>) -> Result<(), Problem> {
        let once = |fresh: bool| if fresh { Ok(()) } else { Err(fault(&key, "may be given once")) };
        match &*key {
            "cursor" => once(self.cursor.replace(value).is_none()),
            "page" => once(self.page.replace(whole(&key, &value, 1)?).is_none()),
            "per_page" => once(self.per_page.replace(whole(&key, &value, 0)?).is_none()),
            "count" => once(self.count.replace(count(&value)?).is_none()),
            _ => {
                let column = match key {
                    Cow::Borrowed(key) => Cow::Borrowed(key.strip_prefix(AFTER).unwrap_or_default()),
                    Cow::Owned(key) => Cow::Owned(key.strip_prefix(AFTER).unwrap_or_default().to_owned()),
                };
                if column.is_empty() {
                    return Err(fault(AFTER, "needs a column behind it, for example after_id"));
                }
                let fresh = self.after.iter().all(|(known, _)| *known != column);
                self.after.push((column, value));
                if fresh { Ok(()) } else { Err(fault("after_", "may be given once for each column")) }
            }
        }
    }

    fn decide(self, limits: &Limits) -> Result<Paging<'q>, Problem> {
        let by_number = self.page.is_some() || self.per_page.is_some();
        let ways =
            usize::from(by_number) + usize::from(self.cursor.is_some()) + usize::from(!self.after.is_empty());
        if ways > 1 {
            return Err(Problem::new(&PAGING_INVALID)
                .detail("give one of cursor, after_<key>, or page and per_page")
                .hint("a cursor already says where the page starts"));
        }
        if by_number && self.limit.is_some() {
            return Err(fault("limit", "is called per_page together with page"));
        }
        let (name, asked) = if by_number { ("per_page", self.per_page) } else { ("limit", self.limit) };
        let limit = asked.unwrap_or(limits.page_default.min(limits.page_max));
        if limit > limits.page_max {
            let most = format!("must be at most {}", limits.page_max);
            return Err(Problem::new(&LIMIT_EXCEEDED)
                .detail(format!("{name} {most}"))
                .field(name, most)
                .hint("read further pages with meta.next_cursor"));
        }
        let mode = if by_number {
            Mode::Number { page: self.page.unwrap_or(1) }
        } else if !self.after.is_empty() {
            Mode::After(self.after)
        } else {
            Mode::Cursor(self.cursor)
        };
        Ok(Paging { mode, limit, count: self.count })
    }
}

impl Paging<'_> {
    pub fn check_count(&self, kind: PrincipalKind, policies: &[CountPolicy; 3]) -> Result<(), Problem> {
        let policy = match kind {
            PrincipalKind::Anonymous => policies[0],
            PrincipalKind::User => policies[1],
            PrincipalKind::Service => policies[2],
        };
        match self.count {
            Some(count) if !policy.allows(count) => {
                Err(Problem::new(&COUNT_NOT_ALLOWED).hint("count=exact counts the rows that you may see"))
            }
            _ => Ok(()),
        }
    }

    /// Puts limit, probe and offset into the request's node. The seek is added by who resolves it.
    pub fn apply(&self, node: &mut Node, values: &mut Values) -> Result<(), Problem> {
        bound_rows(node, self.limit);
        if let Mode::Number { page } = self.mode {
            // Also for pages of no rows the number itself stays in bounds, so that there is a next one.
            let bounded = |n: &u64| i64::try_from(*n).is_ok();
            let offset = (page - 1).checked_mul(self.limit).filter(|o| bounded(o) && bounded(&page));
            let offset = offset.ok_or_else(|| fault("page", "is too large"))?;
            node.page.offset = Some(push(values, Value::Int(offset as i64))?);
        }
        Ok(())
    }
}

/// The page's size as part of the shape, and a probe for more.
pub(crate) fn bound_rows(node: &mut Node, limit: u64) {
    node.page.limit = None;
    node.page.rows = Some(u32::try_from(limit).unwrap_or(u32::MAX));
    node.page.probe = true;
}

/// A seek from texts: the values of the order keys in order, NULL as `None`.
pub(crate) fn seek(keys: Vec<Option<String>>, backward: bool, values: &mut Values) -> Result<Seek, Problem> {
    let keys = keys.into_iter().map(|key| key.map(|text| push(values, Value::Text(text))).transpose());
    Ok(Seek { keys: keys.collect::<Result<_, _>>()?, backward })
}

pub(crate) fn push(values: &mut Values, value: Value) -> Result<bedplate_query::ValueRef, Problem> {
    values.push(value).ok_or_else(|| Problem::new(&LIMIT_EXCEEDED).detail("the request has too many values"))
}

fn whole(key: &str, text: &str, least: u64) -> Result<u64, Problem> {
    let number = text.parse().ok().filter(|n| *n >= least && text.bytes().all(|b| b.is_ascii_digit()));
    number.ok_or_else(|| fault(key, format!("must be a whole number of {least} or more")))
}

fn count(text: &str) -> Result<Count, Problem> {
    match text {
        "exact" => Ok(Count::Exact),
        "planned" => Ok(Count::Planned),
        "estimated" => Ok(Count::Estimated),
        _ => Err(fault("count", "must be exact, planned or estimated")),
    }
}

pub(crate) fn fault(key: &str, message: impl Into<String>) -> Problem {
    let message = message.into();
    Problem::new(&PAGING_INVALID).detail(format!("{key} {message}")).field(key, message)
}

#[cfg(test)]
mod tests {
    use bedplate_query::syntax::{self, Options};

    use super::*;

    fn paging(query: &'static str) -> Result<Paging<'static>, u16> {
        let options = Options { reserved: is_reserved, ..Options::NATIVE };
        let limits = Limits::default();
        let parsed = syntax::parse(query, &limits, &options).unwrap();
        read(parsed.leftovers, &parsed.node, &parsed.values, &limits).map_err(|p| p.status())
    }

    #[test]
    fn three_ways_that_do_not_mix() {
        assert_eq!(paging("").unwrap(), Paging { mode: Mode::Cursor(None), limit: 20, count: None });
        assert_eq!(paging("limit=5&cursor=abc").unwrap().mode, Mode::Cursor(Some("abc".into())));
        assert_eq!(paging("after_id=7").unwrap().mode, Mode::After(vec![("id".into(), "7".into())]));
        let numbered = paging("page=3&per_page=10&count=exact").unwrap();
        assert_eq!(numbered, Paging { mode: Mode::Number { page: 3 }, limit: 10, count: Some(Count::Exact) });
        for bad in [
            "limit=101",
            "per_page=101",
            "page=0",
            "page=x",
            "page=+1",
            "page=1&limit=5",
            "cursor=a&page=1",
            "cursor=a&after_id=1",
            "after_id=1&after_id=2",
            "after_=1",
            "cursor=a&cursor=b",
            "count=all",
            "offset=3",
        ] {
            assert_eq!(paging(bad).unwrap_err(), 400, "{bad}");
        }
    }
}
