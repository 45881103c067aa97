//! The `Prefer` header (RFC 7240) with PostgREST's preferences. Of a preference given twice the first counts.

use bedplate_core::Result;
use bedplate_query::request::Count;
use http::{HeaderMap, HeaderValue};

use crate::Config;
use crate::config::Counts;
use crate::error::{PGRST122, Said};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Return {
    Minimal,
    HeadersOnly,
    Representation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolution {
    Merge,
    Ignore,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    pub resolution: Option<Resolution>,
    pub missing_default: Option<bool>,
    pub returning: Option<Return>,
    pub count: Option<Count>,
    /// `tx=rollback`; only where the settings allow to choose.
    pub rollback: Option<bool>,
    pub strict: Option<bool>,
    pub timezone: Option<String>,
    /// Some time zone was named, known or not.
    zoned: bool,
    pub max_affected: Option<i64>,
}

/// Which preferences mean something for a kind of request, and so are told as applied.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Applies {
    pub resolution: bool,
    pub missing: bool,
    pub returning: bool,
    pub max_affected: bool,
}

pub(crate) fn read(headers: &HeaderMap, config: &Config) -> Result<Preferences> {
    let mut read = Preferences::default();
    let mut unknown = Vec::new();
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    for word in values.flat_map(|value| value.split(',')).map(str::trim) {
        if !read.word(word, config) {
            unknown.push(word);
        }
    }
    if read.strict == Some(true) && !unknown.is_empty() {
        return Err(Said::new("Invalid preferences given with handling=strict")
            .details(format!("Invalid preferences: {}", unknown.join(", ")))
            .problem(&PGRST122));
    }
    Ok(read)
}

impl Preferences {
    /// Whether the word is known.
    fn word(&mut self, word: &str, config: &Config) -> bool {
        match word {
            "resolution=merge-duplicates" => set(&mut self.resolution, Resolution::Merge),
            "resolution=ignore-duplicates" => set(&mut self.resolution, Resolution::Ignore),
            "missing=default" => set(&mut self.missing_default, true),
            "missing=null" => set(&mut self.missing_default, false),
            "return=representation" => set(&mut self.returning, Return::Representation),
            "return=minimal" => set(&mut self.returning, Return::Minimal),
            "return=headers-only" => set(&mut self.returning, Return::HeadersOnly),
            "count=exact" => set(&mut self.count, Count::Exact),
            "count=planned" => set(&mut self.count, Count::Planned),
            "count=estimated" => set(&mut self.count, Count::Estimated),
            "tx=commit" | "tx=rollback" => {
                if config.transaction.allow_override {
                    set(&mut self.rollback, word == "tx=rollback");
                }
            }
            "handling=strict" => set(&mut self.strict, true),
            "handling=lenient" => set(&mut self.strict, false),
            _ => return self.parameter(word, config),
        }
        true
    }

    fn parameter(&mut self, word: &str, config: &Config) -> bool {
        if let Some(zone) = word.strip_prefix("timezone=") {
            let known = config.knows_timezone(zone);
            if known && !self.zoned {
                self.timezone = Some(zone.to_owned());
            }
            self.zoned = true;
            return known;
        }
        if let Some(most) = word.strip_prefix("max-affected=") {
            if let Ok(most) = most.parse() {
                set(&mut self.max_affected, most);
            }
            return true;
        }
        false
    }

    /// A count that the caller may not ask for is counted exactly, or not at all: preferences may be ignored (RFC 7240 §2), and
    /// what was done instead is told as applied.
    pub fn bound_count(&mut self, allowed: Counts) {
        let permitted = |count: &Count| match count {
            Count::Exact => allowed.exact,
            Count::Planned => allowed.planned,
            Count::Estimated => allowed.estimated,
        };
        self.count = match self.count {
            Some(count) if !permitted(&count) => allowed.exact.then_some(Count::Exact),
            count => count,
        };
    }

    /// Whether the transaction is undone: as preferred, else as configured.
    pub fn rolls_back(&self, config: &Config) -> bool {
        self.rollback.unwrap_or(config.transaction.rollback)
    }

    /// `max-affected` holds only with `handling=strict`.
    pub fn most_affected(&self) -> Option<i64> {
        self.max_affected.filter(|_| self.strict == Some(true))
    }

    /// `Preference-Applied` (RFC 7240 §3), in a fixed order.
    pub fn applied(&self, applies: Applies) -> Option<HeaderValue> {
        let mut words: Vec<String> = Vec::new();
        let mut put = |word: Option<&str>| words.extend(word.map(str::to_owned));
        put(self.resolution.filter(|_| applies.resolution).map(|resolution| match resolution {
            Resolution::Merge => "resolution=merge-duplicates",
            Resolution::Ignore => "resolution=ignore-duplicates",
        }));
        let missing = self.missing_default.filter(|_| applies.missing);
        put(missing.map(|default| if default { "missing=default" } else { "missing=null" }));
        put(self.returning.filter(|_| applies.returning).map(|returning| match returning {
            Return::Representation => "return=representation",
            Return::Minimal => "return=minimal",
            Return::HeadersOnly => "return=headers-only",
        }));
        put(self.count.map(|count| match count {
            Count::Exact => "count=exact",
            Count::Planned => "count=planned",
            Count::Estimated => "count=estimated",
        }));
        put(self.rollback.map(|rollback| if rollback { "tx=rollback" } else { "tx=commit" }));
        put(self.strict.map(|strict| if strict { "handling=strict" } else { "handling=lenient" }));
        put(self.timezone.as_ref().map(|zone| format!("timezone={zone}")).as_deref());
        let most = self.most_affected().filter(|_| applies.max_affected);
        put(most.map(|most| format!("max-affected={most}")).as_deref());
        if words.is_empty() { None } else { HeaderValue::try_from(words.join(", ")).ok() }
    }
}

/// The first of a repeated preference counts (RFC 7240 §2).
fn set<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}
