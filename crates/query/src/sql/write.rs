//! INSERT, UPDATE and DELETE. What is answered comes from RETURNING alone where that suffices; else the write is a CTE
//! and the answer reads from it.

use super::gather::{Subject, gather};
use super::select::Columns;
use super::text::Text;
use super::used::Used;
use crate::ident::Ident;
use crate::output::{Codec, Format, Object};
use crate::plan::tree::{
    Alias, BulkColumn, BulkDefault, Delete, Form, Input, Insert, InsertRows, Inserted, Level, OnConflict,
    OnConflictAction, Operand, Qualified, Returning, Update,
};
use crate::request::ValueRef;
use crate::statement::{Main, Param, Planned};

pub(super) fn insert(insert: &Insert) -> Planned {
    let guards = insert.guard.iter().map(super::guard).collect();
    let main = write(&insert.returning, &insert.relation, insert.alias, |text| {
        text.put("INSERT INTO ").name(&insert.relation).put(" AS ").alias(insert.alias);
        match &insert.rows {
            InsertRows::One(fields) => one(text, fields),
            InsertRows::Many { .. } => many(text, &insert.relation, &insert.rows),
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
        Input::Record { value, type_name, parse } => {
            let field = Param::Json(*value, crate::pgtext::Target::Json);
            text.put("(SELECT ");
            match parse {
                None => text.put("x.v"),
                Some(parse) => text.name(parse).put("(x.v)"),
            };
            text.put(" FROM json_to_record(json_build_object('v', ").param(field);
            text.put("::json)) AS x(v ").type_name(type_name).put("))");
        }
        Input::Default => {
            text.put("DEFAULT");
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
fn many(text: &mut Text, relation: &Qualified, rows: &InsertRows) {
    let InsertRows::Many { body, columns, fixed, matching, binary } = rows else { return };
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
    text.put(" FROM ");
    elements(text, *body, columns, if *binary { "jsonb" } else { "json" });
    if !matching.is_empty() {
        text.put(" WHERE ").list(matching, " AND ", |text, (at, operand)| {
            bulk_value(text, relation, &columns[*at]);
            text.put(" = ");
            equal_to(text, operand);
        });
    }
}

/// The body's elements as rows `x`, and `e(v)` where they are looked at by themselves.
fn elements(text: &mut Text, body: ValueRef, columns: &[BulkColumn], json: &str) {
    let body = Param::Json(body, crate::pgtext::Target::Json);
    if columns.is_empty() {
        text.put(json).put("_array_elements(").param(body).put("::").put(json).put(")");
        return;
    }
    if columns.iter().any(|column| column.default.is_some()) {
        text.put(json).put("_array_elements(").param(body).put("::").put(json).put(") AS e(v), ");
        text.put(json).put("_to_record(e.v) AS x(");
    } else {
        text.put(json).put("_to_recordset(").param(body).put("::").put(json).put(") AS x(");
    }
    text.list(columns, ", ", |text, column| {
        text.ident(&column.name).put(" ").type_name(&column.type_name);
    });
    text.put(")");
}

fn equal_to(text: &mut Text, operand: &Operand) {
    let value = Param::Value(operand.value);
    match &operand.parse {
        None => text.param(value),
        Some(parse) => text.name(parse).put("(").param(value).put("::text)"),
    };
}

pub(super) fn bulk_value(text: &mut Text, relation: &Qualified, column: &BulkColumn) {
    if let Some(default) = &column.default {
        let key = Param::Fixed(column.name.as_str().into());
        text.put("CASE WHEN (e.v -> ").param(key).put("::text) IS NULL THEN ");
        bulk_default(text, relation, &column.name, default);
        if column.drawn {
            text.put(" WHEN ");
            bulk_default(text, relation, &column.name, default);
            text.put(" IS NULL THEN NULL");
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

fn bulk_default(text: &mut Text, relation: &Qualified, column: &Ident, default: &BulkDefault) {
    match default {
        BulkDefault::Expression(expression) => text.put(expression),
        BulkDefault::Identity => {
            let mut table = String::new();
            relation.schema.push_quoted(&mut table);
            table.push('.');
            relation.name.push_quoted(&mut table);
            text.put("nextval(pg_get_serial_sequence(")
                .param(Param::Fixed(table.into()))
                .put(", ")
                .param(Param::Fixed(column.as_str().into()))
                .put(")::regclass)")
        }
    };
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
        OnConflictAction::Update { given, reset, told } => {
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
            if *told {
                text.put(" WHERE set_config('bedplate.merged', '1', true) IS NOT NULL");
            }
        }
    }
}

/// Whether a row was inserted, as a column of what was written. Quoted, it cannot be the name of a user's column unless
/// on purpose.
const INSERTED: &str = "xmax = 0";

/// Whether the row at hand was inserted. System: an updated row carries the lock of this transaction. Told: PostgreSQL
/// answers each row before it looks at the next, so a setting that the update makes is seen, and taken back, here. It is a
/// CASE because that keeps its order.
fn inserted(text: &mut Text, how: Inserted, alias: Alias) {
    match how {
        Inserted::Unasked | Inserted::System => text.put("(").alias(alias).put(".xmax = 0)"),
        Inserted::Told => text.put(
            "CASE current_setting('bedplate.merged', true) WHEN '1' \
             THEN set_config('bedplate.merged', '', true) IS NULL ELSE true END",
        ),
    };
}

fn write(
    returning: &Returning,
    relation: &Qualified,
    alias: Alias,
    statement: impl FnOnce(&mut Text),
) -> Main {
    let representation = &returning.representation;
    let main = match &returning.level {
        Some(level) if representation.is_gathered() => {
            let written = |text: &mut Text| with(text, level, returning, relation, alias, statement);
            let flagged = |text: &mut Text, columns: &mut Columns<'_>, main: &mut Main| {
                if returning.inserted != Inserted::Unasked {
                    any_inserted(text, columns, main);
                }
            };
            return gather(representation, Subject::Level(level), written, flagged);
        }
        Some(level) if !returning.direct => through_cte(level, returning, relation, alias, statement),
        _ => direct(returning, alias, statement),
    };
    Main { media: representation.media.clone(), ..main }
}

fn direct(returning: &Returning, alias: Alias, statement: impl FnOnce(&mut Text)) -> Main {
    let mut text = Text::default();
    let mut columns = Columns::default();
    let mut main = Main::default();
    statement(&mut text);
    let asked = returning.inserted != Inserted::Unasked;
    if returning.level.is_some() || !returning.key.is_empty() || asked {
        text.put(" RETURNING ");
    }
    if let Some(level) = &returning.level {
        let fields = level.fields.iter().map(|field| text.wire_field(field, &mut columns)).collect();
        main.output = super::row_output(Object { fields }, &returning.representation);
    }
    main.key_columns = text.key_columns(&returning.key, alias, &mut columns);
    if asked {
        main.inserted_column = Some(text.begin(&mut columns, Codec::Bool.format()));
        inserted(&mut text, returning.inserted, alias);
    }
    if returning.level.is_some() && columns.next() == 0 {
        // RETURNING takes no empty list, and each row is to be answered as `{}`.
        text.begin(&mut columns, Format::Text);
        text.put("1");
    }
    main.sql = text.finish(columns.formats);
    main
}

/// `WITH w AS (…) `: the write, with the columns that its answer needs.
fn with(
    text: &mut Text,
    level: &Level,
    returning: &Returning,
    relation: &Qualified,
    alias: Alias,
    statement: impl FnOnce(&mut Text),
) {
    let asked = returning.inserted != Inserted::Unasked;
    if returning.representation.explain.is_some() {
        text.speak(alias, Some(&relation.name));
    }
    text.put("WITH w AS (");
    statement(text);
    text.put(" RETURNING ");
    let used = Used::by_answer(level);
    let mut names: Vec<&Ident> = used.columns(alias).collect();
    names.extend(returning.key.iter().filter(|key| !used.columns(alias).any(|name| name == *key)));
    let nothing = names.is_empty() && !used.whole_row(alias) && !asked;
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
        separate(text);
        // The cast keeps a column that is named like the alias from being taken for the row.
        text.alias(alias).put(".*::").name(relation).put(" AS \"row\"");
    }
    if asked {
        separate(text);
        inserted(text, returning.inserted, alias);
        text.put(" AS ").ident(&Ident::from_catalog(INSERTED));
    }
    if nothing {
        text.put("1");
    }
    text.put(") ");
    text.written = Some(alias);
}

fn through_cte(
    level: &Level,
    returning: &Returning,
    relation: &Qualified,
    alias: Alias,
    statement: impl FnOnce(&mut Text),
) -> Main {
    let mut text = Text::default();
    let mut columns = Columns::default();
    let mut main = Main { order: level.order_text.clone(), ..Main::default() };
    with(&mut text, level, returning, relation, alias, statement);
    if returning.representation.form == Form::Csv {
        main.output = text.csv_select(level, &mut columns);
        beside(&mut text, level, returning, alias, &mut columns, &mut main);
        text.csv_rest(level);
    } else {
        let (rows, places) = text.select(level, &mut columns);
        main.output = super::row_output(rows.object, &returning.representation);
        beside(&mut text, level, returning, alias, &mut columns, &mut main);
        text.rest(level, &columns, &places);
    }
    main.sql = text.finish(columns.formats);
    main
}

/// The columns beside the answer.
fn beside(
    text: &mut Text,
    level: &Level,
    returning: &Returning,
    alias: Alias,
    columns: &mut Columns<'_>,
    main: &mut Main,
) {
    let flag = Ident::from_catalog(INSERTED);
    let asked = returning.inserted != Inserted::Unasked;
    let collapsed = level.grouped || level.distinct;
    if !collapsed {
        main.key_columns = text.key_columns(&returning.key, alias, columns);
        if asked && !returning.partial {
            main.inserted_column = Some(text.begin(columns, Codec::Bool.format()));
            text.column(alias, &flag);
        }
    }
    if asked && (collapsed || returning.partial) {
        any_inserted(text, columns, main);
    }
    if returning.partial && !collapsed {
        main.affected_column = Some(text.begin(columns, Format::Binary));
        text.put("(SELECT count(*) FROM w)");
    }
}

fn any_inserted(text: &mut Text, columns: &mut Columns<'_>, main: &mut Main) {
    main.inserted_column = Some(text.begin(columns, Codec::Bool.format()));
    text.put("(SELECT bool_or(").ident(&Ident::from_catalog(INSERTED)).put(") FROM w)");
}
