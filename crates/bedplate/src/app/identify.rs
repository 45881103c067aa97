//! The authenticator that the HTTP kit asks, made from the settings and the project's keys.

use std::net::IpAddr;
use std::sync::Arc;

use bedplate_auth::{
    ApiKeyKind, ApiKeys, Authenticator, Credentials, IssuerConfig, KeyRing, LocalConfig, Verifier, VerifyKey,
    mint,
};
use bedplate_core::{Problem, SystemClock};
use bedplate_http::Authentication;
use bedplate_settings::Loaded;
use bedplate_settings::sections::{Algorithm, Auth, Issuer};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};

use super::keys::{Held, Key, Keys, key_id};

static API_KEY: HeaderName = HeaderName::from_static("apikey");

bedplate_core::codes! {
    /// An issuer's settings contradict each other.
    AUTH_SETTINGS_INVALID = "auth_settings_invalid", 500, Auth, "The authentication settings cannot be used", final;
}

pub fn authenticator(loaded: &Loaded, keys: &Keys) -> Result<Authenticator, Problem> {
    let auth = &loaded.settings.auth;
    let issuers = auth.issuers.iter().map(|issuer| issuer_config(auth, issuer)).collect();
    let verifier = Verifier::new(local(auth), ring(keys)?, issuers, Arc::new(SystemClock));
    let verifier = verifier.map_err(|why| {
        Problem::new(&AUTH_SETTINGS_INVALID).detail(why).hint("correct [auth] in bedplate.toml")
    })?;
    Ok(Authenticator::new(verifier, api_keys(keys), &auth.anon_role, &auth.service_role))
}

fn local(auth: &Auth) -> LocalConfig {
    LocalConfig {
        issuer: auth.issuer.clone(),
        audiences: auth.audience.clone(),
        default_role: auth.authenticated_role.clone(),
        anon_role: auth.anon_role.clone(),
        service_role: auth.service_role.clone(),
        leeway: auth.jwt_leeway.as_secs() as i64,
        max_token_bytes: auth.max_token_bytes.as_usize(),
        cache_entries: auth.token_cache_entries,
    }
}

/// Our keys, with their predecessors while those are still accepted.
fn ring(keys: &Keys) -> Result<KeyRing, Problem> {
    let mut ring = Vec::new();
    let held = |key: Key| -> &Held { keys.get(key) };
    let jwt = held(Key::Jwt);
    for secret in [Some(&jwt.current), jwt.previous.as_ref()].into_iter().flatten() {
        let key = VerifyKey::hs256(None, secret).map_err(|why| {
            Problem::new(&AUTH_SETTINGS_INVALID).detail(why).hint("make a new one: bedplate keys rotate jwt")
        })?;
        ring.push(key);
    }
    let signing = held(Key::Signing);
    // A key keeps its id when it becomes the previous one, so that tokens signed with it still find it.
    for key in [Some(&signing.current), signing.previous.as_ref()].into_iter().flatten() {
        ring.push(mint::verify_key(&key_id(key)?, key)?);
    }
    Ok(KeyRing::new(ring))
}

fn api_keys(keys: &Keys) -> ApiKeys {
    let kinds = [(ApiKeyKind::Publishable, Key::Publishable), (ApiKeyKind::Secret, Key::Secret)];
    ApiKeys::new(kinds.into_iter().flat_map(|(kind, key)| {
        let held = keys.get(key);
        [Some(held.current.clone()), held.previous.clone()]
            .into_iter()
            .flatten()
            .map(move |text| (kind, text))
    }))
}

fn issuer_config(auth: &Auth, issuer: &Issuer) -> IssuerConfig {
    let mut roles = vec![auth.authenticated_role.clone()];
    roles.extend(auth.extra_roles.iter().cloned());
    let algorithm = |algorithm: &Algorithm| match algorithm {
        Algorithm::Es256 => "ES256".to_owned(),
        Algorithm::Rs256 => "RS256".to_owned(),
        Algorithm::EdDsa => "EdDSA".to_owned(),
    };
    IssuerConfig {
        issuer: issuer.issuer.clone(),
        jwks_url: issuer.jwks_url.clone(),
        algorithms: issuer.algorithms.iter().map(algorithm).collect(),
        audiences: issuer.audience.clone(),
        // A claim that nobody has, so that the default role holds.
        role_claim: issuer.role_claim.clone().unwrap_or_default(),
        roles,
        default_role: auth.authenticated_role.clone(),
    }
}

/// Takes the two headers out of a request.
pub struct FromHeaders(pub Arc<Authenticator>);

impl bedplate_http::Authenticator for FromHeaders {
    fn authenticate<'a>(&'a self, headers: &'a HeaderMap, _client: IpAddr) -> Authentication<'a> {
        let credentials = match credentials(headers) {
            Ok(credentials) => credentials,
            Err(problem) => return Authentication::Ready(Err(problem)),
        };
        match self.0.authenticate_now(credentials) {
            Some(outcome) => Authentication::Ready(outcome),
            None => Authentication::Pending(Box::pin(self.0.authenticate(credentials))),
        }
    }
}

/// A credential given twice is ambiguous, and one that is not ASCII is none of ours: both are refused.
fn credentials(headers: &HeaderMap) -> Result<Credentials<'_>, Problem> {
    let one = |name: &HeaderName| -> Result<Option<&str>, Problem> {
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let text = value.to_str().ok().filter(|_| values.next().is_none());
        text.map(Some).ok_or_else(|| {
            Problem::new(&bedplate_core::problem::UNAUTHENTICATED)
                .detail(format!("one {name} header is expected"))
        })
    };
    Ok(Credentials { api_key: one(&API_KEY)?, authorization: one(&AUTHORIZATION)? })
}
