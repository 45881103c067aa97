//! The parts of a nested write. Each is one statement, however many rows it writes, and tells of each row which element of the
//! array it was.
//!
//! INSERT cannot answer columns of what it reads from, and in which order it answers its rows is promised nowhere. So the number
//! of the element goes through a setting: the element is taken from the list (which makes the setting), its row is written and
//! answered (which reads the setting), and only then the next is taken. Whoever reads the answer checks that no number comes
//! twice.

use super::text::Text;
use super::write::bulk_value;
use crate::ident::Ident;
use crate::output::Format;
use crate::plan::tree::{Bulk, BulkAction};
use crate::request::key_member;
use crate::statement::{Main, Param, Planned};

pub(super) fn write(bulk: &Bulk) -> Planned {
    let mut text = Text::default();
    match &bulk.action {
        BulkAction::Insert { ignore } => insert(&mut text, bulk, ignore),
        BulkAction::Update => update(&mut text, bulk),
        BulkAction::Delete => {
            text.put("DELETE FROM ").name(&bulk.relation).put(" AS ").alias(bulk.alias).put(" USING ");
            numbered(&mut text, bulk);
            keyed(&mut text, bulk);
            text.put(" RETURNING e.n::text");
            answered(&mut text, bulk);
        }
        BulkAction::Find => {
            text.put("SELECT e.n::text");
            answered(&mut text, bulk);
            text.put(" FROM ");
            numbered(&mut text, bulk);
            text.put(", ").name(&bulk.relation).put(" AS ").alias(bulk.alias);
            keyed(&mut text, bulk);
        }
    }
    let told = !matches!(bulk.action, BulkAction::Insert { .. }) || !bulk.answer.is_empty();
    let columns = if told { 1 + bulk.answer.len() } else { 0 };
    let writes = !matches!(bulk.action, BulkAction::Find);
    let sql = text.finish(vec![Format::Text; columns]);
    Planned {
        guards: Vec::new(),
        main: Main { sql, ..Main::default() },
        count: None,
        writes,
        settings: Vec::new(),
    }
}

fn insert(text: &mut Text, bulk: &Bulk, ignore: &[Ident]) {
    text.put("INSERT INTO ").name(&bulk.relation).put(" AS ").alias(bulk.alias);
    if !bulk.columns.is_empty() {
        text.put(" (").list(&bulk.columns, ", ", |text, column| {
            text.ident(&column.name);
        });
        text.put(")");
    }
    text.put(" SELECT ").list(&bulk.columns, ", ", |text, column| bulk_value(text, &bulk.relation, column));
    text.put(" FROM ");
    numbered(text, bulk);
    if !bulk.answer.is_empty() {
        text.put(" WHERE set_config('bedplate.row', e.n::text, true) IS NOT NULL");
    }
    if !ignore.is_empty() {
        text.put(" ON CONFLICT (").list(ignore, ", ", |text, name| {
            text.ident(name);
        });
        text.put(") DO NOTHING");
    }
    if !bulk.answer.is_empty() {
        text.put(" RETURNING current_setting('bedplate.row')");
        answered(text, bulk);
    }
}

fn update(text: &mut Text, bulk: &Bulk) {
    text.put("UPDATE ").name(&bulk.relation).put(" AS ").alias(bulk.alias).put(" SET ");
    text.list(&bulk.columns, ", ", |text, column| {
        text.ident(&column.name).put(" = ");
        bulk_value(text, &bulk.relation, column);
    });
    text.put(" FROM ");
    numbered(text, bulk);
    keyed(text, bulk);
    text.put(" RETURNING e.n::text");
    answered(text, bulk);
}

/// The elements with their numbers as `e(v, n)`, and as records `x`.
fn numbered(text: &mut Text, bulk: &Bulk) {
    let body = Param::Json(bulk.body, crate::pgtext::Target::Json);
    text.put("json_array_elements(").param(body).put("::json) WITH ORDINALITY AS e(v, n)");
    if bulk.columns.is_empty() && bulk.key.is_empty() {
        return;
    }
    text.put(", json_to_record(e.v) AS x(");
    let columns = bulk.columns.iter().map(|column| (column.name.clone(), &column.type_name));
    let key = bulk.key.iter().map(|(name, type_name)| (member(name), type_name));
    text.list(columns.chain(key), ", ", |text, (name, type_name)| {
        text.ident(&name).put(" ").type_name(type_name);
    });
    text.put(")");
}

fn member(name: &Ident) -> Ident {
    Ident::from_catalog(&key_member(name.as_str()))
}

fn keyed(text: &mut Text, bulk: &Bulk) {
    text.put(" WHERE ").list(&bulk.key, " AND ", |text, (name, _)| {
        text.column(bulk.alias, name).put(" = x.").ident(&member(name));
    });
}

fn answered(text: &mut Text, bulk: &Bulk) {
    for name in &bulk.answer {
        text.put(", ").column(bulk.alias, name);
    }
}
