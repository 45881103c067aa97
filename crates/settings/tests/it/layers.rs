use std::time::Duration;

use bedplate_settings::{ByteSize, Settings, Source};

use crate::Project;

const FILE: &str = r#"
[project]
name = "helpdesk"

[server]
port = 8000
request_deadline = "10s"

[limits]
body_bytes = "4MiB"

[[auth.issuers]]
issuer = "https://dev.example.com/"
audience = ["app"]
role_claim = "roles.db"

[access.schemas.legacy]
require_rls = false

[env.production.server]
port = 80
host = "0.0.0.0"

[[env.production.auth.issuers]]
issuer = "https://login.example.com/"
audience = ["app"]
"#;

#[test]
fn an_empty_project_has_the_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let source = Source {
        dir: dir.path().to_owned(),
        env_name: "development".into(),
        environment: Default::default(),
        overrides: Vec::new(),
    };
    let loaded = Settings::load(&source).unwrap();
    assert!(!loaded.has_file);
    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(loaded.settings.server.port, 54321);
    assert!(loaded.settings.access.require_rls);
    assert!(loaded.show().iter().all(|row| row.origin.to_string() == "default"));
}

#[test]
fn values_have_their_types_and_their_places() {
    let loaded = Project::new(FILE).loaded();
    let settings = &loaded.settings;
    assert_eq!(settings.server.port, 8000);
    assert_eq!(settings.server.request_deadline, Duration::from_secs(10));
    assert_eq!(settings.limits.body_bytes, ByteSize::mib(4));
    assert_eq!(settings.auth.issuers[0].role_claim.as_deref(), Some("roles.db"));
    assert!(!settings.access.requires_rls("legacy"));
    assert!(settings.access.requires_rls("public"));
    assert_eq!(loaded.origin("server.port").to_string(), "bedplate.toml:6");
    assert!(loaded.is_configured("server") && !loaded.is_configured("rate_limit"));
    assert_eq!(loaded.origin("server.host").to_string(), "default");
}

#[test]
fn an_overlay_wins_and_replaces_lists_of_tables_whole() {
    let loaded = Project::new(FILE).named("production").loaded();
    assert_eq!(loaded.settings.server.port, 80);
    assert_eq!(loaded.settings.server.request_deadline, Duration::from_secs(10));
    assert_eq!(loaded.settings.auth.issuers.len(), 1);
    assert_eq!(loaded.settings.auth.issuers[0].issuer, "https://login.example.com/");
    assert_eq!(loaded.settings.auth.issuers[0].role_claim, None);
    assert_eq!(loaded.origin("server.port").to_string(), "bedplate.toml:21 [env.production]");
}

#[test]
fn dotenv_then_environment_then_command_line_win() {
    let project = Project::new(FILE);
    project.write(".env", "BEDPLATE_SERVER__PORT=8001\nBEDPLATE_LOG__LEVEL=debug\n");
    let loaded = project.loaded();
    assert_eq!(loaded.settings.server.port, 8001);
    assert_eq!(loaded.origin("server.port").to_string(), ".env:1 (BEDPLATE_SERVER__PORT)");

    let project = project.env("BEDPLATE_SERVER__PORT", "8002");
    let loaded = project.loaded();
    assert_eq!(loaded.settings.server.port, 8002);
    assert_eq!(loaded.settings.log.level, "debug");
    assert_eq!(loaded.origin("server.port").to_string(), "environment variable BEDPLATE_SERVER__PORT");

    let loaded = project.flag("server.port", "8003", "--port").loaded();
    assert_eq!(loaded.settings.server.port, 8003);
    assert_eq!(loaded.origin("server.port").to_string(), "command line --port");
}

#[test]
fn production_does_not_read_dotenv() {
    let project = Project::new(FILE).named("production");
    project.write(".env", "BEDPLATE_SERVER__PORT=8001\nnonsense\n");
    assert_eq!(project.loaded().settings.server.port, 80);
}

#[test]
fn variables_reach_lists_tables_and_maps() {
    let loaded = Project::new(FILE)
        .env("BEDPLATE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.168.1.1")
        .env("BEDPLATE_DATABASE__SCHEMAS", "[\"public\", \"api\"]")
        .env("BEDPLATE_AUTH__ISSUERS__0__AUDIENCE", "a,b")
        .env("BEDPLATE_ACCESS__SCHEMAS__OLD__REQUIRE_RLS", "no")
        .env("BEDPLATE_SERVER__COMPRESSION", "")
        .loaded();
    assert_eq!(loaded.settings.server.trusted_proxies.len(), 2);
    assert!(loaded.settings.server.trusted_proxies[0].contains("10.9.9.9".parse().unwrap()));
    assert_eq!(loaded.settings.database.schemas, ["public", "api"]);
    assert_eq!(loaded.settings.auth.issuers[0].audience, ["a", "b"]);
    assert_eq!(loaded.settings.auth.issuers[0].issuer, "https://dev.example.com/");
    assert!(!loaded.settings.access.requires_rls("old"));
    assert!(loaded.settings.server.compression, "an empty variable is not set");
}

#[test]
fn what_kubernetes_injects_for_a_service_named_bedplate_is_no_setting() {
    Project::new("")
        .env("BEDPLATE_SERVICE_HOST", "10.0.0.1")
        .env("BEDPLATE_SERVICE_PORT_HTTP", "80")
        .env("BEDPLATE_PORT", "tcp://10.0.0.1:80")
        .env("BEDPLATE_PORT_80_TCP_ADDR", "10.0.0.1")
        .env("BEDPLATE_PORT_80_TCP_PROTO", "tcp")
        .env("BEDPLATE_SERVER_PORT", "tcp://10.0.0.1:80")
        .env("BEDPLATE_ENV", "production")
        .env("BEDPLATE_DIR", ".")
        .loaded();
}

#[test]
fn inline_tables_mean_the_same_as_headers() {
    let loaded = Project::new(
        "server = { port = 9 }\naccess.schemas = { legacy = { require_rls = false } }\n\
         auth.issuers = [{ issuer = \"https://a/\", audience = [\"x\"] }, { issuer = \"https://b/\", audience = [\"y\"] }]\n",
    )
    .loaded();
    assert_eq!(loaded.settings.server.port, 9);
    assert_eq!(loaded.settings.auth.issuers[1].issuer, "https://b/");
    assert!(!loaded.settings.access.requires_rls("legacy"));
    assert_eq!(loaded.origin("auth.issuers[1].issuer").to_string(), "bedplate.toml:3");
}
