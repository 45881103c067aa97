//! The database: reachable, recent, durable, its roles right, its migrations applied.

use bedplate_cluster as cluster;
use bedplate_core::{Clock, Problem, SystemClock};
use bedplate_db::{Connector, system};
use bedplate_migrate::State;
use bedplate_settings::Loaded;

use super::check::Check;
use crate::app::database::{self, Database};
use crate::app::schema;
use crate::cli::progress::opening;
use crate::cli::{Context, Failure};

const SERVER: &str = include_str!("../../../sql/doctor_server.sql");
const LOGIN: &str = include_str!("../../../sql/doctor_login.sql");

/// Oldest server that Bedplate works with, as `server_version_num` counts.
const OLDEST_VERSION: i32 = 150_000;

pub async fn checks(loaded: &Loaded, context: &Context) -> Vec<Check> {
    if loaded.settings.database.is_managed() && !loaded.state_dir().join("pg").exists() {
        return vec![
            binaries(loaded),
            Check::skip("database", "not made yet; `bedplate dev` makes a private one"),
        ];
    }
    let database = match database::open(loaded, opening(&context.ui)).await {
        Ok(database) => database,
        Err(problem) => return vec![unreachable("database", problem, loaded)],
    };
    let checks = look(&database, loaded).await;
    database.close().await;
    checks
}

/// Whether a private database could be made here.
fn binaries(loaded: &Loaded) -> Check {
    match database::find_binaries(loaded) {
        Ok(found) => Check::pass("postgres", format!("version {} in {}", found.version, found.dir.display())),
        Err(error) => {
            let fix = match &error {
                cluster::Error::NotFound { install, .. } => install.clone(),
                _ => "remove database.pg_bin from bedplate.toml to search for one".to_owned(),
            };
            Check::fail("postgres", error.to_string(), fix)
        }
    }
}

fn unreachable(name: &'static str, problem: Problem, loaded: &Loaded) -> Check {
    let hint = problem.hint_text().map(str::to_owned);
    let failure = Failure::from(problem);
    let fix = hint.unwrap_or_else(|| {
        if loaded.settings.database.is_managed() {
            format!("look at its log: tail {}", loaded.state_dir().join("log/postgres.log").display())
        } else {
            let origin = loaded.origin("database.url");
            format!("check that the server runs and that the URL is right; it is set by: {origin}")
        }
    });
    Check::fail(name, failure.message, fix)
}

async fn look(database: &Database, loaded: &Loaded) -> Vec<Check> {
    let client = match &database.admin {
        Some(admin) => system::connect(admin).await,
        None => system::connect(&database.owner).await,
    };
    let client = match client {
        Ok(client) => client,
        Err(error) => return vec![unreachable("database", error.into(), loaded)],
    };
    let mut checks = match server(&client, loaded).await {
        Ok(checks) => checks,
        Err(problem) => return vec![unreachable("database", problem, loaded)],
    };
    drop(client);
    match schema::status(database, loaded).await {
        Ok(entries) => checks.push(migrations(&entries)),
        Err(problem) => checks.push(Check::fail(
            "migrations",
            Failure::from(problem).message,
            "correct what it names, then `bedplate migrate status`",
        )),
    }
    checks.push(login(&database.api, loaded).await);
    checks
}

/// Facts of one row, judged one by one.
async fn server(client: &system::Client, loaded: &Loaded) -> Result<Vec<Check>, Problem> {
    let row = client.query_one(SERVER, &[]).await.map_err(bedplate_db::Error::from)?;
    let mut checks = vec![version(row.get("version"), row.get("version_text"))];
    if row.get("in_recovery") {
        checks.push(Check::fail(
            "primary",
            "this server is a standby and takes no writes",
            "name the primary in the URL, or all hosts with ?target_session_attrs=read-write",
        ));
    }
    checks.push(skew(SystemClock.now().as_secs_f64() - row.get::<_, f64>("now")));
    checks.push(durability(row.get("fsync"), row.get("full_page_writes"), row.get("synchronous_commit")));
    if row.get::<_, &str>("data_checksums") == "off" {
        checks.push(Check::warn(
            "checksums",
            "data checksums are off: damage by a disk would go unnoticed",
            "stop the server and run pg_checksums --enable on its data folder",
        ));
    }
    if row.get::<_, &str>("wal_level") != "logical" {
        checks.push(Check::warn(
            "wal-level",
            format!("wal_level is {}; realtime needs logical", row.get::<_, &str>("wal_level")),
            "as an administrator: alter system set wal_level = logical; then restart the server",
        ));
    }
    checks.push(connections(row.get("connections"), loaded));
    Ok(checks)
}

fn version(number: i32, text: &str) -> Check {
    if number < OLDEST_VERSION {
        let message = format!("PostgreSQL {text} is too old: 15 or newer is needed");
        return Check::fail("database", message, "upgrade the server, or use another one");
    }
    Check::pass("database", format!("PostgreSQL {text} answers"))
}

/// Seconds by which this machine is ahead of the database's clock.
fn skew(seconds: f64) -> Check {
    let message = format!("{seconds:+.1} s against the database");
    if seconds.abs() >= 30.0 {
        return Check::fail(
            "clock-skew",
            format!("{message}: tokens would be refused"),
            "sudo timedatectl set-ntp true",
        );
    }
    if seconds.abs() >= 5.0 {
        return Check::warn("clock-skew", message, "sudo timedatectl set-ntp true");
    }
    Check::pass("clock-skew", message)
}

/// An acknowledged write must survive a crash.
fn durability(fsync: &str, full_page_writes: &str, synchronous_commit: &str) -> Check {
    let settings = [
        ("fsync", fsync),
        ("full_page_writes", full_page_writes),
        ("synchronous_commit", synchronous_commit),
    ];
    let off: Vec<&str> =
        settings.iter().filter(|(_, value)| *value == "off").map(|(name, _)| *name).collect();
    if off.is_empty() {
        return Check::pass("durability", "fsync, full_page_writes and synchronous_commit are on");
    }
    let commands: Vec<_> = off.iter().map(|name| format!("alter system reset {name};")).collect();
    Check::fail(
        "durability",
        format!("{} off: a crash can lose what was acknowledged", off.join(", ")),
        format!("as an administrator: {} select pg_reload_conf();", commands.join(" ")),
    )
}

fn connections(available: i32, loaded: &Loaded) -> Check {
    let database = &loaded.settings.database;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // Beside the pools: LISTEN, catalog and administration.
    let wanted = database.read_connections(cores) + database.write_connections() + 4;
    if available >= i32::try_from(wanted).unwrap_or(i32::MAX) {
        return Check::pass("connections", format!("{available} allowed, {wanted} used by one server"));
    }
    Check::fail(
        "connections",
        format!("the database allows {available} connections, and one server uses up to {wanted}"),
        "lower database.pool_read and database.pool_write, or raise max_connections",
    )
}

fn migrations(entries: &[bedplate_migrate::Entry]) -> Check {
    let count = |wanted: fn(&State) -> bool| entries.iter().filter(|entry| wanted(&entry.state)).count();
    let broken = count(|state| matches!(state, State::Edited { .. } | State::Interrupted { .. }));
    let pending = count(|state| matches!(state, State::Pending | State::OutOfOrder));
    let missing = count(|state| matches!(state, State::Missing { .. }));
    match (broken, pending, missing) {
        (0, 0, 0) => Check::pass("migrations", format!("all {} applied", entries.len())),
        (0, 0, missing) => Check::warn(
            "migrations",
            format!("{missing} applied, but their files are not here"),
            "get them back from version control: git log --diff-filter=D -- migrations",
        ),
        (0, pending, _) => Check::warn("migrations", format!("{pending} pending"), "bedplate migrate up"),
        (broken, _, _) => Check::fail(
            "migrations",
            format!("{broken} edited after they were applied, or interrupted"),
            "bedplate migrate status",
        ),
    }
}

/// Requests must run with a login that owns nothing, else row-level security does not hold for them.
async fn login(api: &Connector, loaded: &Loaded) -> Check {
    let client = match system::connect(api).await {
        Ok(client) => client,
        Err(error) => {
            return Check::fail(
                "api-login",
                Failure::from(Problem::from(error)).message,
                "bedplate migrate up makes the role; check database.api_url if it is set",
            );
        }
    };
    let auth = &loaded.settings.auth;
    let roles = vec![auth.anon_role.clone(), auth.authenticated_role.clone(), auth.service_role.clone()];
    match client.query_one(LOGIN, &[&roles, &loaded.settings.database.schemas]).await {
        Ok(row) => judge_login(&Login {
            name: row.get("name"),
            is_superuser: row.get("is_superuser"),
            bypasses_rls: row.get("bypasses_rls"),
            absent: row.get("absent"),
            closed: row.get("closed"),
            owned: row.get("owned"),
        }),
        Err(error) => Check::skip("api-login", format!("cannot be looked at: {error}")),
    }
}

struct Login {
    name: String,
    is_superuser: bool,
    bypasses_rls: bool,
    /// Roles of the API that do not exist.
    absent: Vec<String>,
    /// Roles of the API that this login may not switch to.
    closed: Vec<String>,
    /// Tables of the API schemas that it owns.
    owned: i64,
}

fn judge_login(login: &Login) -> Check {
    let name = &login.name;
    let other = "set database.api_url to a login of its own, such as `authenticator`";
    if !login.absent.is_empty() {
        return Check::fail(
            "api-login",
            format!("no role {}", login.absent.join(", ")),
            "bedplate migrate up",
        );
    }
    if !login.closed.is_empty() {
        let roles = login.closed.join(", ");
        let fix = format!("as the database's owner: grant {roles} to {name};");
        return Check::fail("api-login", format!("{name} may not switch to {roles}"), fix);
    }
    if login.is_superuser || login.bypasses_rls {
        let what = if login.is_superuser { "is a superuser" } else { "bypasses row-level security" };
        return Check::warn("api-login", format!("requests come in as {name}, who {what}"), other);
    }
    if login.owned > 0 {
        let message = format!("requests come in as {name}, who owns {} of the API's tables", login.owned);
        return Check::warn("api-login", message, other);
    }
    Check::pass("api-login", format!("{name} owns nothing and may switch to the API's roles"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Verdict;

    #[test]
    fn each_fact_is_judged() {
        assert_eq!(version(140_010, "14.10").verdict, Verdict::Fail);
        assert_eq!(version(150_000, "15.0").verdict, Verdict::Pass);
        assert_eq!(skew(-31.0).verdict, Verdict::Fail);
        assert_eq!(skew(6.0).verdict, Verdict::Warn);
        assert_eq!(skew(0.2).verdict, Verdict::Pass);
        let off = durability("on", "off", "off");
        assert_eq!(off.verdict, Verdict::Fail);
        assert!(
            off.fix
                .unwrap()
                .contains("alter system reset full_page_writes; alter system reset synchronous_commit;")
        );
        assert_eq!(durability("on", "on", "remote_apply").verdict, Verdict::Pass);
    }

    #[test]
    fn a_login_with_too_many_or_too_few_rights_is_noticed() {
        let login = || Login {
            name: "authenticator".into(),
            is_superuser: false,
            bypasses_rls: false,
            absent: vec![],
            closed: vec![],
            owned: 0,
        };
        assert_eq!(judge_login(&login()).verdict, Verdict::Pass);
        assert_eq!(judge_login(&Login { is_superuser: true, ..login() }).verdict, Verdict::Warn);
        assert_eq!(judge_login(&Login { owned: 2, ..login() }).verdict, Verdict::Warn);
        let closed = judge_login(&Login { closed: vec!["anon".into()], ..login() });
        assert_eq!(closed.fix.unwrap(), "as the database's owner: grant anon to authenticator;");
        assert_eq!(judge_login(&Login { absent: vec!["anon".into()], ..login() }).verdict, Verdict::Fail);
    }
}
