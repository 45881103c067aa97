//! What a database lacks of the contract, in words: mostly what a managed cloud database does not let its owner do.

use crate::error::Error;
use tokio_postgres::Client;

/// One gap, why it is there, and what closes it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Limitation {
    /// Stable, snake_case.
    pub code: &'static str,
    pub what: String,
    pub why: String,
    /// A command or SQL for somebody with more rights.
    pub fix: String,
}

/// Reads the gaps from the database.
pub(crate) async fn list(owner: &Client) -> Result<Vec<Limitation>, Error> {
    let rows = owner.query(include_str!("../sql/system/limitations.sql"), &[]).await?;
    let me: String = owner.query_one("select quote_ident(current_user)", &[]).await?.get(0);
    Ok(rows.iter().map(|row| describe(row.get("code"), row.get("detail"), &me)).collect())
}

fn describe(code: &str, detail: &str, me: &str) -> Limitation {
    let new = |code, what: &str, why: &str, fix: String| Limitation {
        code,
        what: what.to_owned(),
        why: why.to_owned(),
        fix,
    };
    match code {
        "service_role_bypassrls" => new(
            "service_role_bypassrls",
            "service_role is subject to row-level security",
            "only a superuser may give a role BYPASSRLS",
            "as a superuser: alter role service_role bypassrls; or give it policies: create policy … to service_role using (true)".into(),
        ),
        "reload_events" => new(
            "reload_events",
            "changes of the schema by others are noticed by polling, not at once",
            "event triggers need a superuser",
            format!("as a superuser: alter role {me} superuser; then run `bedplate migrate up`, and after it: alter role {me} nosuperuser;"),
        ),
        "extension" => new(
            "extension",
            &format!("the extension {detail} is not installed"),
            "the server does not have it, or does not let this role create it",
            format!("as a superuser: create extension if not exists \"{detail}\" schema extensions;"),
        ),
        "role_postgres" => new(
            "role_postgres",
            "this role cannot act as postgres, so `owner to postgres` in migrations fails",
            "the role postgres belongs to the provider or is a superuser",
            format!("as a superuser, if postgres is no superuser: grant postgres to {me}; else replace the name in the migrations"),
        ),
        "parameters" => new(
            "parameters",
            "`set session_replication_role` is refused, which some seeds use",
            "only a superuser may set it or hand it out",
            format!("as a superuser: grant set on parameter session_replication_role to {me};"),
        ),
        "foreign_schema" => new(
            "foreign_schema",
            &format!("part {detail} of the contract was left as it is"),
            "its tables were there before Bedplate, made by another system",
            "nothing, if that system is Supabase; else move its schema away and install again".into(),
        ),
        _ => new(
            "act_as",
            &format!("this role cannot act as {detail}"),
            "membership could not be granted",
            format!("as a superuser: grant {detail} to {me};"),
        ),
    }
}
