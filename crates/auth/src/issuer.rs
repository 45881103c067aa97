//! External issuers (Auth0, Cognito, a Supabase project …) whose keys come from a JWKS address.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwapOption;
use bedplate_core::{Clock, Problem};
use http::Uri;
use tokio::sync::Mutex;

use crate::fetch::{self, Fetcher};
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
    pub jwks_url: String,
    /// One of these must be in `aud`. Never empty: a token for another app of the same issuer is not for us.
    pub audiences: Vec<String>,
    /// Where the role stands in the claims (`role`, `app_metadata.role`, `https://example.com/role`).
    pub role_claim: String,
    /// Roles that this issuer may give; a token that claims another is refused.
    pub roles: Vec<String>,
    /// The role of a token that claims none.
    pub default_role: String,
}

pub(crate) struct Issuer {
    pub config: IssuerConfig,
    address: Uri,
    fetcher: Fetcher,
    keys: ArcSwapOption<KeyRing>,
    /// When the last read began and when the last one succeeded, in Unix seconds.
    tried_at: AtomicI64,
    read_at: AtomicI64,
    reading: Mutex<()>,
    clock: Arc<dyn Clock>,
}

impl Issuer {
    pub fn new(config: IssuerConfig, fetcher: Fetcher, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let address: Uri =
            config.jwks_url.parse().map_err(|_| format!("jwks_url {:?} is not a URL", config.jwks_url))?;
        fetch::check_address(&address).map_err(|e| e.to_string())?;
        if config.issuer.is_empty() || config.audiences.is_empty() {
            return Err("an issuer needs `issuer` and at least one audience".to_owned());
        }
        Ok(Self {
            config,
            address,
            fetcher,
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
        let _one_reader = self.reading.lock().await;
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
        let body = self.fetcher.get(&self.address).await.map_err(|e| e.to_string())?;
        let set: JwkSet = serde_json::from_slice(&body).map_err(|e| format!("not a JWK set: {e}"))?;
        let keys: Vec<_> = set.keys.iter().take(MAX_KEYS).filter_map(crate::jwk::Jwk::verify_key).collect();
        if keys.is_empty() {
            Err("no usable signing key in the set".to_owned())
        } else {
            Ok(KeyRing::new(keys))
        }
    }
}
