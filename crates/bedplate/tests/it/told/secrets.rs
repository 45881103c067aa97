//! Secrets are driven through every door at the most talkative level, and every sink is searched for them (A-05, A-35,
//!

use std::process::Command;

use serde_json::json;

use super::collector::Collector;
use super::program::Program;
use crate::api::server::{ALICE, claims, sign, user};

/// Hidden by the name it stands under.
const BY_NAME: &str = "Tr0ub4dor-n-3";
const API_KEY: &str = "sb_secret_ThisKeyIsNotOneOfOurs12345";
const CARD: &str = "4111 1111 1111 1111";
const EMAIL: &str = "victim@mail.example";
const DSN_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A function that fails as nobody expects, and one that refuses; both say too much.
const SQL: &str = "
    create function public.login(password text, email text) returns void language plpgsql as $$
    begin
        raise exception 'login of % with password=% failed', email, password
            using detail = format('Key (email, token)=(%s, %s) is wrong', email, password);
    end $$;
    create function public.broken(token text) returns void language plpgsql as $$
    begin
        raise exception 'cannot reach postgres://app:%@db.internal/app, {\"token\": \"%\"}', token, token
            using errcode = 'XX000', hint = 'card 4111 1111 1111 1111 of victim@mail.example';
    end $$;
    grant execute on function public.login(text, text), public.broken(text) to anon, authenticated;
";

struct Found(Vec<String>);

impl Found {
    fn search(&mut self, sink: &str, text: &str, secrets: &[&str]) {
        for secret in secrets {
            if let Some(line) = text.lines().find(|line| line.contains(secret)) {
                self.0.push(format!("{sink}: {secret} in {line}"));
            }
        }
    }
}

#[tokio::test]
async fn a35_a39_a40_no_secret_reaches_a_sink() {
    let (collector, sentry) = (Collector::start(200, "{}").await, Collector::start(200, "{}").await);
    let dsn = format!("http://{DSN_KEY}@{}/1", sentry.url.trim_start_matches("http://"));
    let program = Program::start(
        &[
            ("BEDPLATE_LOG__LEVEL", "trace"),
            ("BEDPLATE_RATE_LIMIT__ENABLED", "false"),
            ("BEDPLATE_LOG__REDACT_EMAILS", "true"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=Tr0ub4dor-n-3"),
            ("SENTRY_DSN", &dsn),
            ("BEDPLATE_ACCESS__FUNCTIONS", "public.login,public.broken"),
            ("BEDPLATE_API__REQUEST_HEADERS", "*"),
        ],
        SQL,
    )
    .await;
    let mut said = claims("authenticated", ALICE);
    said["email"] = EMAIL.into();
    said["user_metadata"] = json!({ "password": BY_NAME, "card": CARD });
    let token = sign(&said);
    let forged = format!("{}x", user(ALICE));
    let mut answers = String::new();

    let bearer = format!("Bearer {token}");
    let bad = format!("Bearer {forged}");
    let basic = "Basic dXNlcjpUcjB1YjRkb3Itbi0z";
    let heads: [&[(&str, &str)]; 5] = [
        &[("authorization", &bearer), ("content-type", "application/json")],
        &[("authorization", &bad), ("content-type", "application/json")],
        &[("apikey", API_KEY), ("content-type", "application/json")],
        &[("authorization", basic), ("cookie", "session=Tr0ub4dor-n-3"), ("x-api-key", BY_NAME)],
        &[
            ("content-type", "application/json"),
            ("prefer", "token=Tr0ub4dor-n-3"),
            ("x-request-id", "Bearer Tr0ub4dor-n-3"),
        ],
    ];
    let bodies = [
        json!({ "password": BY_NAME, "email": EMAIL }).to_string(),
        json!({ "token": BY_NAME }).to_string(),
        json!({ "title": "x", "password": BY_NAME, "nested": { "secret": [BY_NAME], "card": CARD } })
            .to_string(),
        format!("{{\"password\": \"{BY_NAME}\", \"password\": 1"),
    ];
    let paths = [
        "/api/v1/tickets",
        "/api/v1/tickets/1",
        "/api/v1/rpc/login",
        "/api/v1/rpc/broken",
        "/rest/v1/tickets",
        "/rest/v1/rpc/login",
        "/rest/v1/rpc/broken",
        "/api/v1/batch",
        "/nothing/here",
        "/openapi.json",
        "/docs",
        "/health/ready",
    ];
    let queries = [
        String::new(),
        format!("?token={BY_NAME}&password=eq.{BY_NAME}"),
        format!("?{API_KEY}=1&{token}=2"),
        format!("?select=id&email=eq.{EMAIL}&access_token={token}"),
    ];
    for path in paths {
        for (at, head) in heads.iter().enumerate() {
            for query in &queries {
                let body = bodies[at % bodies.len()].as_bytes();
                for method in ["GET", "POST", "PATCH"] {
                    let body = if method == "GET" { b"" } else { body };
                    let answer = program.send(method, &format!("{path}{query}"), head, body).await;
                    answers.push_str(&String::from_utf8_lossy(&answer.body));
                    answers.push('\n');
                }
            }
        }
    }
    // Where they should never stand, they still do.
    for path in [format!("/reset/{token}"), format!("/api/v1/{API_KEY}"), format!("/x/password={BY_NAME}")] {
        let answer = program.send("GET", &path, &[], b"").await;
        // The caller's own path is in its own answer (RFC 9457, `instance`), and nowhere else.
        assert_eq!(answer.status, 404, "{path}");
    }
    for body in &bodies {
        let head = heads[0];
        for path in ["/api/v1/rpc/login", "/api/v1/rpc/broken", "/rest/v1/rpc/broken"] {
            program.send("POST", path, head, body.as_bytes()).await;
        }
    }
    let metrics = program.metrics().await;
    sentry.wait(1).await;
    let log = program.stop().await;

    let signature = token.rsplit('.').next().unwrap();
    let all = [BY_NAME, signature, API_KEY, CARD, EMAIL, DSN_KEY, "dXNlcjpUcjB1YjRkb3Itbi0z"];
    let mut found = Found(Vec::new());
    found.search("log", &log, &all);
    found.search("metrics", &metrics, &all);
    let sent = |collector: &Collector| {
        collector.received().into_iter().map(|it| it.body).collect::<Vec<_>>().join("\n")
    };
    let (traces, reports) = (sent(&collector), sent(&sentry));
    found.search("traces", &traces, &all);
    found.search("reports", &reports, &all);
    // What SQL of the app raises by name is the app's to say; what looks like a credential is not repeated.
    found.search("answers", &answers, &[signature, DSN_KEY, "dXNlcjpUcjB1YjRkb3Itbi0z"]);
    assert!(found.0.is_empty(), "{:#?}", found.0);

    // The search can find something: the requests are in the log, the failure was reported, the spans were sent.
    assert!(log.contains("/api/v1/rpc/broken") && log.contains("request failed"), "{log}");
    assert!(log.contains("***"), "{log}");
    for line in log.lines() {
        let value: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(value.is_ok(), "a line of the log is not JSON: {line}");
    }
    assert!(traces.contains("resourceSpans") && traces.contains("/rest/v1/tickets"), "{traces}");
    assert!(reports.contains("request failed") && reports.contains("internal_error"), "{reports}");
}

/// Faults of the settings are told to whoever starts the program, without what they were set to.
#[test]
fn a40_faults_of_settings_do_not_quote_secrets() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bedplate.toml"), "[project]\nname = \"x\"\n").unwrap();
    let cases: [&[(&str, &str)]; 6] = [
        &[("DATABASE_URL", "postgres://app:Tr0ub4dor-n-3@127.0.0.1:1/x")],
        &[("DATABASE_URL", "mysql://app:Tr0ub4dor-n-3@127.0.0.1:1/x")],
        &[("BEDPLATE_AUTH__JWT_SECRET", "Tr0ub4dor-n-3")],
        &[("SENTRY_DSN", "Tr0ub4dor-n-3"), ("DATABASE_URL", "postgres://app:Tr0ub4dor-n-3@127.0.0.1:1/x")],
        &[
            ("OTEL_EXPORTER_OTLP_HEADERS", "Tr0ub4dor-n-3"),
            ("DATABASE_URL", "postgres://127.0.0.1:1/x?password=Tr0ub4dor-n-3"),
        ],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:Tr0ub4dor-n-3@collector:4318")],
    ];
    for variables in cases {
        for arguments in [
            &["serve", "--json"][..],
            &["serve", "--text"],
            &["config", "show", "--text"],
            &["doctor", "--json"],
        ] {
            let out = Command::new(env!("CARGO_BIN_EXE_bedplate"))
                .args(arguments)
                .envs(variables.iter().copied())
                .current_dir(dir.path())
                .output()
                .unwrap();
            let text =
                format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
            assert!(!text.contains(BY_NAME), "{arguments:?} {variables:?}: {text}");
        }
    }
}
