//! Random valid requests for a schema.

use std::collections::BTreeSet;

use super::dice::Dice;
use super::request::{Action, Embed, Insert, Item, Level, Op, Order, Path, Request, Tree};
use super::schema::{Schema, Table};
use super::types::Type;

pub struct Generator<'s> {
    pub schema: &'s Schema,
    pub dice: Dice,
    /// For aliases that nothing else has.
    fresh: usize,
}

const KEYS: [&str; 7] = ["a", "b", "c", "0", "1", "-1", "q\"k"];
const PATTERNS: [&str; 7] = ["a*", "*a*", "%", "*ü*", "plan*", "_", "A*"];
const EXPRESSIONS: [&str; 5] = ["^a", "b", "[ab]", "(x|k)", "^$"];

/// The names that the answer of a level has, and the relations that it embeds.
#[derive(Default)]
struct Taken {
    names: BTreeSet<String>,
    relations: BTreeSet<String>,
}

impl<'s> Generator<'s> {
    pub fn new(schema: &'s Schema, dice: Dice) -> Self {
        Self { schema, dice, fresh: 0 }
    }

    pub fn request(&mut self) -> Request {
        self.fresh = 0;
        match self.dice.below(100) {
            0..75 => self.read(),
            75..84 => self.insert(),
            84..93 => self.update(),
            _ => self.delete(),
        }
    }

    fn read(&mut self) -> Request {
        let table = self.dice.below(self.schema.tables.len());
        let level = if self.dice.chance(10) { self.grouped(table, true) } else { self.level(table, 0, true) };
        Request { action: Action::Read { count: self.dice.chance(30) }, level }
    }

    fn table(&self, at: usize) -> &'s Table {
        &self.schema.tables[at]
    }

    fn alias(&mut self) -> String {
        self.fresh += 1;
        format!("{}{}", if self.dice.chance(80) { "f" } else { "an alias " }, self.fresh)
    }

    // What is selected.

    fn level(&mut self, table: usize, depth: usize, read: bool) -> Level {
        let mut taken = Taken::default();
        let mut level = Level {
            table,
            items: Vec::new(),
            filters: Vec::new(),
            order: Vec::new(),
            limit: None,
            offset: None,
        };
        self.items(&mut level, &mut taken, depth, false);
        if read {
            level.filters = self.filters(&level);
            self.page(&mut level);
        }
        level
    }

    fn items(&mut self, level: &mut Level, taken: &mut Taken, depth: usize, spread: bool) {
        let table = self.table(level.table);
        if !spread && self.dice.chance(25) {
            level.items.push(Item::Star);
            taken.names.extend(table.columns.iter().map(|column| column.name.clone()));
        } else {
            for _ in 0..self.dice.between(1, 4) {
                level.items.push(self.field(level.table, taken, spread));
            }
        }
        let most = if depth == 0 { 3 } else { 2 - depth.min(2) };
        for _ in 0..self.dice.below(most + 1) {
            level.items.extend(self.embed(level.table, taken, depth).map(Item::Embed));
        }
    }

    fn field(&mut self, table: usize, taken: &mut Taken, spread: bool) -> Item {
        let path = self.path(table);
        let ty = path.ty(self.table(table));
        let cast = self
            .dice
            .chance(15)
            .then(|| if ty.is_number() { self.dice.word(&["text", "numeric"]) } else { "text" });
        let last = path.steps.last().copied();
        let name = last.unwrap_or(&self.table(table).columns[path.column].name).to_owned();
        let by_number = last.is_some_and(|last| last.parse::<i32>().is_ok());
        if spread || by_number || taken.names.contains(&name) || self.dice.chance(25) {
            let alias = self.alias();
            taken.names.insert(alias.clone());
            return Item::Field { alias: Some(alias), path, cast };
        }
        taken.names.insert(name);
        Item::Field { alias: None, path, cast }
    }

    fn path(&mut self, table: usize) -> Path {
        let column = self.dice.below(self.table(table).columns.len());
        let mut path = Path { column, steps: Vec::new(), text: false };
        if self.table(table).columns[column].ty == Type::Jsonb && self.dice.chance(60) {
            for _ in 0..self.dice.between(1, 3) {
                path.steps.push(self.dice.word(&KEYS));
            }
            path.text = self.dice.chance(50);
        }
        path
    }

    fn embed(&mut self, table: usize, taken: &mut Taken, depth: usize) -> Option<Embed> {
        let relations = &self.schema.relations;
        let fitting: Vec<usize> = (0..relations.len()).filter(|at| relations[*at].from == table).collect();
        if fitting.is_empty() {
            return None;
        }
        let relation = *self.dice.pick(&fitting);
        let form = self.dice.below(relations[relation].forms.len());
        let name = relations[relation].forms[form].0.clone();
        let spread = relations[relation].to_one() && self.dice.chance(20);
        let is_column = self.table(table).columns.iter().any(|column| column.name == name);
        let used = taken.relations.contains(&name);
        if spread && (used || is_column) {
            return None;
        }
        let aliased = !spread && (used || is_column || taken.names.contains(&name) || self.dice.chance(30));
        let alias = aliased.then(|| self.alias());
        taken.relations.insert(name.clone());
        if !spread {
            taken.names.insert(alias.clone().unwrap_or(name));
        }
        let to = relations[relation].to;
        let level = self.embedded(to, taken, depth + 1, spread, relations[relation].to_one());
        let join = self.dice.word(&["", "", "!inner", "!left"]);
        Some(Embed { relation, form, alias, join, spread, level })
    }

    fn embedded(&mut self, table: usize, taken: &mut Taken, depth: usize, spread: bool, one: bool) -> Level {
        let mut level = Level {
            table,
            items: Vec::new(),
            filters: Vec::new(),
            order: Vec::new(),
            limit: None,
            offset: None,
        };
        if spread {
            let mut inner = Taken { names: std::mem::take(&mut taken.names), relations: BTreeSet::new() };
            self.items(&mut level, &mut inner, depth, true);
            taken.names = inner.names;
        } else if !one && self.dice.chance(10) {
            return self.grouped(table, false);
        } else if self.dice.chance(93) {
            self.items(&mut level, &mut Taken::default(), depth, false);
        }
        if self.dice.chance(40) {
            level.filters = self.filters(&level);
        }
        if !one {
            self.page(&mut level);
        }
        level
    }

    /// Plain columns and aggregates.
    fn grouped(&mut self, table: usize, top: bool) -> Level {
        let columns = &self.table(table).columns;
        let mut level = Level {
            table,
            items: Vec::new(),
            filters: Vec::new(),
            order: Vec::new(),
            limit: None,
            offset: None,
        };
        let mut keys: Vec<usize> = (0..columns.len()).collect();
        self.dice.shuffle(&mut keys);
        keys.truncate(self.dice.below(3));
        let plain = |column: usize| Path { column, steps: Vec::new(), text: false };
        for &key in &keys {
            level.items.push(Item::Field { alias: None, path: plain(key), cast: None });
        }
        for _ in 0..self.dice.between(1, 3) {
            let alias = self.alias();
            let column = self.dice.below(columns.len());
            let ty = columns[column].ty;
            let mut functions = vec!["count"];
            if ty.is_number() {
                functions.extend(["sum", "avg"]);
            }
            if ty.is_number() || matches!(ty, Type::Text | Type::Date | Type::Time | Type::Mood) {
                functions.extend(["min", "max"]);
            }
            let function = *self.dice.pick(&functions);
            let path = (function != "count" || self.dice.chance(50)).then(|| plain(column));
            let cast = self.dice.chance(15).then_some("text");
            level.items.push(Item::Aggregate { alias, path, function, cast });
        }
        level.filters = self.filters(&level);
        if !keys.is_empty() && self.dice.chance(60) {
            level.order = keys.iter().map(|&key| self.direction(plain(key))).collect();
            if self.dice.chance(40) {
                level.limit = Some(self.dice.between(1, 3));
                // Whether a page of groups has any is not asked: ours looks at the rows.
                level.offset = (top && self.dice.chance(40)).then(|| self.dice.below(3));
            }
        }
        level
    }

    // Order and page.

    fn direction(&mut self, path: Path) -> Order {
        let direction = self.dice.word(&["", "", ".asc", ".desc"]);
        let nulls = self.dice.word(&["", "", ".nullsfirst", ".nullslast"]);
        Order { embed: None, path, direction, nulls }
    }

    /// An order, which is total, and perhaps a page.
    fn page(&mut self, level: &mut Level) {
        if self.dice.chance(50) {
            return;
        }
        for _ in 0..self.dice.below(3) {
            let path = self.path(level.table);
            let term = self.direction(path);
            level.order.push(term);
        }
        let related: Vec<(String, usize)> = level
            .embeds()
            .filter(|embed| {
                !embed.spread && !embed.is_empty() && self.schema.relations[embed.relation].to_one()
            })
            .map(|embed| (embed.name(self.schema).to_owned(), embed.level.table))
            .collect();
        if !related.is_empty() && self.dice.chance(30) {
            let (embed, table) = self.dice.pick(&related).clone();
            let path = self.path(table);
            let term = self.direction(path);
            level.order.insert(0, Order { embed: Some(embed), ..term });
        }
        for &column in &self.table(level.table).key {
            let path = Path { column, steps: Vec::new(), text: false };
            if !level.order.iter().any(|term| term.embed.is_none() && term.path == path) {
                let term = self.direction(path);
                level.order.push(term);
            }
        }
        if self.dice.chance(60) {
            level.limit = self.dice.chance(80).then(|| self.dice.below(5));
            // No rows from somewhere on are refused by PostgREST.
            level.offset = (level.limit != Some(0) && self.dice.chance(40)).then(|| self.dice.below(4));
        }
    }

    // Filters.

    fn filters(&mut self, level: &Level) -> Vec<Tree> {
        let mut filters = Vec::new();
        for _ in 0..*self.dice.pick(&[0, 0, 1, 1, 2]) {
            filters.push(self.test(level.table));
        }
        if self.dice.chance(15) {
            filters.push(self.tree(level, 0));
        }
        let named: Vec<String> = nameable(level, self.schema);
        if !named.is_empty() && self.dice.chance(15) {
            filters.push(self.missing(&named));
        }
        filters
    }

    fn missing(&mut self, named: &[String]) -> Tree {
        Tree::Missing { embed: self.dice.pick(named).clone(), negated: self.dice.chance(50) }
    }

    fn tree(&mut self, level: &Level, depth: usize) -> Tree {
        let named = nameable(level, self.schema);
        let mut members = Vec::new();
        for _ in 0..self.dice.between(1, 3) {
            members.push(match self.dice.below(10) {
                0 | 1 if depth < 2 => self.tree(level, depth + 1),
                2 if !named.is_empty() => self.missing(&named),
                _ => self.test(level.table),
            });
        }
        let tree = if self.dice.chance(50) { Tree::And(members) } else { Tree::Or(members) };
        if self.dice.chance(25) { Tree::Not(Box::new(tree)) } else { tree }
    }

    fn test(&mut self, table: usize) -> Tree {
        let path = self.path(table);
        let op = self.op(table, &path);
        Tree::Test { path, negated: self.dice.chance(20), op }
    }

    fn value(&mut self, table: usize, path: &Path) -> String {
        let ty = path.ty(self.table(table));
        let own: Vec<&String> =
            self.table(table).rows.iter().filter_map(|row| row[path.column].as_ref()).collect();
        if path.steps.is_empty() && !own.is_empty() && self.dice.chance(65) {
            return (*self.dice.pick(&own)).clone();
        }
        if path.text && self.dice.chance(50) {
            return self.dice.word(&["x", "1", "text", "true"]).to_owned();
        }
        ty.value(&mut self.dice)
    }

    fn op(&mut self, table: usize, path: &Path) -> Op {
        const COMPARISONS: [(&str, &str); 6] =
            [("eq", "="), ("neq", "<>"), ("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")];
        const RANGES: [(&str, &str); 8] = [
            ("cs", "@>"),
            ("cd", "<@"),
            ("ov", "&&"),
            ("sl", "<<"),
            ("sr", ">>"),
            ("nxr", "&<"),
            ("nxl", "&>"),
            ("adj", "-|-"),
        ];
        let ty = path.ty(self.table(table));
        let special = self.dice.chance(40);
        match ty {
            Type::Text if special => return self.text_op(),
            Type::Bool if special => return Op::Is(self.dice.word(&["true", "false", "unknown", "null"])),
            Type::Range if special => {
                let (name, sql) = *self.dice.pick(&RANGES);
                return Op::Compare(name, sql, self.value(table, path));
            }
            Type::Ints | Type::Texts | Type::Jsonb if special => {
                let (name, sql) = RANGES[self.dice.below(if ty == Type::Jsonb { 2 } else { 3 })];
                return Op::Compare(name, sql, self.value(table, path));
            }
            _ => {}
        }
        let values = |generator: &mut Self| -> Vec<String> {
            (0..generator.dice.below(4)).map(|_| generator.value(table, path)).collect()
        };
        let (name, sql) = *self.dice.pick(&COMPARISONS);
        match self.dice.below(10) {
            0 => Op::Is(self.dice.word(&["null", "not_null"])),
            1 => Op::In(values(self)),
            2 => Op::Compare("isdistinct", "is distinct from", self.value(table, path)),
            // PostgREST has `any` and `all` for those that can be said of any order, and neq is none.
            3 if !ty.is_array() && name != "neq" => {
                let all: Vec<String> =
                    (0..self.dice.between(1, 3)).map(|_| self.value(table, path)).collect();
                Op::Quantified(name, sql, self.dice.word(&["any", "all"]), all)
            }
            _ => Op::Compare(name, sql, self.value(table, path)),
        }
    }

    fn text_op(&mut self) -> Op {
        const LIKE: [(&str, &str); 2] = [("like", "like"), ("ilike", "ilike")];
        const MATCH: [(&str, &str); 2] = [("match", "~"), ("imatch", "~*")];
        const SEARCH: [(&str, &str); 4] = [
            ("fts", "to_tsquery"),
            ("plfts", "plainto_tsquery"),
            ("phfts", "phraseto_tsquery"),
            ("wfts", "websearch_to_tsquery"),
        ];
        let like = self.dice.chance(60);
        let (name, sql) = *self.dice.pick(if like { &LIKE } else { &MATCH });
        let pattern =
            |dice: &mut Dice| (*dice.pick(if like { &PATTERNS[..] } else { &EXPRESSIONS[..] })).to_owned();
        match self.dice.below(4) {
            0 => {
                let (name, function) = *self.dice.pick(&SEARCH);
                let config = *self.dice.pick(&[None, Some("english"), Some("simple")]);
                Op::Search(name, function, config, self.dice.word(&["plan", "a", "x", "漢字"]))
            }
            1 => {
                let all = (0..self.dice.between(1, 3)).map(|_| pattern(&mut self.dice)).collect();
                Op::Quantified(name, sql, self.dice.word(&["any", "all"]), all)
            }
            _ => Op::Compare(name, sql, pattern(&mut self.dice)),
        }
    }

    // Writes.

    /// A table, and what is answered of its rows.
    fn written(&mut self) -> Level {
        let tables: Vec<usize> =
            (0..self.schema.tables.len()).filter(|at| self.schema.tables[*at].view_of.is_none()).collect();
        let table = *self.dice.pick(&tables);
        let mut level = self.level(table, 1, false);
        if self.dice.chance(30) {
            for &column in &self.table(table).key {
                let term = self.direction(Path { column, steps: Vec::new(), text: false });
                level.order.push(term);
            }
        }
        level
    }

    fn changed_where(&mut self, level: &mut Level) {
        for _ in 0..*self.dice.pick(&[0, 1, 1, 1, 2]) {
            let test = self.test(level.table);
            level.filters.push(test);
        }
        if self.dice.chance(15) {
            let bare = Level { items: Vec::new(), ..level.clone() };
            let tree = self.tree(&bare, 0);
            level.filters.push(tree);
        }
    }

    fn delete(&mut self) -> Request {
        let mut level = self.written();
        self.changed_where(&mut level);
        Request { action: Action::Delete, level }
    }

    fn new_value(&mut self, table: usize, column: usize) -> Option<String> {
        let path = Path { column, steps: Vec::new(), text: false };
        let null = self.table(table).columns[column].nullable && self.dice.chance(20);
        let value = (!null).then(|| self.value(table, &path));
        // In a body, null is SQL's NULL, for columns of jsonb as well.
        let is_json = self.table(table).columns[column].ty == Type::Jsonb;
        value.map(|value| if is_json && value == "null" { "[null]".to_owned() } else { value })
    }

    fn update(&mut self) -> Request {
        let mut level = self.written();
        let table = self.table(level.table);
        let mut columns: Vec<usize> = (0..table.columns.len()).filter(|at| !table.key.contains(at)).collect();
        self.dice.shuffle(&mut columns);
        columns.truncate(self.dice.between(1, 3));
        let values =
            columns.into_iter().map(|column| (column, self.new_value(level.table, column))).collect();
        self.changed_where(&mut level);
        Request { action: Action::Update(values), level }
    }

    fn insert(&mut self) -> Request {
        let level = self.written();
        let table = self.table(level.table);
        let upsert = *self.dice.pick(&[None, None, Some(true), Some(false)]);
        let mut optional: Vec<usize> =
            (0..table.columns.len()).filter(|at| !table.key.contains(at)).collect();
        self.dice.shuffle(&mut optional);
        optional.truncate(self.dice.below(optional.len() + 1));
        let ragged = self.dice.chance(25);
        let mut rows = Vec::new();
        for number in 0..self.dice.between(1, 3) {
            let known = self.dice.chance(if upsert.is_some() { 40 } else { 8 });
            let mut row = Vec::new();
            for &column in &table.key {
                let path = Path { column, steps: Vec::new(), text: false };
                let value = if known {
                    self.value(level.table, &path)
                } else {
                    table.columns[column].ty.key(&mut self.dice, 100 + number)
                };
                row.push((column, Some(value)));
            }
            for &column in &optional {
                if !ragged || self.dice.chance(60) {
                    row.push((column, self.new_value(level.table, column)));
                }
            }
            rows.push(row);
        }
        let insert = Insert { rows, missing_default: self.dice.chance(40), upsert };
        Request { action: Action::Insert(insert), level }
    }
}

/// Embeds that `is.null` may be asked of.
fn nameable(level: &Level, schema: &Schema) -> Vec<String> {
    level.embeds().filter(|embed| !embed.spread).map(|embed| embed.name(schema).to_owned()).collect()
}
