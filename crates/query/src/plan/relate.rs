//! Which way leads from one relation to another: by the name of the other relation, of a foreign key, of its column,
//! or of a function, with a hint where several do. The naming rules are PostgREST's, which clients know.

use std::sync::Arc;

use bedplate_core::Problem;

use super::planner::{Planner, Shape, column, column_of, qualified, qualified_function};
use super::similar::{RELATED, nearest, similar};
use super::tree::{Alias, Cond, Expr, Operand, Source};
use crate::catalog::{Cardinality, ColumnId, Relation, RelationId, RelationKind, Relationship, Returns, Via};
use crate::fault::{Candidate, Fault};
use crate::gate::Verb;
use crate::problems::{AMBIGUOUS_RELATIONSHIP, UNKNOWN_RELATIONSHIP};
use crate::request::{Comparison, Name, ValueRef};

/// A chosen relationship.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub origin: RelationId,
    pub relationship: &'a Relationship,
}

/// The near end of a way: a row of the statement, or a row known by its key only.
#[derive(Clone, Copy)]
pub(super) enum Near<'k> {
    Row(Alias),
    Key(&'k [(ColumnId, ValueRef)]),
}

impl<'a> Way<'a> {
    pub fn to_one(self) -> bool {
        self.relationship.cardinality.to_one()
    }

    pub fn function(self) -> Option<crate::catalog::FunctionId> {
        match self.relationship.via {
            Via::Computed { function } => Some(function),
            _ => None,
        }
    }
}

type Pairs = [(ColumnId, ColumnId)];

impl<'a> Planner<'a> {
    /// The way from `shape` that a request names.
    pub(super) fn way(&self, shape: Shape<'a>, name: &str, hint: Option<&Name>) -> Result<Way<'a>, Problem> {
        let Shape::Relation { id: origin, relation, checked } = shape else {
            return Err(Problem::new(&UNKNOWN_RELATIONSHIP).detail(
                "This function does not return rows of a relation, so nothing can be embedded in them",
            ));
        };
        let ways: Vec<Way<'a>> = self.ways(origin, checked).collect();
        let mut named: Vec<Way<'a>> =
            ways.iter().copied().filter(|way| self.is_named(*way, name, hint)).collect();
        // A computed relationship is written on purpose: it stands in for what foreign keys offer under its name.
        if named.iter().any(|way| way.function().is_some()) {
            named.retain(|way| way.function().is_some());
        }
        match named.as_slice() {
            [one] => Ok(*one),
            [] => Err(self.no_way(relation, name, hint, &ways)),
            several => Err(self.several_ways(relation, name, several)),
        }
    }

    /// The way from a parent of a nested path to the next step.
    pub(super) fn way_to(
        &self,
        origin: RelationId,
        target: RelationId,
        hint: Option<&Name>,
    ) -> Result<Way<'a>, Problem> {
        let relation = self.get(origin);
        let name = self.get(target).name.as_str();
        let ways: Vec<Way<'a>> = self.ways(origin, true).collect();
        let fits = |way: &Way<'a>| {
            way.relationship.target == target
                && way.function().is_none()
                && (origin != target || way.relationship.cardinality == Cardinality::OneToMany)
                && hint.is_none_or(|hint| self.is_hinted(*way, hint))
        };
        let mut fitting: Vec<Way<'a>> = ways.iter().copied().filter(fits).collect();
        if fitting.len() > 1 && hint.is_none() {
            // Nesting follows foreign keys; a junction counts only where there is none.
            let direct = |way: &Way<'a>| way.relationship.cardinality != Cardinality::ManyToMany;
            if fitting.iter().any(direct) {
                fitting.retain(direct);
            }
        }
        match fitting.as_slice() {
            [one] => Ok(*one),
            [] => Err(self.no_way(relation, name, hint, &ways)),
            several => Err(self.several_ways(relation, name, several)),
        }
    }

    /// The ways that the role may go: both ends, what lies between, and the columns that join them.
    fn ways(&self, origin: RelationId, checked: bool) -> impl Iterator<Item = Way<'a>> + '_ {
        self.catalog
            .relationships(origin)
            .iter()
            .map(move |relationship| Way { origin, relationship })
            .filter(move |way| self.passable(*way, checked))
    }

    fn passable(&self, way: Way<'a>, checked: bool) -> bool {
        let select = |id| self.gate.relation(self.catalog, self.role, id, Verb::Select).is_ok();
        let target = way.relationship.target;
        let here = |pairs: &Pairs| !checked || self.reads_each(way.origin, pairs.iter().map(|p| p.0));
        match &way.relationship.via {
            Via::ForeignKey { columns, .. } => {
                here(columns) && select(target) && self.reads_each(target, columns.iter().map(|p| p.1))
            }
            Via::Junction { junction, source, target: far, .. } => {
                let between = source.iter().map(|p| p.1).chain(far.iter().map(|p| p.0));
                here(source)
                    && self.gate.junction(self.catalog, self.role, *junction).is_ok()
                    && self.reads_each(*junction, between)
                    && select(target)
                    && self.reads_each(target, far.iter().map(|p| p.1))
            }
            // The whole row is passed.
            Via::Computed { function } => self.uses(*function) && (!checked || self.reads_all(way.origin)),
        }
    }

    fn reads_each(&self, id: RelationId, mut columns: impl Iterator<Item = ColumnId>) -> bool {
        columns.all(|column| self.reads(id, column))
    }

    fn is_named(&self, way: Way<'a>, name: &str, hint: Option<&Name>) -> bool {
        let target = self.get(way.relationship.target);
        let by_name = target.name.as_str() == name;
        if let Some(function) = way.function() {
            return self.function(function).name.as_str() == name;
        }
        let is_view = matches!(target.kind, RelationKind::View | RelationKind::MaterializedView);
        let (near, far) = self.single_columns(way);
        if way.origin == way.relationship.target {
            // One foreign key gives two ways: the table's name leads to the many, the column's to the one.
            let many = way.relationship.cardinality == Cardinality::OneToMany;
            return match hint {
                None => by_name && many || way.to_one() && near == Some(name),
                // The constraint tells nothing about the direction; PostgREST does not know it here.
                Some(hint) if many => {
                    by_name && (far == Some(hint) || !self.is_dialect() && constraint(way) == Some(hint))
                }
                Some(hint) => by_name && !way.to_one() && self.is_hinted(way, hint),
            };
        }
        match hint {
            None => by_name || !is_view && (constraint(way) == Some(name) || near == Some(name)),
            Some(hint) => by_name && self.is_hinted(way, hint),
        }
    }

    fn is_hinted(&self, way: Way<'a>, hint: &str) -> bool {
        let (near, far) = self.single_columns(way);
        let junction = match &way.relationship.via {
            Via::Junction { junction, source_constraint, target_constraint, .. } => {
                self.get(*junction).name.as_str() == hint
                    || source_constraint.as_str() == hint
                    || target_constraint.as_str() == hint
            }
            _ => false,
        };
        junction || constraint(way) == Some(hint) || near == Some(hint) || far == Some(hint)
    }

    /// The joining columns here and there, of a foreign key with one column.
    fn single_columns(&self, way: Way<'a>) -> (Option<&'a str>, Option<&'a str>) {
        match &way.relationship.via {
            Via::ForeignKey { columns, .. } if columns.len() == 1 => (
                Some(column(self.get(way.origin), columns[0].0).name.as_str()),
                Some(column(self.get(way.relationship.target), columns[0].1).name.as_str()),
            ),
            _ => (None, None),
        }
    }

    fn no_way(&self, origin: &Relation, name: &str, hint: Option<&Name>, ways: &[Way<'a>]) -> Problem {
        let by = hint.map(|hint| format!(" by {:?}", &**hint)).unwrap_or_default();
        let problem = Problem::new(&UNKNOWN_RELATIONSHIP)
            .detail(format!("No relationship leads from {:?} to {name:?}{by}", origin.name.as_str()))
            .field(name, format!("is not related to {:?}{by}", origin.name.as_str()));
        let known = || ways.iter().map(|way| self.get(way.relationship.target).name.as_str());
        let asks_another = known().all(|related| related != name);
        let granted = ways.iter().map(|way| way.relationship.target);
        let granted = granted.filter(|id| self.catalog.can(self.role, *id, Verb::Select));
        let granted = granted.map(|id| self.get(id).name.as_str());
        let like = if asks_another && self.is_dialect() { similar(name, granted, RELATED) } else { None };
        let problem = problem.caused_by(Fault::NoRelationship {
            schema: origin.schema.to_string(),
            origin: origin.name.to_string(),
            target: name.into(),
            hint: hint.cloned(),
            similar: like.map(str::to_owned),
        });
        match nearest(name, known()).filter(|near| **near != *name) {
            Some(near) => problem.hint(format!("Did you mean {near:?}?")),
            None => problem,
        }
    }

    /// 400 `ambiguous_relationship`. `details` has each candidate: how to ask for it, then cardinality, keys, and ends.
    fn several_ways(&self, origin: &Relation, name: &str, ways: &[Way<'a>]) -> Problem {
        let problem = Problem::new(&AMBIGUOUS_RELATIONSHIP)
            .detail(format!("More than one relationship leads from {:?} to {name:?}", origin.name.as_str()))
            .hint("Name one of them, as `details` shows");
        let mut ways = ways.to_vec();
        ways.sort_by_cached_key(|way| self.place_among_candidates(*way));
        let candidates: Vec<Candidate> = ways.iter().map(|way| self.describe(origin, *way)).collect();
        let fault = Fault::ManyRelationships {
            origin: origin.name.to_string(),
            target: name.into(),
            candidates: candidates.clone(),
        };
        candidates.into_iter().fold(problem.caused_by(fault), |problem, candidate| {
            problem
                .field(candidate.spelling.clone(), candidate.cardinality)
                .field(candidate.spelling.clone(), candidate.relationship)
                .field(candidate.spelling, candidate.embedding)
        })
    }

    /// The order in which PostgREST lists relationships: by kind, then by constraints and columns.
    fn place_among_candidates(&self, way: Way<'a>) -> ([&'a str; 2], u8, Vec<&'a str>) {
        let target = self.get(way.relationship.target);
        let rank = match way.relationship.cardinality {
            Cardinality::OneToMany => 0,
            Cardinality::ManyToOne => 1,
            Cardinality::OneToOne => 2,
            Cardinality::ManyToMany => 3,
        };
        let mut words = Vec::new();
        match &way.relationship.via {
            Via::ForeignKey { constraint, columns, .. } => {
                words.push(constraint.as_str());
                for (here, there) in columns {
                    words.push(column(self.get(way.origin), *here).name.as_str());
                    words.push(column(target, *there).name.as_str());
                }
            }
            Via::Junction { junction, source_constraint, target_constraint, .. } => {
                let between = self.get(*junction);
                words.extend([between.schema.as_str(), between.name.as_str()]);
                words.extend([source_constraint.as_str(), target_constraint.as_str()]);
            }
            Via::Computed { function } => words.push(self.function(*function).name.as_str()),
        }
        ([target.schema.as_str(), target.name.as_str()], rank, words)
    }

    fn describe(&self, origin: &Relation, way: Way<'a>) -> Candidate {
        let target = self.get(way.relationship.target);
        let cardinality = match way.relationship.cardinality {
            Cardinality::ManyToOne => "many-to-one",
            Cardinality::OneToOne => "one-to-one",
            Cardinality::OneToMany => "one-to-many",
            Cardinality::ManyToMany => "many-to-many",
        };
        let (hint, keys) = match &way.relationship.via {
            Via::ForeignKey { constraint, columns, .. } => {
                let here = names(origin, columns.iter().map(|p| p.0));
                let there = names(target, columns.iter().map(|p| p.1));
                (
                    constraint.as_str(),
                    format!("{constraint} using {}({here}) and {}({there})", origin.name, target.name),
                )
            }
            Via::Junction { junction, source_constraint, target_constraint, source, target } => {
                let between = self.get(*junction);
                let here = names(between, source.iter().map(|p| p.1));
                let there = names(between, target.iter().map(|p| p.0));
                let name = between.name.as_str();
                (name, format!("{name} using {source_constraint}({here}) and {target_constraint}({there})"))
            }
            Via::Computed { function } => ("", self.function(*function).name.to_string()),
        };
        let spelling = if hint.is_empty() { keys.clone() } else { format!("{}!{hint}", target.name) };
        let embedding = format!("{} with {}", origin.name, target.name);
        Candidate { cardinality, embedding, relationship: keys, spelling }
    }

    /// Whether a to-one way may meet several rows: a view over joins repeats the key that it shows. A view that
    /// PostgreSQL can update is over one table, so its key is unique.
    pub(super) fn may_repeat(&self, way: Way<'a>) -> bool {
        let target = self.get(way.relationship.target);
        let view = matches!(target.kind, RelationKind::View | RelationKind::MaterializedView);
        let Via::ForeignKey { columns, .. } = &way.relationship.via else { return false };
        let unique = target.uniques.iter().any(|unique| {
            !unique.columns.is_empty() && unique.columns.iter().all(|id| columns.iter().any(|p| p.1 == *id))
        });
        view && !target.deletable && !unique
    }

    /// What the far end is read from.
    pub(super) fn far_source(&self, way: Way<'a>, near: Alias) -> Source {
        match way.function() {
            Some(function) => {
                Source::Rows { of: near, function: qualified_function(self.function(function)) }
            }
            None => Source::Relation(qualified(self.get(way.relationship.target))),
        }
    }

    pub(super) fn far_shape(&self, way: Way<'a>) -> Shape<'a> {
        self.whole(way.relationship.target, way.function().is_none())
    }

    /// What makes a row of the far end belong to the near end. `None` where a key does not tell (a foreign key to
    /// other columns than the key's).
    pub(super) fn joined(&mut self, way: Way<'a>, near: Near<'_>, far: Alias) -> Option<Vec<Cond>> {
        let origin = self.get(way.origin);
        let target = self.get(way.relationship.target);
        match &way.relationship.via {
            Via::ForeignKey { columns, .. } => columns
                .iter()
                .map(|(here, there)| equal(near, origin, *here, column_of(far, column(target, *there))))
                .collect(),
            // EXISTS, not a join: a junction may hold the same pair twice.
            Via::Junction { junction, source, target: to, .. } => {
                let between = self.get(*junction);
                let alias = self.alias();
                let mut when = Vec::with_capacity(source.len() + to.len());
                for (here, there) in source {
                    when.push(equal(near, origin, *here, column_of(alias, column(between, *there)))?);
                }
                for (here, there) in to {
                    let here = column_of(alias, column(between, *here));
                    when.push(Cond::Equal(here, column_of(far, column(target, *there))));
                }
                let from = vec![(Source::Relation(qualified(between)), alias)];
                Some(vec![Cond::Exists { from, when, in_order: false, page: None }])
            }
            Via::Computed { .. } => matches!(near, Near::Row(_)).then(Vec::new),
        }
    }

    /// Whether a row is always there, if of nothing but NULLs: a function that returns a row and no set does so.
    pub(super) fn always_one(&self, way: Way<'a>) -> bool {
        let returns = way.function().map(|id| &self.function(id).returns);
        matches!(returns, Some(Returns::Row { set: false, .. } | Returns::Table { set: false, .. }))
    }

    /// A value that is NULL exactly when an outer join found no row.
    pub(super) fn presence(&self, way: Way<'a>, far: Alias) -> Expr {
        match self.present(way, far) {
            Cond::Is { left, .. } => left,
            _ => Expr::Row(far),
        }
    }

    /// A condition that holds when an outer-joined row is there.
    pub(super) fn present(&self, way: Way<'a>, far: Alias) -> Cond {
        let target = self.get(way.relationship.target);
        match &way.relationship.via {
            Via::ForeignKey { columns, .. } if !columns.is_empty() => Cond::Is {
                left: column_of(far, column(target, columns[0].1)),
                is: crate::request::Is::NotNull,
            },
            _ => Cond::Present(far),
        }
    }
}

fn equal(near: Near<'_>, origin: &Relation, here: ColumnId, there: Expr) -> Option<Cond> {
    match near {
        Near::Row(alias) => Some(Cond::Equal(there, column_of(alias, column(origin, here)))),
        Near::Key(key) => {
            let value = key.iter().find(|(id, _)| *id == here)?.1;
            Some(Cond::Compare { left: there, op: Comparison::Eq, right: Operand { value, parse: None } })
        }
    }
}

fn constraint(way: Way<'_>) -> Option<&str> {
    match &way.relationship.via {
        Via::ForeignKey { constraint, .. } => Some(constraint.as_str()),
        _ => None,
    }
}

fn names(relation: &Relation, ids: impl Iterator<Item = ColumnId>) -> String {
    let names: Vec<&str> = ids.map(|id| column(relation, id).name.as_str()).collect();
    names.join(", ")
}

/// The name by which an embed is known: in the answer, in filters and in orders.
pub(super) fn embed_name(embed: &crate::request::Embed) -> &Arc<str> {
    embed.alias.as_ref().unwrap_or(&embed.relation)
}
