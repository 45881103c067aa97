//! Which aliases and columns a plan's parts refer to: joins that nothing needs are left out, and a write returns only
//! the columns that its answer needs (a column that is not granted must not be named).

use std::collections::BTreeSet;

use crate::ident::Ident;
use crate::plan::tree::{Alias, Cond, Expr, Field, FieldValue, Join, JoinKind, Level, Source};

#[derive(Default)]
pub(super) struct Used {
    aliases: BTreeSet<Alias>,
    /// In order of first use.
    columns: Vec<(Alias, Ident)>,
    rows: BTreeSet<Alias>,
}

impl Used {
    pub fn by_answer(level: &Level) -> Self {
        let mut used = Self::default();
        used.level(level);
        used
    }

    pub fn by_filters(level: &Level) -> Self {
        let mut used = Self::default();
        used.conds(&level.filters);
        used.joins(&level.joins);
        used
    }

    /// By what decides which rows the page has.
    pub fn by_page(level: &Level) -> Self {
        let mut used = Self::default();
        used.conds(level.filters.iter().chain(&level.seek));
        level.order.iter().for_each(|key| used.expr(&key.expr));
        used
    }

    pub fn needs(&self, join: &Join) -> bool {
        join.inner || self.aliases.contains(&join.alias) || join.joins.iter().any(|j| self.needs(j))
    }

    pub fn columns(&self, of: Alias) -> impl Iterator<Item = &Ident> {
        self.columns.iter().filter(move |(alias, _)| *alias == of).map(|(_, name)| name)
    }

    pub fn whole_row(&self, of: Alias) -> bool {
        self.rows.contains(&of)
    }

    fn level(&mut self, level: &Level) {
        self.source(&level.source);
        self.fields(&level.fields);
        self.conds(level.filters.iter().chain(&level.having).chain(&level.seek));
        self.conds(level.only_if.as_deref());
        level.order.iter().for_each(|key| self.expr(&key.expr));
        self.joins(&level.joins);
    }

    /// What join conditions refer to counts as used by the answer only as far as columns go: an alias that nothing but
    /// its own join names is not needed.
    fn joins(&mut self, joins: &[Join]) {
        for join in joins {
            let had = self.aliases.contains(&join.alias);
            match &join.kind {
                JoinKind::Source(source) => self.source(source),
                JoinKind::First { source, when } => {
                    self.source(source);
                    self.conds(when);
                }
                JoinKind::Arrays { level, .. } | JoinKind::Document { level, .. } => self.level(level),
            }
            self.conds(&join.on);
            self.joins(&join.joins);
            if !had {
                self.aliases.remove(&join.alias);
            }
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            match &field.value {
                FieldValue::Value { expr, .. } => self.expr(expr),
                FieldValue::Object { present, fields } => {
                    self.conds(present);
                    self.fields(fields);
                }
                FieldValue::List(level) | FieldValue::One(level) => self.level(level),
                FieldValue::Array { of, .. } => {
                    self.aliases.insert(*of);
                }
            }
        }
    }

    fn conds<'c>(&mut self, conds: impl IntoIterator<Item = &'c Cond>) {
        for cond in conds {
            match cond {
                Cond::All(inner) | Cond::Any(inner) => self.conds(inner),
                Cond::Not(inner) => self.conds([&**inner]),
                Cond::Compare { left, .. }
                | Cond::Listed { left, .. }
                | Cond::Is { left, .. }
                | Cond::Search { left, .. }
                | Cond::Bound { left, .. } => self.expr(left),
                Cond::Equal(a, b) => {
                    self.expr(a);
                    self.expr(b);
                }
                Cond::Row { left, .. } => left.iter().for_each(|expr| self.expr(expr)),
                Cond::Exists { from, when, .. } => {
                    for (source, _) in from {
                        self.source(source);
                    }
                    self.conds(when);
                }
                Cond::Present(alias) => {
                    self.aliases.insert(*alias);
                }
            }
        }
    }

    fn source(&mut self, source: &Source) {
        if let Source::Rows { of, .. } = source {
            self.row(*of);
        }
    }

    fn row(&mut self, of: Alias) {
        self.aliases.insert(of);
        self.rows.insert(of);
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Column { of, name } => {
                self.aliases.insert(*of);
                if !self.columns.iter().any(|(alias, known)| alias == of && known == name) {
                    self.columns.push((*of, name.clone()));
                }
            }
            Expr::Row(of) | Expr::Computed { of, .. } => self.row(*of),
            Expr::Apply { argument, .. } => self.expr(argument),
            Expr::Json { base, .. } => self.expr(base),
            Expr::Cast { expr, .. } => self.expr(expr),
            Expr::Aggregate { argument, .. } => {
                if let Some(argument) = argument {
                    self.expr(argument);
                }
            }
        }
    }
}
