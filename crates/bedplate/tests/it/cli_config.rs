use std::fs;

use crate::cli::{Bedplate, failure, json, project, text};

#[test]
fn show_tells_values_and_where_they_come_from_without_secrets() {
    let (_root, project) = project();
    let ran =
        Bedplate::new(&project, &["--text", "config", "show", "--changed", "--set", "server.port=9999"])
            .env("DATABASE_URL", "postgres://u:hunter2@db.example/app")
            .run();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("postgres://u:***@db.example/app"), "{}", ran.out);
    assert!(ran.out.contains("environment variable DATABASE_URL"), "{}", ran.out);
    assert!(ran.out.contains("command line --set server.port"), "{}", ran.out);
    assert!(!ran.out.contains("hunter2") && !ran.out.contains('\u{1b}'), "{}", ran.out);
}

#[test]
fn every_fault_of_the_file_is_shown_at_once() {
    let (_root, project) = project();
    fs::write(project.join("bedplate.toml"), "[server]\nprot = 1\nport = \"x\"\n").unwrap();
    let err = failure(&project, &["config", "show"], 4);
    assert!(err.contains("the configuration has 2 faults"), "{err}");
    assert!(err.contains("bedplate.toml:2:1") && err.contains("did you mean `server.port`"), "{err}");
    assert!(err.contains("bedplate.toml:3:1"), "{err}");
    // What a setting means is told even then.
    assert!(text(&project, &["config", "explain", "server.port"]).contains("BEDPLATE_SERVER__PORT"));
}

#[test]
fn explain_one_setting_a_section_and_a_slip() {
    let (_root, project) = project();
    let one = text(&project, &["config", "explain", "database.url"]);
    assert!(one.contains("[database] url = 'secret(\"URL\")'"), "{one}");
    let section = text(&project, &["config", "explain", "limits"]);
    assert!(section.contains("limits.page_size_max"), "{section}");
    assert_eq!(json(&project, &["config", "explain", "limits.page_size_max"])["settings"][0]["default"], 100);
    assert!(failure(&project, &["config", "explain", "limit"], 2).contains("did you mean"));
    assert!(failure(&project, &["config", "show", "servre"], 2).contains("did you mean"));
}

#[test]
fn the_schema_in_a_new_project_is_the_one_that_is_printed() {
    let (_root, project) = project();
    let printed = Bedplate::new(&project, &["config", "schema"]).run();
    assert_eq!(printed.code, 0);
    assert_eq!(fs::read_to_string(project.join("bedplate.schema.json")).unwrap(), printed.out);
}

#[test]
fn usage_faults_and_completions() {
    let dir = tempfile::tempdir().unwrap();
    let ran = Bedplate::new(dir.path(), &["neww"]).run();
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("new"), "{}", ran.err);
    let help = Bedplate::new(dir.path(), &["--help"]).run();
    assert_eq!(help.code, 0);
    assert!(help.out.contains("bedplate new todos") && help.out.contains("Exit codes"), "{}", help.out);
    for shell in ["bash", "zsh", "fish"] {
        assert!(Bedplate::new(dir.path(), &["completions", shell]).run().out.contains("bedplate"));
    }
    let bad = Bedplate::new(dir.path(), &["--text", "--set", "server.port", "config", "show"]).run();
    assert_eq!(bad.code, 2);
    assert!(bad.err.contains("--set server.port=VALUE"), "{}", bad.err);
}
