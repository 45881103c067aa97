//! One level of a read: its fields, its embeds as joins or nested lists, its filters, order and page.

use std::sync::Arc;

use bedplate_core::Problem;

use super::order::{is_one_row, seek};
use super::planner::{Planner, Shape, output_name};
use super::relate::{Near, Way, embed_name};
use super::tree::{Alias, Cond, Expr, Field, FieldValue, Join, JoinKind, Level, Limit, Source};
use crate::fault::Fault;
use crate::ident::Ident;
use crate::problems::QUERY_SYNTAX;
use crate::request::{self, Embed, Item, Node, Page};

/// What names mean at a level.
pub(super) struct Scope<'a> {
    pub shape: Shape<'a>,
    pub alias: Alias,
    pub links: Vec<Link<'a>>,
}

/// An embed of a level. `joined`: its row is in the same FROM.
pub(super) struct Link<'a> {
    pub embed: &'a Embed,
    pub way: Way<'a>,
    pub joined: Option<Scope<'a>>,
}

/// A level before it has an order and a page; a joined embed is no more than this.
struct Part<'a> {
    fields: Vec<Field>,
    joins: Vec<Join>,
    filters: Vec<Cond>,
    having: Vec<Cond>,
    aggregated: bool,
    scope: Scope<'a>,
}

/// Where a level stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Top,
    /// The rows that a write answers: no maximum, and the order is only what was asked for.
    Written,
    /// The result of a function: its own order is kept unless another is asked for.
    Result,
    Nested,
}

impl<'a> Planner<'a> {
    pub(super) fn level(
        &mut self,
        node: &'a Node,
        shape: Shape<'a>,
        alias: Alias,
        source: Source,
        place: Place,
    ) -> Result<Level, Problem> {
        if self.is_dialect() {
            self.look_ahead(node, shape)?;
        }
        let part = self.part(node, false, shape, alias, false)?;
        self.finish(node, part, source, place)
    }

    fn finish(
        &mut self,
        node: &'a Node,
        mut part: Part<'a>,
        source: Source,
        place: Place,
    ) -> Result<Level, Problem> {
        let collapsed = part.aggregated || node.distinct;
        if collapsed && !self.is_dialect() && lists(&part.fields) {
            return Err(Problem::new(&QUERY_SYNTAX)
                .detail(
                    "A list of related rows cannot be combined with aggregates or distinct at the same level",
                )
                .hint("Embed a to-one relation, or aggregate inside the list"));
        }
        let one_row = place == Place::Top && node.page.seek.is_none() && is_one_row(node, &part.scope);
        let mut order = self.order(node, &part.scope, &part.fields, collapsed, place)?;
        if one_row {
            order.keys.clear();
            order.cursors = false;
        }
        // Without an order rows are answered as they are read, which clients of PostgREST have come to see.
        let unordered = self.is_dialect() && order.keys.is_empty() && !collapsed;
        if unordered && (place == Place::Nested || lists(&part.fields)) {
            part.filters.iter_mut().for_each(keep_in_order);
        }
        let seek = seek(node.page.seek.as_ref(), &order)?;
        let limit =
            if one_row && !node.page.is_bounded() { Limit::None } else { self.limit(&node.page, place) };
        Ok(Level {
            alias: part.scope.alias,
            source,
            joins: part.joins,
            fields: part.fields,
            filters: part.filters,
            having: part.having,
            seek,
            order: order.keys,
            order_text: order.text,
            cursors: order.cursors,
            backward: node.page.seek.as_ref().is_some_and(|s| s.backward),
            limit,
            offset: node.page.offset,
            grouped: part.aggregated,
            distinct: node.distinct,
            only_if: None,
        })
    }

    pub(super) fn limit(&self, page: &Page, place: Place) -> Limit {
        let max = match place {
            Place::Top | Place::Result => self.limits.page_max,
            Place::Nested => self.limits.embed_rows_max,
            Place::Written => u64::MAX,
        };
        if let Some(rows) = page.rows {
            return Limit::Fixed(u64::from(rows).min(max).saturating_add(u64::from(page.probe)));
        }
        match page.limit {
            Some(value) => Limit::Asked { value, max, probe: page.probe },
            None if max == u64::MAX => Limit::None,
            None => Limit::Fixed(max.saturating_add(u64::from(page.probe))),
        }
    }

    /// `comparable`: the fields are among those by which the level around them groups or makes distinct.
    fn part(
        &mut self,
        node: &'a Node,
        empty: bool,
        shape: Shape<'a>,
        alias: Alias,
        comparable: bool,
    ) -> Result<Part<'a>, Problem> {
        let scope = Scope { shape, alias, links: Vec::new() };
        let mut part = Part {
            fields: Vec::new(),
            joins: Vec::new(),
            filters: Vec::new(),
            having: Vec::new(),
            aggregated: false,
            scope,
        };
        let comparable = comparable || node.distinct || self.aggregates(node, shape);
        if node.select.is_empty() && !empty {
            part.fields = self.star(shape, alias);
        }
        for item in &node.select {
            match item {
                Item::Star => part.fields.extend(self.star(shape, alias)),
                Item::Field(field) => {
                    let (field, aggregated) = self.field(shape, alias, field, comparable)?;
                    part.aggregated |= aggregated;
                    part.fields.push(field);
                }
                Item::Embed(embed) => self.embed(&mut part, embed, comparable)?,
            }
        }
        self.settle_names(&mut part.fields)?;
        for filter in &node.filters {
            match self.having(&part.scope, &part.fields, part.aggregated, filter)? {
                Some(cond) => part.having.push(cond),
                None => {
                    let cond = self.logic(&part.scope, filter)?;
                    part.filters.push(cond);
                }
            }
        }
        for condition in &node.having {
            let condition = self.on_aggregates(&part.fields, condition)?;
            part.having.push(condition);
        }
        Ok(part)
    }

    fn embed(&mut self, part: &mut Part<'a>, embed: &'a Embed, comparable: bool) -> Result<(), Problem> {
        let name = embed_name(embed);
        let way = self.way(part.scope.shape, &embed.relation, embed.hint.as_ref())?;
        if part.scope.links.iter().any(|link| embed_name(link.embed) == name) {
            let origin = self.get(way.origin).name.to_string();
            let fault = Fault::EmbeddedTwice { origin, name: Arc::clone(name), depth: self.depth + 1 };
            return Err(Problem::new(&QUERY_SYNTAX)
                .detail(format!("{name:?} is embedded twice"))
                .hint("Give one of them an alias: alias:relation(...)")
                .caused_by(fault));
        }
        self.depth += 1;
        self.embedded(part, embed, way, comparable)?;
        self.depth -= 1;
        Ok(())
    }

    fn embedded(
        &mut self,
        part: &mut Part<'a>,
        embed: &'a Embed,
        way: Way<'a>,
        comparable: bool,
    ) -> Result<(), Problem> {
        let page = &embed.node.page;
        // By itself where it has a page, and where PostgREST's rows are grouped: by the object as a whole.
        let apart = self.is_dialect() && (comparable || page.is_bounded() || page.offset.is_some());
        if !way.to_one() {
            self.many(part, embed, way, comparable)
        } else if !embed.spread && (apart || self.aggregates(&embed.node, self.far_shape(way))) {
            self.one(part, embed, way, comparable)
        } else {
            self.join(part, embed, way, comparable)
        }
    }

    /// To-one: a flat join.
    fn join(
        &mut self,
        part: &mut Part<'a>,
        embed: &'a Embed,
        way: Way<'a>,
        comparable: bool,
    ) -> Result<(), Problem> {
        let near = part.scope.alias;
        let alias = self.alias();
        let child = self.part(&embed.node, embed.empty, self.far_shape(way), alias, comparable)?;
        let mut on = self.joined(way, Near::Row(near), alias).unwrap_or_default();
        let inner = embed.join == request::Join::Inner;
        if embed.spread {
            part.aggregated |= child.aggregated;
            let outer = (!inner).then(|| (self.presence(way, alias), self.present(way, alias)));
            part.fields.extend(child.fields.into_iter().map(|field| match &outer {
                Some((counted, present)) => spread(field, counted, present),
                None => field,
            }));
        } else if !self.is_hidden(embed) {
            let always = self.always_one(way) && child.filters.is_empty();
            let present = (!inner && !always).then(|| self.present(way, alias));
            let value = FieldValue::Object { present, fields: child.fields };
            part.fields.push(Field { name: output_name(embed_name(embed))?, value });
        }
        let source = self.far_source(way, near);
        let kind = if self.may_repeat(way) {
            let mut when = std::mem::take(&mut on);
            if child.joins.is_empty() {
                when.extend(child.filters);
            } else {
                on.extend(child.filters);
            }
            JoinKind::First { source, when }
        } else {
            on.extend(child.filters);
            JoinKind::Source(source)
        };
        part.joins.push(Join { alias, inner, kind, on, joins: child.joins });
        part.scope.links.push(Link { embed, way, joined: Some(child.scope) });
        Ok(())
    }

    /// To-one with aggregates or a page: a row of its own.
    fn one(
        &mut self,
        part: &mut Part<'a>,
        embed: &'a Embed,
        way: Way<'a>,
        comparable: bool,
    ) -> Result<(), Problem> {
        let mut level = self.nested(part.scope.alias, embed, way)?;
        if !embed.node.page.is_bounded() {
            level.limit = Limit::None;
        }
        let level = Box::new(level);
        let value = if comparable {
            self.hang(part, JoinKind::Document { level, single: true })
        } else {
            FieldValue::One(level)
        };
        self.require(part, embed, way)?;
        if !self.is_hidden(embed) {
            part.fields.push(Field { name: output_name(embed_name(embed))?, value });
        }
        part.scope.links.push(Link { embed, way, joined: None });
        Ok(())
    }

    /// To-many: a list, or with spread an array for each field.
    fn many(
        &mut self,
        part: &mut Part<'a>,
        embed: &'a Embed,
        way: Way<'a>,
        comparable: bool,
    ) -> Result<(), Problem> {
        // What is not answered is looked through all the same: its own embeds and filters must be right.
        let level = Box::new(self.nested(part.scope.alias, embed, way)?);
        if embed.spread && !level.fields.is_empty() {
            let names: Vec<Ident> = level.fields.iter().map(|field| field.name.clone()).collect();
            let FieldValue::Array { of, .. } = self.hang(part, JoinKind::Arrays { level, comparable }) else {
                return Err(Problem::internal_error("arrays hang on a join"));
            };
            for (index, name) in names.into_iter().enumerate() {
                part.fields.push(Field { name, value: FieldValue::Array { of, index } });
            }
        } else if !embed.spread && !self.is_hidden(embed) {
            let name = output_name(embed_name(embed))?;
            let value = if comparable {
                self.hang(part, JoinKind::Document { level, single: false })
            } else {
                FieldValue::List(level)
            };
            part.fields.push(Field { name, value });
        }
        self.require(part, embed, way)?;
        part.scope.links.push(Link { embed, way, joined: None });
        Ok(())
    }

    /// Joins what stands for each row by itself; the value is its first column.
    fn hang(&mut self, part: &mut Part<'a>, kind: JoinKind) -> FieldValue {
        let of = self.alias();
        part.joins.push(Join { alias: of, inner: false, kind, on: Vec::new(), joins: Vec::new() });
        FieldValue::Array { of, index: 0 }
    }

    fn nested(&mut self, near: Alias, embed: &'a Embed, way: Way<'a>) -> Result<Level, Problem> {
        let alias = self.alias();
        let child = self.part(&embed.node, embed.empty, self.far_shape(way), alias, false)?;
        let mut level = self.finish(&embed.node, child, self.far_source(way, near), Place::Nested)?;
        let mut filters = self.joined(way, Near::Row(near), alias).unwrap_or_default();
        filters.append(&mut level.filters);
        level.filters = filters;
        level.cursors = false;
        Ok(level)
    }

    /// `!inner` where nothing is joined: the row goes unless there is a related one.
    fn require(&mut self, part: &mut Part<'a>, embed: &'a Embed, way: Way<'a>) -> Result<(), Problem> {
        if embed.join == request::Join::Inner {
            part.filters.push(self.exists(part.scope.alias, embed, way, None)?);
        }
        Ok(())
    }

    /// `rel()`: it filters, and is not answered. In the PostgREST dialect also an embed of nothing but such.
    fn is_hidden(&self, embed: &Embed) -> bool {
        let hidden = |item: &Item| matches!(item, Item::Embed(inner) if self.is_hidden(inner));
        let select = &embed.node.select;
        embed.empty || self.is_dialect() && !select.is_empty() && select.iter().all(hidden)
    }

    /// Whether a level groups: it selects an aggregate itself, or through a to-one spread.
    pub(super) fn aggregates(&self, node: &Node, shape: Shape<'a>) -> bool {
        node.select.iter().any(|item| match item {
            Item::Star => false,
            Item::Field(field) => self.is_aggregate(shape, field),
            Item::Embed(embed) if embed.spread => self
                .way(shape, &embed.relation, embed.hint.as_ref())
                .is_ok_and(|way| way.to_one() && self.aggregates(&embed.node, self.far_shape(way))),
            Item::Embed(_) => false,
        })
    }

    /// A name can stand once in a JSON object. The same field twice is answered once; the PostgREST dialect answers
    /// what was asked for.
    fn settle_names(&self, fields: &mut Vec<Field>) -> Result<(), Problem> {
        if !self.style.star_readable_only {
            return Ok(());
        }
        let mut kept: Vec<Field> = Vec::with_capacity(fields.len());
        for field in fields.drain(..) {
            match kept.iter().find(|k| k.name == field.name) {
                None => kept.push(field),
                Some(same) if *same == field => {}
                Some(_) => {
                    return Err(Problem::new(&QUERY_SYNTAX)
                        .detail(format!("Two selected fields are named {:?}", field.name.as_str()))
                        .hint("Give one of them an alias: alias:column"));
                }
            }
        }
        *fields = kept;
        Ok(())
    }
}

/// A field of a spread relation in the row that spreads it. `count()` counts the rows that are there, not those that an
/// outer join found none for; what is nested is NULL then.
fn spread(mut field: Field, counted: &Expr, present: &Cond) -> Field {
    match &mut field.value {
        FieldValue::Value { expr, .. } => {
            let mut inner = expr;
            while let Expr::Cast { expr, .. } | Expr::Apply { argument: expr, .. } = inner {
                inner = expr;
            }
            if let Expr::Aggregate { argument: argument @ None, .. } = inner {
                *argument = Some(Box::new(counted.clone()));
            }
        }
        FieldValue::Object { present: when @ None, .. } => *when = Some(present.clone()),
        FieldValue::List(level) | FieldValue::One(level) => {
            level.only_if.get_or_insert_with(|| Box::new(present.clone()));
        }
        FieldValue::Object { .. } | FieldValue::Array { .. } => {}
    }
    field
}

fn keep_in_order(cond: &mut Cond) {
    match cond {
        Cond::All(conds) | Cond::Any(conds) => conds.iter_mut().for_each(keep_in_order),
        Cond::Not(cond) => keep_in_order(cond),
        Cond::Exists { in_order, .. } => *in_order = true,
        _ => {}
    }
}

fn lists(fields: &[Field]) -> bool {
    fields.iter().any(|field| match &field.value {
        FieldValue::Value { .. } => false,
        FieldValue::Object { fields, .. } => lists(fields),
        FieldValue::List(_) | FieldValue::One(_) | FieldValue::Array { .. } => true,
    })
}

/// An embed by the name that filters and orders use.
pub(super) fn find_link<'s, 'a>(scope: &'s Scope<'a>, name: &Arc<str>) -> Option<&'s Link<'a>> {
    scope.links.iter().find(|link| embed_name(link.embed) == name)
}
