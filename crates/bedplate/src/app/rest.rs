//! `/rest/v1`: its settings from the configuration and from the database, and the front door made from them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bedplate_access::{Dialect, Rules};
use bedplate_auth::Authenticator;
use bedplate_core::Problem;
use bedplate_data::catalog::Loader;
use bedplate_data::{Data, Door, PreRequest};
use bedplate_db::listen::{Event, Subscription};
use bedplate_db::{Connector, system};
use bedplate_http::SharedCors;
use bedplate_outgoing::Client;
use bedplate_query::ident::Ident;
use bedplate_query::limits::Limits;
use bedplate_query::validate::body;
use bedplate_settings::Loaded;
use bedplate_settings::sections::{OpenApiMode, Rest as Settings, TxEnd};
use bedplate_supabase::config::{self, Config, Function, TransactionEnd};
use http::HeaderName;

use super::database::API_LOGIN;
use super::identify::{self, Replaceable};
use super::keys::Keys;
use super::{Mode, kit};

bedplate_core::codes! {
    /// A setting of `/rest/v1` cannot be used.
    REST_SETTINGS_INVALID = "rest_settings_invalid", 500, Server, "The settings of /rest/v1 cannot be used", final;
}

const ROLE_SETTINGS: &str = include_str!("../../sql/rest_settings.sql");
const PRE_CONFIG_SETTINGS: &str = include_str!("../../sql/rest_pre_config.sql");
const TIMEZONES: &str = include_str!("../../sql/timezones.sql");

const PREFIX: &str = "pgrst.";

/// The settings that hold now, those of the database included.
#[derive(Debug, Clone)]
pub struct Effective {
    pub settings: Settings,
    timezones: Arc<[String]>,
}

impl Effective {
    /// Reads what the database says, as the login of requests.
    pub async fn read(loaded: &Loaded, api: &Connector) -> Result<Self, Problem> {
        let mut client = system::connect(api).await?;
        let settings = Self::settings(loaded, &mut client, &api.target().user).await?;
        let rows = client.query(TIMEZONES, &[]).await.map_err(bedplate_db::Error::from)?;
        Ok(Self { settings, timezones: rows.iter().map(|row| row.get(0)).collect() })
    }

    /// What the database says now. Time zones come with the server's software and are not read again.
    async fn read_again(&self, loaded: &Loaded, api: &Connector) -> Result<Self, Problem> {
        let mut client = system::connect(api).await?;
        let settings = Self::settings(loaded, &mut client, &api.target().user).await?;
        Ok(Self { settings, timezones: Arc::clone(&self.timezones) })
    }

    /// A setting of the database that cannot be used keeps the value of the configuration and is told in the log.
    async fn settings(
        loaded: &Loaded,
        client: &mut system::Client,
        login: &str,
    ) -> Result<Settings, Problem> {
        let mut settings = loaded.settings.rest.clone();
        if settings.db_config {
            // Where the contract is, `authenticator` stands for whoever logs in, as it does for roles.
            let logins: &[&str] =
                if loaded.settings.database.contract { &[API_LOGIN, login] } else { &[login] };
            for (name, text) in in_database(client, &settings, logins).await? {
                match settings.set_in_database(&name, &text) {
                    Ok(true) => tracing::debug!(setting = name, "pgrst setting taken from the database"),
                    Ok(false) => {
                        tracing::debug!(setting = name, "pgrst setting is not one that is read here");
                    }
                    Err(why) => tracing::error!("pgrst.{name} in the database cannot be used: {why}"),
                }
            }
        }
        Ok(settings)
    }

    /// The exposed schemas.
    pub fn schemas<'a>(&'a self, loaded: &'a Loaded) -> &'a [String] {
        self.settings.db_schemas.as_ref().unwrap_or(&loaded.settings.database.schemas)
    }

    /// What the front door runs with. `session_path` is the search path of the connections, where it is theirs.
    pub fn config(
        &self,
        loaded: &Loaded,
        rules: &Rules,
        session_path: Option<&str>,
    ) -> Result<Config, Problem> {
        let server = &loaded.settings.server;
        let address = format!("{}:{}", server.host, server.port);
        let rest = &self.settings;
        let schemas = self.schemas(loaded).to_vec();
        let extra = rest.db_extra_search_path.as_ref().unwrap_or(&loaded.settings.database.extra_search_path);
        let path = |schema: &String| {
            let path = kit::name_list(std::iter::once(schema).chain(extra));
            (session_path != Some(path.as_str())).then_some(path)
        };
        let max_rows = (rest.db_max_rows > 0).then_some(rest.db_max_rows as u64);
        let trace_header = rest.server_trace_header.as_deref().map(HeaderName::try_from).transpose();
        Ok(Config {
            search_paths: schemas.iter().map(path).collect(),
            extra_search_path: extra.clone(),
            schemas,
            transaction: transaction(rest.db_tx_end),
            extensions: rest.extensions,
            root_spec: rest.db_root_spec.as_deref().map(Function::parse),
            plans: rest.db_plan_enabled,
            max_rows,
            openapi: openapi(rest, &address),
            server_timing: rest.server_timing_enabled,
            trace_header: trace_header.map_err(|e| invalid(format!("server_trace_header: {e}")))?,
            counts: kit::counts(&loaded.settings).map(|policy| config::Counts {
                exact: policy.exact,
                planned: policy.planned,
                estimated: policy.estimated,
            }),
            json: bulk_json(kit::body_limits(&loaded.settings)),
            timezones: Arc::clone(&self.timezones),
            door: self.door(loaded, rules, max_rows),
        })
    }

    fn door(&self, loaded: &Loaded, rules: &Rules, max_rows: Option<u64>) -> Door {
        let rest = &self.settings;
        let most = max_rows.unwrap_or(u64::MAX);
        let platform = kit::query_limits(&loaded.settings);
        let limits = Limits {
            page_default: most,
            page_max: most,
            embed_rows_max: most,
            write_rows: platform.write_rows.saturating_mul(BULK),
            ..platform
        };
        let offered = Some(self.schemas(loaded).to_vec());
        let rules = Rules::new(bedplate_access::Config { schemas: offered, ..rules.config().clone() });
        let mut door = Door::new(Arc::new(Dialect::new(rules, rest.db_aggregates_enabled)), limits);
        door.hoisted =
            Some(rest.db_hoisted_tx_settings.iter().map(|name| name.to_ascii_lowercase()).collect());
        door.settings = rest
            .app_settings
            .iter()
            .map(|(name, text)| (format!("app.settings.{name}"), text.clone()))
            .collect();
        door.pre_request = rest.db_pre_request.as_deref().map(|text| {
            let function = Function::parse(text);
            PreRequest::new(function.schema.as_deref(), &function.name)
        });
        door.responses = true;
        door
    }
}

/// Supabase's clients insert whole lists in one request: their bodies may hold that many times as many rows and keys as
/// those of `/api/v1`. Their size in bytes is bounded alike.
const BULK: usize = 10;

fn bulk_json(limits: body::Limits) -> body::Limits {
    body::Limits {
        keys: limits.keys.saturating_mul(BULK),
        items: limits.items.saturating_mul(BULK),
        ..limits
    }
}

fn invalid(detail: String) -> Problem {
    Problem::new(&REST_SETTINGS_INVALID).detail(detail).hint("correct [rest] in bedplate.toml")
}

fn transaction(end: TxEnd) -> TransactionEnd {
    let (rollback, allow_override) = match end {
        TxEnd::Commit => (false, false),
        TxEnd::CommitAllowOverride => (false, true),
        TxEnd::Rollback => (true, false),
        TxEnd::RollbackAllowOverride => (true, true),
    };
    TransactionEnd { rollback, allow_override }
}

fn openapi(rest: &Settings, address: &str) -> config::OpenApi {
    config::OpenApi {
        mode: match rest.openapi_mode {
            OpenApiMode::FollowPrivileges => config::OpenApiMode::FollowPrivileges,
            OpenApiMode::IgnorePrivileges => config::OpenApiMode::IgnorePrivileges,
            OpenApiMode::Disabled => config::OpenApiMode::Disabled,
        },
        security_active: rest.openapi_security_active,
        proxy_uri: rest.openapi_server_proxy_uri.clone(),
        address: address.to_owned(),
    }
}

/// The settings of the database, the strongest last: the pre-config function's, the login's, the login's in this database.
async fn in_database(
    client: &mut system::Client,
    settings: &Settings,
    logins: &[&str],
) -> Result<Vec<(String, String)>, Problem> {
    let mut found = Vec::new();
    if let Some(function) = &settings.db_pre_config {
        found = pre_config(client, &Function::parse(function)).await?;
    }
    let rows = client.query(ROLE_SETTINGS, &[&logins]).await.map_err(bedplate_db::Error::from)?;
    found.extend(rows.iter().map(|row| (row.get::<_, String>(0), row.get(1))));
    for (name, _) in &mut found {
        *name = name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
    }
    Ok(found)
}

/// Calls the function in a transaction of its own, whose settings end with it.
async fn pre_config(
    client: &mut system::Client,
    function: &Function,
) -> Result<Vec<(String, String)>, Problem> {
    let mut call = String::from("select ");
    if let Some(schema) = &function.schema {
        Ident::from_catalog(schema).push_quoted(&mut call);
        call.push('.');
    }
    Ident::from_catalog(&function.name).push_quoted(&mut call);
    call.push_str("()");
    let names: Vec<String> = Settings::DATABASE_NAMES.iter().map(|name| format!("{PREFIX}{name}")).collect();
    let read = async {
        let transaction = client.transaction().await?;
        transaction.batch_execute(&call).await?;
        let rows = transaction.query(PRE_CONFIG_SETTINGS, &[&names]).await?;
        transaction.commit().await?;
        Ok::<_, tokio_postgres::Error>(rows)
    };
    let rows = read.await.map_err(bedplate_db::Error::from)?;
    Ok(rows.iter().map(|row| (row.get::<_, String>(0), row.get(1))).collect())
}

/// What of the front door follows the settings.
#[derive(Clone)]
struct Parts {
    config: Arc<ArcSwap<Config>>,
    authenticator: Arc<ArcSwap<Authenticator>>,
    cors: SharedCors,
}

/// The front door, and what is needed to make it anew when the settings in the database change.
pub struct FrontDoor {
    loaded: Loaded,
    keys: Keys,
    rules: Arc<Rules>,
    api: Connector,
    client: Client,
    /// The search path of the connections, where it is theirs.
    session_path: Option<String>,
    mode: Mode,
    effective: Effective,
    parts: Parts,
}

/// What [`FrontDoor::new`] takes from the service.
pub struct Surroundings<'a> {
    pub loaded: &'a Loaded,
    pub keys: &'a Keys,
    pub rules: &'a Arc<Rules>,
    pub api: &'a Connector,
    pub client: &'a Client,
    pub session_path: Option<&'a str>,
    pub mode: Mode,
}

impl FrontDoor {
    pub fn new(effective: Effective, around: &Surroundings<'_>) -> Result<Self, Problem> {
        let Surroundings { loaded, keys, rules, api, client, session_path, mode } = *around;
        let config = effective.config(loaded, rules, session_path)?;
        let authenticator = identify::rest(loaded, &effective.settings, keys, client)?;
        let parts = Parts {
            config: Arc::new(ArcSwap::from_pointee(config)),
            authenticator: Arc::new(ArcSwap::from_pointee(authenticator)),
            cors: SharedCors::new(&kit::rest_cors(&loaded.settings, &effective.settings, mode))?,
        };
        Ok(Self {
            loaded: loaded.clone(),
            keys: keys.clone(),
            rules: Arc::clone(rules),
            api: api.clone(),
            client: client.clone(),
            session_path: session_path.map(str::to_owned),
            mode,
            effective,
            parts,
        })
    }

    pub fn mount(&self, data: &Arc<Data>) -> bedplate_http::Mount {
        bedplate_supabase::Rest::new(Arc::clone(data), Arc::clone(&self.parts.config))
            .mount()
            .authenticator(Arc::new(Replaceable(Arc::clone(&self.parts.authenticator))))
            .cors(self.parts.cors.clone())
    }

    /// Reads the settings again whenever the database says that they changed, as long as the loader lives: told on the
    /// channel, or by a catalog in which the login's settings may be others.
    pub fn follow(mut self, loader: &Arc<Loader>, mut told: Option<Subscription>) {
        let mut catalogs = loader.subscribe();
        let loader = Arc::downgrade(loader);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    changed = catalogs.changed() => if changed.is_err() { return },
                    () = asked(&mut told) => {}
                }
                let Some(loader) = loader.upgrade() else { return };
                if let Err(problem) = self.update(&loader).await {
                    tracing::error!(%problem, "the settings of /rest/v1 could not be renewed; the last ones stay in use");
                }
            }
        });
    }

    async fn update(&mut self, loader: &Loader) -> Result<(), Problem> {
        let effective = self.effective.read_again(&self.loaded, &self.api).await?;
        if effective.settings == self.effective.settings {
            return Ok(());
        }
        let rest = &effective.settings;
        // All of it is made before any of it is used.
        let config = effective.config(&self.loaded, &self.rules, self.session_path.as_deref())?;
        let authenticator = identify::rest(&self.loaded, rest, &self.keys, &self.client)?;
        let cors = kit::rest_cors(&self.loaded.settings, rest, self.mode);
        if effective.schemas(&self.loaded) != self.effective.schemas(&self.loaded) {
            loader.set_schemas(served_schemas(&self.loaded, Some(&effective)));
            loader.reload().await?;
        }
        self.parts.cors.replace(&cors)?;
        self.parts.authenticator.store(Arc::new(authenticator));
        self.parts.config.store(Arc::new(config));
        self.effective = effective;
        tracing::info!("the settings of /rest/v1 in the database have changed and are in use");
        Ok(())
    }
}

/// Waits for `reload config`, for a notification without a text, or for a reason to believe that one was missed.
async fn asked(told: &mut Option<Subscription>) {
    let Some(subscription) = told else { return std::future::pending().await };
    loop {
        match subscription.next().await {
            Some(Event::Resync) => return,
            Some(Event::Notified { payload })
                if payload.is_empty() || payload.starts_with("reload config") =>
            {
                return;
            }
            Some(Event::Notified { .. }) => {}
            None => break,
        }
    }
    *told = None;
    std::future::pending::<()>().await;
}

/// What front doors serve in all: those of `/api/v1` first, so that its names are looked up there first.
pub fn served_schemas(loaded: &Loaded, rest: Option<&Effective>) -> Vec<String> {
    let mut schemas = loaded.settings.database.schemas.clone();
    for schema in rest.map_or(&[][..], |rest| rest.schemas(loaded)) {
        if !schemas.contains(schema) {
            schemas.push(schema.clone());
        }
    }
    schemas
}
