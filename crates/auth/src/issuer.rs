//! External issuers (Auth0, Cognito, a Supabase project …) whose keys come from a JWKS address.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwapOption;
use bedplate_core::{Clock, Problem};
use bedplate_outgoing::{Client, Target};
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::fetch;
use crate::jwk::JwkSet;
use crate::keys::KeyRing;
use crate::problems::KEYS_UNAVAILABLE;

/// How long a key set is used before it is read again, in seconds.
const FRESH: i64 = 600;
/// The least time between two reads, in seconds: unknown key ids cannot make us hammer the issuer.
const PAUSE: i64 = 30;
/// The most keys taken from one set.
const MAX_KEYS: usize = 100;

/// What an operator says of an issuer.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// Compared with `iss` as an exact string (OpenID Connect Core §3.1.3.7).
    pub issuer: String,
    /// Where the keys are; `None`: read from `<issuer>/.well-known/openid-configuration` (OpenID Connect Discovery §4).
    pub jwks_url: Option<String>,
    /// Names of the algorithms that its keys may be used with: `ES256`, `RS256`, `EdDSA`.
    pub algorithms: Vec<String>,
    /// One of these must be in `aud`. Never empty: a token for another app of the same issuer is not for us.
    pub audiences: Vec<String>,
    /// Where the role stands in the claims (`role`, `app_metadata.role`, `https://example.com/role`).
    pub role_claim: String,
    /// Roles that this issuer may give; a token that claims another is refused.
    pub roles: Vec<String>,
    /// The role of a token that claims none.
    pub default_role: String,
}

/// Where to learn the keys.
enum Source {
    Keys(Target),
    Discovery(Target),
}

/// What is needed of a discovery document.
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

pub(crate) struct Issuer {
    pub config: IssuerConfig,
    source: Source,
    client: Client,
    keys: ArcSwapOption<KeyRing>,
    /// When the last read began and when the last one succeeded, in Unix seconds.
    tried_at: AtomicI64,
    read_at: AtomicI64,
    reading: Mutex<()>,
    clock: Arc<dyn Clock>,
}

impl Issuer {
    pub fn new(config: IssuerConfig, client: Client, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let source = match &config.jwks_url {
            Some(url) => Source::Keys(address(url)?),
            None => {
                let url = format!("{}/.well-known/openid-configuration", config.issuer.trim_end_matches('/'));
                Source::Discovery(address(&url)?)
            }
        };
        if config.issuer.is_empty() || config.audiences.is_empty() {
            return Err("an issuer needs `issuer` and at least one audience".to_owned());
        }
        Ok(Self {
            config,
            source,
            client,
            keys: ArcSwapOption::empty(),
            tried_at: AtomicI64::new(i64::MIN),
            read_at: AtomicI64::new(i64::MIN),
            reading: Mutex::new(()),
            clock,
        })
    }

    /// The keys, when they are fresh and know `kid`; otherwise [`Issuer::read`] has to be awaited.
    pub fn keys_now(&self, kid: Option<&str>) -> Option<Arc<KeyRing>> {
        let now = self.clock.unix_seconds();
        let keys = self.keys.load_full()?;
        let may_read = now.saturating_sub(self.tried_at.load(Ordering::Acquire)) >= PAUSE;
        let fresh = now.saturating_sub(self.read_at.load(Ordering::Acquire)) < FRESH;
        // While a read is not allowed yet, what we have must do.
        (!may_read || (fresh && keys.knows(kid))).then_some(keys)
    }

    /// Reads the key set unless somebody just did. Keys that were read before stay in use when the issuer is down.
    pub async fn read(&self, kid: Option<&str>) -> Result<Arc<KeyRing>, Problem> {
        // One asks; who can do with the keys that we have does not wait for it, so that an issuer that is slow or down does
        // not hold up its users.
        let known = self.keys.load_full().filter(|keys| keys.knows(kid));
        let _one_reader = match (self.reading.try_lock(), known) {
            (Ok(reader), _) => reader,
            (Err(_), Some(keys)) => return Ok(keys),
            (Err(_), None) => self.reading.lock().await,
        };
        if let Some(keys) = self.keys_now(kid) {
            return Ok(keys);
        }
        let now = self.clock.unix_seconds();
        let too_soon = now.saturating_sub(self.tried_at.load(Ordering::Acquire)) < PAUSE;
        if !too_soon {
            self.tried_at.store(now, Ordering::Release);
            match self.fetch().await {
                Ok(ring) => {
                    self.keys.store(Some(Arc::new(ring)));
                    self.read_at.store(now, Ordering::Release);
                }
                Err(why) => {
                    tracing::warn!(issuer = %self.config.issuer, %why, "cannot read the issuer's keys");
                }
            }
        }
        self.keys.load_full().ok_or_else(|| {
            Problem::new(&KEYS_UNAVAILABLE)
                .retry_after(std::time::Duration::from_secs(PAUSE as u64))
                .internal(format!("no key set of {} could be read yet", self.config.issuer))
        })
    }

    async fn fetch(&self) -> Result<KeyRing, String> {
        let body = match &self.source {
            Source::Keys(target) => self.get(target).await?,
            Source::Discovery(target) => self.get(&self.discover(target).await?).await?,
        };
        let set: JwkSet = serde_json::from_slice(&body).map_err(|e| format!("not a JWK set: {e}"))?;
        let keys = set.keys.iter().take(MAX_KEYS).filter_map(crate::jwk::Jwk::verify_key);
        let keys: Vec<_> = keys
            .filter(|key| self.config.algorithms.iter().any(|name| name == key.algorithm_name()))
            .collect();
        if keys.is_empty() {
            Err("no usable signing key in the set".to_owned())
        } else {
            Ok(KeyRing::new(keys))
        }
    }

    /// The document must be about this issuer. The address that it names is a stranger's, unless it is on the issuer's own
    /// host: whoever can change the document must not lead us into a private network.
    async fn discover(&self, target: &Target) -> Result<Target, String> {
        let found: Discovered = serde_json::from_slice(&self.get(target).await?)
            .map_err(|e| format!("not a discovery document: {e}"))?;
        if found.issuer != self.config.issuer {
            return Err(format!("the discovery document is about another issuer: {:?}", found.issuer));
        }
        let keys =
            target.named_by_answer(&found.jwks_uri).map_err(|e| format!("{:?}: {e}", found.jwks_uri))?;
        fetch::check(keys)
    }

    async fn get(&self, target: &Target) -> Result<Bytes, String> {
        fetch::get(&self.client, target).await.map_err(|why| format!("{target}: {why}"))
    }
}

fn address(url: &str) -> Result<Target, String> {
    fetch::check(Target::configured(url).map_err(|e| format!("{url:?}: {e}"))?)
}
