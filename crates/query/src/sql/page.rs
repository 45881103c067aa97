//! The parts of a SELECT behind its list: FROM with joins, WHERE, GROUP BY, ORDER BY, LIMIT.

use super::select::Group;
use super::text::Text;
use super::used::Used;
use crate::plan::tree::{Cond, FieldValue, Join, JoinKind, Level, Limit, Source};
use crate::request::ValueRef;
use crate::statement::Param;

impl Text {
    /// FROM to OFFSET. `places` are the select list's places of the level's fields.
    pub fn tail(&mut self, level: &Level, groups: &[Group<'_>], places: &[usize]) -> &mut Self {
        let used = Used::by_answer(level);
        if skips_before_joining(level, &used) {
            return self.page_first(level, &used, places);
        }
        self.from(level, &used).filter(level.filters.iter().chain(&level.seek));
        if !groups.is_empty() {
            self.put(" GROUP BY ").list(groups, ", ", |text, group| {
                match group {
                    Group::Place(place) => text.number(place),
                    Group::Expr(expr) => text.expr(expr),
                };
            });
        }
        if !level.having.is_empty() {
            self.put(" HAVING ").all(&level.having);
        }
        self.order(level, places).page(level.limit, level.offset)
    }

    /// The page's rows by themselves, then what hangs on them: nested lists of rows that OFFSET skips are never made.
    /// (Without OFFSET PostgreSQL sees to it: it makes costly result columns after a sort, and stops at the limit.)
    fn page_first(&mut self, level: &Level, used: &Used, places: &[usize]) -> &mut Self {
        self.put(" FROM (SELECT ").list(used.columns(level.alias), ", ", |text, name| {
            text.column(level.alias, name);
        });
        self.put(" FROM ").source(&level.source, level.alias);
        self.filter(level.filters.iter().chain(&level.seek));
        self.order(level, places).page(level.limit, level.offset);
        self.put(") ").alias(level.alias).joins(&level.joins, used).order(level, places)
    }

    /// ` FROM …` with the joins that are needed.
    pub fn from(&mut self, level: &Level, used: &Used) -> &mut Self {
        self.put(" FROM ").source(&level.source, level.alias).joins(&level.joins, used)
    }

    fn joins(&mut self, joins: &[Join], used: &Used) -> &mut Self {
        for join in joins.iter().filter(|join| used.needs(join)) {
            self.put(if join.inner { " JOIN " } else { " LEFT JOIN " });
            let hanging: Vec<&Join> = join.joins.iter().filter(|j| used.needs(j)).collect();
            match &join.kind {
                JoinKind::Source(source) if hanging.is_empty() => self.source(source, join.alias),
                // In parentheses, so that conditions and inner joins of the embed act on it, not on its parent.
                JoinKind::Source(source) => {
                    self.put("(").source(source, join.alias).joins(&join.joins, used).put(")")
                }
                JoinKind::First { source, when } if hanging.is_empty() => {
                    self.first(source, when, join, used)
                }
                JoinKind::First { source, when } => {
                    self.put("(").first(source, when, join, used).joins(&join.joins, used).put(")")
                }
                JoinKind::Arrays { level, comparable } => {
                    self.arrays(level, *comparable).put(" ").alias(join.alias)
                }
                JoinKind::Document { level, single } => {
                    self.document(level, *single).put(" ").alias(join.alias)
                }
            };
            self.put(" ON ");
            if join.on.is_empty() {
                self.put("true");
            } else {
                self.all(&join.on);
            }
        }
        self
    }

    fn first(&mut self, source: &Source, when: &[Cond], join: &Join, used: &Used) -> &mut Self {
        self.put("LATERAL (SELECT ");
        if used.whole_row(join.alias) {
            self.alias(join.alias).put(".*");
        } else {
            self.list(used.columns(join.alias), ", ", |text, name| {
                text.column(join.alias, name);
            });
        }
        self.put(" FROM ").source(source, join.alias).filter(when).put(" LIMIT 1) ").alias(join.alias)
    }

    /// json has no equality, jsonb has.
    fn arrays(&mut self, level: &Level, comparable: bool) -> &mut Self {
        let aggregate = if comparable { "coalesce(jsonb_agg(r.c" } else { "coalesce(json_agg(r.c" };
        self.put("LATERAL (SELECT ");
        self.list(0..level.fields.len(), ", ", |text, index| {
            text.put(aggregate).number(index).put("), '[]') AS a").number(index);
        });
        self.put(" FROM (").json_select(level, Some("c")).put(") r)")
    }

    fn document(&mut self, level: &Level, single: bool) -> &mut Self {
        self.put("LATERAL (SELECT ");
        self.put(if single { "to_jsonb(r.*)" } else { "coalesce(jsonb_agg(r.*), '[]')" });
        self.put(" AS a0 FROM (").json_select(level, None).put(") r)")
    }

    fn order(&mut self, level: &Level, places: &[usize]) -> &mut Self {
        if level.order.is_empty() {
            return self;
        }
        self.put(" ORDER BY ").list(&level.order, ", ", |text, key| {
            match key.field {
                Some(field) => text.number(places[field]),
                None => text.expr(&key.expr),
            };
            let descending = key.descending != level.backward;
            let nulls_first = key.nulls_first != level.backward;
            if descending {
                text.put(" DESC");
            }
            // Said only where it differs from the default, so that plain indexes serve.
            if key.nullable && nulls_first != descending {
                text.put(if nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
            }
        })
    }

    pub fn page(&mut self, limit: Limit, offset: Option<ValueRef>) -> &mut Self {
        match limit {
            Limit::None => {}
            Limit::Fixed(rows) => {
                self.put(" LIMIT ").number(rows);
            }
            Limit::Asked { value, max, probe } => {
                let max = (max != u64::MAX).then_some(max);
                self.put(" LIMIT ").param(Param::Limit { value, max, plus_one: probe });
            }
        }
        match offset {
            Some(offset) => self.put(" OFFSET ").param(Param::Value(offset)),
            None => self,
        }
    }

    /// The rows that a level has regardless of its page: `SELECT {what} FROM … WHERE …`.
    pub fn unpaged(&mut self, level: &Level, what: &str) -> &mut Self {
        self.unordered = true;
        if level.grouped || level.distinct {
            let mut whole = level.clone();
            whole.order.clear();
            whole.seek = None;
            whole.limit = Limit::None;
            whole.offset = None;
            return self.put("SELECT ").put(what).put(" FROM (").json_select(&whole, Some("c")).put(") r");
        }
        let used = Used::by_filters(level);
        self.put("SELECT ").put(what).from(level, &used).filter(&level.filters)
    }
}

/// OFFSET with nested lists, where filters and order look at the level's own columns only.
fn skips_before_joining(level: &Level, used: &Used) -> bool {
    let page = Used::by_page(level);
    level.offset.is_some()
        && !level.grouped
        && !level.distinct
        && !used.whole_row(level.alias)
        && has_lists(&level.fields)
        && !level.joins.iter().any(|join| page.needs(join))
}

fn has_lists(fields: &[crate::plan::tree::Field]) -> bool {
    fields.iter().any(|field| match &field.value {
        FieldValue::Value { .. } => false,
        FieldValue::Object { fields, .. } => has_lists(fields),
        FieldValue::List(_) | FieldValue::One(_) | FieldValue::Array { .. } => true,
    })
}
