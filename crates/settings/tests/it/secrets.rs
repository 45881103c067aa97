use crate::Project;

const FILE: &str = "[database]\nurl = 'secret(\"APP_DB\")'\n";

#[test]
fn a_reference_is_resolved_from_variable_file_key_file_or_dotenv() {
    let url = "postgres://app:pw@db/app";
    let by_variable = Project::new(FILE).env("APP_DB", url).loaded();
    let place = |loaded: &bedplate_settings::Loaded| {
        loaded.show().into_iter().find(|row| row.key == "database.url").unwrap().secret_place
    };
    assert_eq!(by_variable.settings.database.url.as_ref().unwrap().expose(), url);
    assert_eq!(place(&by_variable).as_deref(), Some("environment variable APP_DB"));

    let project = Project::new(FILE).env("APP_DB_FILE", "run/secrets/db");
    project.write("run/secrets/db", "postgres://app:pw@db/app\n");
    let by_file = project.loaded();
    assert_eq!(by_file.settings.database.url.as_ref().unwrap().expose(), url);

    let project = Project::new(FILE);
    project.write(".bedplate/keys/APP_DB", url);
    assert_eq!(place(&project.loaded()).as_deref(), Some("key file APP_DB"));
    project.write(".env", "APP_DB=postgres://other\n");
    assert_eq!(place(&project.loaded()).as_deref(), Some(".env:1"));
}

#[test]
fn a_missing_secret_says_how_to_set_it() {
    let faults = Project::new(FILE).faults();
    assert!(faults.contains("bedplate.toml:2:1: database.url: the secret APP_DB is not set"), "{faults}");
    assert!(faults.contains("APP_DB_FILE"), "{faults}");
    let faults = Project::new(FILE).env("APP_DB_FILE", "/nonexistent/x").faults();
    assert!(faults.contains("APP_DB_FILE names /nonexistent/x, which does not exist"), "{faults}");
}

#[test]
fn database_url_sets_the_database_and_our_own_variable_wins() {
    let loaded = Project::new("").env("DATABASE_URL", "postgres://a").loaded();
    assert_eq!(loaded.settings.database.url.as_ref().unwrap().expose(), "postgres://a");
    assert_eq!(loaded.origin("database.url").to_string(), "environment variable DATABASE_URL");
    let loaded = Project::new("")
        .env("DATABASE_URL", "postgres://a")
        .env("BEDPLATE_DATABASE__URL", "postgres://b")
        .loaded();
    assert_eq!(loaded.settings.database.url.as_ref().unwrap().expose(), "postgres://b");
}

#[test]
fn a_url_without_a_password_may_stand_in_the_file() {
    let loaded = Project::new("[database]\nurl = \"postgres://localhost/app\"\n").loaded();
    assert!(!loaded.settings.database.is_managed());
    let faults = Project::new("[database]\nurl = \"postgres://u:hunter2@localhost/app\"\n").faults();
    assert!(faults.contains("must not stand in this file") && !faults.contains("hunter2"), "{faults}");
}

#[test]
fn nothing_shown_contains_a_secret() {
    let secret = "0123456789abcdef0123456789abcdef-hunter2";
    let loaded = Project::new("[auth]\njwt_secret = 'secret(\"JWT\")'\n")
        .env("JWT", secret)
        .env("DATABASE_URL", "postgres://u:hunter2@h/db?password=hunter2")
        .env("BEDPLATE_AUTH__SECRET_KEY", "sb_secret_hunter2hunter2hunter2")
        .loaded();
    assert_eq!(loaded.settings.auth.jwt_secret.as_ref().unwrap().expose(), secret);
    let shown = format!("{:?} {loaded:?}", loaded.show());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn short_secrets_and_secrets_of_other_environments() {
    let faults = Project::new("[auth]\njwt_secret = 'secret(\"JWT\")'\n").env("JWT", "short").faults();
    assert!(faults.contains("at least 32 bytes") && !faults.contains("short`"), "{faults}");
    // Development must load although production's secrets are not here, yet their form is checked.
    let overlay = "[env.production.auth]\njwt_secret = 'secret(\"JWT\")'\n[env.production.database]\nurl = 'secret(\"DB\")'\n";
    Project::new(overlay).loaded();
    let faults = Project::new("[env.production.auth]\njwt_secret = 'secret(\"a b\")'\n").faults();
    assert!(faults.contains("not a name for a secret"), "{faults}");
}
