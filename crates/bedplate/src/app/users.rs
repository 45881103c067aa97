//! The app's users, as far as development needs them: to sign in as one from the command line.

use bedplate_core::Problem;
use bedplate_db::system::Client;
use serde_json::{Value, json};

const FIND: &str = include_str!("../../sql/find_user.sql");
const LIST_NAMES: &str = include_str!("../../sql/list_user_names.sql");

/// A user, as tokens describe one.
#[derive(Debug, Clone)]
pub struct User {
    pub id: String,
    pub email: Option<String>,
    /// Empty when the row names none.
    pub role: String,
    pub audience: String,
    pub app_metadata: Value,
    pub user_metadata: Value,
}

/// The user with this e-mail address or id.
pub async fn find(client: &Client, name: &str) -> Result<Option<User>, Problem> {
    let row = client.query_opt(FIND, &[&name]).await.map_err(bedplate_db::Error::from)?;
    let object = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!({}));
    Ok(row.map(|row| User {
        id: row.get("id"),
        email: row.get("email"),
        role: row.get("role"),
        audience: row.get("aud"),
        app_metadata: object(row.get("app_metadata")),
        user_metadata: object(row.get("user_metadata")),
    }))
}

/// E-mail addresses (or ids) of a few users.
pub async fn list_names(client: &Client) -> Result<Vec<String>, Problem> {
    let rows = client.query(LIST_NAMES, &[]).await.map_err(bedplate_db::Error::from)?;
    Ok(rows.iter().map(|row| row.get("name")).collect())
}

impl User {
    /// The claims of an access token, as Supabase's have them.
    pub fn claims(&self, issuer: &str, default_role: &str, issued_at: i64, lifetime: i64) -> Value {
        let or = |text: &str, otherwise: &str| {
            if text.is_empty() { otherwise.to_owned() } else { text.to_owned() }
        };
        json!({
            "iss": issuer, "sub": self.id, "aud": or(&self.audience, "authenticated"),
            "role": or(&self.role, default_role), "email": self.email, "iat": issued_at, "exp": issued_at + lifetime,
            "app_metadata": self.app_metadata, "user_metadata": self.user_metadata, "aal": "aal1",
            "is_anonymous": false,
        })
    }
}
