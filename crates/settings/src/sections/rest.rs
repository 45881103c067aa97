use bedplate_core::Secret;

use super::{checks, rest_checks};
use crate::field::choices;
use crate::table::section;

choices! {
    /// How transactions of `/rest/v1` end, and whether a request may choose with `Prefer: tx=…`.
    pub enum TxEnd {
        Commit = "commit",
        /// Commit, unless the request says `Prefer: tx=rollback`.
        CommitAllowOverride = "commit-allow-override",
        /// Nothing is ever stored.
        Rollback = "rollback",
        /// Roll back, unless the request says `Prefer: tx=commit`.
        RollbackAllowOverride = "rollback-allow-override",
    }
}

choices! {
    /// What the OpenAPI description at the root of `/rest/v1` shows.
    pub enum OpenApiMode {
        /// What the caller's role may use.
        FollowPrivileges = "follow-privileges",
        /// Everything in the schema.
        IgnorePrivileges = "ignore-privileges",
        /// There is none: the root answers 404.
        Disabled = "disabled",
    }
}

section! {
    /// The PostgREST dialect under `/rest/v1`. The settings have PostgREST's names, with `_` for `-`; where they are not
    /// set, `[database]` and `[auth]` decide. `alter role <login> set pgrst.<name> = '…'` in the database overrides them
    /// (`db_config`).
    pub struct Rest {
        /// Whether it is offered at all.
        enabled: bool = true;
        /// Whether requests may use what PostgREST does not have (conditions across embedded tables, `distinct`, `having`).
        extensions: bool = true;
        /// Schemas that it offers; the first is the default. Not set: `database.schemas`.
        db_schemas: Option<Vec<String>> = None, check(rest_checks::schemas);
        /// Schemas on the search path of requests behind the requested one. Not set: `database.extra_search_path`.
        db_extra_search_path: Option<Vec<String>> = None, check(rest_checks::optional_identifiers);
        /// Role of requests without a token. Not set: `auth.anon_role`; empty or `none`: such requests are refused.
        db_anon_role: Option<String> = None;
        /// Most rows of one answer and of each embedded list; 0: no bound.
        db_max_rows: usize = 1_000, range(0, 1_000_000_000);
        /// Function, as `schema.name`, that is called in each request's transaction before its statement. It may refuse
        /// the request or change its settings.
        db_pre_request: Option<String> = None, check(rest_checks::function);
        /// How transactions end.
        db_tx_end: TxEnd = TxEnd::Commit;
        /// Whether `Accept: application/vnd.pgrst.plan` answers a statement's execution plan. Plans tell of rows that the
        /// caller cannot see.
        db_plan_enabled: bool = false;
        /// Whether aggregates (`count()`, `sum()` …) may be selected.
        db_aggregates_enabled: bool = false;
        /// Function, as `schema.name`, that answers requests to the root instead of the OpenAPI description.
        db_root_spec: Option<String> = None, check(rest_checks::function);
        /// Settings of a called function (`create function … set …`) that hold for the whole transaction.
        db_hoisted_tx_settings: Vec<String> = vec![
            "statement_timeout".into(), "plan_filter.statement_cost_limit".into(), "default_transaction_isolation".into(),
        ];
        /// Whether settings in the database (`alter role <login> set pgrst.…`) override these.
        db_config: bool = true;
        /// Function, as `schema.name`, that sets `pgrst.…` settings when the configuration is read; those of the role win.
        db_pre_config: Option<String> = None, check(rest_checks::function);
        /// Notification channel on which `reload schema` and `reload config` are heard.
        db_channel: String = "pgrst".into(), check(checks::identifier);
        /// Whether that channel is listened to. Changes of the schema are noticed all the same.
        db_channel_enabled: bool = true;
        /// What the OpenAPI description shows.
        openapi_mode: OpenApiMode = OpenApiMode::FollowPrivileges;
        /// Whether the OpenAPI description says that a token is needed.
        openapi_security_active: bool = false;
        /// Base URL in the OpenAPI description, such as `https://example.com/rest/v1`.
        openapi_server_proxy_uri: Option<String> = None, check(rest_checks::proxy_uri);
        /// Whether tokens and API keys are accepted. `false`: all requests are anonymous, and one with a token is refused
        /// (500, PGRST300).
        jwt_enabled: bool = true;
        /// What tokens are verified with: an HS256 secret of at least 32 bytes, or a JSON Web Key (set) as JSON. Not set:
        /// the keys of `[auth]`, API keys included.
        jwt_secret: Option<Secret> = None;
        /// Whether `jwt_secret` is in Base64.
        jwt_secret_is_base64: bool = false;
        /// Demanded `aud` of tokens that name one. Not set: `auth.audience`.
        jwt_aud: Option<String> = None;
        /// Where in the token the role stands: `.role`, `.app."a-b"[0]`, or with a filter at the end as in
        /// `.roles[?(@ ^== "app_")]`.
        jwt_role_claim_key: String = ".role".into(), check(rest_checks::claim_path);
        /// Verified tokens kept in memory; 0: none. Not set: `auth.token_cache_entries`.
        jwt_cache_max_entries: Option<usize> = None, range(Some(0), Some(1_000_000));
        /// Whether answers carry `Server-Timing`.
        server_timing_enabled: bool = false;
        /// Request header that is sent back as it came, for tracing.
        server_trace_header: Option<String> = None, check(rest_checks::header);
        /// Origins that browsers may call from; `*` for any. Not set: `server.cors_origins`.
        server_cors_allowed_origins: Option<Vec<String>> = None, check(rest_checks::origins);
        texts {
            /// Texts that SQL finds in `current_setting('app.settings.<name>')`. Every caller's SQL functions can read them.
            app_settings;
        }
    }
}

impl Rest {
    /// The names that [`set_in_database`](Self::set_in_database) takes.
    pub const DATABASE_NAMES: &[&str] = &[
        "db_aggregates_enabled",
        "db_anon_role",
        "db_extra_search_path",
        "db_hoisted_tx_settings",
        "db_max_rows",
        "db_plan_enabled",
        "db_pre_config",
        "db_pre_request",
        "db_root_spec",
        "db_schemas",
        "db_tx_end",
        "jwt_aud",
        "jwt_role_claim_key",
        "jwt_secret",
        "jwt_secret_is_base64",
        "openapi_mode",
        "openapi_security_active",
        "openapi_server_proxy_uri",
        "server_cors_allowed_origins",
        "server_timing_enabled",
        "server_trace_header",
    ];

    /// Sets one value from PostgreSQL's text of `pgrst.<name>`, by PostgREST's rules for texts. `Ok(false)`: such a
    /// setting is not among those that the database may override.
    ///
    /// # Errors
    /// What is expected, to complete the sentence "pgrst.<name>: …".
    pub fn set_in_database(&mut self, name: &str, text: &str) -> Result<bool, String> {
        match name {
            "db_aggregates_enabled" => self.db_aggregates_enabled = boolean(text)?,
            "db_anon_role" => self.db_anon_role = Some(text.to_owned()),
            "db_extra_search_path" => {
                self.db_extra_search_path = optional(list(text), rest_checks::optional_identifiers)?;
            }
            "db_max_rows" => self.db_max_rows = number(text)?,
            "db_plan_enabled" => self.db_plan_enabled = boolean(text)?,
            "db_pre_request" => self.db_pre_request = checked(named(text), rest_checks::function)?,
            "db_root_spec" => self.db_root_spec = checked(named(text), rest_checks::function)?,
            "db_pre_config" => self.db_pre_config = checked(named(text), rest_checks::function)?,
            "db_schemas" => self.db_schemas = optional(list(text), rest_checks::schemas)?,
            "db_tx_end" => self.db_tx_end = TxEnd::from_text(text)?,
            "db_hoisted_tx_settings" => self.db_hoisted_tx_settings = list(text),
            "jwt_aud" => self.jwt_aud = named(text),
            "jwt_role_claim_key" => {
                self.jwt_role_claim_key = checked(text.to_owned(), rest_checks::claim_path)?;
            }
            "jwt_secret" => self.jwt_secret = named(text).map(Secret::new),
            "jwt_secret_is_base64" => self.jwt_secret_is_base64 = boolean(text)?,
            "openapi_mode" => self.openapi_mode = OpenApiMode::from_text(text)?,
            "openapi_security_active" => self.openapi_security_active = boolean(text)?,
            "openapi_server_proxy_uri" => {
                self.openapi_server_proxy_uri = checked(named(text), rest_checks::proxy_uri)?;
            }
            "server_cors_allowed_origins" => {
                self.server_cors_allowed_origins = optional(list(text), rest_checks::origins)?;
            }
            "server_trace_header" => self.server_trace_header = checked(named(text), rest_checks::header)?,
            "server_timing_enabled" => self.server_timing_enabled = boolean(text)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// At commas, without the space around them.
fn list(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { text.split(',').map(|item| item.trim().to_owned()).collect() }
}

fn named(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn optional(
    items: Vec<String>,
    check: fn(&Option<Vec<String>>) -> Result<(), String>,
) -> Result<Option<Vec<String>>, String> {
    checked(Some(items), check)
}

fn checked<T>(value: T, check: fn(&T) -> Result<(), String>) -> Result<T, String> {
    check(&value).map(|()| value)
}

/// `true` and `false` in any case, quotes allowed around them; of numbers those above 0 are true.
fn boolean(text: &str) -> Result<bool, String> {
    let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect();
    match letters.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => text
            .trim()
            .parse::<i64>()
            .map(|n| n > 0)
            .map_err(|_| format!("expected true or false, got `{text}`")),
    }
}

/// Empty is no bound, as 0 is.
fn number(text: &str) -> Result<usize, String> {
    if text.is_empty() {
        Ok(0)
    } else {
        text.trim().parse().map_err(|_| format!("expected a number, got `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_database_are_read_as_postgrest_reads_them() {
        let mut rest = Rest::default();
        for (name, text) in [
            ("db_schemas", "multi, tenant,setup"),
            ("db_extra_search_path", ""),
            ("db_max_rows", "100"),
            ("db_plan_enabled", "'True'"),
            ("db_aggregates_enabled", "1"),
            ("db_tx_end", "rollback-allow-override"),
            ("db_pre_request", "test.custom_headers"),
            ("openapi_mode", "ignore-privileges"),
            ("jwt_role_claim_key", ".\"a\".\"role\""),
        ] {
            assert_eq!(rest.set_in_database(name, text), Ok(true), "{name}");
        }
        assert_eq!(rest.db_schemas.as_deref().unwrap(), ["multi", "tenant", "setup"]);
        assert_eq!(rest.db_extra_search_path.as_deref(), Some(&[][..]));
        assert_eq!(rest.db_max_rows, 100);
        assert!(rest.db_plan_enabled && rest.db_aggregates_enabled);
        assert_eq!(rest.db_tx_end, TxEnd::RollbackAllowOverride);
        assert_eq!(rest.db_pre_request.as_deref(), Some("test.custom_headers"));
        assert_eq!(rest.openapi_mode, OpenApiMode::IgnorePrivileges);
    }

    #[test]
    fn what_cannot_be_used_is_refused_and_changes_nothing() {
        let mut rest = Rest::default();
        for (name, text) in [
            ("db_schemas", ""),
            ("db_max_rows", "many"),
            ("db_plan_enabled", "perhaps"),
            ("db_tx_end", "never"),
            ("jwt_role_claim_key", "role"),
            ("openapi_server_proxy_uri", "example.com"),
            ("server_cors_allowed_origins", "example.com"),
        ] {
            assert!(rest.set_in_database(name, text).is_err(), "{name}");
        }
        assert_eq!(rest.set_in_database("db_uri", "postgres://x"), Ok(false));
        assert_eq!(rest, Rest::default());
    }
}
