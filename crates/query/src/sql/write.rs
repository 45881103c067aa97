//! INSERT, UPDATE and DELETE. What is answered comes from RETURNING alone where that suffices; else the write is a CTE
//! and the answer reads from it.

use super::select::Columns;
use super::text::Text;
use super::used::Used;
use crate::ident::Ident;
use crate::output::{Codec, Format, Output};
use crate::plan::tree::{
    Alias, BulkColumn, BulkDefault, Delete, Input, Insert, InsertRows, OnConflict, OnConflictAction,
    Qualified, Returning, TypeName, Update,
};
use crate::request::ValueRef;
use crate::statement::{Main, Param, Planned};

pub(super) fn insert(insert: &Insert) -> Planned {
    let guards = insert.guard.iter().map(super::guard).collect();
    let main = write(&insert.returning, &insert.relation, insert.alias, |text| {
        text.put("INSERT INTO ").name(&insert.relation).put(" AS ").alias(insert.alias);
        match &insert.rows {
            InsertRows::One(fields) => one(text, fields),
            InsertRows::Many { body, columns, fixed } => many(text, &insert.relation, *body, columns, fixed),
        }
        if let Some(conflict) = &insert.conflict {
            on_conflict(text, conflict);
        }
    });
    Planned { guards, main, count: None, writes: true, settings: Vec::new() }
}

pub(super) fn update(update: &Update) -> Planned {
    let main = write(&update.returning, &update.relation, update.alias, |text| {
        text.put("UPDATE ").name(&update.relation).put(" AS ").alias(update.alias).put(" SET ");
        text.list(&update.set, ", ", |text, (name, input)| {
            text.ident(name).put(" = ");
            value(text, input);
        });
        text.filter(&update.filters);
    });
    Planned { guards: Vec::new(), main, count: None, writes: true, settings: Vec::new() }
}

pub(super) fn delete(delete: &Delete) -> Planned {
    let main = write(&delete.returning, &delete.relation, delete.alias, |text| {
        text.put("DELETE FROM ")
            .name(&delete.relation)
            .put(" AS ")
            .alias(delete.alias)
            .filter(&delete.filters);
    });
    Planned { guards: Vec::new(), main, count: None, writes: true, settings: Vec::new() }
}

fn one(text: &mut Text, fields: &[(Ident, Input)]) {
    if fields.is_empty() {
        text.put(" DEFAULT VALUES");
        return;
    }
    text.put(" (").list(fields, ", ", |text, (name, _)| {
        text.ident(name);
    });
    text.put(") VALUES (").list(fields, ", ", |text, (_, input)| value(text, input)).put(")");
}

fn value(text: &mut Text, input: &Input) {
    match input {
        Input::Json { value, target, parse: None } => {
            text.param(Param::Json(*value, target.clone()));
        }
        Input::Json { value, target, parse: Some(parse) } => {
            text.name(parse).put("(").param(Param::Json(*value, target.clone())).put("::json)");
        }
        Input::Key(value) => {
            text.param(Param::Value(*value));
        }
        Input::Lookup { source, alias, column, when } => {
            text.put("(SELECT ").column(*alias, column).put(" FROM ").source(source, *alias);
            text.filter(when).put(")");
        }
    }
}

/// `INSERT … SELECT` from the JSON array. Where a missing key means the column's default, each element is looked at by
/// itself.
fn many(
    text: &mut Text,
    relation: &Qualified,
    body: ValueRef,
    columns: &[BulkColumn],
    fixed: &[(Ident, Input, TypeName)],
) {
    let names: Vec<&Ident> =
        fixed.iter().map(|(name, ..)| name).chain(columns.iter().map(|c| &c.name)).collect();
    if !names.is_empty() {
        text.put(" (").list(names, ", ", |text, name| {
            text.ident(name);
        });
        text.put(")");
    }
    text.put(" SELECT ");
    text.list(fixed, ", ", |text, (_, input, type_name)| {
        value(text, input);
        text.put("::").type_name(type_name);
    });
    if !fixed.is_empty() && !columns.is_empty() {
        text.put(", ");
    }
    text.list(columns, ", ", |text, column| bulk_value(text, relation, column));
    let body = Param::Json(body, crate::pgtext::Target::Json);
    text.put(" FROM ");
    if columns.is_empty() {
        text.put("json_array_elements(").param(body).put("::json)");
        return;
    }
    if columns.iter().any(|column| column.default.is_some()) {
        text.put("json_array_elements(").param(body).put("::json) AS e(v), json_to_record(e.v) AS x(");
    } else {
        text.put("json_to_recordset(").param(body).put("::json) AS x(");
    }
    text.list(columns, ", ", |text, column| {
        text.ident(&column.name).put(" ").type_name(&column.type_name);
    });
    text.put(")");
}

fn bulk_value(text: &mut Text, relation: &Qualified, column: &BulkColumn) {
    if let Some(default) = &column.default {
        let key = Param::Fixed(column.name.as_str().into());
        text.put("CASE WHEN (e.v -> ").param(key.clone()).put("::text) IS NULL THEN ");
        match default {
            BulkDefault::Expression(expression) => {
                text.put(expression);
            }
            BulkDefault::Identity => {
                let mut table = String::new();
                relation.schema.push_quoted(&mut table);
                table.push('.');
                relation.name.push_quoted(&mut table);
                let table = Param::Fixed(table.into());
                text.put("nextval(pg_get_serial_sequence(")
                    .param(table)
                    .put(", ")
                    .param(key)
                    .put(")::regclass)");
            }
        }
        text.put(" ELSE ");
    }
    match &column.parse {
        None => text.put("x.").ident(&column.name),
        Some(parse) => text.name(parse).put("(x.").ident(&column.name).put(")"),
    };
    if column.default.is_some() {
        text.put(" END");
    }
}

fn on_conflict(text: &mut Text, conflict: &OnConflict) {
    text.put(" ON CONFLICT (").list(&conflict.columns, ", ", |text, name| {
        text.ident(name);
    });
    text.put(")");
    match &conflict.action {
        OnConflictAction::Nothing => {
            text.put(" DO NOTHING");
        }
        OnConflictAction::Update { given, reset } => {
            let given = given.iter().map(|name| (name, true));
            let reset = reset.iter().map(|name| (name, false));
            text.put(" DO UPDATE SET ").list(given.chain(reset), ", ", |text, (name, given)| {
                text.ident(name).put(" = ");
                if given {
                    text.put("excluded.").ident(name);
                } else {
                    text.put("DEFAULT");
                }
            });
        }
    }
}

/// Whether a row was inserted: an updated one carries the lock of this transaction. Quoted, it cannot be the name of a
/// user's column unless on purpose.
const INSERTED: &str = "xmax = 0";

fn write(
    returning: &Returning,
    relation: &Qualified,
    alias: Alias,
    statement: impl FnOnce(&mut Text),
) -> Main {
    if returning.direct {
        direct(returning, alias, statement)
    } else {
        through_cte(returning, relation, alias, statement)
    }
}

fn direct(returning: &Returning, alias: Alias, statement: impl FnOnce(&mut Text)) -> Main {
    let mut text = Text::default();
    let mut columns = Columns::default();
    let mut main = Main::default();
    statement(&mut text);
    if returning.level.is_some() || !returning.key.is_empty() || returning.inserted {
        text.put(" RETURNING ");
    }
    if let Some(level) = &returning.level {
        let fields = level.fields.iter().map(|field| text.wire_field(field, &mut columns)).collect();
        main.output = Output::Rows(crate::output::Object { fields });
    }
    main.key_columns = text.key_columns(&returning.key, alias, &mut columns);
    if returning.inserted {
        main.inserted_column = Some(text.begin(&mut columns, Codec::Bool.format()));
        text.put("(").alias(alias).put(".xmax = 0)");
    }
    if returning.level.is_some() && columns.next() == 0 {
        // RETURNING takes no empty list, and each row is to be answered as `{}`.
        text.begin(&mut columns, Format::Text);
        text.put("1");
    }
    main.sql = text.finish(columns.formats);
    main
}

fn through_cte(
    returning: &Returning,
    relation: &Qualified,
    alias: Alias,
    statement: impl FnOnce(&mut Text),
) -> Main {
    let mut text = Text::default();
    let mut columns = Columns::default();
    let mut main = Main::default();
    let Some(level) = &returning.level else { return main };
    let inserted = Ident::from_catalog(INSERTED);
    let collapsed = level.grouped || level.distinct;
    text.put("WITH w AS (");
    statement(&mut text);
    text.put(" RETURNING ");
    let used = Used::by_answer(level);
    let mut names: Vec<&Ident> = used.columns(alias).collect();
    names.extend(returning.key.iter().filter(|key| !used.columns(alias).any(|name| name == *key)));
    let nothing = names.is_empty() && !used.whole_row(alias) && !returning.inserted;
    text.list(names.iter(), ", ", |text, name| {
        text.column(alias, name);
    });
    let mut more = !names.is_empty();
    let mut separate = |text: &mut Text| {
        if more {
            text.put(", ");
        }
        more = true;
    };
    if used.whole_row(alias) {
        separate(&mut text);
        // The cast keeps a column that is named like the alias from being taken for the row.
        text.alias(alias).put(".*::").name(relation).put(" AS \"row\"");
    }
    if returning.inserted {
        separate(&mut text);
        text.put("(").alias(alias).put(".xmax = 0) AS ").ident(&inserted);
    }
    if nothing {
        text.put("1");
    }
    text.put(") ");
    text.written = Some(alias);
    let (rows, places) = text.select(level, &mut columns);
    if !collapsed {
        main.key_columns = text.key_columns(&returning.key, alias, &mut columns);
        if returning.inserted {
            main.inserted_column = Some(text.begin(&mut columns, Codec::Bool.format()));
            text.column(alias, &inserted);
        }
    }
    if returning.partial && !collapsed {
        main.affected_column = Some(text.begin(&mut columns, Format::Binary));
        text.put("(SELECT count(*) FROM w)");
    }
    text.rest(level, &columns, &places);
    main.output = Output::Rows(rows.object);
    main.order = level.order_text.clone();
    main.sql = text.finish(columns.formats);
    main
}
