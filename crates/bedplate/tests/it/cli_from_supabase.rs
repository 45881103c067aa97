//! `bedplate new NAME --from-supabase FOLDER`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::{failure, json, text};
use crate::cli_running::{Running, get};

fn theirs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/from-supabase/supabase")
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    // The private server may run as another user, who has to pass through.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn new(dir: &Path, from: &Path) -> Value {
    json(dir, &["new", "notes", "--from-supabase", from.to_str().unwrap()])
}

#[test]
fn a_project_is_taken_over_and_runs() {
    let dir = folder();
    let answer = new(dir.path(), &theirs());
    let project = dir.path().join("notes");
    assert_eq!(answer["next"], "cd notes && bedplate dev");
    for file in
        ["migrations/20250110120000_notes.sql", "migrations/20250211090000_reports.sql", "seeds/01_notes.sql"]
    {
        assert_eq!(fs::read(project.join(file)).unwrap(), fs::read(theirs().join(file)).unwrap(), "{file}");
    }
    assert!(!project.join("functions").exists() && !project.join("policies/todos.sql").exists());
    let setting = |key: &str| json(&project, &["config", "show", key])["settings"][0]["value"].clone();
    assert_eq!(setting("database.schemas"), serde_json::json!(["public", "reports"]));
    assert_eq!(setting("rest.db_max_rows"), 500);
    assert_eq!(setting("access.require_rls"), true);

    let mut dev = Running::start(&project, &["dev"]);
    let address = dev.ready();
    let seeded = dev.events.iter().find(|e| e["event"] == "seed").unwrap();
    assert_eq!(
        seeded["rows"]["public.notes"].as_u64().or(seeded["rows"]["notes"].as_u64()),
        Some(2),
        "{seeded}"
    );
    let (status, notes) = get(address, "/api/v1/notes?select=title", None);
    assert_eq!(
        (status, notes["data"][0]["title"].as_str()),
        (200, Some("Everybody may read this")),
        "{notes}"
    );
    assert_eq!(notes["data"].as_array().unwrap().len(), 1, "{notes}");
    let (status, theirs) = get(address, "/rest/v1/notes?select=title", None);
    assert_eq!((status, theirs), (200, serde_json::json!([{ "title": "Everybody may read this" }])));
    let token = text(&project, &["token", "--as", "ann@example.com"]);
    let (_, mine) = get(address, "/api/v1/notes?select=title", Some(token.trim()));
    assert_eq!(mine["data"].as_array().unwrap().len(), 2, "{mine}");
    let (_, profile) = get(address, "/api/v1/profiles?select=display_name", None);
    assert_eq!(profile["data"][0]["display_name"], "Ann", "the trigger on auth.users ran");
    // Without row-level security: Supabase would serve it, and here somebody has to decide.
    assert_eq!(get(address, "/api/v1/settings", None).0, 404);
    let told = dev
        .events
        .iter()
        .any(|e| e.to_string().contains("alter table public.settings enable row level security"));
    assert!(told, "{:?}", dev.events);
    assert_eq!(dev.stop(), 0);
}

#[test]
fn what_is_not_taken_over_is_told_with_its_reason() {
    let dir = folder();
    let answer = new(dir.path(), &theirs());
    let left = answer["not_taken_over"].as_array().unwrap();
    let find =
        |what: &str| left.iter().find(|l| l["what"] == what).unwrap_or_else(|| panic!("{what} in {left:?}"));
    assert_eq!(find("auth.jwt_expiry")["settings"]["auth.jwt_expiry"], "3600");
    assert!(find("functions/")["why"].as_str().unwrap().contains("left in place"));
    assert_eq!(find("auth")["settings"]["auth.external.github.secret"], "\"…\"");
    let page = fs::read_to_string(dir.path().join("notes/from-supabase.md")).unwrap();
    let config = fs::read_to_string(theirs().join("config.toml")).unwrap();
    for line in config.lines().filter(|line| line.contains(" = ")) {
        let key = line.split(" = ").next().unwrap();
        assert!(page.contains(key), "{key} is in the page");
    }
    assert!(!page.contains("must not be copied") && !answer.to_string().contains("must not be copied"));
}

#[test]
fn the_folder_around_it_will_do_and_the_config_may_be_absent() {
    let dir = folder();
    fs::create_dir_all(dir.path().join("old/supabase/migrations")).unwrap();
    fs::write(dir.path().join("old/supabase/migrations/20250101000000_a.sql"), "create table a ();").unwrap();
    fs::write(dir.path().join("old/supabase/seed.sql"), "select 1;").unwrap();
    let out = text(dir.path(), &["new", "notes", "--from-supabase", "old"]);
    assert!(
        out.contains("migrations/") && out.contains("1 file, unchanged") && out.contains("seed.sql"),
        "{out}"
    );
    assert!(!out.contains("not taken over"), "{out}");
    assert!(dir.path().join("notes/seed.sql").is_file());
}

#[test]
fn what_cannot_be_taken_over_is_refused_before_anything_is_written() {
    let dir = folder();
    let old = dir.path().join("old");
    let refused = |code: i32| {
        let err = failure(dir.path(), &["new", "notes", "--from-supabase", "old"], code);
        assert!(!dir.path().join("notes").exists() && err.contains("fix:"), "{err}");
        err
    };
    assert!(refused(2).contains("there is no folder old"));
    fs::create_dir(&old).unwrap();
    assert!(refused(1).contains("neither config.toml nor migrations/"));
    fs::write(old.join("config.toml"), "[api]\nport = \n").unwrap();
    assert!(refused(4).contains("config.toml:2:"), "the line is named");
    fs::write(old.join("config.toml"), "[api]\nport = 54321\n").unwrap();
    assert!(refused(1).contains("has no migrations"));
    fs::write(old.join("config.toml"), "[db.migrations]\nschema_paths = [\"./schemas/*.sql\"]\n").unwrap();
    assert!(refused(1).contains("supabase db diff"));
    fs::create_dir(old.join("migrations")).unwrap();
    for name in ["20250101000000_a.sql", "20250101000000_b.sql"] {
        fs::write(old.join("migrations").join(name), "select 1;").unwrap();
    }
    assert!(refused(6).contains("20250101000000"), "two of one version");

    fs::remove_file(old.join("migrations/20250101000000_b.sql")).unwrap();
    fs::create_dir(dir.path().join("notes")).unwrap();
    fs::write(dir.path().join("notes/mine"), "").unwrap();
    let err = failure(dir.path(), &["new", "notes", "--from-supabase", "old"], 1);
    assert!(err.contains("is not empty"), "{err}");
    assert_eq!(fs::read_dir(dir.path().join("notes")).unwrap().count(), 1);
}
