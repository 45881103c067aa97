use bedplate_auth::{ApiKeyKind, ApiKeys, Authenticator, Credentials};
use bedplate_core::{PrincipalKind, Secret};
use serde_json::json;

use crate::signing::*;

const PUBLISHABLE: &str = "sb_publishable_AAAAAAAAAAAAAAAAAAAAAA_00000000";
const SECRET_KEY: &str = "sb_secret_AAAAAAAAAAAAAAAAAAAAAA_00000000";

fn authenticator() -> Authenticator {
    let keys = ApiKeys::new([
        (ApiKeyKind::Publishable, Secret::new(PUBLISHABLE)),
        (ApiKeyKind::Secret, Secret::new(SECRET_KEY)),
    ]);
    Authenticator::new(verifier(), keys, "anon", "service_role")
}

fn kind(api_key: Option<&str>, authorization: Option<&str>) -> Result<PrincipalKind, u16> {
    let outcome = authenticator().authenticate_now(Credentials { api_key, authorization }).unwrap();
    outcome.map(|p| p.kind).map_err(|p| p.status())
}

#[test]
fn keys_and_bearers_follow_supabases_rules() {
    let user = format!("Bearer {}", local(json!({})));
    let as_bearer = |key: &str| format!("Bearer {key}");
    assert_eq!(kind(None, None), Ok(PrincipalKind::Anonymous));
    assert_eq!(kind(Some(PUBLISHABLE), None), Ok(PrincipalKind::Anonymous));
    assert_eq!(kind(Some(PUBLISHABLE), Some(&as_bearer(PUBLISHABLE))), Ok(PrincipalKind::Anonymous));
    assert_eq!(kind(Some(SECRET_KEY), None), Ok(PrincipalKind::Service));
    assert_eq!(kind(None, Some(&as_bearer(SECRET_KEY))), Ok(PrincipalKind::Service));
    assert_eq!(kind(Some(PUBLISHABLE), Some(&user)), Ok(PrincipalKind::User));
    assert_eq!(kind(Some(SECRET_KEY), Some(&user)), Ok(PrincipalKind::User), "the user's token decides");
    let legacy = local(json!({"role": "anon"}));
    assert_eq!(kind(Some(&legacy), Some(&as_bearer(&legacy))), Ok(PrincipalKind::Anonymous));
    let legacy_service = local(json!({"role": "service_role"}));
    assert_eq!(kind(Some(&legacy_service), None), Ok(PrincipalKind::Service));
}

#[test]
fn a_wrong_credential_is_refused_and_never_taken_for_anonymous() {
    let user = format!("Bearer {}", local(json!({})));
    for (api_key, authorization) in [
        (Some("sb_publishable_wrong"), None),
        (Some("sb_publishable_wrong"), Some(user.as_str())),
        (Some("nonsense"), None),
        (Some(""), None),
        (None, Some("Bearer ")),
        (None, Some("Bearer")),
        (None, Some("Basic dXNlcjpwYXNz")),
        (None, Some("Bearer a b")),
        (None, Some("Bearer sb_secret_wrong")),
        (Some(PUBLISHABLE), Some("Bearer not.a.jwt")),
    ] {
        assert_eq!(kind(api_key, authorization), Err(401), "{api_key:?} {authorization:?}");
    }
}

#[test]
fn rotated_keys_stop_at_once() {
    let authenticator = authenticator();
    authenticator.rotate_api_keys(ApiKeys::default());
    let credentials = Credentials { api_key: Some(SECRET_KEY), authorization: None };
    assert_eq!(authenticator.authenticate_now(credentials).unwrap().unwrap_err().status(), 401);
}
