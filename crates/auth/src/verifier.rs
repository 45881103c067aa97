//! Tokens to principals, with a cache of what was verified.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use bedplate_core::{Clock, Principal, PrincipalKind, Problem};
use bedplate_outgoing::Client;
use foldhash::fast::RandomState;
use quick_cache::{Weighter, sync::Cache};
use serde_json::{Map, Value};

use crate::claim_path::ClaimPath;
use crate::claims::{self, Nulls, Times};
use crate::issuer::{Issuer, IssuerConfig};
use crate::keys::KeyRing;
use crate::refusal::{Refusal, invalid};
use crate::token::Unverified;

/// How tokens signed with our own keys are checked.
#[derive(Debug, Clone)]
pub struct LocalConfig {
    /// When set, `iss` must be this.
    pub issuer: Option<String>,
    /// When not empty, `aud` must name one of these.
    pub audiences: Vec<String>,
    /// The role of a token without a `role` claim.
    pub default_role: String,
    /// Role names that mean [`PrincipalKind::Anonymous`] and [`PrincipalKind::Service`].
    pub anon_role: String,
    pub service_role: String,
    /// Reads the claims of our own tokens as PostgREST does, instead of by `issuer`, `audiences` and `default_role`.
    pub postgrest: Option<PostgrestRules>,
    /// Seconds by which clocks may differ.
    pub leeway: i64,
    pub max_token_bytes: usize,
    /// Tokens of usual size that are kept; large ones count for several.
    pub cache_entries: usize,
}

/// PostgREST's reading of claims: those that are `null` count as absent, and a token that names no audience is for
/// everybody.
#[derive(Debug, Clone, Default)]
pub struct PostgrestRules {
    pub role_claim: ClaimPath,
    /// When set, a token that names audiences must name this one.
    pub audience: Option<String>,
    /// The role of a token that names none; `None`: such a token is refused.
    pub default_role: Option<String>,
}

impl Default for LocalConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            audiences: Vec::new(),
            default_role: "authenticated".to_owned(),
            anon_role: "anon".to_owned(),
            service_role: "service_role".to_owned(),
            postgrest: None,
            leeway: 30,
            max_token_bytes: 8 * 1024,
            cache_entries: 10_000,
        }
    }
}

#[derive(Clone)]
struct Verified {
    principal: Arc<Principal>,
    epoch: u64,
    /// For tokens of an external issuer: which issuer, and the keys that verified it.
    by: Option<(Arc<Issuer>, Arc<KeyRing>)>,
}

impl Verified {
    /// Whether the keys that verified the token are still the ones to use. A key that an issuer takes back must not live
    /// on in the cache, so a key set that is due to be read again makes its tokens be checked again.
    fn holds(&self, epoch: u64) -> bool {
        let current = |(issuer, keys): &(Arc<Issuer>, Arc<KeyRing>)| {
            issuer.keys_now(None).is_some_and(|now| Arc::ptr_eq(&now, keys))
        };
        self.epoch == epoch && self.by.as_ref().is_none_or(current)
    }
}

/// What a usual token takes in the cache.
const USUAL_BYTES: u64 = 2 * 1024;

/// Tokens count by their size: what is in them is partly the user's own choice.
#[derive(Clone)]
struct BySize;

impl Weighter<Box<str>, Verified> for BySize {
    fn weight(&self, token: &Box<str>, verified: &Verified) -> u64 {
        512 + (token.len() + verified.principal.claims.len()) as u64
    }
}

/// Checks tokens. Cheap for a token seen before: one cache look-up, one look at the clock.
pub struct Verifier {
    config: LocalConfig,
    ring: ArcSwap<KeyRing>,
    issuers: Vec<Arc<Issuer>>,
    cache: Cache<Box<str>, Verified, BySize, RandomState>,
    /// Grows when keys change or everything is revoked; older cache entries no longer count.
    epoch: AtomicU64,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// `client` reads the issuers' key sets. `Err` says which issuer's configuration is wrong.
    pub fn new(
        config: LocalConfig,
        ring: KeyRing,
        issuers: Vec<IssuerConfig>,
        client: &Client,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let issuers = issuers
            .into_iter()
            .map(|c| Issuer::new(c, client.clone(), Arc::clone(&clock)).map(Arc::new))
            .collect::<Result<_, _>>()?;
        let entries = config.cache_entries.max(1);
        Ok(Self {
            config,
            ring: ArcSwap::from_pointee(ring),
            issuers,
            cache: Cache::with(
                entries,
                entries as u64 * USUAL_BYTES,
                BySize,
                RandomState::default(),
                Default::default(),
            ),
            epoch: AtomicU64::new(0),
            clock,
        })
    }

    /// Replaces our own keys. Tokens verified with the old ones are checked again, at once.
    pub fn rotate(&self, ring: KeyRing) {
        self.ring.store(Arc::new(ring));
        self.forget_all();
    }

    /// Makes every cached token be checked again.
    pub fn forget_all(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.cache.clear();
    }

    pub fn cached_tokens(&self) -> usize {
        self.cache.len()
    }

    /// The principal when no key set has to be fetched for it; `None` when [`Verifier::verify`] has to be awaited.
    pub fn verify_now(&self, token: &str) -> Option<Result<Arc<Principal>, Problem>> {
        let epoch = self.epoch.load(Ordering::Acquire);
        if let Some(hit) = self.cache.get(token).filter(|hit| hit.holds(epoch)) {
            return Some(self.still_valid(token, hit.principal));
        }
        let parsed = match Unverified::parse(token, self.config.max_token_bytes) {
            Ok(parsed) => parsed,
            Err(problem) => return Some(Err(problem)),
        };
        let (verified, by) = match self.issuer_of(&parsed) {
            None => (self.check_local(&parsed), None),
            Some(issuer) => {
                let keys = issuer.keys_now(parsed.header.kid.as_deref())?;
                (self.check_external(&parsed, issuer, &keys), Some((Arc::clone(issuer), keys)))
            }
        };
        Some(verified.map(|principal| self.remember(token, epoch, principal, by)))
    }

    /// As [`Verifier::verify_now`], and reads an external issuer's key set where that is needed.
    pub async fn verify(&self, token: &str) -> Result<Arc<Principal>, Problem> {
        if let Some(ready) = self.verify_now(token) {
            return ready;
        }
        let epoch = self.epoch.load(Ordering::Acquire);
        let (issuer, kid) = {
            let parsed = Unverified::parse(token, self.config.max_token_bytes)?;
            let issuer = self.issuer_of(&parsed).ok_or_else(|| invalid("unknown issuer"))?;
            (Arc::clone(issuer), parsed.header.kid)
        };
        let keys = issuer.read(kid.as_deref()).await?;
        let parsed = Unverified::parse(token, self.config.max_token_bytes)?;
        let principal = self.check_external(&parsed, &issuer, &keys)?;
        Ok(self.remember(token, epoch, principal, Some((issuer, keys))))
    }

    /// A cached token may have expired since.
    fn still_valid(&self, token: &str, principal: Arc<Principal>) -> Result<Arc<Principal>, Problem> {
        let now = self.clock.unix_seconds();
        if principal.expires_at.is_some_and(|exp| exp.saturating_add(self.config.leeway) <= now) {
            self.cache.remove(token);
            return Err(Refusal::Expired.problem());
        }
        Ok(principal)
    }

    fn remember(
        &self,
        token: &str,
        epoch: u64,
        principal: Principal,
        by: Option<(Arc<Issuer>, Arc<KeyRing>)>,
    ) -> Arc<Principal> {
        let principal = Arc::new(principal);
        // Verified under an older key set than the present one: not kept, so the next use is checked again.
        if self.config.cache_entries > 0 && epoch == self.epoch.load(Ordering::Acquire) {
            self.cache.insert(token.into(), Verified { principal: Arc::clone(&principal), epoch, by });
        }
        principal
    }

    fn issuer_of(&self, token: &Unverified<'_>) -> Option<&Arc<Issuer>> {
        let iss = token.claims.get("iss")?.as_str()?;
        self.issuers.iter().find(|issuer| issuer.config.issuer == iss)
    }

    fn check_local(&self, token: &Unverified<'_>) -> Result<Principal, Problem> {
        self.ring.load().verify(token)?;
        if let Some(rules) = &self.config.postgrest {
            return self.check_as_postgrest(token, rules);
        }
        let issuer = claims::string(&token.claims, "iss")?;
        if self.config.issuer.as_deref().is_some_and(|expected| issuer != Some(expected)) {
            return Err(invalid("iss is not ours"));
        }
        if !self.config.audiences.is_empty() && !claims::audience_fits(&token.claims, &self.config.audiences)?
        {
            return Err(Refusal::Audience.problem());
        }
        let role = claims::string(&token.claims, "role")?.unwrap_or(&self.config.default_role).to_owned();
        let times = self.times(token, Nulls::Wrong)?;
        self.principal(token, role, subject(token)?, &times)
    }

    fn check_as_postgrest(
        &self,
        token: &Unverified<'_>,
        rules: &PostgrestRules,
    ) -> Result<Principal, Problem> {
        let times = self.times(token, Nulls::Absent)?;
        if !claims::audience_allows(&token.claims, rules.audience.as_deref())? {
            return Err(Refusal::Audience.problem());
        }
        let role = rules.role_claim.find(&token.claims).or_else(|| rules.default_role.clone());
        let role = role.ok_or_else(|| Refusal::TokenRequired.problem())?;
        let subject = token.claims.get("sub").and_then(Value::as_str).map(Into::into);
        self.principal(token, role, subject, &times)
    }

    fn times(&self, token: &Unverified<'_>, nulls: Nulls) -> Result<Times, Problem> {
        claims::check_times(&token.claims, self.clock.unix_seconds(), self.config.leeway, nulls)
    }

    fn check_external(
        &self,
        token: &Unverified<'_>,
        issuer: &Issuer,
        keys: &KeyRing,
    ) -> Result<Principal, Problem> {
        keys.verify(token)?;
        if !claims::audience_fits(&token.claims, &issuer.config.audiences)? {
            return Err(Refusal::Audience.problem());
        }
        if !token.claims.contains_key("exp") {
            return Err(invalid("a token of an external issuer needs exp"));
        }
        let role = match claims::at_path(&token.claims, &issuer.config.role_claim) {
            None => issuer.config.default_role.clone(),
            Some(role) if issuer.config.roles.iter().any(|allowed| allowed == role) => role.to_owned(),
            Some(_) => return Err(invalid("the issuer may not give this role")),
        };
        let times = self.times(token, Nulls::Wrong)?;
        self.principal(token, role, subject(token)?, &times)
    }

    fn principal(
        &self,
        token: &Unverified<'_>,
        role: String,
        subject: Option<Arc<str>>,
        times: &Times,
    ) -> Result<Principal, Problem> {
        if role.is_empty() || role.contains('\0') {
            return Err(invalid("role is not a role's name"));
        }
        let kind = if role == self.config.anon_role {
            PrincipalKind::Anonymous
        } else if role == self.config.service_role {
            PrincipalKind::Service
        } else {
            PrincipalKind::User
        };
        let claims = claims_text(&token.claims, &token.payload, &role);
        Ok(Principal {
            kind,
            role: role.into(),
            subject,
            claims: claims.into(),
            expires_at: times.expires_at,
            logged_as: OnceLock::new(),
        })
    }
}

fn subject(token: &Unverified<'_>) -> Result<Option<Arc<str>>, Problem> {
    Ok(claims::string(&token.claims, "sub")?.map(Into::into))
}

/// The claims for SQL, always with the effective role; the payload as it stood when it already says so.
fn claims_text(claims: &Map<String, Value>, payload: &str, role: &str) -> String {
    if claims.get("role").and_then(Value::as_str) == Some(role) {
        return payload.to_owned();
    }
    let mut claims = claims.clone();
    claims.insert("role".to_owned(), role.into());
    Value::Object(claims).to_string()
}
