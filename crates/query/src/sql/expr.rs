//! Expressions and conditions as SQL. Operators and functions come from the fixed tables here.

use super::text::Text;
use crate::ident::Ident;
use crate::output::NUMBER;
use crate::plan::tree::{Alias, Bound, Cond, Expr, Key, Operand, Source, TypeName};
use crate::request::{AggregateFunction, Comparison, Is, TextSearch, ValueRef};
use crate::statement::Param;

fn operator(op: Comparison) -> &'static str {
    match op {
        Comparison::Eq => "=",
        Comparison::Neq => "<>",
        Comparison::Gt => ">",
        Comparison::Gte => ">=",
        Comparison::Lt => "<",
        Comparison::Lte => "<=",
        Comparison::Like => "LIKE",
        Comparison::Ilike => "ILIKE",
        Comparison::Match => "~",
        Comparison::Imatch => "~*",
        Comparison::IsDistinct => "IS DISTINCT FROM",
        Comparison::Contains => "@>",
        Comparison::ContainedBy => "<@",
        Comparison::Overlaps => "&&",
        Comparison::StrictlyLeft => "<<",
        Comparison::StrictlyRight => ">>",
        Comparison::NotExtendRight => "&<",
        Comparison::NotExtendLeft => "&>",
        Comparison::Adjacent => "-|-",
    }
}

fn bound(op: Bound) -> &'static str {
    match op {
        Bound::Equal => "=",
        Bound::Greater => ">",
        Bound::GreaterOrEqual => ">=",
        Bound::Less => "<",
        Bound::LessOrEqual => "<=",
    }
}

fn is(is: Is) -> &'static str {
    match is {
        Is::Null => " IS NULL",
        Is::NotNull => " IS NOT NULL",
        Is::True => " IS TRUE",
        Is::False => " IS FALSE",
        Is::Unknown => " IS UNKNOWN",
    }
}

fn query_function(parser: TextSearch) -> &'static str {
    match parser {
        TextSearch::Query => "to_tsquery(",
        TextSearch::Plain => "plainto_tsquery(",
        TextSearch::Phrase => "phraseto_tsquery(",
        TextSearch::Web => "websearch_to_tsquery(",
    }
}

fn aggregate(function: AggregateFunction) -> &'static str {
    match function {
        AggregateFunction::Count => "count(",
        AggregateFunction::Sum => "sum(",
        AggregateFunction::Avg => "avg(",
        AggregateFunction::Min => "min(",
        AggregateFunction::Max => "max(",
    }
}

fn value(op: Comparison, value: ValueRef) -> Param {
    match op {
        Comparison::Like | Comparison::Ilike => Param::Pattern(value),
        _ => Param::Value(value),
    }
}

impl Text {
    pub fn expr(&mut self, expr: &Expr) -> &mut Self {
        match expr {
            Expr::Column { of, name } => self.column(*of, name),
            Expr::Row(of) => self.row(*of),
            Expr::Computed { of, function } => self.name(function).put("(").row(*of).put(")"),
            Expr::Apply { function, argument } => self.name(function).put("(").expr(argument).put(")"),
            Expr::Json { base, steps } => {
                self.put("(").expr(base);
                for step in steps {
                    self.put(if step.as_text { " ->> " } else { " -> " });
                    match &step.key {
                        Key::Field(name) => self.param(Param::Fixed(name.clone())),
                        Key::Index(index) if *index < 0 => self.put("(").number(index).put(")"),
                        Key::Index(index) => self.number(index),
                    };
                }
                self.put(")")
            }
            Expr::Cast { expr, to } => self.expr(expr).put("::").type_name(to),
            Expr::Aggregate { function, argument } => {
                self.put(aggregate(*function));
                match argument {
                    Some(argument) => self.expr(argument),
                    None => self.put("*"),
                }
                .put(")")
            }
        }
    }

    /// ` WHERE a AND b`, or nothing.
    pub fn filter<'c>(&mut self, conds: impl IntoIterator<Item = &'c Cond>) -> &mut Self {
        let mut conds = conds.into_iter().peekable();
        if conds.peek().is_some() {
            self.put(" WHERE ").all(conds);
        }
        self
    }

    pub fn all<'c>(&mut self, conds: impl IntoIterator<Item = &'c Cond>) -> &mut Self {
        self.list(conds, " AND ", |text, cond| {
            text.inner(cond);
        })
    }

    /// A condition beside others: or-trees in parentheses.
    fn inner(&mut self, cond: &Cond) -> &mut Self {
        match cond {
            Cond::All(all) | Cond::Any(all) if all.len() == 1 => self.inner(&all[0]),
            Cond::All(all) | Cond::Any(all) if !all.is_empty() => self.put("(").cond(cond).put(")"),
            _ => self.cond(cond),
        }
    }

    pub fn cond(&mut self, cond: &Cond) -> &mut Self {
        match cond {
            Cond::All(all) if all.is_empty() => self.put("true"),
            Cond::Any(any) if any.is_empty() => self.put("false"),
            Cond::All(all) => self.all(all),
            Cond::Any(any) => self.list(any, " OR ", |text, cond| {
                text.inner(cond);
            }),
            Cond::Not(inner) => self.put("NOT (").cond(inner).put(")"),
            Cond::Compare { left, op, right } => {
                self.expr(left).put(" ").put(operator(*op)).put(" ");
                self.operand(*op, right)
            }
            Cond::Listed { left, op, all, right, element } => {
                let quantifier = if *all { " ALL (" } else { " ANY (" };
                self.expr(left).put(" ").put(operator(*op)).put(quantifier);
                self.items(*op, right, element.as_ref()).put(")")
            }
            Cond::Is { left, is: what } => self.expr(left).put(is(*what)),
            Cond::Search { left, vector, parser, config, value } => {
                if *vector {
                    self.put("to_tsvector(").config(*config).expr(left).put(")");
                } else {
                    self.expr(left);
                }
                let query = Param::Value(*value);
                self.put(" @@ ").put(query_function(*parser)).config(*config).param(query).put(")")
            }
            Cond::Equal(a, b) => self.expr(a).put(" = ").expr(b),
            Cond::Row { left, greater, right } => {
                let each = |text: &mut Self, expr: &Expr| {
                    text.expr(expr);
                };
                self.put("(").list(left, ", ", each).put(if *greater { ") > (" } else { ") < (" });
                let each = |text: &mut Self, value: &ValueRef| {
                    text.param(Param::Value(*value));
                };
                self.list(right, ", ", each).put(")")
            }
            Cond::Bound { left, op, right } => {
                self.expr(left).put(" ").put(bound(*op)).put(" ").param(Param::Value(*right))
            }
            Cond::Exists { from, when, in_order, page } => {
                let each = |text: &mut Self, (source, alias): &(Source, Alias)| {
                    text.source(source, *alias);
                };
                self.put("EXISTS (SELECT 1 FROM ").list(from, ", ", each).filter(when);
                match page {
                    Some(page) => self.page(page.limit, page.offset),
                    // PostgreSQL makes no join of a subquery that has an OFFSET.
                    None if *in_order && !self.unordered => self.put(" OFFSET 0"),
                    None => self,
                };
                self.put(")")
            }
            Cond::Present(alias) => self.put("NOT (").alias(*alias).put(".* IS NULL)"),
        }
    }

    fn operand(&mut self, op: Comparison, operand: &Operand) -> &mut Self {
        match &operand.parse {
            None => self.param(value(op, operand.value)),
            Some(parse) => self.name(parse).put("(").param(value(op, operand.value)).put("::text)"),
        }
    }

    fn items(&mut self, op: Comparison, operand: &Operand, element: Option<&TypeName>) -> &mut Self {
        let Some(element) = element else { return self.param(value(op, operand.value)) };
        self.put("SELECT ");
        match &operand.parse {
            None => self.put("u.i::").type_name(element),
            Some(parse) => self.name(parse).put("(u.i)"),
        };
        self.put(" FROM unnest(").param(value(op, operand.value)).put("::text[]) AS u(i)")
    }

    fn config(&mut self, config: Option<ValueRef>) -> &mut Self {
        match config {
            Some(config) => self.param(Param::Value(config)).put("::regconfig, "),
            None => self,
        }
    }

    /// A FROM item with its alias.
    pub fn source(&mut self, source: &Source, alias: Alias) -> &mut Self {
        match source {
            Source::Relation(name) => self.name(name),
            Source::Rows { of, function } => self.name(function).put("(").row(*of).put(")"),
            Source::Function(invocation) => self.invoke(invocation),
            Source::Written => self.put("w"),
            Source::Keys { body, columns } => {
                let body = Param::Json(*body, crate::pgtext::Target::Json);
                self.put("ROWS FROM (json_to_recordset(").param(body).put("::json) AS (");
                self.list(columns, ", ", |text, (name, type_name)| {
                    text.ident(name).put(" ").type_name(type_name);
                });
                self.put(")) WITH ORDINALITY ").alias(alias).put("(");
                self.list(columns, ", ", |text, (name, _)| {
                    text.ident(name);
                });
                return self.put(", ").ident(&Ident::from_catalog(NUMBER)).put(")");
            }
        };
        self.put(" ").alias(alias)
    }
}
