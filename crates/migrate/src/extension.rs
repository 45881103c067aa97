//! `CREATE EXTENSION` in an app's files: taken from the server where the server has it, made of plain SQL where the
//! platform stands in for it, else refused with the name of the package to install.

use crate::classify::Extension;
use crate::exec::Fault;
use crate::ident;
use crate::session::Session;

/// An extension that Bedplate can stand in for.
struct Stand {
    name: &'static str,
    /// Whether its functions do their work; the others raise `feature_not_supported`.
    works: bool,
    sql: &'static str,
    /// Useless unless the server loads it at its start.
    preload: bool,
}

macro_rules! stands {
    ($(($name:literal, $works:ident, $preload:ident)),+ $(,)?) => {
        const STANDS: &[Stand] = &[$(Stand {
            name: $name,
            works: stands!(@ $works),
            sql: include_str!(concat!("../sql/provided/", $name, ".sql")),
            preload: stands!(@ $preload),
        }),+];
    };
    (@ works) => { true };
    (@ raises) => { false };
    (@ preload) => { true };
    (@ any) => { false };
}

stands! {
    ("pgjwt", works, any),
    ("supabase_vault", raises, preload),
    ("pg_graphql", raises, any),
    ("pg_net", raises, preload),
    ("pg_cron", raises, preload),
    ("pgmq", works, any),
    ("pgsodium", raises, preload),
    ("http", raises, any),
    // Tools that dashboards switch on, so dumps name them; what they do is Bedplate's own business (advise, lint).
    ("hypopg", raises, any),
    ("index_advisor", raises, any),
    ("plpgsql_check", raises, any),
    ("pg_tle", raises, preload),
    ("wrappers", raises, any),
}

/// Present in every database of Bedplate, as Supabase's are in every project: apps call them without asking for them.
pub(crate) const FROM_THE_START: &[&str] =
    &["pgcrypto", "uuid-ossp", "pgjwt", "supabase_vault", "pg_graphql"];

/// Names of all extensions that Bedplate stands in for when the server does not have them.
pub fn provided() -> impl Iterator<Item = &'static str> {
    STANDS.iter().map(|stand| stand.name)
}

/// The SQL of all stand-ins, for [`crate::system::fingerprint`].
pub(crate) fn all_sql() -> String {
    STANDS.iter().map(|stand| stand.sql).collect()
}

/// What the server says about an extension.
struct Facts {
    installed_in: Option<String>,
    owned: bool,
    available: bool,
    needs_superuser: bool,
    fixed_schema: Option<String>,
    provided: bool,
    preloaded: bool,
    major: i32,
}

/// Carries out a `CREATE EXTENSION` inside the current transaction. The answer is a notice, if there is one to give.
pub(crate) async fn create(session: &Session<'_>, wanted: &Extension) -> Result<Option<String>, Fault> {
    let facts = facts(session, &wanted.name).await?;
    let stand = STANDS.iter().find(|stand| stand.name == wanted.name);
    if let Some(schema) = &facts.installed_in {
        let there = format!("extension {} is in schema {schema} already", wanted.name);
        return if wanted.if_not_exists || FROM_THE_START.contains(&wanted.name.as_str()) {
            Ok((wanted.schema.as_ref().is_some_and(|w| w != schema)).then_some(there))
        } else {
            Err(Fault::own("42710", there, "Write: create extension if not exists …"))
        };
    }
    if facts.provided {
        return Ok(None);
    }
    let usable = facts.available && (facts.preloaded || !stand.is_some_and(|s| s.preload));
    match stand {
        _ if usable => create_real(session, wanted, &facts).await.map(|()| None),
        Some(stand) => provide(session, stand).await.map(Some),
        None => Err(missing(&wanted.name, facts.major)),
    }
}

async fn create_real(session: &Session<'_>, wanted: &Extension, facts: &Facts) -> Result<(), Fault> {
    let mut sql = format!("create extension if not exists {}", ident::quote(&wanted.name));
    match (&wanted.schema, &facts.fixed_schema) {
        (Some(schema), _) => sql += &format!(" schema {}", ident::quote(schema)),
        (None, Some(_)) => {}
        (None, None) => sql += " schema extensions",
    }
    if let Some(version) = &wanted.version {
        sql += &format!(" version {}", ident::quote(version));
    }
    if wanted.cascade {
        sql += " cascade";
    }
    if !facts.needs_superuser {
        return Ok(session.client.batch_execute(&sql).await?);
    }
    if session.has_admin() {
        session
            .client
            .execute(
                "select set_config('bedplate.owner', $1, true), set_config('bedplate.extension', $2, true)",
                &[&session.owner, &wanted.name],
            )
            .await?;
        session.privileged(&sql).await?;
        return Ok(session.privileged(include_str!("../sql/runner/extension_grants.sql")).await?);
    }
    session.client.batch_execute(&sql).await.map_err(|error| match error.as_db_error() {
        Some(db) if db.code().code() == "42501" => Fault::own(
            "42501",
            format!("only a superuser can create the extension {}", wanted.name),
            format!("Run this once as a superuser of the database, or switch the extension on in your provider's console: {sql};"),
        ),
        _ => Fault::Database(error),
    })
}

async fn provide(session: &Session<'_>, stand: &Stand) -> Result<String, Fault> {
    session.client.batch_execute(stand.sql).await?;
    session
        .client
        .execute(
            "insert into bedplate.provided_extensions (name, works) values ($1, $2) on conflict do nothing",
            &[&stand.name, &stand.works],
        )
        .await?;
    let how = if stand.works {
        "its functions are Bedplate's own"
    } else {
        "its functions exist and raise feature_not_supported when called"
    };
    Ok(format!("the server has no {}: {how}", stand.name))
}

/// `DROP EXTENSION`: what Bedplate stands in for stays, for others may use it; the rest goes to PostgreSQL.
pub(crate) async fn drop(
    session: &Session<'_>,
    names: &[String],
    sql: &str,
) -> Result<Option<String>, Fault> {
    let mut kept = Vec::new();
    let mut as_superuser = false;
    for name in names {
        let facts = facts(session, name).await?;
        if facts.installed_in.is_some() {
            as_superuser |= !facts.owned;
        } else if facts.provided {
            kept.push(name.clone());
        }
    }
    if kept.is_empty() {
        run(session, sql, as_superuser).await?;
        return Ok(None);
    }
    for name in names.iter().filter(|name| !kept.contains(name)) {
        run(session, &format!("drop extension if exists {}", ident::quote(name)), as_superuser).await?;
    }
    Ok(Some(format!("{} is provided by Bedplate and stays", kept.join(", "))))
}

/// `ALTER EXTENSION`, `COMMENT ON EXTENSION`.
pub(crate) async fn touch(session: &Session<'_>, name: &str, sql: &str) -> Result<Option<String>, Fault> {
    let facts = facts(session, name).await?;
    if facts.installed_in.is_none() && facts.provided {
        return Ok(Some(format!("{name} is provided by Bedplate; the statement has nothing to change")));
    }
    run(session, sql, !facts.owned).await?;
    Ok(None)
}

async fn run(session: &Session<'_>, sql: &str, as_superuser: bool) -> Result<(), Fault> {
    if as_superuser {
        session.privileged(sql).await?;
    } else {
        session.client.batch_execute(sql).await?;
    }
    Ok(())
}

async fn facts(session: &Session<'_>, name: &str) -> Result<Facts, Fault> {
    let row = session.client.query_one(include_str!("../sql/runner/extension_facts.sql"), &[&name]).await?;
    Ok(Facts {
        installed_in: row.get("installed_in"),
        owned: row.get("owned"),
        available: row.get("available"),
        needs_superuser: row.get("needs_superuser"),
        fixed_schema: row.get("fixed_schema"),
        provided: row.get("provided"),
        preloaded: row.get("preloaded"),
        major: row.get("major"),
    })
}

fn missing(name: &str, major: i32) -> Fault {
    let hint = match package(name, major) {
        Some(package) => format!(
            "On Debian or Ubuntu (with PostgreSQL's own repository, PGDG): apt install {package}. Elsewhere look for the \
             same extension for PostgreSQL {major}; then run the migration again."
        ),
        None => format!(
            "No package of it is known for PostgreSQL {major}: install it from its own source, or take the extension out \
             of the migration. Bedplate stands in for: {}.",
            provided().collect::<Vec<_>>().join(", ")
        ),
    };
    Fault::own("0A000", format!("the PostgreSQL server has no extension {name}"), hint)
}

/// The Debian or PGDG package that holds an extension.
fn package(name: &str, major: i32) -> Option<String> {
    let suffix = match name {
        "vector" => "pgvector",
        "postgis"
        | "postgis_raster"
        | "postgis_topology"
        | "postgis_sfcgal"
        | "postgis_tiger_geocoder"
        | "address_standardizer"
        | "address_standardizer_data_us" => "postgis-3",
        "pgrouting" => "pgrouting",
        "pgtap" => "pgtap",
        "pg_repack" => "repack",
        "pgaudit" => "pgaudit",
        "rum" => "rum",
        "pg_partman" => "partman",
        "pg_hint_plan" => "pg-hint-plan",
        "timescaledb" => "timescaledb",
        "plv8" => "plv8",
        "pg_similarity" => "similarity",
        "hll" => "hll",
        "ip4r" => "ip4r",
        "semver" => "semver",
        "periods" => "periods",
        "orafce" => "orafce",
        "tds_fdw" => "tds-fdw",
        "mysql_fdw" => "mysql-fdw",
        "ogr_fdw" => "ogr-fdw",
        "pgfincore" => "pgfincore",
        "pg_qualstats" => "pg-qualstats",
        "pg_stat_kcache" => "pg-stat-kcache",
        "pg_wait_sampling" => "pg-wait-sampling",
        "wal2json" => "wal2json",
        "plpython3u" => return Some(format!("postgresql-plpython3-{major}")),
        "plperl" | "plperlu" => return Some(format!("postgresql-plperl-{major}")),
        "pltcl" | "pltclu" => return Some(format!("postgresql-pltcl-{major}")),
        _ if CONTRIB.contains(&name) => {
            return Some(format!(
                "postgresql-contrib-{major} (or postgresql-{major}, which holds it on Debian)"
            ));
        }
        _ => return None,
    };
    Some(format!("postgresql-{major}-{suffix}"))
}

/// Part of PostgreSQL itself; only some systems put them into a package of their own.
const CONTRIB: &[&str] = &[
    "adminpack",
    "amcheck",
    "autoinc",
    "bloom",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dblink",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "file_fdw",
    "fuzzystrmatch",
    "hstore",
    "insert_username",
    "intarray",
    "isn",
    "lo",
    "ltree",
    "moddatetime",
    "pageinspect",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_trgm",
    "pg_visibility",
    "pg_walinspect",
    "pgcrypto",
    "pgrowlocks",
    "pgstattuple",
    "postgres_fdw",
    "refint",
    "seg",
    "sslinfo",
    "tablefunc",
    "tcn",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "xml2",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_extension_names_its_package_for_the_running_major() {
        assert_eq!(package("vector", 15).as_deref(), Some("postgresql-15-pgvector"));
        assert_eq!(package("postgis", 17).as_deref(), Some("postgresql-17-postgis-3"));
        assert!(package("moddatetime", 15).is_some_and(|p| p.contains("postgresql-contrib-15")));
        assert_eq!(package("pg_jsonschema", 15), None);
        let Fault::Own { message, hint, .. } = missing("vector", 15) else { panic!("a fault of our own") };
        assert!(message.contains("vector") && hint.contains("apt install postgresql-15-pgvector"));
    }
}
