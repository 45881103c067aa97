//! The one SQL writer: [`Plan`] → [`Planned`]. The text depends on the plan alone (it is the name of a prepared
//! statement), every value is a parameter, every name passes [`crate::ident::Ident`], and operators, functions and
//! keywords come from fixed tables.

mod bulk;
mod call;
mod expr;
mod gather;
mod page;
mod select;
mod text;
mod used;
mod write;

use crate::media::Media;
use crate::output::{Format, Object, Output};
use crate::plan::Plan;
use crate::plan::tree::{Form, Guard, Level, Read, Representation};
use crate::request::Count;
use crate::statement::{CountSql, Main, Planned, Sql};
use gather::Subject;
use select::Columns;
use text::Text;

/// Writes the statements of a plan.
pub fn write(plan: &Plan) -> Planned {
    match plan {
        Plan::Read(read) => write_read(read),
        Plan::Insert(insert) => write::insert(insert),
        Plan::Update(update) => write::update(update),
        Plan::Delete(delete) => write::delete(delete),
        Plan::Call(call) => call::write(call),
        Plan::Bulk(bulk) => bulk::write(bulk),
    }
}

fn write_read(read: &Read) -> Planned {
    let level = &read.level;
    let representation = &read.representation;
    let main = if representation.is_gathered() {
        gather::gather(representation, Subject::Level(level), |_| {}, |_, _, _| {})
    } else if representation.form == Form::Csv {
        csv(level)
    } else {
        rows(read)
    };
    // There is nothing to count in a plan.
    let counted = read.count.filter(|_| !main.is_plan());
    Planned {
        guards: read.guard.iter().map(guard).collect(),
        main,
        count: counted.map(|kind| count(read.counted.as_ref().unwrap_or(level), kind, read.count_max)),
        // A lock is a write to PostgreSQL.
        writes: read.locked,
        settings: Vec::new(),
    }
}

fn rows(read: &Read) -> Main {
    let level = &read.level;
    let mut text = Text::default();
    let mut columns = Columns::default();
    let (rows, places) = text.select(level, &mut columns);
    text.rest(level, &columns, &places);
    if read.locked {
        // As strong as an UPDATE takes it, so that rows which refer to this one can still be made.
        text.put(" FOR NO KEY UPDATE OF ").alias(level.alias);
    }
    Main {
        sql: text.finish(columns.formats),
        output: if read.silent { Output::Nothing } else { row_output(rows.object, &read.representation) },
        order_columns: rows.order_columns,
        order: level.order_text.clone(),
        reversed: level.backward,
        media: read.representation.media.clone(),
        ..Main::default()
    }
}

fn csv(level: &Level) -> Main {
    let mut text = Text::default();
    let mut columns = Columns::default();
    let output = text.csv_select(level, &mut columns);
    text.csv_rest(level);
    Main { sql: text.finish(columns.formats), output, media: Media::Csv, ..Main::default() }
}

/// Rows as JSON, with or without the members that are null.
fn row_output(object: Object, representation: &Representation) -> Output {
    match representation.form {
        Form::Json { stripped: true, .. } => Output::StrippedRows(object),
        _ => Output::Rows(object),
    }
}

/// How many rows a level has without its page.
fn count_of(level: &Level) -> CountSql {
    let mut text = Text::default();
    text.unpaged(level, "count(*)");
    CountSql { sql: text.finish(vec![Format::Binary]), kind: Count::Exact, estimate: None }
}

fn guard(guard: &Guard) -> Sql {
    let mut text = Text::default();
    text.put("SELECT 1 FROM ").source(&guard.source, guard.alias).filter(&guard.when);
    text.finish(vec![Format::Text])
}

/// How many rows there are without the page.
fn count(level: &Level, kind: Count, max: u64) -> CountSql {
    let exact = |level: &Level| {
        let mut text = Text::default();
        text.unpaged(level, "count(*)");
        text.finish(vec![Format::Binary])
    };
    let planned = |level: &Level| {
        let mut text = Text::default();
        text.put("EXPLAIN (FORMAT JSON) ").unpaged(level, "1");
        text.finish(vec![Format::Text])
    };
    match kind {
        Count::Exact => CountSql { sql: exact(level), kind, estimate: None },
        Count::Planned => CountSql { sql: planned(level), kind, estimate: None },
        Count::Estimated => {
            let mut text = Text::default();
            text.put("SELECT count(*) FROM (").unpaged(level, "1").put(" LIMIT ");
            text.number(max.saturating_add(1).min(i64::MAX as u64)).put(") c");
            CountSql { sql: text.finish(vec![Format::Binary]), kind, estimate: Some(planned(level)) }
        }
    }
}
