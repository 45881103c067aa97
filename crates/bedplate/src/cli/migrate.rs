//! `bedplate migrate new | up | down | status`.

use bedplate_core::Problem;
use bedplate_migrate::{self as migrate, Entry, State};
use bedplate_settings::Loaded;
use serde_json::json;
use time::OffsetDateTime;

use super::args::MigrateCommand;
use super::progress::{block_on, limitations, migration_event, with_database};
use super::ui::{BAD, DIM, GOOD, NAME, STRONG, Ui, WARN};
use super::{Context, Exit, Failure};
use crate::app::schema;

pub fn run(command: MigrateCommand, context: &Context) -> Result<Exit, Failure> {
    let loaded = context.project("development", Vec::new())?;
    match command {
        MigrateCommand::New { name } => create(&name, &loaded, context),
        MigrateCommand::Up { allow_out_of_order } => block_on(up(allow_out_of_order, &loaded, context)),
        MigrateCommand::Down { count } => block_on(down(count as usize, &loaded, context)),
        MigrateCommand::Status => block_on(status(&loaded, context)),
    }
}

fn create(name: &str, loaded: &Loaded, context: &Context) -> Result<Exit, Failure> {
    let dir = loaded.dir.join(&loaded.settings.migrations.dir);
    let (up, down) = migrate::create(&dir, name, OffsetDateTime::now_utc()).map_err(Problem::from)?;
    context.ui.show(
        || json!({ "up": up, "down": down, "next": "bedplate migrate up" }),
        |ui| {
            let line = |path: &std::path::Path, about| {
                format!("{}  {}\n", ui.paint(NAME, path.display()), ui.paint(DIM, about))
            };
            format!(
                "{}{}\nNext: write the SQL, then {} (`bedplate dev` does it on save)",
                line(&up, "what it changes"),
                line(&down, "how to undo that"),
                ui.paint(STRONG, "bedplate migrate up")
            )
        },
    );
    Ok(Exit::Done)
}

async fn up(allow_out_of_order: bool, loaded: &Loaded, context: &Context) -> Result<Exit, Failure> {
    let options = schema::options(loaded, allow_out_of_order);
    let ui = &context.ui;
    let applied = with_database(context, loaded, async |database| {
        let mut on_event = |event| migration_event(ui, &event);
        Ok(schema::apply(database, loaded, &options, &mut on_event).await?)
    })
    .await?;
    limitations(ui, &applied.contract);
    ui.show(|| json!({ "event": "done", "report": applied }), |ui| summary(ui, &applied));
    Ok(Exit::Done)
}

fn summary(ui: &Ui, applied: &schema::Applied) -> String {
    let report = &applied.migrations;
    let mut text = match report.ran.len() {
        0 => format!("up to date: {} applied before", report.already),
        count => format!("{count} applied, {} applied before", report.already),
    };
    if !report.missing.is_empty() {
        let missing = format!("\napplied, but without a file here: {}", report.missing.join(", "));
        text.push_str(&ui.paint(WARN, missing));
    }
    for notice in &report.notices {
        text.push_str(&format!("\n{notice}"));
    }
    text
}

async fn down(count: usize, loaded: &Loaded, context: &Context) -> Result<Exit, Failure> {
    let ui = &context.ui;
    let report = with_database(context, loaded, async |database| {
        let mut on_event = |event| migration_event(ui, &event);
        Ok(schema::undo(database, loaded, count, &mut on_event).await?)
    })
    .await?;
    ui.show(
        || json!({ "event": "done", "report": report }),
        |_| match report.ran.len() {
            0 => "nothing to undo".to_owned(),
            count => format!("{count} undone; `bedplate migrate up` applies them again"),
        },
    );
    Ok(Exit::Done)
}

async fn status(loaded: &Loaded, context: &Context) -> Result<Exit, Failure> {
    let entries =
        with_database(context, loaded, async |database| Ok(schema::status(database, loaded).await?)).await?;
    context.ui.show(|| json!({ "migrations": entries }), |ui| status_text(ui, &entries));
    Ok(Exit::Done)
}

fn status_text(ui: &Ui, entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "no migrations yet: bedplate migrate new NAME".to_owned();
    }
    let mut text = String::new();
    for entry in entries {
        let (style, state, more) = match &entry.state {
            State::Applied { at, .. } => (GOOD, "applied", at.clone()),
            State::Adopted { at } => (GOOD, "adopted", at.clone()),
            State::Edited { at } => (BAD, "edited", format!("after it was applied {at}: restore the file")),
            State::Missing { at } => (BAD, "missing", format!("applied {at}, but the file is gone")),
            State::Pending => (WARN, "pending", String::new()),
            State::OutOfOrder => (WARN, "too late", "older than the newest applied one".to_owned()),
            State::Interrupted { done } => (BAD, "interrupted", format!("behind statement {done}")),
        };
        let state = ui.paint(style, format!("{state:11}"));
        let down = if entry.has_down { "" } else { "  no way back" };
        let more = ui.paint(DIM, format!("{more}{down}"));
        text.push_str(&format!("{state}  {}_{}  {more}\n", entry.version, entry.name));
    }
    let waiting = |entry: &&Entry| matches!(entry.state, State::Pending | State::Interrupted { .. });
    if entries.iter().filter(waiting).count() > 0 {
        text.push_str(&format!("\nNext: {}", ui.paint(STRONG, "bedplate migrate up")));
    }
    text
}
