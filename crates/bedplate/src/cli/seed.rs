//! `bedplate seed`.

use bedplate_migrate::{SeedReport, Seeded};
use serde_json::json;

use super::progress::{block_on, migration_event, with_database};
use super::ui::{Ui, WARN};
use super::{Context, Exit, Failure};
use crate::app::schema;

pub fn run(force: bool, context: &Context) -> Result<Exit, Failure> {
    let loaded = context.project("development", Vec::new())?;
    let ui = &context.ui;
    let report = block_on(with_database(context, &loaded, async |database| {
        let mut on_event = |event| migration_event(ui, &event);
        let options = schema::options(&loaded, false);
        // Seeds need their tables.
        schema::apply(database, &loaded, &options, &mut on_event).await?;
        Ok(schema::seed(database, &loaded, force, &mut on_event).await?)
    }))?;
    ui.show(|| json!({ "event": "done", "report": report }), |ui| text(ui, &report));
    Ok(Exit::Done)
}

fn text(ui: &Ui, report: &SeedReport) -> String {
    if report.files.is_empty() {
        return "no seed files: write seed.sql, and seed.dev.sql for development".to_owned();
    }
    let mut text = String::new();
    for (file, state) in &report.files {
        match state {
            Seeded::Now => {}
            Seeded::Before => text.push_str(&format!("unchanged  {file}, run before\n")),
            Seeded::BeforeAndEdited => {
                let line =
                    format!("edited     {file} was run before in another form: bedplate seed --force\n");
                text.push_str(&ui.paint(WARN, line));
            }
        }
    }
    let rows: Vec<_> = report.rows.iter().map(|(table, count)| format!("{count} {table}")).collect();
    if !rows.is_empty() {
        text.push_str(&format!("rows       {}\n", rows.join(", ")));
    }
    text
}
