//! The running service: catalog, engine, listeners. Made once the database is up to date.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bedplate_access::Rules;
use bedplate_api::Api;
use bedplate_cache::Cache;
use bedplate_core::Problem;
use bedplate_data::catalog::{self, Loader};
use bedplate_data::{Config as DataConfig, Data};
use bedplate_db::listen::Hub;
use bedplate_db::{Connector, Pool, Pools, system};
use bedplate_http::rate_limit::RateLimits;
use bedplate_http::{
    Access, App, Config as HttpConfig, Health, Listener, Metrics, Mount, Route, Shutdown, StaticFiles,
    health_routes, metrics_route,
};
use bedplate_outgoing::Client;
use bedplate_query::catalog::{Catalog, RoleId};
use bedplate_query::cursor;
use bedplate_settings::Loaded;
use tokio::task::JoinSet;

use super::database::Database;
use super::exporters::Exporters;
use super::identify::{FromHeaders, authenticator};
use super::keys::{Key, Keys};
use super::rest::{Effective, FrontDoor, Surroundings, served_schemas};
use super::{Mode, cache, description, dev_routes, gauges, idempotency, kit, limits, outgoing, statistics};

bedplate_core::codes! {
    /// The address is taken, or may not be used.
    LISTEN_FAILED = "listen_failed", 500, Server, "The server cannot listen", final;
}

/// Plans of large requests take tens of kilobytes; shapes of one app are hundreds, not thousands.
const PLANS: usize = 1_024;
/// Role of the contract that says which roles requests may have.
const GATEKEEPER: &str = "authenticator";
/// How often the contract's daily work is done.
const HOUSEKEEPING: Duration = Duration::from_hours(6);

/// Everything that lives while requests are served.
pub struct Service {
    pub data: Arc<Data>,
    pub loader: Arc<Loader>,
    pub shutdown: Shutdown,
    pub address: SocketAddr,
    pub admin_address: Option<SocketAddr>,
    listeners: Vec<Listener>,
    pools: Pools,
    vital: Pool,
    exporters: Exporters,
    /// Kept for its subscriptions.
    _hub: Option<Hub>,
}

impl Service {
    pub async fn start(
        loaded: &Loaded,
        keys: &Keys,
        database: &Database,
        mode: Mode,
    ) -> Result<Self, Problem> {
        let settings = &loaded.settings;
        let (read, write) = kit::pools(settings);
        let search_path = kit::search_path(settings);
        let pooler = database.api.target().pooler;
        // A pooler's sessions are not ours to set up: there, each transaction sets it.
        let api = if pooler {
            database.api.clone()
        } else {
            let parameters = bedplate_data::session_parameters(&kit::timeouts(settings));
            let target = database.api.target().clone().with_parameter("search_path", &search_path);
            Connector::new(parameters.iter().fold(target, |t, (name, value)| t.with_parameter(name, value)))?
        };
        let vital = Pool::new("vital", api.clone(), kit::vital_pool(settings));
        let pools = Pools::new(api, read, write);
        // LISTEN needs a session of its own, which a transaction pooler does not give: there, polling is what remains.
        let hub = (!database.owner.target().pooler).then(|| Hub::new(database.owner.clone()));
        let rest =
            if settings.rest.enabled { Some(Effective::read(loaded, &database.api).await?) } else { None };
        let schemas = served_schemas(loaded, rest.as_ref());
        let channel = channel(loaded);
        let channels = std::iter::once("bedplate".to_owned()).chain(channel.clone()).collect();
        let options = catalog::Options { schemas, channels, ..catalog::Options::default() };
        let loader = Arc::new(Loader::start(database.owner.clone(), hub.as_ref(), options).await?);
        let rules = Arc::new(rules(loaded));
        let config = DataConfig {
            login: database.api.target().user.clone(),
            gatekeeper: settings.database.contract.then(|| GATEKEEPER.to_owned()),
            limits: kit::query_limits(settings),
            timeouts: kit::timeouts(settings),
            budgets: limits::budgets(settings),
            plan_cache_entries: PLANS,
            explain_refusals: mode == Mode::Dev,
            idempotency: idempotency::config(settings, &database.owner),
            idempotency_required: settings.api.idempotency_required.clone(),
            search_path: pooler.then(|| search_path.clone()),
        };
        let data = Arc::new(Data::new(pools.clone(), rules.clone(), loader.current(), config));
        follow_catalog(&loader, &data);
        if settings.database.contract {
            keep_house(database.owner.clone(), &data);
            idempotency::sweep(database.owner.clone(), &data, settings.api.idempotency_keep);
        }
        if mode == Mode::Serve {
            idempotency::check_required(&data, &loader.current())?;
            cache::check_names(settings, &loader.current())?;
        }

        let shutdown = Shutdown::default();
        let metrics: Arc<Metrics> = Arc::default();
        metrics.register(idempotency::collector(&data));
        metrics.register(gauges::collector(&data, &loader, &vital));
        let shared = cache::cache(settings)?;
        metrics.register(cache::collector(shared.clone()));
        let client = outgoing::client(loaded, mode)?;
        metrics.register(outgoing::collector(client.clone()));
        let exporters = Exporters::start(loaded, &client, &metrics)?;
        let health = Arc::new(health(&vital, shutdown.clone()));
        let rest = match rest {
            Some(effective) => {
                let session_path = (!pooler).then_some(search_path.as_str());
                let api = &database.api;
                let client = &client;
                let around = Surroundings { loaded, keys, rules: &rules, api, client, session_path, mode };
                let door = FrontDoor::new(effective, &around)?;
                let mount = door.mount(&data);
                let told = match (&hub, &channel) {
                    (Some(hub), Some(channel)) => Some(hub.subscribe(channel)?),
                    _ => None,
                };
                door.follow(&loader, told);
                Some(mount)
            }
            None => None,
        };
        let app = public_app(
            loaded,
            keys,
            database,
            mode,
            &data,
            &health,
            &metrics,
            (&client, &exporters),
            &shared,
            &shutdown,
            rest,
        )?;
        let listener = bind(SocketAddr::new(settings.server.host, settings.server.port), app, "server.port")?;
        let address = local(&listener)?;
        let mut service = Self {
            data,
            loader,
            shutdown: shutdown.clone(),
            address,
            admin_address: None,
            listeners: vec![listener],
            pools,
            vital,
            exporters,
            _hub: hub,
        };
        if settings.metrics.enabled {
            let admin = admin_app(loaded, mode, &service.data, &health, &metrics, &shutdown)?;
            let at = SocketAddr::new(settings.server.admin_host, settings.server.admin_port);
            let listener = bind(at, admin, "server.admin_port")?;
            service.admin_address = Some(local(&listener)?);
            service.listeners.push(listener);
        }
        Ok(service)
    }

    /// Accepts connections from now on; ends when the shutdown has run its course.
    pub fn serve(&mut self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for listener in self.listeners.drain(..) {
            tasks.spawn(listener.run());
        }
        tasks
    }

    /// Sends what collectors have not got yet, for a moment at most.
    pub async fn flush(&self) {
        self.exporters.flush().await;
    }

    /// Gives the database's connections back.
    pub fn close(&self) {
        self.pools.close();
        self.vital.close();
    }
}

/// The channel of PostgREST's notifications, where it is listened to.
fn channel(loaded: &Loaded) -> Option<String> {
    let rest = &loaded.settings.rest;
    (!rest.enabled || rest.db_channel_enabled).then(|| rest.db_channel.clone())
}

/// The rules of `[access]`. In dev a refusal explains itself.
pub fn rules(loaded: &Loaded) -> Rules {
    let settings = &loaded.settings;
    let access = &settings.access;
    let overrides = access.schemas.keys().map(|schema| (schema.clone(), access.requires_rls(schema)));
    Rules::new(bedplate_access::Config {
        schemas: Some(settings.database.schemas.clone()),
        require_rls: access.require_rls,
        require_rls_in: overrides.collect(),
        exposed: access.exposed.iter().cloned().collect(),
        views: access.views.iter().cloned().collect(),
        functions: access.functions.iter().cloned().collect(),
        foreign_tables: access.foreign_tables.iter().cloned().collect(),
        aggregates: settings.api.aggregates.iter().cloned().collect(),
    })
}

/// The roles that requests run under, as far as the database has them.
pub fn request_roles(loaded: &Loaded, catalog: &Catalog) -> Vec<RoleId> {
    let auth = &loaded.settings.auth;
    let names = [&auth.anon_role, &auth.authenticated_role, &auth.service_role];
    names.into_iter().chain(&auth.extra_roles).filter_map(|name| catalog.find_role(name)).collect()
}

/// Hands each new catalog to the engine, as long as both live.
fn follow_catalog(loader: &Arc<Loader>, data: &Arc<Data>) {
    let mut newest = loader.subscribe();
    let data = Arc::downgrade(data);
    tokio::spawn(async move {
        while newest.changed().await.is_ok() {
            let catalog = Arc::clone(&newest.borrow_and_update());
            let Some(data) = data.upgrade() else { return };
            data.replace_catalog(catalog);
        }
    });
}

/// The contract's daily work (partitions for the days to come), as long as the engine lives. A failure is tried again at the
/// next turn; there are days to spare.
fn keep_house(owner: Connector, data: &Arc<Data>) {
    let data = Arc::downgrade(data);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(HOUSEKEEPING).await;
            if data.strong_count() == 0 {
                return;
            }
            let done = async {
                let client = system::connect(&owner).await?;
                bedplate_migrate::system::maintain(&client).await.map_err(Problem::from)
            };
            if let Err(problem) = done.await {
                tracing::warn!(%problem, "the contract's daily work could not be done; it is tried again later");
            }
        }
    });
}

#[allow(clippy::too_many_arguments, reason = "this is the place where everything comes together")]
fn public_app(
    loaded: &Loaded,
    keys: &Keys,
    database: &Database,
    mode: Mode,
    data: &Arc<Data>,
    health: &Arc<Health>,
    metrics: &Arc<Metrics>,
    (client, exporters): (&Client, &Exporters),
    shared: &Cache,
    shutdown: &Shutdown,
    rest: Option<Mount>,
) -> Result<Arc<App>, Problem> {
    let settings = &loaded.settings;
    let authenticator = Arc::new(authenticator(loaded, keys, client)?);
    let tracing = exporters.tracing();
    let counts = cache::counts(shared).filter(|_| settings.rate_limit.shared);
    // The one who develops asks faster than any user: a test suite, a page that reloads. Limits of their own are tried as
    // they are written.
    let counted = mode == Mode::Serve || loaded.is_configured("rate_limit");
    let rates = limits::rates(settings).filter(|_| counted);
    let rate_limits = rates.map(|rates| RateLimits { shared: counts, ..rates });
    let config = HttpConfig { rate_limits, tracing, ..kit::http(settings, mode)? };
    let mut builder = App::builder(config)
        .authenticator(Arc::new(FromHeaders(authenticator)))
        .metrics(Arc::clone(metrics))
        .shutdown(shutdown.clone())
        .routes(health_routes(Arc::clone(health)));
    if settings.api.enabled {
        let cursors =
            cursor::Keys::new(&keys.get(Key::Cursor).current, keys.get(Key::Cursor).previous.as_ref())?;
        let config = bedplate_api::Config {
            counts: kit::counts(settings),
            json: kit::body_limits(settings),
            batch: kit::batch_limits(settings),
            require_if_match: settings.api.require_if_match.clone(),
            cache_policies: cache::policies(settings),
        };
        builder = builder.mount(Api::new(Arc::clone(data), cursors, config).mount());
        builder = builder.routes(description::routes(loaded, mode, data)?);
    }
    if let Some(rest) = rest {
        builder = builder.mount(rest);
    }
    if mode == Mode::Dev {
        builder = builder.routes(dev_routes::routes(loaded, keys, database)?);
    }
    let public = loaded.dir.join("public");
    if public.is_dir() {
        let files = StaticFiles::new(&public)
            .map_err(|e| Problem::internal_error(format!("{}: {e}", public.display())))?;
        builder = builder.mount(Mount::new("", &["static"], Access::Public, files));
    }
    builder.build()
}

fn admin_app(
    loaded: &Loaded,
    mode: Mode,
    data: &Arc<Data>,
    health: &Arc<Health>,
    metrics: &Arc<Metrics>,
    shutdown: &Shutdown,
) -> Result<Arc<App>, Problem> {
    let own = [metrics_route(Arc::clone(metrics)), statistics::route(data)];
    let routes: Vec<Route> = health_routes(Arc::clone(health)).into_iter().chain(own).collect();
    App::builder(kit::admin(&loaded.settings, mode)?)
        .metrics(Arc::clone(metrics))
        .shutdown(shutdown.clone())
        .routes(routes)
        .build()
}

/// Ready means: the database answers, on a connection that requests cannot take away.
fn health(vital: &Pool, shutdown: Shutdown) -> Health {
    let vital = vital.clone();
    Health::new(shutdown).check("database", move || {
        let vital = vital.clone();
        async move {
            let mut lease = vital.acquire(None).await.map_err(|_| "no connection to the database")?;
            let answered = lease.inspect(&[]).await;
            answered.map(drop).map_err(|_| "the database does not answer".into())
        }
    })
}

fn bind(address: SocketAddr, app: Arc<App>, setting: &str) -> Result<Listener, Problem> {
    Listener::bind(address, app).map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!("another program listens there; choose a port: --set {setting}=0")
            }
            std::io::ErrorKind::PermissionDenied => {
                format!("ports below 1024 need rights; choose another {setting}")
            }
            _ => format!("check server.host and {setting}"),
        };
        Problem::new(&LISTEN_FAILED).detail(format!("cannot listen on {address}: {error}")).hint(hint)
    })
}

fn local(listener: &Listener) -> Result<SocketAddr, Problem> {
    listener.local_addr().map_err(|e| Problem::internal_error(format!("the listener has no address: {e}")))
}

/// A connection as the owner that a dev route opens when it is asked.
pub async fn owner(connector: &Connector) -> Result<system::Client, Problem> {
    Ok(system::connect(connector).await?)
}
