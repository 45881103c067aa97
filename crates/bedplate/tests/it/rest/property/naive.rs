//! The reference: the same request as the plainest SQL, with correlated subqueries for each row, and values as literals.

use super::request::{Action, Embed, Insert, Item, Level, Op, Order, Path, Request, Tree};
use super::schema::{Relation, Schema, Table};
use super::types::{ident, literal};

/// One statement whose only column is the whole answer as text of JSON.
pub fn answer(schema: &Schema, request: &Request) -> String {
    let mut sql = Sql { schema, aliases: 0 };
    let level = &request.level;
    let table = &schema.tables[level.table];
    let target = schema.name_of(level.table);
    // What is written is chosen by the filters alone; an inner embed chooses what is answered.
    let chosen = Level { items: Vec::new(), ..level.clone() };
    let written = match &request.action {
        Action::Read { .. } => {
            let rows = sql.rows(level, "true");
            return format!("select coalesce(json_agg(r.j), '[]')::text from ({rows}) r");
        }
        Action::Delete => {
            format!("delete from {target} as w where {} returning w.*", sql.conditions(&chosen, "w"))
        }
        Action::Update(values) => {
            let set: Vec<String> = values
                .iter()
                .map(|(column, value)| {
                    format!("{} = {}", ident(&table.columns[*column].name), value_of(value.as_deref()))
                })
                .collect();
            format!(
                "update {target} as w set {} where {} returning w.*",
                set.join(", "),
                sql.conditions(&chosen, "w")
            )
        }
        Action::Insert(insert) => inserted(table, &target, insert),
    };
    let answered = Level { filters: Vec::new(), limit: None, offset: None, ..level.clone() };
    let rows = sql.rows_of(&answered, "w", "true");
    format!("with w as ({written}) select coalesce(json_agg(r.j), '[]')::text from ({rows}) r")
}

/// The number of rows that the request has without its page.
pub fn count(schema: &Schema, request: &Request) -> String {
    let mut sql = Sql { schema, aliases: 0 };
    let level = Level { order: Vec::new(), limit: None, offset: None, ..request.level.clone() };
    let rows = sql.rows(&level, "true");
    format!("select count(*)::text from ({rows}) r")
}

/// How many of the rows to insert are there already.
pub fn known(schema: &Schema, table: usize, insert: &Insert) -> String {
    let key = &schema.tables[table].key;
    let row = |row: &Vec<(usize, Option<String>)>| {
        let same: Vec<String> = row
            .iter()
            .filter(|(column, _)| key.contains(column))
            .map(|(column, value)| {
                format!(
                    "{} = {}",
                    ident(&schema.tables[table].columns[*column].name),
                    value_of(value.as_deref())
                )
            })
            .collect();
        format!("({})", same.join(" and "))
    };
    let rows: Vec<String> = insert.rows.iter().map(row).collect();
    format!("select count(*)::text from {} where {}", schema.name_of(table), rows.join(" or "))
}

fn value_of(value: Option<&str>) -> String {
    value.map_or_else(|| "null".to_owned(), literal)
}

fn inserted(table: &Table, target: &str, insert: &Insert) -> String {
    let mut columns: Vec<usize> = insert.rows.iter().flatten().map(|(column, _)| *column).collect();
    columns.sort_unstable();
    columns.dedup();
    let row = |row: &Vec<(usize, Option<String>)>| {
        let values: Vec<String> = columns
            .iter()
            .map(|column| match row.iter().find(|(given, _)| given == column) {
                Some((_, value)) => value_of(value.as_deref()),
                None if insert.missing_default => "default".to_owned(),
                None => "null".to_owned(),
            })
            .collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<String> = insert.rows.iter().map(row).collect();
    let list = |of: &[usize]| {
        of.iter().map(|column| ident(&table.columns[*column].name)).collect::<Vec<_>>().join(", ")
    };
    let conflict = match insert.upsert {
        None => String::new(),
        Some(false) => format!(" on conflict ({}) do nothing", list(&table.key)),
        Some(true) => {
            let set: Vec<String> = columns
                .iter()
                .map(|column| ident(&table.columns[*column].name))
                .map(|name| format!("{name} = excluded.{name}"))
                .collect();
            format!(" on conflict ({}) do update set {}", list(&table.key), set.join(", "))
        }
    };
    format!("insert into {target} ({}) values {}{conflict} returning *", list(&columns), rows.join(", "))
}

struct Sql<'s> {
    schema: &'s Schema,
    aliases: usize,
}

impl Sql<'_> {
    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("x{}", self.aliases)
    }

    /// The rows of a level, each as one JSON object `j`.
    fn rows(&mut self, level: &Level, on: &str) -> String {
        self.rows_of(level, &self.schema.name_of(level.table), on)
    }

    fn rows_of(&mut self, level: &Level, source: &str, on: &str) -> String {
        let alias = self.alias();
        let on = on.replace("FAR", &alias);
        let conditions = self.conditions(level, &alias);
        let order = self.order(level, &alias);
        let page = page(level);
        if level.is_grouped() {
            let (names, values) = self.groups(level, &alias);
            let object: Vec<String> =
                names.iter().enumerate().map(|(at, name)| format!("{}, g.v{at}", literal(name))).collect();
            let fields: Vec<String> =
                values.iter().enumerate().map(|(at, value)| format!("{} as v{at}", value.0)).collect();
            let keys: Vec<String> =
                values.iter().filter(|value| !value.1).map(|value| value.0.clone()).collect();
            let group =
                if keys.is_empty() { String::new() } else { format!(" group by {}", keys.join(", ")) };
            return format!(
                "select json_build_object({}) as j from (select {} from {source} as {alias} where {on} and {conditions}{group}{order}{page}) g",
                object.join(", "),
                fields.join(", ")
            );
        }
        let object = self.object(level, &alias);
        format!("select {object} as j from {source} as {alias} where {on} and {conditions}{order}{page}")
    }

    /// Names and expressions, with whether they are aggregates.
    fn groups(&self, level: &Level, alias: &str) -> (Vec<String>, Vec<(String, bool)>) {
        let table = &self.schema.tables[level.table];
        let mut names = Vec::new();
        let mut values = Vec::new();
        for item in &level.items {
            match item {
                Item::Field { alias: name, path, cast } => {
                    names.push(field_name(table, name.as_deref(), path));
                    values.push((cast_to(&place(table, alias, path), *cast), false));
                }
                Item::Aggregate { alias: name, path, function, cast } => {
                    names.push(name.clone());
                    let of = path.as_ref().map_or_else(|| "*".to_owned(), |path| place(table, alias, path));
                    values.push((cast_to(&format!("{function}({of})"), *cast), true));
                }
                Item::Star | Item::Embed(_) => unreachable!("groups have fields only"),
            }
        }
        (names, values)
    }

    fn object(&mut self, level: &Level, alias: &str) -> String {
        let fields: Vec<String> = self
            .fields(level, alias)
            .into_iter()
            .map(|(name, value)| format!("{}, {value}", literal(&name)))
            .collect();
        format!("json_build_object({})", fields.join(", "))
    }

    fn fields(&mut self, level: &Level, alias: &str) -> Vec<(String, String)> {
        let table = &self.schema.tables[level.table];
        let mut fields = Vec::new();
        for item in &level.items {
            match item {
                Item::Star => {
                    fields.extend(
                        table.columns.iter().map(|c| (c.name.clone(), format!("{alias}.{}", ident(&c.name)))),
                    );
                }
                Item::Field { alias: name, path, cast } => {
                    let value = cast_to(&place(table, alias, path), *cast);
                    fields.push((field_name(table, name.as_deref(), path), value));
                }
                Item::Embed(embed) if embed.is_empty() => {}
                Item::Embed(embed) if embed.spread => fields.extend(self.spread(embed, alias)),
                Item::Embed(embed) => {
                    let rows = self.related(embed, alias);
                    let value = if self.schema.relations[embed.relation].to_one() {
                        format!("(select r.j from ({rows}) r)")
                    } else {
                        format!("(select coalesce(json_agg(r.j), '[]') from ({rows}) r)")
                    };
                    fields.push((embed.name(self.schema).to_owned(), value));
                }
                Item::Aggregate { .. } => unreachable!("aggregates are in groups"),
            }
        }
        fields
    }

    /// Each field of the related row by a subquery of its own.
    fn spread(&mut self, embed: &Embed, near: &str) -> Vec<(String, String)> {
        let alias = self.alias();
        let on = self.on(&self.schema.relations[embed.relation], near, &alias);
        let conditions = self.conditions(&embed.level, &alias);
        let source = self.schema.name_of(embed.level.table);
        let fields = self.fields(&embed.level, &alias);
        let one = |(name, value): (String, String)| {
            (name, format!("(select {value} from {source} as {alias} where {on} and {conditions})"))
        };
        fields.into_iter().map(one).collect()
    }

    fn related(&mut self, embed: &Embed, near: &str) -> String {
        let on = self.on(&self.schema.relations[embed.relation], near, "FAR");
        self.rows(&embed.level, &on)
    }

    fn on(&self, relation: &Relation, near: &str, far: &str) -> String {
        let (here, there) = (&self.schema.tables[relation.from], &self.schema.tables[relation.to]);
        let equal = |a: String, b: String| format!("{a} = {b}");
        let column =
            |alias: &str, table: &Table, at: usize| format!("{alias}.{}", ident(&table.columns[at].name));
        match &relation.through {
            None => {
                let pairs = relation
                    .columns
                    .iter()
                    .map(|&(a, b)| equal(column(far, there, b), column(near, here, a)));
                pairs.collect::<Vec<_>>().join(" and ")
            }
            Some((junction, to_here, to_there)) => {
                let between = &self.schema.tables[*junction];
                let name = format!("j_{near}");
                let mut all: Vec<String> = Vec::new();
                all.extend(
                    to_here.iter().map(|&(j, h)| equal(column(&name, between, j), column(near, here, h))),
                );
                all.extend(
                    to_there.iter().map(|&(j, t)| equal(column(&name, between, j), column(far, there, t))),
                );
                format!(
                    "exists (select from {} as {name} where {})",
                    self.schema.name_of(*junction),
                    all.join(" and ")
                )
            }
        }
    }

    /// Filters, and for inner embeds that there is something.
    fn conditions(&mut self, level: &Level, alias: &str) -> String {
        let mut all = vec!["true".to_owned()];
        for filter in &level.filters {
            all.push(self.tree(level, filter, alias));
        }
        for embed in level.embeds().filter(|embed| embed.join == "!inner") {
            let rows = self.related(embed, alias);
            all.push(format!("exists ({rows})"));
        }
        all.join(" and ")
    }

    fn tree(&mut self, level: &Level, tree: &Tree, alias: &str) -> String {
        match tree {
            Tree::And(all) => self.joined(level, all, alias, " and "),
            Tree::Or(any) => self.joined(level, any, alias, " or "),
            Tree::Not(tree) => format!("not ({})", self.tree(level, tree, alias)),
            Tree::Test { path, negated, op } => {
                let table = &self.schema.tables[level.table];
                let test = test(table, alias, path, op);
                if *negated { format!("not ({test})") } else { format!("({test})") }
            }
            Tree::Missing { embed, negated } => {
                let rows = self.related(level.find(embed, self.schema), alias);
                format!("{}exists ({rows})", if *negated { "" } else { "not " })
            }
        }
    }

    fn joined(&mut self, level: &Level, trees: &[Tree], alias: &str, by: &str) -> String {
        let parts: Vec<String> = trees.iter().map(|tree| self.tree(level, tree, alias)).collect();
        format!("({})", parts.join(by))
    }

    fn order(&mut self, level: &Level, alias: &str) -> String {
        if level.order.is_empty() {
            return String::new();
        }
        let terms: Vec<String> = level.order.iter().map(|term| self.order_term(level, term, alias)).collect();
        format!(" order by {}", terms.join(", "))
    }

    fn order_term(&mut self, level: &Level, term: &Order, alias: &str) -> String {
        let value = match &term.embed {
            None => place(&self.schema.tables[level.table], alias, &term.path),
            Some(name) => {
                let embed = level.find(name, self.schema);
                let far = self.alias();
                let on = self.on(&self.schema.relations[embed.relation], alias, &far);
                let conditions = self.conditions(&embed.level, &far);
                let value = place(&self.schema.tables[embed.level.table], &far, &term.path);
                format!(
                    "(select {value} from {} as {far} where {on} and {conditions})",
                    self.schema.name_of(embed.level.table)
                )
            }
        };
        let direction = if term.direction == ".desc" { " desc" } else { "" };
        let nulls = match term.nulls {
            ".nullsfirst" => " nulls first",
            ".nullslast" => " nulls last",
            _ => "",
        };
        format!("{value}{direction}{nulls}")
    }
}

fn page(level: &Level) -> String {
    let limit = level.limit.map(|limit| format!(" limit {limit}")).unwrap_or_default();
    let offset = level.offset.map(|offset| format!(" offset {offset}")).unwrap_or_default();
    limit + &offset
}

/// What a field is called: its alias, its last key, or its column.
fn field_name(table: &Table, alias: Option<&str>, path: &Path) -> String {
    let last = path.steps.last().copied();
    alias.or(last).unwrap_or(&table.columns[path.column].name).to_owned()
}

fn place(table: &Table, alias: &str, path: &Path) -> String {
    let mut text = format!("{alias}.{}", ident(&table.columns[path.column].name));
    for (at, step) in path.steps.iter().enumerate() {
        let arrow = if path.text && at + 1 == path.steps.len() { "->>" } else { "->" };
        let step = if step.parse::<i32>().is_ok() { (*step).to_owned() } else { literal(step) };
        text = format!("({text} {arrow} {step})");
    }
    text
}

fn cast_to(value: &str, cast: Option<&str>) -> String {
    cast.map_or_else(|| value.to_owned(), |cast| format!("({value})::{cast}"))
}

fn test(table: &Table, alias: &str, path: &Path, op: &Op) -> String {
    let left = place(table, alias, path);
    let ty = path.ty(table).sql();
    let typed = |value: &String| format!("{}::{ty}", literal(value));
    let like = |sql: &str, value: &String| {
        if sql.ends_with("like") { value.replace('*', "%") } else { value.clone() }
    };
    match op {
        Op::Compare(_, sql, value) => format!("{left} {sql} {}", typed(&like(sql, value))),
        Op::Quantified(_, sql, which, values) => {
            let by = if *which == "any" { " or " } else { " and " };
            let each: Vec<String> =
                values.iter().map(|value| format!("{left} {sql} {}", typed(&like(sql, value)))).collect();
            each.join(by)
        }
        Op::In(values) if values.is_empty() => format!("{left} is not null and false"),
        Op::In(values) => format!("{left} in ({})", values.iter().map(typed).collect::<Vec<_>>().join(", ")),
        Op::Is(what) => format!("{left} is {}", what.replace('_', " ")).replace("is not null", "is not null"),
        Op::Search(_, function, config, words) => {
            let config = config.map(|config| format!("{}, ", literal(config))).unwrap_or_default();
            format!("to_tsvector({config}{left}) @@ {function}({config}{})", literal(words))
        }
    }
}
