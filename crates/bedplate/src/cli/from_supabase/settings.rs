//! `config.toml` as `bedplate.toml`.

use serde_json::Value;

use super::Left;
use super::files::Seeds;

/// Schemas of the platform that Supabase's template offers, and that hold nothing of the app.
const PLATFORM: &[&str] = &["graphql_public"];

/// What is taken over, in our terms. `None`: as our default.
#[derive(Debug, Default, PartialEq)]
pub struct Taken {
    pub schemas: Option<Vec<String>>,
    pub extra_search_path: Option<Vec<String>>,
    pub port: Option<u16>,
    pub max_rows: Option<u64>,
    /// The web site's origin.
    pub site: Option<String>,
    /// `[api] enabled = false`.
    pub closed: bool,
    /// The keys of `config.toml` that are in the above, or say what is our default.
    pub keys: Vec<String>,
}

impl Taken {
    pub fn from_config(config: &[(String, Value)]) -> Self {
        let mut taken = Self::default();
        for (key, value) in config {
            if taken.take(key, value).is_some() {
                taken.keys.push(key.clone());
            }
        }
        taken
    }

    fn take(&mut self, key: &str, value: &Value) -> Option<()> {
        match key {
            "db.seed.enabled" | "db.seed.sql_paths" => {}
            "api.enabled" => self.closed = !value.as_bool()?,
            "api.port" => self.port = Some(value.as_u64()?.try_into().ok()?),
            "api.max_rows" => self.max_rows = Some(value.as_u64()?),
            "api.schemas" => {
                let mut schemas = names(value)?;
                schemas.retain(|name| !PLATFORM.contains(&name.as_str()));
                self.schemas = Some(schemas).filter(|schemas| !schemas.is_empty());
            }
            "api.extra_search_path" => self.extra_search_path = Some(names(value)?),
            "auth.site_url" => self.site = Some(origin(value.as_str()?)?),
            _ => return None,
        }
        Some(())
    }

    fn schemas(&self) -> Vec<String> {
        self.schemas.clone().unwrap_or_else(|| vec!["public".to_owned()])
    }

    /// The search path begins with the offered schemas in any case.
    fn further_path(&self) -> Vec<String> {
        let schemas = self.schemas();
        let path = self.extra_search_path.clone().unwrap_or_else(|| vec!["extensions".to_owned()]);
        path.into_iter().filter(|name| !schemas.contains(name)).collect()
    }
}

fn names(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

/// `https://app.example.com` of any address below it.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let plain =
        host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'));
    (matches!(scheme, "http" | "https") && !host.is_empty() && plain).then(|| format!("{scheme}://{host}"))
}

fn is_local(origin: &str) -> bool {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|local| host == *local || host.starts_with(&format!("{local}:")))
}

/// The file's text.
pub fn bedplate_toml(name: &str, taken: &Taken, seeds: &Seeds) -> String {
    let mut text = format!(
        "#:schema ./bedplate.schema.json\n\
         # Settings of this project, made from a Supabase project's config.toml; from-supabase.md says what was left.\n\
         #   bedplate config explain server.port     what a setting means\n\
         #   bedplate config show                    every value, and where it comes from\n\n\
         [project]\nname = {}\n",
        quoted(name)
    );
    if let Some(port) = taken.port.filter(|port| *port != 54_321) {
        text.push_str(&format!("\n[server]\nport = {port}\n"));
    }
    text.push_str(&format!("\n[database]\nschemas = {}\n", list(&taken.schemas())));
    let path = taken.further_path();
    if path != ["extensions"] {
        text.push_str(&format!("extra_search_path = {}\n", list(&path)));
    }
    text.push_str(&rest(taken));
    text.push_str(ACCESS);
    let files: Vec<String> = seeds.files.iter().map(|(_, to)| to.clone()).collect();
    text.push_str(
        "\n# Supabase runs its seeds on developers' machines only, so they are for development here too.\n",
    );
    text.push_str(&format!("[seed]\nfiles = []\ndev_files = {}\n", list(&files)));
    text.push_str(
        "\n# Types for supabase-js, kept up to date by `bedplate dev`; zod, python and rust are there too.\n\
         # [gen]\n# typescript = \"src/database.types.ts\"\n",
    );
    if let Some(site) = taken.site.as_ref().filter(|site| !is_local(site)) {
        text.push_str(&format!(
            "\n[env.production.server]\ncors_origins = {}\n",
            list(std::slice::from_ref(site))
        ));
    }
    text
}

const ACCESS: &str = "
# A table is offered when it has row-level security and a policy; Supabase offers every table of these schemas. For one
# that is meant to be open to the world, a policy says so; to have grants alone decide for a whole schema:
# [access.schemas.public]
# require_rls = false
";

fn rest(taken: &Taken) -> String {
    match (taken.closed, taken.max_rows.filter(|rows| *rows != 1_000)) {
        (true, _) => "\n[api]\nenabled = false\n\n[rest]\nenabled = false\n".to_owned(),
        (false, Some(rows)) => format!("\n[rest]\ndb_max_rows = {rows}\n"),
        (false, None) => String::new(),
    }
}

fn list(names: &[String]) -> String {
    format!("[{}]", names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "))
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Why the settings below a key have no counterpart; the longest key that fits decides.
const REASONS: &[(&str, &str)] = &[
    ("analytics", "there is no log store; logs go to standard output, metrics to the admin listener"),
    ("api", "there is no such setting"),
    ("api.tls", "a proxy in front of Bedplate brings the certificate"),
    ("auth", "there is no sign-in server; tokens of Supabase and of other issuers are accepted"),
    ("auth.additional_redirect_urls", "there is no sign-in server; for browsers see server.cors_origins"),
    ("auth.jwt_expiry", "who signs a token decides how long it is valid"),
    ("auth.signing_keys_path", "put the key into auth.signing_key, as a secret reference"),
    ("auth.third_party", "write it as [[auth.issuers]]: `bedplate config explain auth.issuers`"),
    ("db", "there is no such setting"),
    ("db.major_version", "the private PostgreSQL is the newest version found on the machine"),
    ("db.migrations", "the files in migrations/ are what is applied"),
    ("db.network_restrictions", "the private PostgreSQL listens on a socket of this machine only"),
    ("db.pooler", "Bedplate pools connections by itself: database.pool_read and database.pool_write"),
    ("db.port", "the private PostgreSQL listens on a socket, not on a port"),
    ("db.shadow_port", "there is no shadow database"),
    ("db.vault", "secrets stand in the environment: `bedplate config explain` names them"),
    ("edge_runtime", "Edge functions are not run"),
    ("experimental", "there is nothing like it"),
    ("functions", "Edge functions are not run; they are left in place"),
    ("inbucket", "there is no mail server, as nothing sends e-mail"),
    ("project_id", "the project is called after its folder"),
    ("realtime", "there is no realtime server"),
    ("remotes", "differences of an environment stand under [env.NAME]"),
    ("storage", "there is no file storage"),
    ("studio", "there is no web interface for the database"),
];

/// The settings that were not taken over, by reason.
pub fn left(config: &[(String, Value)], taken: &Taken) -> Vec<Left> {
    let mut left: Vec<Left> = Vec::new();
    for (key, value) in config.iter().filter(|(key, _)| !taken.keys.contains(key)) {
        let below =
            |prefix: &str| key == prefix || key.strip_prefix(prefix).is_some_and(|r| r.starts_with('.'));
        let reason =
            REASONS.iter().filter(|(prefix, _)| below(prefix)).max_by_key(|(prefix, _)| prefix.len());
        let (section, why) = reason
            .copied()
            .unwrap_or_else(|| (key.split('.').next().unwrap_or(key), "there is no such setting"));
        let shown = (key.clone(), masked(key, value));
        match left.iter_mut().find(|known| known.what == section) {
            Some(known) => known.values.push(shown),
            None => {
                left.push(Left { what: section.to_owned(), why: why.to_owned(), values: vec![shown] });
            }
        }
    }
    left
}

/// The value as TOML; a secret that stands in the file is not copied into another one.
fn masked(key: &str, value: &Value) -> String {
    let name = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    let secret = ["secret", "pass", "token", "key"].iter().any(|word| name.contains(word));
    match value {
        Value::String(text) if secret && !text.is_empty() && !text.starts_with("env(") => "\"…\"".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(values: &[(&str, Value)]) -> Vec<(String, Value)> {
        values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    #[test]
    fn what_has_a_setting_is_taken_and_the_rest_is_told() {
        let config = config(&[
            ("project_id", json!("old")),
            ("api.port", json!(8000)),
            ("api.schemas", json!(["public", "graphql_public", "shop"])),
            ("api.extra_search_path", json!(["public", "extensions", "util"])),
            ("api.max_rows", json!(50)),
            ("api.tls.enabled", json!(false)),
            ("auth.site_url", json!("https://app.example.com/start")),
            ("auth.jwt_expiry", json!(600)),
            ("auth.external.apple.secret", json!("hunter2")),
            ("auth.external.azure.secret", json!("env(AZURE)")),
            ("brand_new.thing", json!(1)),
        ]);
        let taken = Taken::from_config(&config);
        let text = bedplate_toml("shop", &taken, &Seeds::default());
        for line in [
            "name = \"shop\"",
            "port = 8000",
            "schemas = [\"public\", \"shop\"]",
            "extra_search_path = [\"extensions\", \"util\"]",
            "db_max_rows = 50",
            "cors_origins = [\"https://app.example.com\"]",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        let left = left(&config, &taken);
        let told: Vec<&str> = left.iter().map(|l| l.what.as_str()).collect();
        assert_eq!(told, ["project_id", "api.tls", "auth.jwt_expiry", "auth", "brand_new"]);
        assert_eq!(left[3].values[0].1, "\"…\"");
        assert_eq!(left[3].values[1].1, "\"env(AZURE)\"");
    }

    #[test]
    fn defaults_of_both_make_a_short_file() {
        let config = config(&[
            ("api.port", json!(54_321)),
            ("api.schemas", json!(["public", "graphql_public"])),
            ("api.extra_search_path", json!(["public", "extensions"])),
            ("api.max_rows", json!(1000)),
            ("auth.site_url", json!("http://127.0.0.1:3000")),
        ]);
        let text = bedplate_toml("shop", &Taken::from_config(&config), &Seeds::default());
        for absent in ["port =", "extra_search_path", "db_max_rows", "cors_origins"] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
        let closed = Taken { closed: true, ..Taken::default() };
        assert!(bedplate_toml("x", &closed, &Seeds::default()).contains("[rest]\nenabled = false"));
    }

    #[test]
    fn every_file_that_is_written_is_valid() {
        let taken =
            Taken { port: Some(1), max_rows: Some(7), site: Some("https://a.b".into()), ..Taken::default() };
        let dir = tempfile::tempdir().unwrap();
        let seeds = Seeds { files: vec![("x".into(), "seeds/a \"b\".sql".into())] };
        std::fs::write(dir.path().join("bedplate.toml"), bedplate_toml("demo", &taken, &seeds)).unwrap();
        let source = bedplate_settings::Source {
            dir: dir.path().to_owned(),
            env_name: "production".into(),
            environment: bedplate_settings::Environment::default(),
            overrides: Vec::new(),
        };
        let settings = bedplate_settings::Settings::load(&source).unwrap().settings;
        assert_eq!(settings.rest.db_max_rows, 7);
        assert_eq!(settings.server.cors_origins, ["https://a.b"]);
        assert_eq!(settings.seed.dev_files, ["seeds/a \"b\".sql"]);
    }
}
