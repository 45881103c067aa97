//! `bedplate advise`: what costs most, what looks like a loop over rows, which indexes are missing. Statements come from
//! the running server, tables from the database; the second works without the first.

mod findings;
mod show;
mod statements;

use bedplate_db::system;
use bedplate_settings::Loaded;
use serde_json::json;

use self::findings::{ForeignKey, Table, missing_indexes, scans};
use self::statements::Statements;
use super::args::AdviseArgs;
use super::progress::{block_on, with_database};
use super::{Context, Exit, Failure};

const FOREIGN_KEYS: &str = include_str!("../../../sql/advise_foreign_keys.sql");
const TABLES: &str = include_str!("../../../sql/advise_tables.sql");

pub fn run(args: &AdviseArgs, context: &Context) -> Result<Exit, Failure> {
    let loaded = context.project("development", Vec::new())?;
    if loaded.settings.database.is_managed() && !loaded.state_dir().join("pg").exists() {
        return Err(Failure::new(
            Exit::Database,
            "no_database",
            "this project has no database yet",
            "make one and use it for a while: bedplate dev",
        ));
    }
    block_on(advise(args, &loaded, context))
}

async fn advise(args: &AdviseArgs, loaded: &Loaded, context: &Context) -> Result<Exit, Failure> {
    let statements = statements::read(args, loaded).await?;
    let schemas = loaded.settings.database.schemas.clone();
    let (keys, tables) = with_database(context, loaded, async |database| {
        let client = system::connect(&database.owner).await.map_err(bedplate_core::Problem::from)?;
        let ask = async |sql| {
            let rows = client.query(sql, &[&schemas]).await.map_err(bedplate_db::Error::from);
            rows.map_err(|error| Failure::from(bedplate_core::Problem::from(error)))
        };
        let keys: Vec<ForeignKey> = ask(FOREIGN_KEYS).await?.iter().map(ForeignKey::read).collect();
        let tables: Vec<Table> = ask(TABLES).await?.iter().map(Table::read).collect();
        Ok((keys, tables))
    })
    .await?;
    let overview = match &statements {
        Statements::Known { overview, .. } => Some(overview),
        Statements::Unknown { .. } => None,
    };
    let indexes = missing_indexes(&keys, &tables, overview, &loaded.settings.database.schemas);
    let scans = scans(&tables, args.limit);
    context.ui.show(
        || {
            json!({
                "statements": statements.as_json(args.limit),
                "missing_indexes": indexes,
                "full_scans": scans,
            })
        },
        |ui| show::text(ui, &statements, &indexes, &scans, args.limit),
    );
    Ok(Exit::Done)
}
