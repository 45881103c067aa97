//! Loading: file, overlay, `.env`, environment and command line in this order, the later one wins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::environment::{DotenvLine, parse_dotenv};
use crate::known::Known;
use crate::layer::{Entry, FileLayers, Layer, Raw, read_toml};
use crate::reader::Reader;
use crate::secrets::Resolver;
use crate::table::{ReadSection, Section};
use crate::{Environment, Fault, Origin, Settings, consistency, nearest};

/// The name of the configuration file in a project's folder.
pub const FILE_NAME: &str = "bedplate.toml";

/// Variables with our prefix that are not settings: they choose project and environment.
const SELECTORS: &[&str] = &["BEDPLATE_ENV", "BEDPLATE_DIR"];

/// Environments that need no overlay in the file.
const USUAL_ENVIRONMENTS: &[&str] = &["development", "production", "test"];

/// What a configuration is loaded from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The project's folder; `bedplate.toml` in it is optional.
    pub dir: PathBuf,
    /// Selects the overlay `[env.NAME]`, for example `production`.
    pub env_name: String,
    pub environment: Environment,
    /// From the command line; they win over everything.
    pub overrides: Vec<Override>,
}

/// A setting given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    pub key: String,
    pub value: String,
    /// What the user typed, for messages: `--port`.
    pub flag: String,
}

/// A valid configuration, with the place each value came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    pub dir: PathBuf,
    pub env_name: String,
    /// Whether there is a `bedplate.toml`.
    pub has_file: bool,
    origins: BTreeMap<String, Origin>,
    secret_places: BTreeMap<String, String>,
}

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub key: String,
    /// Masked where it is a secret.
    pub value: Value,
    pub origin: Origin,
    /// Where the secret behind a reference was found.
    pub secret_place: Option<String>,
}

impl Loaded {
    /// Where the value of `key` came from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Whether anything of a section was said by anybody.
    pub fn is_configured(&self, section: &str) -> bool {
        let within = |key: &str| key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
        self.origins.iter().any(|(key, origin)| within(key) && *origin != Origin::Default)
    }

    /// The folder for what Bedplate makes, absolute if the project's folder is.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.join(&self.settings.project.state_dir)
    }

    pub fn keys_dir(&self) -> PathBuf {
        self.state_dir().join("keys")
    }

    /// Whether this is the environment that `bedplate serve` takes by itself.
    pub fn is_production(&self) -> bool {
        self.env_name == "production"
    }

    /// Whether this is an environment of one developer's machine, where convenience may come first.
    pub fn is_development(&self) -> bool {
        matches!(self.env_name.as_str(), "development" | "test")
    }

    /// Every setting with its value and origin, in the order of the reference; secrets are masked.
    pub fn show(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        self.settings.rows("", &mut rows);
        rows.into_iter()
            .map(|(key, value)| Row {
                origin: self.origin(&key),
                secret_place: self.secret_places.get(&key).cloned(),
                key,
                value,
            })
            .collect()
    }
}

impl Settings {
    /// Loads and checks a project's configuration. The error has every fault, not only the first.
    pub fn load(source: &Source) -> Result<Loaded, Vec<Fault>> {
        let known = Known::new();
        let mut faults = Vec::new();
        let (file, has_file) = read_file(&source.dir, &mut faults);
        let syntax_ok = faults.is_empty();
        known.refuse_unknown(&file.common, &mut faults);
        for (layer, _) in file.overlays.values() {
            known.refuse_unknown(layer, &mut faults);
        }
        let mut layer = file.common.clone();
        if syntax_ok {
            check_environment_name(source, &file, &mut faults);
        }
        if let Some((overlay, _)) = file.overlays.get(&source.env_name) {
            layer.overlay(overlay.clone());
        }
        let dotenv = read_dotenv(source, &mut faults);
        layer.overlay(variables(&dotenv_pairs(&dotenv), &known, &mut faults));
        layer.overlay(variables(&process_pairs(&source.environment), &known, &mut faults));
        layer.overlay(command_line(&source.overrides, &known, &mut faults));

        let find_variable = |name: &str| find_variable(name, &source.environment, &dotenv);
        let resolver = |resolve| Resolver {
            find_variable: &find_variable,
            project_dir: &source.dir,
            keys_dir: keys_dir(&source.dir, &layer),
            resolve,
        };
        check_other_overlays(&file, &source.env_name, &resolver(false), &mut faults);
        let resolver = resolver(true);
        let mut reader =
            Reader { layer: &layer, resolver: &resolver, faults: Vec::new(), secret_places: BTreeMap::new() };
        let settings = Settings::read(&mut reader, "");
        let origin = |key: &str| {
            let entry = layer.entries.get(key).map(|entry| &entry.origin);
            entry.or_else(|| layer.tables.get(key)).cloned().unwrap_or(Origin::Default)
        };
        faults.append(&mut reader.faults);
        faults.extend(consistency::check(&settings, &origin));
        if !faults.is_empty() {
            return Err(in_order(faults));
        }
        let secret_places = reader.secret_places;
        let origins = layer.entries.into_iter().map(|(path, entry)| (path, entry.origin)).collect();
        Ok(Loaded {
            settings,
            dir: source.dir.clone(),
            env_name: source.env_name.clone(),
            has_file,
            origins,
            secret_places,
        })
    }
}

/// By line for the file, and each fault once.
fn in_order(mut faults: Vec<Fault>) -> Vec<Fault> {
    let place = |fault: &Fault| match &fault.origin {
        Some(Origin::File { line, column, .. }) => (0, *line, *column),
        Some(Origin::Dotenv { line, .. }) => (1, *line, 0),
        Some(_) => (2, 0, 0),
        None => (3, 0, 0),
    };
    faults.sort_by_key(place);
    faults.dedup();
    faults
}

fn read_file(dir: &Path, faults: &mut Vec<Fault>) -> (FileLayers, bool) {
    match std::fs::read_to_string(dir.join(FILE_NAME)) {
        Ok(text) => (read_toml(FILE_NAME, &text, faults), true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (FileLayers::default(), false),
        Err(error) => {
            let message = format!("{FILE_NAME} cannot be read: {error}");
            faults.push(Fault::new(message, format!("check the file's permissions: ls -l {FILE_NAME}")));
            (FileLayers::default(), true)
        }
    }
}

/// `.env` is for developers' machines: production takes its secrets from where it is deployed.
fn read_dotenv(source: &Source, faults: &mut Vec<Fault>) -> Vec<DotenvLine> {
    if source.env_name == "production" {
        return Vec::new();
    }
    match std::fs::read_to_string(source.dir.join(".env")) {
        Ok(text) => parse_dotenv(&text, faults),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            faults.push(Fault::new(
                format!(".env cannot be read: {error}"),
                "check its permissions: ls -l .env",
            ));
            Vec::new()
        }
    }
}

fn check_environment_name(source: &Source, file: &FileLayers, faults: &mut Vec<Fault>) {
    let name = source.env_name.as_str();
    if file.overlays.contains_key(name) || USUAL_ENVIRONMENTS.contains(&name) {
        return;
    }
    let names = || file.overlays.keys().map(String::as_str).chain(USUAL_ENVIRONMENTS.iter().copied());
    let fix = match nearest(name, names()) {
        Some(near) => format!("did you mean --env {near}?"),
        None => format!(
            "add [env.{name}] to {FILE_NAME}, or use one of: {}",
            names().collect::<Vec<_>>().join(", ")
        ),
    };
    faults.push(Fault::new(format!("there is no environment `{name}`"), fix));
}

/// The other overlays must be valid too, so that production's faults are seen before production; their secrets
/// are not looked up.
fn check_other_overlays(file: &FileLayers, selected: &str, resolver: &Resolver<'_>, faults: &mut Vec<Fault>) {
    for (name, (layer, _)) in &file.overlays {
        if name == selected {
            continue;
        }
        let mut reader = Reader { layer, resolver, faults: Vec::new(), secret_places: BTreeMap::new() };
        Settings::read(&mut reader, "");
        faults.append(&mut reader.faults);
    }
}

struct Variable {
    name: String,
    value: String,
    origin: Origin,
}

fn dotenv_pairs(lines: &[DotenvLine]) -> Vec<Variable> {
    let variable = |l: &DotenvLine| Variable {
        name: l.name.clone(),
        value: l.value.clone(),
        origin: Origin::Dotenv { name: l.name.clone(), line: l.line },
    };
    lines.iter().filter(|line| !line.value.is_empty()).map(variable).collect()
}

fn process_pairs(environment: &Environment) -> Vec<Variable> {
    let variable = |(name, value): (&str, &str)| Variable {
        name: name.to_owned(),
        value: value.to_owned(),
        origin: Origin::Environment { name: name.to_owned() },
    };
    environment.iter().filter(|(_, value)| !value.is_empty()).map(variable).collect()
}

/// Variables that other programs know, and the settings that they are.
const FAMILIAR: &[(&str, &str)] = &[
    ("DATABASE_URL", "database.url"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "telemetry.otlp_headers"),
    ("OTEL_SERVICE_NAME", "telemetry.service_name"),
    ("OTEL_TRACES_SAMPLER_ARG", "telemetry.trace_ratio"),
    ("SENTRY_DSN", "telemetry.sentry_dsn"),
];

/// The familiar variables and `BEDPLATE_SECTION__KEY` as a layer.
fn variables(variables: &[Variable], known: &Known, faults: &mut Vec<Fault>) -> Layer {
    let mut layer = Layer::default();
    for Variable { name, value, origin } in variables {
        let entry = || Entry { raw: Raw::Text(value.clone()), origin: origin.clone() };
        if let Some((_, path)) = FAMILIAR.iter().find(|(known, _)| known == name) {
            // The setting's own variable is more specific, whatever the order.
            layer.entries.entry((*path).to_owned()).or_insert_with(entry);
            continue;
        }
        let Some(rest) = name.strip_prefix("BEDPLATE_") else { continue };
        if SELECTORS.contains(&name.as_str()) || is_service_link(rest, value) || rest.starts_with("TEST_") {
            continue;
        }
        let path = path_of_variable(rest);
        if known.find(&path).is_some() {
            layer.entries.insert(path, entry());
        } else {
            faults.push(unknown_variable(name, &path, known).at(origin));
        }
    }
    layer
}

/// Kubernetes gives every pod `NAME_SERVICE_HOST`, `NAME_PORT` and such for each service; one called `bedplate`
/// or `bedplate-…` must not stop us.
fn is_service_link(rest: &str, value: &str) -> bool {
    let has = |part: &str| rest.starts_with(part) || rest.contains(&format!("_{part}"));
    has("SERVICE_HOST")
        || has("SERVICE_PORT")
        || value.starts_with("tcp://")
        || value.starts_with("udp://")
        || rest.contains("PORT_") && (rest.contains("_TCP") || rest.contains("_UDP"))
}

/// `AUTH__ISSUERS__0__ISSUER` → `auth.issuers[0].issuer`.
fn path_of_variable(rest: &str) -> String {
    let mut path = String::new();
    for segment in rest.split("__") {
        if !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit()) {
            path.push_str(&format!("[{segment}]"));
        } else {
            path = crate::table::join(&path, &segment.to_ascii_lowercase());
        }
    }
    path
}

fn unknown_variable(name: &str, path: &str, known: &Known) -> Fault {
    let single = path.replacen('_', ".", 1);
    let meant = if known.find(&single).is_some() { Some(single.as_str()) } else { known.suggest(path) };
    let fix = match meant.and_then(|near| known.find(near)) {
        Some(key) => format!("did you mean {}?", key.variable()),
        None => format!("unset {name}; `bedplate config explain` lists every setting and its variable"),
    };
    Fault::new(format!("{name} sets nothing: `{path}` is not a setting"), fix)
}

fn command_line(overrides: &[Override], known: &Known, faults: &mut Vec<Fault>) -> Layer {
    let mut layer = Layer::default();
    for Override { key, value, flag } in overrides {
        let origin = Origin::CommandLine { flag: flag.clone() };
        if known.find(key).is_some() {
            layer.entries.insert(key.clone(), Entry { raw: Raw::Text(value.clone()), origin });
        } else {
            let fix = known.suggest(key).map_or_else(
                || "`bedplate config explain` lists every setting".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            faults.push(Fault::new(format!("`{key}` is not a setting"), fix).at(&origin));
        }
    }
    layer
}

fn find_variable(name: &str, environment: &Environment, dotenv: &[DotenvLine]) -> Option<(String, String)> {
    if let Some(value) = environment.find(name) {
        return Some((value.to_owned(), format!("environment variable {name}")));
    }
    let line = dotenv.iter().rev().find(|line| line.name == name && !line.value.is_empty())?;
    Some((line.value.clone(), format!(".env:{}", line.line)))
}

fn keys_dir(dir: &Path, layer: &Layer) -> PathBuf {
    let state = match layer.entries.get("project.state_dir").map(|entry| &entry.raw) {
        Some(Raw::Str(text) | Raw::Text(text)) => text.clone(),
        _ => Settings::default().project.state_dir,
    };
    dir.join(state).join("keys")
}
