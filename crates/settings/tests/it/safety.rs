use bedplate_settings::{Context, KeyOrigin, unsafe_settings};

use crate::{Project, all};

fn serve(project: Project, keys: KeyOrigin) -> String {
    all(&unsafe_settings(&project.named("production").loaded(), Context::Serve, keys))
}

#[test]
fn one_machine_with_defaults_is_safe() {
    assert_eq!(serve(Project::new(""), KeyOrigin::Development), "");
    assert_eq!(serve(Project::new("[server]\nhost = \"0.0.0.0\"\n"), KeyOrigin::Production), "");
}

#[test]
fn a_public_bind_with_development_keys_is_refused() {
    let faults = serve(Project::new("[server]\nhost = \"0.0.0.0\"\n"), KeyOrigin::Development);
    assert!(faults.contains("bedplate.toml:2:1: server.host"), "{faults}");
    assert!(faults.contains("bedplate keys rotate --env production"), "{faults}");
}

#[test]
fn an_external_database_needs_every_key_set() {
    let faults = serve(Project::new("").env("DATABASE_URL", "postgres://h/d"), KeyOrigin::None);
    for key in
        ["auth.jwt_secret", "auth.signing_key", "auth.publishable_key", "auth.secret_key", "api.cursor_key"]
    {
        assert!(faults.contains(key), "{key} in {faults}");
    }
    let key = "0123456789abcdef0123456789abcdef";
    let complete = Project::new("")
        .env("DATABASE_URL", "postgres://h/d")
        .env("BEDPLATE_AUTH__JWT_SECRET", key)
        .env("BEDPLATE_AUTH__SIGNING_KEY", key)
        .env("BEDPLATE_AUTH__PUBLISHABLE_KEY", key)
        .env("BEDPLATE_AUTH__SECRET_KEY", key)
        .env("BEDPLATE_API__CURSOR_KEY", key);
    assert_eq!(serve(complete, KeyOrigin::None), "");
}

#[test]
fn open_schemas_must_be_named_again_for_production() {
    let open = "[access.schemas.legacy]\nrequire_rls = false\n";
    let faults = serve(Project::new(open), KeyOrigin::None);
    assert!(faults.contains("[env.production.access.schemas.legacy] require_rls = false"), "{faults}");
    let again = format!("{open}[env.production.access.schemas.legacy]\nrequire_rls = false\n");
    assert_eq!(serve(Project::new(&again), KeyOrigin::None), "");
    let faults = serve(Project::new("[access]\nrequire_rls = false\n"), KeyOrigin::None);
    assert!(faults.contains("[env.production.access] require_rls = false"), "{faults}");
}

#[test]
fn plain_http_and_a_public_admin_listener_are_refused() {
    let file = "[server]\nhost = \"::\"\nadmin_host = \"0.0.0.0\"\npublic_url = \"http://api.example.com\"\n";
    let faults = serve(Project::new(file), KeyOrigin::Production);
    for key in ["server.admin_host", "server.public_url"] {
        assert!(faults.contains(key), "{key} in {faults}");
    }
}

#[test]
fn dev_stays_on_this_machine() {
    let project = Project::new("[server]\nhost = \"0.0.0.0\"\n");
    let faults = all(&unsafe_settings(&project.loaded(), Context::Dev, KeyOrigin::None));
    assert!(faults.contains("listens on this machine only"), "{faults}");
}
