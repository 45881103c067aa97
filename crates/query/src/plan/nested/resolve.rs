//! [`Resolver`]: walks the body level by level and makes parts of it.

use bedplate_core::Problem;
use bedplate_core::problem::{FieldFaults, LIMIT_EXCEEDED};

use super::given::{Given, Related};
use super::{Cell, Part, Row};
use crate::catalog::{Cardinality, ColumnId, RelationId, Via};
use crate::limits::Limits;
use crate::plan::planner::Planner;
use crate::plan::relate::Way;
use crate::problems::UNKNOWN_RELATIONSHIP;
use crate::request::{Action, Bulk, Embed, Item, Join, Name, Node, Style, Target, ValueRef, key_member};
use crate::validate::body::Object;
use crate::validate::{self, Field};

/// A row on its way into a part.
#[derive(Debug)]
pub(super) struct Input {
    pub place: String,
    pub fields: Object,
    /// Columns that other rows fill.
    pub cells: Vec<(Name, Cell)>,
}

pub(super) struct Resolver<'a> {
    planner: Planner<'a>,
    limits: &'a Limits,
    pub parts: Vec<Part>,
    pub faults: FieldFaults,
    rows: usize,
    relations: usize,
}

/// A relation that rows of a level have.
struct Group<'a> {
    name: Name,
    way: Way<'a>,
    embed: Embed,
    given: Given,
}

type Pairs = [(ColumnId, ColumnId)];

/// A part of related rows, and the row above that each belongs to.
type Others = (usize, Vec<usize>);

impl<'a> Resolver<'a> {
    pub fn new(planner: Planner<'a>, limits: &'a Limits) -> Self {
        Self { planner, limits, parts: Vec::new(), faults: FieldFaults::new(), rows: 0, relations: 0 }
    }

    pub fn fault(&mut self, place: &str, message: impl Into<String>) {
        /// More would only make the answer large.
        const MOST: usize = 100;
        if self.faults.len() < MOST {
            self.faults.entry(place.to_owned()).or_default().push(message.into());
        }
    }

    /// Where a part answers a column of its rows.
    pub fn answer_at(&mut self, part: usize, name: &Name) -> usize {
        let answer = &mut self.parts[part].bulk.answer;
        answer.iter().position(|known| known == name).unwrap_or_else(|| {
            answer.push(Name::clone(name));
            answer.len() - 1
        })
    }

    /// New rows of a relation, with everything that hangs on them: those that they refer to come before, those that refer to
    /// them after. Tells their part, and what they are answered as.
    pub fn level(
        &mut self,
        relation: RelationId,
        mut inputs: Vec<Input>,
        node: Option<&Node>,
        depth: usize,
    ) -> Result<(usize, Vec<Item>), Problem> {
        self.count(inputs.len(), depth)?;
        let mut groups: Vec<Group<'a>> = Vec::new();
        for (at, input) in inputs.iter_mut().enumerate() {
            self.split(relation, at, input, node, &mut groups)?;
        }
        let (mut before, mut after): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| is_forward(group.way));
        for group in &mut before {
            let below = embedded(node, &group.name);
            group.embed.node.select = self.above(group.way, &mut group.given, &mut inputs, below, depth)?;
        }
        for input in &inputs {
            self.validate(relation, input);
        }
        let part = self.insert(relation, inputs);
        for group in &mut after {
            let below = embedded(node, &group.name);
            group.embed.node.select = self.below(group.way, &mut group.given, part, below, depth)?;
        }
        let embeds = before.into_iter().chain(after).map(|group| Item::Embed(group.embed));
        Ok((part, std::iter::once(Item::Star).chain(embeds).collect()))
    }

    fn count(&mut self, rows: usize, depth: usize) -> Result<(), Problem> {
        self.rows += rows;
        let exceeded = |detail| Err(Problem::new(&LIMIT_EXCEEDED).detail(detail));
        if depth > self.limits.embed_depth {
            return exceeded(format!(
                "at most {} levels of related rows can be written at once (limits.embed_depth)",
                self.limits.embed_depth
            ));
        }
        if self.rows > self.limits.write_rows {
            return exceeded(format!(
                "at most {} rows can be written at once, related ones included (limits.write_rows)",
                self.limits.write_rows
            ));
        }
        Ok(())
    }

    /// Takes the related rows out of a row's fields.
    fn split(
        &mut self,
        relation: RelationId,
        at: usize,
        input: &mut Input,
        node: Option<&Node>,
        groups: &mut Vec<Group<'a>>,
    ) -> Result<(), Problem> {
        let mut own: Vec<Field> = Vec::with_capacity(input.fields.len());
        for (name, value) in std::mem::take(&mut input.fields) {
            let composed = value.get().starts_with(['{', '[']);
            if !composed || self.planner.catalog.find_column(relation, &name).is_some() {
                own.push((name, value));
                continue;
            }
            let place = joined(&input.place, &name);
            let known = groups.iter().position(|group| group.name == name);
            let group = match known {
                Some(group) => group,
                None => match self.related(relation, &name, &place, node)? {
                    Some(group) => {
                        groups.push(group);
                        groups.len() - 1
                    }
                    None => continue,
                },
            };
            let way = groups[group].way;
            let target = way.relationship.target;
            let catalog = self.planner.catalog;
            let is_column = |name: &Name| catalog.find_column(target, name).is_some();
            let given = &mut groups[group].given;
            self.given(given, at, &place, value.get(), way.to_one(), &is_column)?;
        }
        input.fields = own;
        Ok(())
    }

    /// The relation that a member of a body names: as an embed of the answer does, by the names that embeds have, or by a
    /// foreign key's column without its `_id`.
    fn related(
        &mut self,
        relation: RelationId,
        name: &Name,
        place: &str,
        node: Option<&Node>,
    ) -> Result<Option<Group<'a>>, Problem> {
        let (alias, spelled) = match name.split_once(':') {
            Some((alias, rest)) => (Some(Name::from(alias)), rest),
            None => (None, &**name),
        };
        let (named, hint) = match spelled.split_once('!') {
            Some((named, hint)) => (Name::from(named), Some(Name::from(hint))),
            None => (Name::from(spelled), None),
        };
        let mut wanted = vec![(named, alias, hint)];
        if let Some(embed) = find_embed(node, name) {
            wanted.insert(0, (Name::clone(&embed.relation), embed.alias.clone(), embed.hint.clone()));
        }
        wanted.push((Name::from(format!("{name}_id")), Some(Name::clone(name)), None));
        let shape = self.planner.whole(relation, true);
        for (named, alias, hint) in wanted {
            match self.planner.way(shape, &named, hint.as_ref()) {
                Ok(way) if way.function().is_some() => {
                    self.fault(place, "is made by a function and cannot be written");
                    return Ok(None);
                }
                Ok(way) => {
                    self.relations += 1;
                    if self.relations > self.limits.embeds {
                        return Err(Problem::new(&LIMIT_EXCEEDED).detail(format!(
                            "at most {} relations can be written at once",
                            self.limits.embeds
                        )));
                    }
                    let embed = Embed {
                        relation: named,
                        alias,
                        hint,
                        join: Join::Left,
                        spread: false,
                        node: Node::default(),
                        empty: false,
                    };
                    return Ok(Some(Group { name: Name::clone(name), way, embed, given: Given::default() }));
                }
                Err(problem) if *problem.code() == UNKNOWN_RELATIONSHIP => {}
                Err(problem) => return Err(problem),
            }
        }
        self.fault(place, "is neither a field of this resource nor a relation of it");
        Ok(None)
    }

    fn validate(&mut self, relation: RelationId, input: &Input) {
        let filled: Vec<Name> = input.cells.iter().map(|(name, _)| Name::clone(name)).collect();
        for (name, _) in input.fields.iter().filter(|(name, _)| filled.contains(name)) {
            self.fault(&joined(&input.place, name), "is set by the related row");
        }
        let (catalog, role) = (self.planner.catalog, self.planner.role);
        let checked = validate::create_below(catalog, role, relation, &input.fields, &filled);
        for (field, messages) in checked.err().unwrap_or_default() {
            for message in messages {
                self.fault(&joined(&input.place, &field), message);
            }
        }
    }

    /// To-one: the related rows come first, and their keys go into the rows that refer to them.
    fn above(
        &mut self,
        way: Way<'a>,
        given: &mut Given,
        inputs: &mut [Input],
        node: Option<&Node>,
        depth: usize,
    ) -> Result<Vec<Item>, Problem> {
        let Via::ForeignKey { columns, .. } = &way.relationship.via else { return Ok(Vec::new()) };
        let target = way.relationship.target;
        let (made, select) = self.made(target, &mut given.create, |_, _| Vec::new(), node, depth)?;
        let found = self.found(target, &mut given.connect)?;
        for (part, rows) in made.into_iter().chain(found) {
            for (row, above) in rows.into_iter().enumerate() {
                for (here, there) in columns {
                    let column = self.answer_at(part, &self.planner.name_of(target, *there));
                    let name = self.planner.name_of(way.origin, *here);
                    inputs[above].cells.push((name, Cell::Of { part, row, column }));
                }
            }
        }
        Ok(select)
    }

    /// To-many, and to-one from the other side: the related rows come after, with the keys of the rows that they belong to.
    fn below(
        &mut self,
        way: Way<'a>,
        given: &mut Given,
        part: usize,
        node: Option<&Node>,
        depth: usize,
    ) -> Result<Vec<Item>, Problem> {
        let target = way.relationship.target;
        match &way.relationship.via {
            Via::ForeignKey { columns, .. } => {
                let connected = std::mem::take(&mut given.connect);
                let belongs =
                    |this: &mut Self, above: usize| this.belongs(part, way.origin, target, columns, above);
                if !connected.is_empty() {
                    self.connect(target, connected, &belongs)?;
                }
                let (_, select) = self.made(target, &mut given.create, belongs, node, depth)?;
                Ok(select)
            }
            Via::Junction { junction, source, target: far, .. } => {
                let (made, select) = self.made(target, &mut given.create, |_, _| Vec::new(), node, depth)?;
                let found = self.found(target, &mut given.connect)?;
                let mut inputs = Vec::new();
                for (other, rows) in made.into_iter().chain(found) {
                    for (row, above) in rows.into_iter().enumerate() {
                        let place = self.parts[other].rows[row].place.clone();
                        let mut cells = self.belongs(part, way.origin, *junction, source, above);
                        for (here, there) in far {
                            let column = self.answer_at(other, &self.planner.name_of(target, *there));
                            let name = self.planner.name_of(*junction, *here);
                            cells.push((name, Cell::Of { part: other, row, column }));
                        }
                        inputs.push(Input { place, fields: Vec::new(), cells });
                    }
                }
                self.count(inputs.len(), depth)?;
                let joins = self.insert(*junction, inputs);
                if let Action::Insert { ignore, .. } = &mut self.parts[joins].bulk.action {
                    *ignore = true;
                }
                Ok(select)
            }
            Via::Computed { .. } => Ok(Vec::new()),
        }
    }

    /// The foreign key of a row that belongs to a row above, which `part` writes. Pairs are (column there, column of `of`).
    fn belongs(
        &mut self,
        part: usize,
        origin: RelationId,
        of: RelationId,
        pairs: &Pairs,
        above: usize,
    ) -> Vec<(Name, Cell)> {
        let cell = |(there, here): &(ColumnId, ColumnId)| {
            let column = self.answer_at(part, &self.planner.name_of(origin, *there));
            (self.planner.name_of(of, *here), Cell::Of { part, row: above, column })
        };
        pairs.iter().map(cell).collect()
    }

    /// New related rows: their part, and the rows above that they belong to.
    fn made(
        &mut self,
        target: RelationId,
        create: &mut Vec<Related>,
        filled: impl Fn(&mut Self, usize) -> Vec<(Name, Cell)>,
        node: Option<&Node>,
        depth: usize,
    ) -> Result<(Option<Others>, Vec<Item>), Problem> {
        if create.is_empty() {
            return Ok((None, Vec::new()));
        }
        let mut inputs = Vec::with_capacity(create.len());
        let mut above = Vec::with_capacity(create.len());
        for related in create.drain(..) {
            above.push(related.above);
            let cells = filled(self, related.above);
            inputs.push(Input { place: related.place, fields: related.fields, cells });
        }
        let (part, select) = self.level(target, inputs, node, depth + 1)?;
        Ok((Some((part, above)), select))
    }

    /// Related rows that are there already: a part that looks for them, as the caller may see them.
    fn found(&mut self, target: RelationId, connect: &mut Vec<Related>) -> Result<Option<Others>, Problem> {
        if connect.is_empty() {
            return Ok(None);
        }
        self.count(connect.len(), 0)?;
        let above = connect.iter().map(|related| related.above).collect();
        let key = self.key_names(target);
        let rows: Vec<Row> = connect.drain(..).map(|related| self.keyed(related, &key)).collect();
        Ok(Some((self.push(target, Action::Find { key }, rows), above)))
    }

    /// Rows that are there already and are to belong to a row above.
    fn connect(
        &mut self,
        target: RelationId,
        connect: Vec<Related>,
        belongs: &dyn Fn(&mut Self, usize) -> Vec<(Name, Cell)>,
    ) -> Result<(), Problem> {
        self.count(connect.len(), 0)?;
        let key = self.key_names(target);
        let mut set: Vec<Name> = Vec::new();
        let mut rows = Vec::with_capacity(connect.len());
        for related in connect {
            let cells = belongs(self, related.above);
            set = cells.iter().map(|(name, _)| Name::clone(name)).collect();
            let mut row = self.keyed(related, &key);
            row.cells.extend(cells);
            rows.push(row);
        }
        self.push(target, Action::Update { set, key }, rows);
        Ok(())
    }

    fn key_names(&self, relation: RelationId) -> Vec<Name> {
        let primary = &self.planner.get(relation).primary_key;
        primary.iter().map(|at| self.planner.name_of(relation, *at)).collect()
    }

    /// A row by its key: an object with the columns of the primary key, and nothing else.
    fn keyed(&mut self, related: Related, key: &[Name]) -> Row {
        if key.is_empty() {
            self.fault(&related.place, "has no primary key to be found by");
        }
        let mut cells = Vec::with_capacity(key.len());
        for name in key {
            let given = related.fields.iter().find(|(field, _)| field == name);
            match given.filter(|(_, value)| !value.get().starts_with(['n', '{', '['])) {
                Some((_, value)) => cells.push((key_member(name).into(), Cell::Json(value.clone()))),
                None => self.fault(&joined(&related.place, name), "is required: rows are found by their key"),
            }
        }
        for (name, _) in related.fields.iter().filter(|(name, _)| !key.contains(name)) {
            self.fault(&joined(&related.place, name), "is no part of the key");
        }
        Row { place: related.place, cells }
    }

    fn insert(&mut self, relation: RelationId, inputs: Vec<Input>) -> usize {
        let mut columns: Vec<Name> = Vec::new();
        let mut rows = Vec::with_capacity(inputs.len());
        for input in inputs {
            let fields = input.fields.into_iter().map(|(name, value)| (name, Cell::Json(value)));
            let cells: Vec<(Name, Cell)> = fields.chain(input.cells).collect();
            for (name, _) in &cells {
                if !columns.contains(name) {
                    columns.push(Name::clone(name));
                }
            }
            rows.push(Row { place: input.place, cells });
        }
        self.push(relation, Action::Insert { columns, ignore: false }, rows)
    }

    fn push(&mut self, relation: RelationId, action: Action, rows: Vec<Row>) -> usize {
        let relation = self.planner.get(relation);
        let target = Target { schema: Some(relation.schema.shared()), name: relation.name.shared() };
        let bulk = Bulk { target, action, body: ValueRef(0), answer: Vec::new(), style: Style::NATIVE };
        self.parts.push(Part { bulk, rows });
        self.parts.len() - 1
    }
}

/// Whether the foreign key stands on the near side.
fn is_forward(way: Way<'_>) -> bool {
    matches!(way.relationship.via, Via::ForeignKey { on_source: true, .. })
        && way.relationship.cardinality != Cardinality::OneToMany
}

fn joined(place: &str, field: &str) -> String {
    if place.is_empty() { field.to_owned() } else { format!("{place}.{field}") }
}

fn find_embed<'n>(node: Option<&'n Node>, name: &Name) -> Option<&'n Embed> {
    node?.select.iter().find_map(|item| match item {
        Item::Embed(embed) if embed.alias.as_ref().unwrap_or(&embed.relation) == name => Some(embed),
        _ => None,
    })
}

fn embedded<'n>(node: Option<&'n Node>, name: &Name) -> Option<&'n Node> {
    find_embed(node, name).map(|embed| &embed.node)
}
