use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::cli::{Bedplate, failure, json, project, text};

#[test]
fn keys_are_made_at_the_first_use_and_secrets_are_shown_on_request_only() {
    let (_root, project) = project();
    let shown = text(&project, &["keys"]);
    assert!(shown.contains("sb_publishable_") && shown.contains("sb_secret_••••••••"), "{shown}");
    let revealed = json(&project, &["keys", "--reveal"]);
    let secret = revealed["keys"]["secret"].as_str().unwrap();
    assert!(secret.starts_with("sb_secret_") && !shown.contains(secret));
    assert_eq!(revealed["keys"]["service_role"].as_str().unwrap().split('.').count(), 3);
    assert_eq!(revealed, json(&project, &["keys", "--reveal"]), "the same keys again");
    let folder = project.join(".bedplate/keys");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    for file in fs::read_dir(&folder).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn rotation_makes_new_keys() {
    let (_root, project) = project();
    let before = json(&project, &["keys", "--reveal"]);
    text(&project, &["keys", "rotate", "publishable"]);
    let after = json(&project, &["keys", "--reveal"]);
    assert_ne!(before["keys"]["publishable"], after["keys"]["publishable"]);
    assert_eq!(before["keys"]["secret"], after["keys"]["secret"]);
    text(&project, &["keys", "rotate", "--env", "production"]);
    let production = json(&project, &["keys"]);
    assert_eq!(production["origin"], "production");
}

#[test]
fn a_key_in_the_settings_is_not_rotated_in_the_folder() {
    let (_root, project) = project();
    let ran = Bedplate::new(&project, &["--text", "keys", "rotate", "secret"])
        .env("BEDPLATE_AUTH__SECRET_KEY", "sb_secret_0123456789012345678901")
        .run();
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(
        ran.err.contains("auth.secret_key is set") && ran.err.contains("bedplate keys new"),
        "{}",
        ran.err
    );
    assert!(failure(&project, &["keys", "rotate", "nonsense"], 2).contains("publishable"));
}

#[test]
fn fresh_values_for_a_deployment_are_accepted_by_the_settings() {
    let (_root, project) = project();
    let lines = text(&project, &["keys", "new"]);
    let mut show = Bedplate::new(&project, &["keys", "--reveal", "--env", "production"]);
    for line in lines.lines() {
        let (name, value) = line.split_once('=').unwrap();
        show = show.env(name, value);
    }
    let ran = show.run();
    assert_eq!(ran.code, 0, "{}", ran.err);
    let shown: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let publishable = shown["keys"]["publishable"].as_str().unwrap();
    assert!(lines.contains(publishable));
    assert!(!project.join(".bedplate").exists(), "nothing is stored when everything is set");
}
