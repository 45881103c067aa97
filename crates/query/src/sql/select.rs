//! SELECTs: the rows of a level as plain columns that we encode, or as JSON nested in another row.

use super::text::Text;
use crate::ident::Ident;
use crate::output::{self, Codec, Format, Object};
use crate::plan::tree::{Coding, Expr, Field, FieldValue, Level, OrderKey};

/// The result columns of a statement, as they are written.
#[derive(Default)]
pub(super) struct Columns<'p> {
    pub formats: Vec<Format>,
    groups: Vec<Group<'p>>,
    distinct: bool,
}

/// What a selected column is grouped by.
pub(super) enum Group<'p> {
    /// Its place in the select list.
    Place(usize),
    /// The value below a conversion to json, which has no equality.
    Expr(&'p Expr),
}

/// Where the parts of a row's answer stand.
pub(super) struct Rows {
    pub object: Object,
    pub order_columns: Vec<u16>,
}

impl Columns<'_> {
    pub fn next(&self) -> u16 {
        self.formats.len() as u16
    }

    fn add(&mut self, format: Format) -> u16 {
        self.formats.push(format);
        self.next() - 1
    }
}

impl Text {
    /// Begins one more result column.
    pub fn begin(&mut self, columns: &mut Columns<'_>, format: Format) -> u16 {
        if columns.next() > 0 {
            self.put(", ");
        }
        columns.add(format)
    }

    /// `SELECT …` of a level as plain columns, up to and without FROM. More columns may follow.
    pub fn select<'p>(&mut self, level: &'p Level, columns: &mut Columns<'p>) -> (Rows, Vec<usize>) {
        columns.distinct = level.distinct;
        self.put(if level.distinct { "SELECT DISTINCT " } else { "SELECT " });
        let mut places = Vec::with_capacity(level.fields.len());
        let mut fields = Vec::with_capacity(level.fields.len());
        for field in &level.fields {
            places.push(columns.formats.len() + 1);
            fields.push(self.wire_field(field, columns));
        }
        let object = Object { fields };
        let order_columns =
            if level.cursors { self.order_columns(level, &object, columns) } else { Vec::new() };
        (Rows { object, order_columns }, places)
    }

    /// FROM to OFFSET, for a select list written before.
    pub fn rest<'p>(&mut self, level: &'p Level, columns: &Columns<'p>, places: &[usize]) -> &mut Self {
        let groups: &[Group<'p>] = if level.grouped { &columns.groups } else { &[] };
        self.tail(level, groups, places)
    }

    /// Order keys as text, for cursors. A column that is answered as text already serves for both.
    fn order_columns<'p>(
        &mut self,
        level: &'p Level,
        object: &Object,
        columns: &mut Columns<'p>,
    ) -> Vec<u16> {
        let answered = |key: &OrderKey| {
            level.fields.iter().zip(&object.fields).find_map(|(field, out)| {
                match (&field.value, &out.value) {
                    (
                        FieldValue::Value { expr, coding: Coding::Wire(codec) },
                        output::Node::Column { index, .. },
                    ) => (*expr == key.expr && codec.format() == Format::Text).then_some(*index),
                    _ => None,
                }
            })
        };
        let mut places = Vec::with_capacity(level.order.len());
        for key in &level.order {
            places.push(answered(key).unwrap_or_else(|| {
                let at = self.begin(columns, Format::Text);
                self.expr(&key.expr);
                at
            }));
        }
        places
    }

    pub fn wire_field<'p>(&mut self, field: &'p Field, columns: &mut Columns<'p>) -> output::Field {
        let key = output::json_key(field.name.as_str());
        let value = match &field.value {
            FieldValue::Value { expr, coding } => self.wire_value(expr, *coding, columns),
            FieldValue::Object { present, fields } => {
                let present = present.as_ref().map(|cond| {
                    let at = self.begin(columns, Format::Binary);
                    self.cond(cond);
                    columns.groups.push(Group::Place(usize::from(at) + 1));
                    at
                });
                let fields = fields.iter().map(|field| self.wire_field(field, columns)).collect();
                output::Node::Object { present, object: Object { fields } }
            }
            FieldValue::List(level) => {
                let index = self.begin(columns, Codec::Json.format());
                self.json_list(level);
                output::Node::Column { index, codec: Codec::Json }
            }
            FieldValue::One(level) => {
                let index = self.begin(columns, Codec::Json.format());
                self.json_row(level);
                output::Node::Column { index, codec: Codec::Json }
            }
            FieldValue::Array { of, index } => {
                let at = self.begin(columns, Codec::Json.format());
                columns.groups.push(Group::Place(usize::from(at) + 1));
                self.alias(*of).put(".a").number(index);
                output::Node::Column { index: at, codec: Codec::Json }
            }
        };
        output::Field { key, value }
    }

    fn wire_value<'p>(&mut self, expr: &'p Expr, coding: Coding, columns: &mut Columns<'p>) -> output::Node {
        let codec = match coding {
            Coding::Wire(codec) => codec,
            Coding::ToJson => Codec::Json,
        };
        let index = self.begin(columns, codec.format());
        match (coding, columns.distinct) {
            (Coding::Wire(_), _) => self.expr(expr),
            (Coding::ToJson, false) => self.put("to_json(").expr(expr).put(")"),
            // json has no equality; jsonb has.
            (Coding::ToJson, true) => self.put("to_jsonb(").expr(expr).put(")"),
        };
        if !expr.is_aggregate() {
            columns.groups.push(match (coding, expr) {
                (Coding::ToJson, _) => Group::Expr(expr),
                (_, Expr::Apply { argument, .. }) => Group::Expr(argument),
                _ => Group::Place(usize::from(index) + 1),
            });
        }
        output::Node::Column { index, codec }
    }

    /// A level as a JSON array: `(SELECT coalesce(json_agg(…), '[]') …)`.
    fn json_list(&mut self, level: &Level) -> &mut Self {
        self.json_level("(SELECT coalesce(json_agg(r.*), '[]') FROM (", level)
    }

    fn json_row(&mut self, level: &Level) -> &mut Self {
        self.json_level("(SELECT row_to_json(r.*) FROM (", level)
    }

    fn json_level(&mut self, begin: &str, level: &Level) -> &mut Self {
        match &level.only_if {
            None => self.put(begin).json_select(level, None).put(") r)"),
            Some(present) => {
                self.put("CASE WHEN ").cond(present).put(" THEN ").put(begin);
                self.json_select(level, None).put(") r) END")
            }
        }
    }

    /// A level as rows that PostgreSQL turns into JSON. `prefix` numbers the columns instead of naming them.
    pub fn json_select(&mut self, level: &Level, prefix: Option<&str>) -> &mut Self {
        let collapsed = level.grouped || level.distinct;
        self.put(if level.distinct { "SELECT DISTINCT" } else { "SELECT" });
        for (index, field) in level.fields.iter().enumerate() {
            self.put(if index > 0 { ", " } else { " " }).json_value(&field.value, collapsed).put(" AS ");
            match prefix {
                None => self.ident(&field.name),
                Some(prefix) => self.put(prefix).number(index),
            };
        }
        let groups = if level.grouped { json_groups(&level.fields) } else { Vec::new() };
        let places: Vec<usize> = (1..=level.fields.len()).collect();
        self.tail(level, &groups, &places)
    }

    pub fn json_value(&mut self, value: &FieldValue, collapsed: bool) -> &mut Self {
        match value {
            FieldValue::Value { expr, .. } => self.expr(expr),
            FieldValue::List(level) => self.json_list(level),
            FieldValue::One(level) => self.json_row(level),
            FieldValue::Array { of, index } => self.alias(*of).put(".a").number(index),
            FieldValue::Object { present: None, fields } => self.json_object(fields, collapsed),
            FieldValue::Object { present: Some(present), fields } => {
                self.put("CASE WHEN ").cond(present).put(" THEN ").json_object(fields, collapsed).put(" END")
            }
        }
    }

    fn json_object(&mut self, fields: &[Field], collapsed: bool) -> &mut Self {
        self.put(if collapsed {
            "(SELECT to_jsonb(r.*) FROM (SELECT"
        } else {
            "(SELECT row_to_json(r.*) FROM (SELECT"
        });
        for (index, field) in fields.iter().enumerate() {
            let between = if index > 0 { ", " } else { " " };
            self.put(between).json_value(&field.value, collapsed).put(" AS ").ident(&field.name);
        }
        self.put(") r)")
    }

    pub fn key_columns(
        &mut self,
        key: &[Ident],
        of: crate::plan::tree::Alias,
        columns: &mut Columns<'_>,
    ) -> Vec<u16> {
        key.iter()
            .map(|name| {
                let at = self.begin(columns, Format::Text);
                self.column(of, name);
                at
            })
            .collect()
    }
}

pub(super) fn json_groups(fields: &[Field]) -> Vec<Group<'_>> {
    let grouped = |(index, field): (usize, &Field)| match &field.value {
        FieldValue::Value { expr, .. } if expr.is_aggregate() => None,
        _ => Some(Group::Place(index + 1)),
    };
    fields.iter().enumerate().filter_map(grouped).collect()
}
