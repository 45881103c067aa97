//! The authenticator that the HTTP kit asks, made from the settings and the project's keys.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bedplate_auth::jwk::keys_of_secret;
use bedplate_auth::{
    ApiKeyKind, ApiKeys, Authenticator, ClaimPath, Credentials, IssuerConfig, KeyRing, LocalConfig, Manner,
    PostgrestRules, Verifier, VerifyKey, mint,
};
use bedplate_core::{Problem, Secret, SystemClock};
use bedplate_http::Authentication;
use bedplate_outgoing::Client;
use bedplate_settings::Loaded;
use bedplate_settings::sections::{Algorithm, Auth, Issuer, Rest};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};

use super::keys::{Held, Key, Keys, key_id};

static API_KEY: HeaderName = HeaderName::from_static("apikey");

bedplate_core::codes! {
    /// An issuer's settings contradict each other.
    AUTH_SETTINGS_INVALID = "auth_settings_invalid", 500, Auth, "The authentication settings cannot be used", final;
}

pub fn authenticator(loaded: &Loaded, keys: &Keys, client: &Client) -> Result<Authenticator, Problem> {
    let auth = &loaded.settings.auth;
    let issuers = auth.issuers.iter().map(|issuer| issuer_config(auth, issuer)).collect();
    let verifier = Verifier::new(local(auth), ring(keys)?, issuers, client, Arc::new(SystemClock));
    let verifier = verifier.map_err(|why| {
        Problem::new(&AUTH_SETTINGS_INVALID).detail(why).hint("correct [auth] in bedplate.toml")
    })?;
    Ok(Authenticator::new(verifier, api_keys(keys), &auth.anon_role, &auth.service_role))
}

/// Who calls `/rest/v1`: as elsewhere, unless `[rest]` has keys and rules of its own. Those are PostgREST's: the role by
/// its path, `aud` where the token names one, and no external issuers beside the secret.
pub fn rest(loaded: &Loaded, rest: &Rest, keys: &Keys, client: &Client) -> Result<Authenticator, Problem> {
    let auth = &loaded.settings.auth;
    let anon = rest.db_anon_role.as_deref().unwrap_or(&auth.anon_role);
    // PostgreSQL has no role of that name.
    let anon = Some(anon).filter(|role| !role.is_empty() && *role != "none");
    let own = rest.jwt_secret.is_some() || rest.jwt_aud.is_some() || rest.jwt_role_claim_key != ".role";
    let postgrest = own.then(|| rules(rest, anon)).transpose()?;
    let with_issuers = rest.jwt_secret.is_none();
    let issuers = auth.issuers.iter().filter(|_| with_issuers).map(|issuer| issuer_config(auth, issuer));
    let ring = match &rest.jwt_secret {
        Some(secret) => rest_ring(secret, rest.jwt_secret_is_base64)?,
        None => ring(keys)?,
    };
    let config = LocalConfig {
        anon_role: anon.unwrap_or_default().to_owned(),
        postgrest,
        cache_entries: rest.jwt_cache_max_entries.unwrap_or(auth.token_cache_entries),
        ..local(auth)
    };
    let verifier = Verifier::new(config, ring, issuers.collect(), client, Arc::new(SystemClock));
    let verifier = verifier.map_err(|why| Problem::new(&AUTH_SETTINGS_INVALID).detail(why))?;
    let manner = if rest.jwt_enabled { Manner::Postgrest } else { Manner::TokensOff };
    let authenticator =
        Authenticator::new(verifier, api_keys(keys), anon.unwrap_or_default(), &auth.service_role)
            .with_manner(manner);
    Ok(if anon.is_some() { authenticator } else { authenticator.without_anonymous() })
}

fn rules(rest: &Rest, anon: Option<&str>) -> Result<PostgrestRules, Problem> {
    let role_claim = ClaimPath::parse(&rest.jwt_role_claim_key).map_err(|why| {
        Problem::new(&AUTH_SETTINGS_INVALID).detail(format!("rest.jwt_role_claim_key: {why}"))
    })?;
    Ok(PostgrestRules { role_claim, audience: rest.jwt_aud.clone(), default_role: anon.map(str::to_owned) })
}

/// PostgREST's `jwt-secret`.
fn rest_ring(secret: &Secret, base64: bool) -> Result<KeyRing, Problem> {
    let refuse = |why: String| {
        Problem::new(&AUTH_SETTINGS_INVALID)
            .detail(format!("rest.jwt_secret: {why}"))
            .hint("it is a text of at least 32 bytes, or a JSON Web Key (set) as JSON")
    };
    if !base64 {
        return keys_of_secret(secret.expose().as_bytes()).map_err(refuse);
    }
    // Any of the three alphabets that PostgREST takes.
    let text: String = secret
        .expose()
        .trim()
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            '.' => '=',
            c => c,
        })
        .collect();
    let bytes = STANDARD.decode(text).map_err(|_| refuse("is not Base64".to_owned()))?;
    keys_of_secret(&bytes).map_err(refuse)
}

fn local(auth: &Auth) -> LocalConfig {
    LocalConfig {
        issuer: auth.issuer.clone(),
        audiences: auth.audience.clone(),
        default_role: auth.authenticated_role.clone(),
        anon_role: auth.anon_role.clone(),
        service_role: auth.service_role.clone(),
        leeway: auth.jwt_leeway.as_secs() as i64,
        postgrest: None,
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

/// As [`FromHeaders`], with an authenticator that may be replaced (settings in the database).
pub struct Replaceable(pub Arc<ArcSwap<Authenticator>>);

impl bedplate_http::Authenticator for Replaceable {
    fn authenticate<'a>(&'a self, headers: &'a HeaderMap, _client: IpAddr) -> Authentication<'a> {
        let credentials = match credentials(headers) {
            Ok(credentials) => credentials,
            Err(problem) => return Authentication::Ready(Err(problem)),
        };
        let authenticator = self.0.load();
        if let Some(outcome) = authenticator.authenticate_now(credentials) {
            return Authentication::Ready(outcome);
        }
        let authenticator = Arc::clone(&authenticator);
        Authentication::Pending(Box::pin(async move { authenticator.authenticate(credentials).await }))
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
