use std::fs;

use crate::cli::{Bedplate, failure, json, project, text};

#[test]
fn a_new_project_has_every_file_with_its_purpose_and_the_next_command() {
    let dir = tempfile::tempdir().unwrap();
    let out = text(dir.path(), &["new", "helpdesk"]);
    let project = dir.path().join("helpdesk");
    let migrations: Vec<_> = fs::read_dir(project.join("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(migrations.len(), 2);
    assert!(migrations.iter().all(|name| name[..14].bytes().all(|b| b.is_ascii_digit())));
    for file in [
        "bedplate.toml",
        "policies/todos.sql",
        "seed.sql",
        "seed.dev.sql",
        "public/index.html",
        ".env.example",
    ] {
        assert!(project.join(file).is_file(), "{file}");
        assert!(out.contains(file), "{file} in {out}");
    }
    for file in [".gitignore", "AGENTS.md", "README.md"] {
        let text = fs::read_to_string(project.join(file)).unwrap();
        assert!(!text.contains("{{"), "{file}");
    }
    assert!(out.trim_end().ends_with("Next: cd helpdesk && bedplate dev"), "{out}");
    assert_eq!(json(&project, &["config", "show", "project.name"])["settings"][0]["value"], "helpdesk");
}

#[test]
fn nothing_of_the_user_is_ever_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let used = dir.path().join("used");
    fs::create_dir(&used).unwrap();
    fs::write(used.join("bedplate.toml"), "mine").unwrap();
    let err = failure(dir.path(), &["new", "used"], 1);
    assert!(err.contains("is not empty") && err.contains("fix:"), "{err}");
    assert_eq!(fs::read_to_string(used.join("bedplate.toml")).unwrap(), "mine");
    assert_eq!(fs::read_dir(&used).unwrap().count(), 1);

    fs::write(dir.path().join("file"), "").unwrap();
    assert!(failure(dir.path(), &["new", "file"], 1).contains("is a file"));
    fs::create_dir(dir.path().join("empty")).unwrap();
    text(dir.path(), &["new", "empty"]);
}

#[test]
fn a_bad_name_gets_a_good_one_offered() {
    let dir = tempfile::tempdir().unwrap();
    let err = failure(dir.path(), &["new", "Help Desk"], 2);
    assert!(err.contains("fix: bedplate new help-desk"), "{err}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn answers_are_json_when_nobody_watches() {
    let dir = tempfile::tempdir().unwrap();
    let answer = json(dir.path(), &["new", "a b/c"]);
    assert_eq!(answer["next"], "cd 'a b/c' && bedplate dev");
    let ran = Bedplate::new(dir.path(), &["new", "a b/c"]).run();
    assert_eq!(ran.code, 1);
    let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(error["error"]["code"], "folder_in_use");
    assert_eq!(error["error"]["exit"], 1);
}

#[test]
fn a_project_is_found_from_its_subfolders_and_by_dir() {
    let (root, project) = project();
    let inside = project.join("migrations");
    assert_eq!(json(&inside, &["config", "show", "project.name"])["settings"][0]["value"], "todos");
    let named = json(root.path(), &["--dir", "todos", "config", "show", "project.name"]);
    assert_eq!(named["settings"][0]["from"], "bedplate.toml:7");
    assert!(
        failure(root.path(), &["--dir", "nowhere", "config", "show"], 2)
            .contains("there is no folder nowhere")
    );
    assert!(failure(root.path(), &["keys"], 4).contains("bedplate new NAME"));
}
