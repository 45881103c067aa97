//! `bedplate new NAME`: writes a small working project, or one from a `supabase/` folder, and says what each file is
//! for.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use super::args::NewArgs;
use super::ui::{DIM, NAME, STRONG, Ui, WARN};
use super::{Context, Exit, Failure, from_supabase};
use from_supabase::Left;

/// A file of the template: its path in the project, what it is for, and its text. `{{name}}` in the text becomes
/// the project's name, `{{time}}` in the path the time of its making.
struct Template {
    path: &'static str,
    purpose: &'static str,
    text: &'static str,
}

macro_rules! templates {
    ($($path:literal from $file:literal: $purpose:literal;)+) => {
        &[$(Template {
            path: $path, purpose: $purpose, text: include_str!(concat!("../../templates/new/", $file)),
        }),+]
    };
}

const TEMPLATES: &[Template] = templates! {
    "bedplate.toml" from "bedplate.toml": "settings; only what differs from the defaults";
    "migrations/{{time}}_init.sql" from "migrations/init.sql": "the schema: a first table, todos";
    "migrations/{{time}}_init.down.sql" from "migrations/init.down.sql": "its way back";
    "policies/todos.sql" from "policies/todos.sql": "who may do what: grants and row-level security";
    "seed.sql" from "seed.sql": "data for every environment";
    "seed.dev.sql" from "seed.dev.sql": "data for development: two users, their todos";
    "public/index.html" from "public/index.html": "a web page that uses the API";
    "public/app.js" from "public/app.js": "its script";
    "public/style.css" from "public/style.css": "its look";
    ".env.example" from "env.example": "variables and secrets to copy to .env";
    ".gitignore" from "gitignore": "keeps .env and .bedplate/ out of git";
    "AGENTS.md" from "AGENTS.md": "how to work here, for people and coding agents";
    "README.md" from "README.md": "the first steps";
};

/// The templates that fit any app.
const NEUTRAL: &[&str] = &[".env.example", ".gitignore"];

/// A file of the new project.
pub struct Written {
    pub path: String,
    pub purpose: String,
}

pub fn run(args: &NewArgs, context: &Context) -> Result<Exit, Failure> {
    let name = project_name(&args.path)?;
    // Relative to where the command runs, or to --dir when that is given.
    let dir = context.new_dir(&args.path)?;
    refuse_used_folder(&dir)?;
    let source =
        args.from_supabase.as_ref().map(|folder| from_supabase::open(folder, context)).transpose()?;
    let (mut written, left) = match &source {
        Some(source) => from_supabase::write(source, &name, &dir)?,
        None => (Vec::new(), Vec::new()),
    };
    let fits = |template: &&Template| source.is_none() || NEUTRAL.contains(&template.path);
    let time = timestamp(OffsetDateTime::now_utc());
    for template in TEMPLATES.iter().filter(fits) {
        let path = template.path.replace("{{time}}", &time);
        write_new(&dir.join(&path), &template.text.replace("{{name}}", &name))?;
        written.push(Written { path, purpose: template.purpose.to_owned() });
    }
    let schema = serde_json::to_string_pretty(&bedplate_settings::json_schema()).unwrap_or_default();
    write_new(&dir.join(SCHEMA), &format!("{schema}\n"))?;
    written.push(Written { path: SCHEMA.to_owned(), purpose: "helps editors with bedplate.toml".to_owned() });
    let next = format!("cd {} && bedplate dev", shell_word(&args.path));
    context.ui.show(
        || {
            let files: Vec<_> =
                written.iter().map(|w| json!({ "path": w.path, "about": w.purpose })).collect();
            let mut answer = json!({ "project": name, "dir": dir, "files": files, "next": next });
            if source.is_some() {
                answer["not_taken_over"] = left.iter().map(left_json).collect();
            }
            answer
        },
        |ui| text(ui, &dir, &written, &left, &next),
    );
    Ok(Exit::Done)
}

fn text(ui: &Ui, dir: &Path, written: &[Written], left: &[Left], next: &str) -> String {
    let width = written.iter().map(|w| w.path.len()).max().unwrap_or(0);
    let mut text = format!("{}\n", ui.paint(STRONG, dir.display()));
    for Written { path, purpose } in written {
        let path = ui.paint(NAME, format!("{path:width$}"));
        text.push_str(&format!("  {path}  {}\n", ui.paint(DIM, purpose)));
    }
    if !left.is_empty() {
        text.push('\n');
    }
    for left in left {
        let what = ui.paint(WARN, format!("not taken over: {}", left.what));
        text.push_str(&format!("{what}: {}\n", left.why));
    }
    text.push_str(&format!("\nNext: {}\n", ui.paint(STRONG, next)));
    text
}

fn left_json(left: &Left) -> serde_json::Value {
    let settings: serde_json::Map<_, _> =
        left.values.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    json!({ "what": left.what, "why": left.why, "settings": settings })
}

const SCHEMA: &str = "bedplate.schema.json";

/// The last part of the path, which must be a project name.
fn project_name(path: &Path) -> Result<String, Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let fine = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 63
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    if fine {
        return Ok(name.to_owned());
    }
    let suggestion = suggest_name(name);
    Err(Failure::new(
        Exit::Usage,
        "project_name",
        format!("`{}` is not a project name: 1 to 63 of a-z 0-9 - _, starting with a letter", path.display()),
        format!("bedplate new {suggestion}"),
    ))
}

/// A valid name close to what was typed.
fn suggest_name(name: &str) -> String {
    let cleaned: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' { c } else { '-' })
        .skip_while(|c| !c.is_ascii_lowercase())
        .take(63)
        .collect();
    let cleaned = cleaned.trim_end_matches('-');
    if cleaned.is_empty() { "helpdesk".to_owned() } else { cleaned.to_owned() }
}

/// An absent or empty folder will do; what somebody has is never touched.
fn refuse_used_folder(dir: &Path) -> Result<(), Failure> {
    let refusal = |message: String| {
        let fix = "choose another name, or move what is there away; nothing was changed";
        Err(Failure::new(Exit::Failed, "folder_in_use", message, fix))
    };
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => refusal(format!("the folder {} is not empty", dir.display())),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            refusal(format!("{} is a file", dir.display()))
        }
        Err(error) => Err(Failure::file("look into", dir, &error)),
    }
}

/// Never over something that is there.
pub fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| Failure::file("make", folder, &error))?;
    let write = || OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes());
    write().map_err(|error| Failure::file("write", path, &error))
}

/// Fourteen digits, UTC, as migrations are numbered.
pub fn timestamp(now: OffsetDateTime) -> String {
    now.format(format_description!("[year][month][day][hour][minute][second]")).unwrap_or_default()
}

/// The path as a word for a shell.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_');
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

impl Context {
    /// Where a new project goes.
    fn new_dir(&self, path: &Path) -> Result<PathBuf, Failure> {
        self.base_dir().map(|base| base.join(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn names_are_checked_and_a_good_one_is_offered() {
        assert_eq!(project_name(Path::new("some/where/help-desk")).unwrap(), "help-desk");
        for (bad, offered) in [("Help Desk", "help-desk"), ("7up", "up"), ("..", "helpdesk"), ("Ünïx", "n-x")]
        {
            assert!(project_name(Path::new(bad)).is_err());
            assert_eq!(suggest_name(bad), offered, "{bad}");
        }
        assert!(project_name(Path::new(&"a".repeat(64))).is_err());
    }

    #[test]
    fn timestamps_have_fourteen_digits_and_words_survive_a_shell() {
        assert_eq!(timestamp(datetime!(2026-11-20 19:30:00 UTC)), "20261120193000");
        assert_eq!(shell_word(Path::new("a/b-c")), "a/b-c");
        assert_eq!(shell_word(Path::new("it's here/x")), r"'it'\''s here/x'");
    }

    #[test]
    fn the_settings_of_the_template_are_valid_and_short() {
        let text = TEMPLATES[0].text;
        assert!(text.lines().count() < 60);
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("bedplate.toml"), text.replace("{{name}}", "demo")).unwrap();
        for env_name in ["development", "production"] {
            let source = bedplate_settings::Source {
                dir: dir.path().to_owned(),
                env_name: env_name.into(),
                environment: bedplate_settings::Environment::default(),
                overrides: Vec::new(),
            };
            assert_eq!(bedplate_settings::Settings::load(&source).unwrap().settings.project.name, "demo");
        }
    }
}
