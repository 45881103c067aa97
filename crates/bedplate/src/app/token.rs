//! Short-lived tokens for seeded users, in development.

use std::time::Duration;

use bedplate_auth::mint::SigningKey;
use bedplate_core::{Clock, Problem, SystemClock};
use bedplate_settings::Loaded;

use super::keys::{Key, Keys, key_id};
use super::users::User;

/// How long a minted token is good.
pub const LIFETIME: Duration = Duration::from_hours(1);

/// Signs tokens as an auth server of this project would.
pub struct Minter {
    key: SigningKey,
    issuer: String,
    audience: Option<String>,
    default_role: String,
}

impl Minter {
    pub fn new(loaded: &Loaded, keys: &Keys) -> Result<Self, Problem> {
        let settings = &loaded.settings;
        let signing = &keys.get(Key::Signing).current;
        let own = || format!("http://{}:{}", settings.server.host, settings.server.port);
        Ok(Self {
            key: SigningKey::es256(&key_id(signing)?, signing)?,
            issuer: settings
                .auth
                .issuer
                .clone()
                .or_else(|| settings.server.public_url.clone())
                .unwrap_or_else(own),
            audience: settings.auth.audience.first().cloned(),
            default_role: settings.auth.authenticated_role.clone(),
        })
    }

    pub fn mint(&self, user: &User) -> Result<String, Problem> {
        self.mint_for(user, LIFETIME)
    }

    /// A token that is valid for so long from now.
    pub fn mint_for(&self, user: &User, lifetime: Duration) -> Result<String, Problem> {
        let now = SystemClock.unix_seconds();
        let mut claims = user.claims(&self.issuer, &self.default_role, now, lifetime.as_secs() as i64);
        if let Some(audience) = &self.audience {
            claims["aud"] = audience.as_str().into();
        }
        self.key.sign(&claims)
    }
}
