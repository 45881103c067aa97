//! From the headers of a request to a principal.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bedplate_core::{Principal, PrincipalKind, Problem};

use crate::api_key::{ApiKeyKind, ApiKeys, PREFIX};
use crate::problems::API_KEY_INVALID;
use crate::refusal::{Refusal, invalid};
use crate::verifier::Verifier;

/// What a request brought: the `apikey` header and the `Authorization` header, untouched.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    pub api_key: Option<&'a str>,
    pub authorization: Option<&'a str>,
}

/// What is left to check after API keys are dealt with.
enum Claim<'a> {
    Done(Arc<Principal>),
    Token(&'a str),
}

pub struct Authenticator {
    verifier: Verifier,
    keys: ArcSwap<ApiKeys>,
    /// `None`: anonymous callers are refused.
    anonymous: Option<Arc<Principal>>,
    service: Arc<Principal>,
    manner: Manner,
}

/// How the two headers are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    /// What is no bearer token is refused.
    #[default]
    Strict,
    /// `Authorization` with another scheme than `Bearer` is not for us.
    Postgrest,
    /// As PostgREST without a secret: whoever sends a credential is refused.
    TokensOff,
}

impl Authenticator {
    pub fn new(verifier: Verifier, keys: ApiKeys, anon_role: &str, service_role: &str) -> Self {
        let service = Principal { kind: PrincipalKind::Service, ..Principal::anonymous(service_role) };
        Self {
            verifier,
            keys: ArcSwap::from_pointee(keys),
            anonymous: Some(Arc::new(Principal::anonymous(anon_role))),
            service: Arc::new(service),
            manner: Manner::default(),
        }
    }

    #[must_use]
    pub fn with_manner(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    /// Refuses callers who send no token.
    #[must_use]
    pub fn without_anonymous(mut self) -> Self {
        self.anonymous = None;
        self
    }

    fn anonymous(&self) -> Result<Arc<Principal>, Problem> {
        self.anonymous.clone().ok_or_else(|| Refusal::TokenRequired.problem())
    }

    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Replaces the API keys; the old ones are refused from now on.
    pub fn rotate_api_keys(&self, keys: ApiKeys) {
        self.keys.store(Arc::new(keys));
    }

    /// The principal when it can be told without waiting; `None`: await [`Authenticator::authenticate`].
    pub fn authenticate_now(&self, credentials: Credentials<'_>) -> Option<Result<Arc<Principal>, Problem>> {
        match self.claim(credentials) {
            Err(problem) => Some(Err(problem)),
            Ok(Claim::Done(principal)) => Some(Ok(principal)),
            Ok(Claim::Token(token)) => self.verifier.verify_now(token),
        }
    }

    pub async fn authenticate(&self, credentials: Credentials<'_>) -> Result<Arc<Principal>, Problem> {
        match self.claim(credentials)? {
            Claim::Done(principal) => Ok(principal),
            Claim::Token(token) => self.verifier.verify(token).await,
        }
    }

    /// Supabase's rules: a bearer that equals the API key, or starts like one, is an API key and not a JWT; a user's
    /// JWT decides over the API key beside it. A wrong key or token is refused, never treated as anonymous.
    fn claim<'a>(&self, credentials: Credentials<'a>) -> Result<Claim<'a>, Problem> {
        if self.manner == Manner::TokensOff {
            let none = credentials.api_key.is_none()
                && credentials.authorization.is_none_or(|header| scheme(header).is_none());
            return if none { Ok(Claim::Done(self.anonymous()?)) } else { Err(Refusal::TokensOff.problem()) };
        }
        let bearer = match (self.manner, credentials.authorization) {
            (Manner::Postgrest, Some(header)) => scheme(header),
            (_, header) => header.map(bearer).transpose()?,
        };
        // supabase-js sends the API key as the bearer while nobody is signed in.
        let bearer = bearer.filter(|token| credentials.api_key != Some(token));
        let by_key = credentials.api_key.map(|key| self.by_api_key(key)).transpose()?;
        match bearer {
            Some(token) if token.starts_with(PREFIX) => self.by_api_key(token),
            Some(token) => Ok(Claim::Token(token)),
            None => match by_key {
                Some(claim) => Ok(claim),
                None => Ok(Claim::Done(self.anonymous()?)),
            },
        }
    }

    fn by_api_key<'a>(&self, key: &'a str) -> Result<Claim<'a>, Problem> {
        if !key.starts_with(PREFIX) {
            // Legacy keys are JWTs with the role anon or service_role.
            return Ok(Claim::Token(key));
        }
        match self.keys.load().find(key) {
            Some(ApiKeyKind::Publishable) => Ok(Claim::Done(self.anonymous()?)),
            Some(ApiKeyKind::Secret) => Ok(Claim::Done(Arc::clone(&self.service))),
            None => {
                Err(Problem::new(&API_KEY_INVALID).hint("`bedplate keys` shows the keys of this project"))
            }
        }
    }
}

/// What stands behind `Bearer`, as it is; `None` for another scheme.
fn scheme(header: &str) -> Option<&str> {
    let end = header.find(char::is_whitespace).unwrap_or(header.len());
    let (scheme, token) = header.split_at(end);
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme's case does not matter.
fn bearer(header: &str) -> Result<&str, Problem> {
    let (scheme, token) = header.split_once(' ').ok_or_else(|| invalid("not `Bearer <token>`"))?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.contains(' ') {
        return Err(invalid("not `Bearer <token>`"));
    }
    Ok(token)
}
