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

#[test]
fn a_gap_in_the_numbers_of_tables_is_noticed() {
    let faults = Project::new("").env("BEDPLATE_AUTH__ISSUERS__1__ISSUER", "https://a/").faults();
    assert!(
        faults.contains("BEDPLATE_AUTH__ISSUERS__1__ISSUER") && faults.contains("number them from 0"),
        "{faults}"
    );
    let loaded = Project::new("")
        .env("BEDPLATE_AUTH__ISSUERS__0__ISSUER", "https://a/")
        .env("BEDPLATE_AUTH__ISSUERS__0__AUDIENCE", "app")
        .loaded();
    assert_eq!(loaded.settings.auth.issuers.len(), 1);
}

mod any_text {
    use proptest::prelude::*;

    use crate::Project;

    fn line() -> impl Strategy<Value = String> {
        let names = ["server", "auth", "auth.issuers", "access.schemas", "env.production.server", "env"];
        let section =
            prop_oneof![prop::sample::select(names.to_vec()).prop_map(str::to_owned), "[a-z.]{1,12}"];
        let value = prop_oneof![
            Just("1".to_owned()),
            Just("\"30s\"".to_owned()),
            Just("'secret(\"X\")'".to_owned()),
            Just("[\"a\", 1]".to_owned()),
            Just("{ port = 1 }".to_owned()),
            Just("[{ issuer = 1 }]".to_owned()),
            Just("1979-05-27".to_owned()),
            "\\PC{0,8}"
        ];
        prop_oneof![
            section.clone().prop_map(|s| format!("[{s}]")),
            section.clone().prop_map(|s| format!("[[{s}]]")),
            (
                prop_oneof![
                    Just("port".to_owned()),
                    Just("schemas".to_owned()),
                    Just("issuer".to_owned()),
                    section
                ],
                value
            )
                .prop_map(|(key, value)| format!("{key} = {value}")),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        /// Whatever stands in the file, the answer is settings or faults, each with a fix.
        #[test]
        fn loads_or_explains(lines in prop::collection::vec(line(), 0..12), value in "\\PC{0,12}") {
            let value = value.replace('\0', "");
            let project = Project::new(&lines.join("\n"))
                .env("BEDPLATE_SERVER__PORT", &value)
                .env("BEDPLATE_AUTH__ISSUERS__7__ISSUER", &value)
                .env("DATABASE_URL", &value);
            if let Err(faults) = project.load() {
                prop_assert!(!faults.is_empty());
                for fault in faults {
                    prop_assert!(!fault.fix.is_empty() && !fault.message.is_empty(), "{fault}");
                }
            }
        }
    }
}
