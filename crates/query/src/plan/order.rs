//! Orders: the keys that were asked for, completed to a total order where pages need one, and the condition that
//! continues after a row.

use std::sync::Arc;

use bedplate_core::Problem;

use super::column::{Purpose, Typed, path_text};
use super::filter::not_embedded;
use super::level::{Place, Scope, find_link};
use super::planner::{Planner, Shape, column, column_of};
use super::tree::{Bound, Coding, Cond, Field, FieldValue, OrderKey};
use crate::catalog::{ColumnId, RelationId, RelationKind};
use crate::fault::Fault;
use crate::problems::{CURSOR_INVALID, QUERY_SYNTAX};
use crate::request::{self, Comparison, Item, Join, Logic, Node, Op, OrderTerm, Seek, ValueRef};

pub(super) struct Order {
    pub keys: Vec<OrderKey>,
    pub text: Arc<str>,
    /// The order is total, so that a row's keys tell where to go on.
    pub cursors: bool,
}

impl<'a> Planner<'a> {
    pub(super) fn order(
        &self,
        node: &Node,
        scope: &Scope<'a>,
        fields: &[Field],
        collapsed: bool,
        place: Place,
    ) -> Result<Order, Problem> {
        let mut text: Vec<String> = Vec::with_capacity(node.order.len() + 1);
        let mut keys: Vec<OrderKey> = Vec::with_capacity(node.order.len() + 1);
        for term in &node.order {
            let key = if collapsed {
                self.selected_key(term, scope, fields, node.distinct)?
            } else {
                self.key(term, scope)?
            };
            text.push(key_text(&term_text(term), &key));
            keys.push(key);
        }
        let mut cursors = false;
        if self.style.total_order && !collapsed && matches!(place, Place::Top | Place::Nested) {
            if let Shape::Relation { id, checked: true, .. } = scope.shape {
                cursors = self.complete(id, scope, &mut keys, &mut text);
            }
        } else if self.style.total_order && collapsed {
            complete_selected(fields, &mut keys);
        }
        Ok(Order { keys, text: text.join(",").into(), cursors })
    }

    fn key(&self, term: &OrderTerm, scope: &Scope<'a>) -> Result<OrderKey, Problem> {
        let (scope, outer, selected) = match &term.relation {
            None => (scope, false, None),
            Some(name) => {
                let link = find_link(scope, name).ok_or_else(|| not_embedded(name))?;
                let joined = link.joined.as_ref().ok_or_else(|| not_one(scope.shape, name))?;
                (joined, link.embed.join == Join::Left, self.renamed(&link.embed.node, term))
            }
        };
        let typed = match selected {
            Some(field) => self.selected(scope, field)?,
            None => self.path(scope.shape, scope.alias, &term.path, Purpose::Compare)?,
        };
        Ok(order_key(typed, outer, term, None))
    }

    /// PostgREST orders by the names that a related row has in the answer.
    fn renamed<'n>(&self, node: &'n Node, term: &OrderTerm) -> Option<&'n request::Field> {
        if !self.is_dialect() || !term.path.steps.is_empty() {
            return None;
        }
        node.select.iter().find_map(|item| match item {
            Item::Field(field) if field.aggregate.is_none() => {
                (field.alias.as_ref() == Some(&term.path.column)).then_some(field)
            }
            _ => None,
        })
    }

    fn selected(&self, scope: &Scope<'a>, field: &request::Field) -> Result<Typed, Problem> {
        match (&field.path, &field.cast) {
            (Some(path), None) => self.path(scope.shape, scope.alias, path, Purpose::Compare),
            _ => match self.field(scope.shape, scope.alias, field, true)?.0.value {
                FieldValue::Value { expr, .. } => Ok(Typed { expr, type_oid: 0, not_null: false }),
                _ => Err(Problem::internal_error("a selected field is no value")),
            },
        }
    }

    /// With aggregates or distinct only what is selected can be ordered by.
    fn selected_key(
        &self,
        term: &OrderTerm,
        scope: &Scope<'a>,
        fields: &[Field],
        distinct: bool,
    ) -> Result<OrderKey, Problem> {
        let find = |wanted: &dyn Fn(&Field) -> bool| {
            fields.iter().enumerate().find(|(_, field)| wanted(field)).and_then(|(index, field)| match &field
                .value
            {
                FieldValue::Value { expr, .. } => Some((index, expr.clone())),
                _ => None,
            })
        };
        let named = || find(&|field| field.name.as_str() == &*term.path.column);
        let found = match (term.relation.is_none() && term.path.steps.is_empty()).then(named).flatten() {
            Some(found) => Some(found),
            None => {
                let expr = self.key(term, scope)?.expr;
                find(&|field| matches!(&field.value, FieldValue::Value { expr: e, .. } if *e == expr))
            }
        };
        if found.is_none() && self.is_dialect() {
            // What depends on a grouped key may be ordered by; PostgreSQL knows.
            return self.key(term, scope);
        }
        let (index, expr) = found.ok_or_else(|| {
            Problem::new(&QUERY_SYNTAX)
                .detail(format!("{:?} is not selected", term_text(term)))
                .hint("With aggregates or distinct, order by what is selected")
        })?;
        // json has no order, and grouped rows have what it was made of. (DISTINCT makes jsonb, which has one.)
        let as_json = matches!(&fields[index].value, FieldValue::Value { coding: Coding::ToJson, .. });
        let place = (distinct || !as_json).then_some(index);
        Ok(order_key(Typed { expr, type_oid: 0, not_null: false }, false, term, place))
    }

    /// Appends the columns of a key, unless the order holds one already. False: there is no key to be had.
    fn complete(
        &self,
        id: RelationId,
        scope: &Scope<'a>,
        keys: &mut Vec<OrderKey>,
        text: &mut Vec<String>,
    ) -> bool {
        let relation = self.get(id);
        let candidates: Vec<&[ColumnId]> = self.unique_keys(id).collect();
        let holds = |id: &ColumnId| {
            let expr = column_of(scope.alias, column(relation, *id));
            keys.iter().any(|key| key.expr == expr)
        };
        if candidates.iter().any(|columns| columns.iter().all(holds)) {
            return true;
        }
        let Some(columns) = candidates.first() else { return false };
        let missing: Vec<ColumnId> = columns.iter().copied().filter(|id| !holds(id)).collect();
        for id in missing {
            let column = column(relation, id);
            let key = OrderKey {
                expr: column_of(scope.alias, column),
                descending: false,
                nulls_first: false,
                nullable: !column.not_null,
                field: None,
            };
            text.push(key_text(column.name.as_str(), &key));
            keys.push(key);
        }
        true
    }

    /// Keys whose columns the role may read: the primary key, then unique constraints without NULLs.
    fn unique_keys(&self, id: RelationId) -> impl Iterator<Item = &'a [ColumnId]> + '_ {
        let relation = self.get(id);
        let primary = std::iter::once(relation.primary_key.as_slice()).filter(|key| !key.is_empty());
        let uniques =
            relation.uniques.iter().map(|unique| unique.columns.as_slice()).filter(move |columns| {
                !columns.is_empty() && columns.iter().all(|id| column(relation, *id).not_null)
            });
        primary.chain(uniques).filter(move |columns| columns.iter().all(|column| self.reads(id, *column)))
    }
}

pub(super) fn not_one(shape: Shape<'_>, name: &Arc<str>) -> Problem {
    let origin = match shape {
        Shape::Relation { relation, .. } => relation.name.to_string(),
        Shape::Columns(_) => String::new(),
    };
    Problem::new(&QUERY_SYNTAX)
        .detail(format!("{:?} is a list of related rows; an order needs one row", &**name))
        .caused_by(Fault::OrderNotToOne { origin, target: name.clone() })
}

/// Whether the filters pin a unique key of a table, so that there is one row at most.
pub(super) fn is_one_row(node: &Node, scope: &Scope<'_>) -> bool {
    let Shape::Relation { relation, checked: true, .. } = scope.shape else { return false };
    if !matches!(relation.kind, RelationKind::Table | RelationKind::Partitioned) {
        return false;
    }
    let mut pinned = Vec::new();
    node.filters.iter().for_each(|filter| pins(filter, &mut pinned));
    // `=` passes no NULL, so unique columns that may be NULL count as well.
    let keys = relation.uniques.iter().map(|unique| &unique.columns).chain([&relation.primary_key]);
    keys.filter(|key| !key.is_empty())
        .any(|key| key.iter().all(|id| pinned.contains(&column(relation, *id).name.as_str())))
}

/// Grouped and distinct rows differ in their plain fields, so ordering by all of them is total.
fn complete_selected(fields: &[Field], keys: &mut Vec<OrderKey>) {
    for (index, field) in fields.iter().enumerate() {
        let FieldValue::Value { expr, coding: Coding::Wire(codec) } = &field.value else {
            continue;
        };
        let sorted = keys.iter().any(|key| key.field == Some(index));
        let plain = matches!(expr, super::tree::Expr::Column { .. });
        if plain && !sorted && *codec != crate::output::Codec::Json && *codec != crate::output::Codec::Quoted
        {
            keys.push(OrderKey {
                expr: expr.clone(),
                descending: false,
                nulls_first: false,
                nullable: true,
                field: Some(index),
            });
        }
    }
}

/// The rows after a cursor's row (before it, going backward).
pub(super) fn seek(seek: Option<&Seek>, order: &Order) -> Result<Option<Cond>, Problem> {
    let Some(seek) = seek else { return Ok(None) };
    if !order.cursors {
        return Err(Problem::new(&CURSOR_INVALID)
            .detail("This resource has no unique key that you can read, so there are no cursors for it")
            .hint("Use page and per_page"));
    }
    if seek.keys.len() != order.keys.len() {
        return Err(Problem::new(&CURSOR_INVALID).detail("The cursor belongs to another order"));
    }
    let keys: Vec<SeekKey<'_>> = order
        .keys
        .iter()
        .zip(&seek.keys)
        .map(|(key, value)| SeekKey::new(key, *value, seek.backward))
        .collect();
    Ok(Some(after_row(&keys)))
}

/// An order key as it runs in SQL, with the cursor's value.
struct SeekKey<'k> {
    key: &'k OrderKey,
    value: Option<ValueRef>,
    descending: bool,
    /// NULLs come after every value.
    nulls_after: bool,
}

impl<'k> SeekKey<'k> {
    fn new(key: &'k OrderKey, value: Option<ValueRef>, backward: bool) -> Self {
        let nulls_after = key.nullable && (key.nulls_first == backward);
        Self { key, value, descending: key.descending != backward, nulls_after }
    }

    fn bound(&self, value: ValueRef, op: Bound) -> Cond {
        Cond::Bound { left: self.key.expr.clone(), op, right: value }
    }

    fn is(&self, is: request::Is) -> Cond {
        Cond::Is { left: self.key.expr.clone(), is }
    }

    /// As the cursor's row in this key.
    fn same(&self) -> Cond {
        match self.value {
            Some(value) => self.bound(value, Bound::Equal),
            None => self.is(request::Is::Null),
        }
    }

    /// Behind the cursor's row in this key. `None`: nothing is.
    fn after(&self) -> Option<Cond> {
        let Some(value) = self.value else {
            return (!self.nulls_after).then(|| self.is(request::Is::NotNull));
        };
        let beyond = self.bound(value, if self.descending { Bound::Less } else { Bound::Greater });
        Some(if self.nulls_after { Cond::Any(vec![beyond, self.is(request::Is::Null)]) } else { beyond })
    }
}

fn after_row(keys: &[SeekKey<'_>]) -> Cond {
    let first = &keys[0];
    let values: Option<Vec<ValueRef>> = keys.iter().map(|key| key.value).collect();
    let uniform = keys.iter().all(|key| key.descending == first.descending && !key.nulls_after);
    if let (Some(values), true, true) = (values, uniform, keys.len() > 1) {
        // One range of an index. NULLs come before every value here, and a comparison with NULL leaves them out.
        let left = keys.iter().map(|key| key.key.expr.clone()).collect();
        return Cond::Row { left, greater: !first.descending, right: values };
    }
    let expanded = expand(keys);
    match first.value {
        // The bound on the first key alone lets PostgreSQL start in the middle of an index.
        Some(value) if !first.nulls_after && keys.len() > 1 => {
            let op = if first.descending { Bound::LessOrEqual } else { Bound::GreaterOrEqual };
            Cond::All(vec![first.bound(value, op), expanded])
        }
        _ => expanded,
    }
}

/// `a after x or (a same x and (b after y or …))`.
fn expand(keys: &[SeekKey<'_>]) -> Cond {
    let Some((first, rest)) = keys.split_first() else { return Cond::Any(Vec::new()) };
    let mut any: Vec<Cond> = first.after().into_iter().collect();
    if !rest.is_empty() {
        any.push(Cond::All(vec![first.same(), expand(rest)]));
    }
    Cond::Any(any)
}

fn order_key(typed: Typed, outer: bool, term: &OrderTerm, field: Option<usize>) -> OrderKey {
    OrderKey {
        expr: typed.expr,
        descending: term.descending,
        nulls_first: term.nulls_first.unwrap_or(term.descending),
        nullable: outer || !typed.not_null,
        field,
    }
}

fn pins<'n>(filter: &'n Logic, pinned: &mut Vec<&'n str>) {
    match filter {
        Logic::And(all) => all.iter().for_each(|f| pins(f, pinned)),
        Logic::Test(test) => {
            let equal = matches!(test.op, Op::Compare { op: Comparison::Eq, quantifier: None, .. });
            if equal && !test.negated && test.through.is_empty() && test.path.steps.is_empty() {
                pinned.push(&test.path.column);
            }
        }
        Logic::Or(_) | Logic::Not(_) => {}
    }
}

fn term_text(term: &OrderTerm) -> String {
    match &term.relation {
        Some(relation) => format!("{relation}({})", path_text(&term.path)),
        None => path_text(&term.path),
    }
}

fn key_text(name: &str, key: &OrderKey) -> String {
    let direction = if key.descending { "desc" } else { "asc" };
    let nulls = if key.nulls_first { "nullsfirst" } else { "nullslast" };
    format!("{name}.{direction}.{nulls}")
}
