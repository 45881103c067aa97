use crate::Project;

#[test]
fn every_fault_is_reported_at_once_with_its_line_and_its_fix() {
    let project = Project::new(
        r#"[server]
prot = 8000
port = "http"
request_deadline = "soon"
head_timeout = "2h"
cors_origins = ["app.example.com"]

[limits]
page_size_default = 500
body_bytes = 5

[databse]
url = "x"

[auth]
jwt_secret = "super-secret-value-super-secret-value"

[api]
error_format = "enveloppe"

[[auth.issuers]]
jwks_url = "http://example.com/keys"

[env.production.server]
hots = "0.0.0.0"
workers = 0
"#,
    )
    .env("BEDPLATE_SERVER__PROT", "1")
    .env("BEDPLATE_SERVER_PORT", "1")
    .env("BEDPLATE_LIMITS__IN_ITEMS", "many");
    insta::assert_snapshot!(project.faults());
}

#[test]
fn a_secret_in_the_file_is_refused_without_repeating_it() {
    let faults = Project::new("[auth]\nsecret_key = \"sb_secret_abcdefghijklmnopqrstuvwxyz\"\n").faults();
    assert!(faults.contains("bedplate.toml:2:1"), "{faults}");
    assert!(faults.contains("secret_key = 'secret(\"SECRET_KEY\")'"), "{faults}");
    assert!(!faults.contains("abcdef"), "{faults}");
}

#[test]
fn a_syntax_error_names_the_line_and_explains_bare_references() {
    let faults = Project::new("[database]\nurl = secret(\"DATABASE_URL\")\n").faults();
    assert!(faults.starts_with("bedplate.toml:2:"), "{faults}");
    assert!(faults.contains("write 'secret(\"NAME\")' in single quotes"), "{faults}");
}

#[test]
fn an_unknown_environment_is_refused_with_the_near_one() {
    let faults = Project::new("[env.staging.server]\nport = 1\n").named("stagign").faults();
    assert!(faults.contains("did you mean --env staging?"), "{faults}");
    assert_eq!(
        Project::new("[env.staging.server]\nport = 1\n").named("staging").loaded().settings.server.port,
        1
    );
}

#[test]
fn sections_and_settings_are_not_mixed_up() {
    let faults = Project::new("server = 3\n[limits.body_bytes]\nx = 1\n[database.\"a.b\"]\ny = 1\n").faults();
    assert!(faults.contains("`server` is a section, not a setting"), "{faults}");
    assert!(faults.contains("`limits.body_bytes` is a setting, not a section"), "{faults}");
    assert!(faults.contains("`a.b` cannot be used"), "{faults}");
}

#[test]
fn an_override_must_name_a_setting() {
    let faults = Project::new("").flag("server.prot", "1", "--set").faults();
    assert!(faults.contains("command line --set: `server.prot` is not a setting"), "{faults}");
    assert!(faults.contains("did you mean `server.port`?"), "{faults}");
}

#[test]
fn an_empty_table_with_a_wrong_name_is_noticed() {
    assert!(Project::new("[sevrer]\n").faults().contains("did you mean `server`"));
}

#[test]
fn settings_that_need_one_another_are_asked_for_together() {
    let faults = Project::new("[database]\npooler = \"transaction\"\ndownload_version = \"18.4\"\n").faults();
    assert!(faults.contains("database.pooler: is set, but there is no api_url"), "{faults}");
    assert!(faults.contains("set all three"), "{faults}");
    Project::new("[access]\nexposed = [\"todos\", \"app.todos\"]\n").loaded();
    assert!(Project::new("[access]\nexposed = [\"a.b.c\"]\n").faults().contains("schema.name"));
}
