//! Commands that need a database: the project's private one, and one of the user's own.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bedplate_testkit::Database;
use serde_json::Value;

use crate::cli::{Bedplate, failure, json, project, text};

/// The last line of JSON: commands that report progress print events first.
fn last(dir: &Path, args: &[&str]) -> Value {
    let ran = Bedplate::new(dir, args).run();
    assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
    serde_json::from_str(ran.out.lines().last().unwrap()).unwrap()
}

fn find<'a>(report: &'a Value, check: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|c| c["check"] == check).unwrap_or_else(|| panic!("{check} in {report}"))
}

#[test]
fn a_new_project_migrates_seeds_mints_tokens_and_goes_back() {
    let (_root, project) = project();
    let pending = json(&project, &["migrate", "status"]);
    assert_eq!(pending["migrations"][0]["state"], "pending");

    let done = last(&project, &["migrate", "up"]);
    assert_eq!(done["report"]["migrations"]["ran"][0]["name"], "init");
    assert_eq!(done["report"]["policies"]["applied"], true);
    assert_eq!(json(&project, &["migrate", "status"])["migrations"][0]["state"], "applied");
    assert!(text(&project, &["migrate", "up"]).contains("up to date: 1 applied before"));

    let seeded = last(&project, &["seed"]);
    assert_eq!(seeded["report"]["rows"]["todos"], 3, "{seeded}");
    assert!(text(&project, &["seed"]).contains("unchanged"));

    let token = Bedplate::new(&project, &["token", "--as", "alice@example.com"]).run();
    assert_eq!(token.code, 0, "{}", token.err);
    let payload = token.out.trim().split('.').nth(1).expect("a token, and nothing else");
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    assert_eq!(claims["sub"], "00000000-0000-4000-8000-00000000000a");
    assert_eq!(claims["role"], "authenticated");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    let err = failure(&project, &["token", "--as", "alcie@example.com"], 1);
    assert!(err.contains("did you mean --as alice@example.com?"), "{err}");
    let err = failure(&project, &["token", "--as", "alice@example.com", "--env", "production"], 4);
    assert!(err.contains("development only"), "{err}");
    assert!(failure(&project, &["token", "--as", "a", "--expires", "2d"], 2).contains("24h"));

    let report = json(&project, &["doctor", "--set", "server.port=0", "--set", "server.admin_port=0"]);
    assert_eq!(report["failed"], 0, "{report}");
    for check in ["database", "durability", "api-login", "migrations", "keys"] {
        assert_eq!(find(&report, check)["verdict"], "pass", "{report}");
    }

    let undone = last(&project, &["migrate", "down"]);
    assert_eq!(undone["report"]["ran"][0]["name"], "init");
    assert_eq!(json(&project, &["migrate", "status"])["migrations"][0]["state"], "pending");
}

#[test]
fn a_migration_that_fails_names_its_line_and_leaves_nothing() {
    let (_root, project) = project();
    let made = json(&project, &["migrate", "new", "add due date"]);
    let up = made["up"].as_str().unwrap().to_owned();
    assert!(up.ends_with("_add_due_date.sql"), "{up}");
    fs::write(&up, "alter table public.todos add due date;\nalter table public.todso add x int;\n").unwrap();
    let ran = Bedplate::new(&project, &["--text", "migrate", "up"]).run();
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.out.contains("applied    migrations/"), "{}", ran.out);
    let error = ran.err.lines().find(|line| line.starts_with("error: ")).expect("an error");
    assert!(error.starts_with("error: migrations/") && error.contains("_add_due_date.sql:2:"), "{error}");
    assert!(ran.err.contains("todso") && ran.err.contains("fix:"), "{}", ran.err);
    let status = json(&project, &["migrate", "status"]);
    assert_eq!(status["migrations"][1]["state"], "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_database_is_used_and_no_private_one_is_made() {
    let database = Database::empty().await;
    let url = database.url("supabase_admin");
    let (_root, project) = project();
    let run = |args: &[&str], code: i32| {
        let ran = Bedplate::new(&project, args).env("DATABASE_URL", &url).run();
        assert_eq!(ran.code, code, "{args:?}: {}{}", ran.out, ran.err);
        ran
    };
    run(&["migrate", "up"], 0);
    run(&["seed"], 0);
    let client = database.superuser().await;
    let count: i64 = client.query_one("select count(*) from public.todos", &[]).await.unwrap().get(0);
    assert_eq!(count, 3);

    // The shared test server runs without fsync, which the doctor must find.
    let ran = run(&["doctor", "--set", "server.port=0", "--set", "server.admin_port=0"], 7);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(find(&report, "durability")["verdict"], "fail", "{report}");
    assert!(find(&report, "durability")["fix"].as_str().unwrap().contains("alter system reset"));
    assert_eq!(find(&report, "api-login")["verdict"], "warn", "{report}");
    assert!(!project.join(".bedplate/pg").exists());
}

#[test]
fn a_database_that_is_not_there_is_never_replaced_by_a_private_one() {
    let (_root, project) = project();
    let run = |args: &[&str]| {
        let url = "postgres://nobody:hunter2@127.0.0.1:1/nothing";
        Bedplate::new(&project, &[&["--text"], args].concat()).env("DATABASE_URL", url).run()
    };
    let up = run(&["migrate", "up"]);
    assert_eq!(up.code, 5, "{}", up.err);
    assert!(up.err.contains("fix:") && !up.err.contains("hunter2"), "{}", up.err);
    let doctor = run(&["doctor"]);
    assert_eq!(doctor.code, 7);
    assert!(doctor.out.contains("FAIL  database") && doctor.out.contains("DATABASE_URL"), "{}", doctor.out);
    assert!(!project.join(".bedplate/pg").exists());
}

#[test]
fn the_doctor_knows_before_the_first_start_whether_a_database_can_be_made() {
    let (_root, project) = project();
    let free = ["--set", "server.port=0", "--set", "server.admin_port=0"];
    let report = json(&project, &[&["doctor"], &free[..]].concat());
    assert_eq!(find(&report, "postgres")["verdict"], "pass", "{report}");
    assert_eq!(find(&report, "database")["verdict"], "skip", "{report}");
    let ran =
        Bedplate::new(&project, &[&["doctor", "--set", "database.pg_bin=/nowhere"], &free[..]].concat())
            .run();
    assert_eq!(ran.code, 7);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(find(&report, "postgres")["fix"].as_str().unwrap().contains("database.pg_bin"), "{report}");
    assert!(!project.join(".bedplate").exists(), "looking makes nothing");
}

#[test]
fn the_doctor_reports_faulty_settings_and_goes_on_with_the_machine() {
    let (_root, project) = project();
    fs::write(project.join("bedplate.toml"), "[server]\nprot = 1\n").unwrap();
    let ran = Bedplate::new(&project, &["doctor"]).run();
    assert_eq!(ran.code, 7);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(find(&report, "settings")["fix"].as_str().unwrap().contains("server.port"));
    assert_eq!(find(&report, "clock")["verdict"], "pass");
}
