//! Random schemas: tables with keys, relations of all kinds, a view, and unkind data.

use std::fmt::Write;

use super::dice::Dice;
use super::types::{Type, ident, literal};

pub struct Column {
    pub name: String,
    pub ty: Type,
    pub nullable: bool,
    pub default: Option<String>,
}

pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// Indexes of columns.
    pub key: Vec<usize>,
    pub rows: Vec<Vec<Option<String>>>,
    /// A view has all columns of its table.
    pub view_of: Option<usize>,
}

/// Columns here, columns there.
pub type Pairs = Vec<(usize, usize)>;

struct ForeignKey {
    name: String,
    from: usize,
    to: usize,
    columns: Pairs,
    unique: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    ManyToOne,
    OneToMany,
    OneToOne,
    ManyToMany,
}

/// How a table or view is related to another (or itself).
pub struct Relation {
    pub from: usize,
    pub to: usize,
    pub kind: Kind,
    /// The foreign key's name, or the junction's.
    pub name: String,
    pub columns: Pairs,
    /// The junction with its columns: to `from`, to `to`.
    pub through: Option<(usize, Pairs, Pairs)>,
    /// How requests may say it: the relation with an optional hint, where no other relation fits.
    pub forms: Vec<(String, Option<String>)>,
}

impl Relation {
    pub fn to_one(&self) -> bool {
        matches!(self.kind, Kind::ManyToOne | Kind::OneToOne)
    }
}

pub struct Schema {
    pub name: String,
    pub tables: Vec<Table>,
    pub relations: Vec<Relation>,
    keys: Vec<ForeignKey>,
}

const NAMES: [&str; 6] = ["things", "Odd Name", "tä,ble", "say\"so", "people", "x.y"];
const COLUMNS: [&str; 7] = ["name", "a b", "größe", "c,d", "quo\"te", "value", "dot.ted"];

impl Schema {
    pub fn random(name: String, dice: &mut Dice) -> Self {
        let mut schema = Self { name, tables: Vec::new(), relations: Vec::new(), keys: Vec::new() };
        for at in 0..dice.between(3, 5) {
            schema.table(dice, at);
        }
        schema.junction(dice);
        schema.view(dice);
        schema.relate();
        schema
    }

    fn table(&mut self, dice: &mut Dice, at: usize) {
        let name = format!("{}{at}", if dice.chance(60) { "t" } else { NAMES[at] });
        let mut table = Table { name, columns: Vec::new(), key: Vec::new(), rows: Vec::new(), view_of: None };
        let of_key = [Type::Int, Type::Int, Type::Bigint, Type::Text, Type::Uuid];
        for part in 0..if dice.chance(20) { 2 } else { 1 } {
            table.key.push(part);
            table.columns.push(Column {
                name: format!("id{part}"),
                ty: *dice.pick(&of_key),
                nullable: false,
                default: None,
            });
        }
        for (column, odd) in COLUMNS.iter().enumerate().take(dice.between(3, 6)) {
            let name = format!("{}{column}", if dice.chance(70) { "c" } else { odd });
            let ty = *dice.pick(&Type::ALL);
            let nullable = dice.chance(75);
            let default = (!nullable || dice.chance(20)).then(|| ty.value(dice));
            table.columns.push(Column { name, ty, nullable, default });
        }
        self.tables.push(table);
        for _ in 0..if at == 0 { 0 } else { dice.between(1, 2) } {
            let to = dice.below(at);
            let unique = dice.chance(25);
            self.foreign_key(at, to, unique, false);
        }
        if dice.chance(40) {
            self.foreign_key(at, at, false, false);
        }
        self.fill(dice, at);
    }

    /// Adds the columns of a foreign key; they may be part of the key.
    fn foreign_key(&mut self, from: usize, to: usize, unique: bool, key: bool) {
        let mut columns = Vec::new();
        let name = format!("fk{}", self.keys.len());
        for &there in &self.tables[to].key.clone() {
            let column = Column {
                name: format!("{name}_{there}"),
                ty: self.tables[to].columns[there].ty,
                nullable: !key,
                default: None,
            };
            columns.push((self.tables[from].columns.len(), there));
            if key {
                let at = self.tables[from].columns.len();
                self.tables[from].key.push(at);
            }
            self.tables[from].columns.push(column);
        }
        self.keys.push(ForeignKey { name, from, to, columns, unique });
    }

    fn fill(&mut self, dice: &mut Dice, at: usize) {
        for number in 0..dice.between(0, 8) {
            let table = &self.tables[at];
            let mut row: Vec<Option<String>> = Vec::new();
            for (index, column) in table.columns.iter().enumerate() {
                let null = column.nullable && dice.chance(25);
                let value = if table.key.contains(&index) {
                    column.ty.key(dice, number)
                } else {
                    column.ty.value(dice)
                };
                row.push((!null).then_some(value));
            }
            let mut free = true;
            for key in self.keys.iter().filter(|key| key.from == at) {
                let of_row =
                    |row: &[Option<String>], side: fn(&(usize, usize)) -> usize| -> Vec<Option<String>> {
                        key.columns.iter().map(|pair| row[side(pair)].clone()).collect()
                    };
                let there = &self.tables[key.to].rows;
                let required = key.columns.iter().any(|(here, _)| !table.columns[*here].nullable);
                let target = if there.is_empty() || !required && dice.chance(25) {
                    None
                } else {
                    Some(dice.pick(there))
                };
                free &= target.is_some() || !required;
                for &(here, far) in &key.columns {
                    row[here] = target.and_then(|target| target[far].clone());
                }
                let same = |other: &Vec<Option<String>>| of_row(other, |p| p.0) == of_row(&row, |p| p.0);
                if key.unique && target.is_some() && table.rows.iter().any(same) {
                    key.columns.iter().for_each(|(here, _)| row[*here] = None);
                }
            }
            let same_key = |other: &Vec<Option<String>>| table.key.iter().all(|k| other[*k] == row[*k]);
            if free && !table.rows.iter().any(same_key) {
                self.tables[at].rows.push(row);
            }
        }
    }

    fn junction(&mut self, dice: &mut Dice) {
        let (a, b) = (dice.below(self.tables.len()), dice.below(self.tables.len()));
        if a == b {
            return;
        }
        let at = self.tables.len();
        let extra = Column { name: "note".to_owned(), ty: Type::Text, nullable: true, default: None };
        let name = "links".to_owned();
        self.tables.push(Table {
            name,
            columns: vec![extra],
            key: Vec::new(),
            rows: Vec::new(),
            view_of: None,
        });
        self.foreign_key(at, a, false, true);
        self.foreign_key(at, b, false, true);
        self.fill(dice, at);
        self.fill(dice, at);
    }

    fn view(&mut self, dice: &mut Dice) {
        let of = dice.below(self.tables.len().min(3));
        let base = &self.tables[of];
        let columns = base
            .columns
            .iter()
            .map(|c| Column { name: c.name.clone(), ty: c.ty, nullable: c.nullable, default: None })
            .collect();
        let view = Table {
            name: "seen".to_owned(),
            columns,
            key: base.key.clone(),
            rows: base.rows.clone(),
            view_of: Some(of),
        };
        self.tables.push(view);
    }

    /// All relations, as PostgREST documents them: of foreign keys both ways, the same for views of the tables, and those
    /// through tables whose key holds two foreign keys.
    fn relate(&mut self) {
        let mut relations = Vec::new();
        let view = self.tables.len() - 1;
        let faces = |table: usize| {
            let seen = self.tables[view].view_of == Some(table);
            std::iter::once(table).chain(seen.then_some(view))
        };
        let turned = |pairs: &Pairs| pairs.iter().map(|&(a, b)| (b, a)).collect::<Pairs>();
        for key in &self.keys {
            for from in faces(key.from) {
                for to in faces(key.to) {
                    let (there, back) = if key.unique {
                        (Kind::OneToOne, Kind::OneToOne)
                    } else {
                        (Kind::ManyToOne, Kind::OneToMany)
                    };
                    let relation = |from, to, kind, columns| Relation {
                        from,
                        to,
                        kind,
                        name: key.name.clone(),
                        columns,
                        through: None,
                        forms: Vec::new(),
                    };
                    relations.push(relation(from, to, there, key.columns.clone()));
                    relations.push(relation(to, from, back, turned(&key.columns)));
                }
            }
        }
        let junctions: Vec<usize> = (0..view).filter(|&table| self.tables[table].name == "links").collect();
        for junction in junctions {
            let mut ends = self.keys.iter().filter(|key| key.from == junction);
            let (Some(a), Some(b)) = (ends.next(), ends.next()) else { continue };
            for (a, b) in [(a, b), (b, a)] {
                for from in faces(a.to) {
                    for to in faces(b.to) {
                        relations.push(Relation {
                            from,
                            to,
                            kind: Kind::ManyToMany,
                            name: self.tables[junction].name.clone(),
                            columns: Vec::new(),
                            through: Some((junction, a.columns.clone(), b.columns.clone())),
                            forms: Vec::new(),
                        });
                    }
                }
            }
        }
        for at in 0..relations.len() {
            relations[at].forms = self.forms(&relations, at);
        }
        self.relations = relations.into_iter().filter(|relation| !relation.forms.is_empty()).collect();
    }

    fn forms(&self, relations: &[Relation], at: usize) -> Vec<(String, Option<String>)> {
        let relation = &relations[at];
        let target = self.tables[relation.to].name.clone();
        let mut forms = vec![
            (target.clone(), None),
            (relation.name.clone(), None),
            (target.clone(), Some(relation.name.clone())),
        ];
        if let [(here, there)] = relation.columns[..] {
            let here = self.tables[relation.from].columns[here].name.clone();
            let there = self.tables[relation.to].columns[there].name.clone();
            forms.extend([(here.clone(), None), (target.clone(), Some(here)), (target, Some(there))]);
        }
        forms.retain(|(name, hint)| {
            let fits =
                |other: &&Relation| other.from == relation.from && self.fits(other, name, hint.as_deref());
            self.fits(relation, name, hint.as_deref()) && relations.iter().filter(fits).count() == 1
        });
        forms
    }

    /// Whether a request means this relation, by the rules of PostgREST's documentation on embedding.
    fn fits(&self, relation: &Relation, name: &str, hint: Option<&str>) -> bool {
        let target = &self.tables[relation.to];
        let single = match relation.columns[..] {
            [(here, there)] => {
                Some((&self.tables[relation.from].columns[here].name, &target.columns[there].name))
            }
            _ => None,
        };
        let by_table = name == target.name;
        let column = |wanted: &str| single.is_some_and(|(here, _)| here == wanted);
        let column_there = |wanted: &str| single.is_some_and(|(_, there)| there == wanted);
        if relation.from == relation.to {
            return match hint {
                None => {
                    by_table && relation.kind == Kind::OneToMany
                        || column(name) && relation.kind == Kind::ManyToOne
                }
                Some(hint) => by_table && relation.kind == Kind::OneToMany && column_there(hint),
            };
        }
        let constraint = |wanted: &str| relation.kind != Kind::ManyToMany && relation.name == wanted;
        match hint {
            None => by_table || target.view_of.is_none() && (constraint(name) || column(name)),
            Some(hint) => {
                let junction = relation.kind == Kind::ManyToMany && relation.name == hint;
                by_table && (constraint(hint) || column(hint) || column_there(hint) || junction)
            }
        }
    }

    pub fn name_of(&self, table: usize) -> String {
        format!("{}.{}", self.name, ident(&self.tables[table].name))
    }

    /// The statements that make it.
    pub fn ddl(&self) -> String {
        let schema = &self.name;
        let mut sql = format!(
            "create schema {schema}; grant usage on schema {schema} to rest_anon; set search_path = {schema};
             create type mood as enum ('sad', 'ok', 'very happy');\n"
        );
        for (at, table) in self.tables.iter().enumerate().filter(|(_, table)| table.view_of.is_none()) {
            let mut parts: Vec<String> = table
                .columns
                .iter()
                .map(|column| {
                    let default = column.default.as_ref().map(|value| format!(" default {}", literal(value)));
                    let required = if column.nullable { "" } else { " not null" };
                    format!(
                        "{} {}{required}{}",
                        ident(&column.name),
                        column.ty.sql(),
                        default.unwrap_or_default()
                    )
                })
                .collect();
            let list = |columns: Vec<usize>, table: &Table| {
                columns.iter().map(|c| ident(&table.columns[*c].name)).collect::<Vec<_>>().join(", ")
            };
            parts.push(format!("primary key ({})", list(table.key.clone(), table)));
            for key in self.keys.iter().filter(|key| key.from == at) {
                let here = list(key.columns.iter().map(|c| c.0).collect(), table);
                let there = list(key.columns.iter().map(|c| c.1).collect(), &self.tables[key.to]);
                let target = self.name_of(key.to);
                parts.push(format!(
                    "constraint {} foreign key ({here}) references {target} ({there})",
                    key.name
                ));
                if key.unique {
                    parts.push(format!("unique ({here})"));
                }
            }
            let _ = writeln!(sql, "create table {} ({});", self.name_of(at), parts.join(", "));
            for row in &table.rows {
                let values: Vec<String> =
                    row.iter().map(|v| v.as_deref().map_or_else(|| "null".to_owned(), literal)).collect();
                let _ = writeln!(sql, "insert into {} values ({});", self.name_of(at), values.join(", "));
            }
        }
        for (at, view) in self.tables.iter().enumerate() {
            if let Some(of) = view.view_of {
                let _ =
                    writeln!(sql, "create view {} as select * from {};", self.name_of(at), self.name_of(of));
            }
        }
        let _ = writeln!(
            sql,
            "grant select, insert, update, delete on all tables in schema {schema} to rest_anon;"
        );
        sql
    }
}
