//! The settings as the HTTP kit, the query engine and the pools take them.

use std::time::Duration;

use bedplate_api::CountPolicy;
use bedplate_core::Problem;
use bedplate_data::Timeouts;
use bedplate_db::pool;
use bedplate_http::config::{
    Compression, Config, Cors, CorsManner, ErrorFormat, ForwardedHeader, Limits, SqlHeaders,
    Timeouts as HttpTimeouts,
};
use bedplate_query::ident::Ident;
use bedplate_query::limits::Limits as QueryLimits;
use bedplate_settings::sections::{
    Count, ErrorFormat as Format, ForwardedHeader as Forwarded, Rest, Settings,
};

use super::Mode;

pub fn http(settings: &Settings, mode: Mode) -> Result<Config, Problem> {
    let server = &settings.server;
    let dev = mode == Mode::Dev;
    let proxies = server.trusted_proxies.iter().map(|network| network.to_string().parse());
    Ok(Config {
        limits: limits(settings),
        timeouts: HttpTimeouts {
            head: server.head_timeout,
            keep_alive: server.keep_alive,
            body_gap: server.body_gap,
            body_total: server.body_timeout,
            request: server.request_deadline,
            write_idle: server.write_timeout,
            pre_drain: if dev { Duration::ZERO } else { server.pre_drain },
            idle_drain: if dev { Duration::ZERO } else { HttpTimeouts::default().idle_drain },
            grace: server.shutdown_grace,
        },
        cors: cors(settings, mode),
        error_format: match settings.api.error_format {
            Format::Problem => ErrorFormat::Problem,
            Format::Envelope => ErrorFormat::Envelope,
        },
        compression: Compression {
            enabled: server.compression,
            min_bytes: server.compression_min.as_usize(),
            ..Compression::default()
        },
        // In dev only local names are answered (DNS rebinding); in production what is listed, or any.
        allowed_hosts: (dev || !server.allowed_hosts.is_empty()).then(|| server.allowed_hosts.clone()),
        allow_addresses: false,
        trusted_proxies: proxies.collect::<Result<_, _>>()?,
        forwarded_header: match server.forwarded_header {
            Forwarded::XForwardedFor => ForwardedHeader::XForwardedFor,
            Forwarded::Forwarded => ForwardedHeader::Forwarded,
        },
        https: server.public_url.as_deref().is_some_and(|url| url.starts_with("https://")),
        server_timing: dev,
        access_log: true,
        access_lines: super::telemetry::json_lines(),
        redactor: bedplate_core::redact::Redactor { emails: settings.log.redact_emails },
        sql_headers: if settings.api.request_headers.iter().any(|h| h == "*") {
            SqlHeaders::All
        } else {
            SqlHeaders::Listed(settings.api.request_headers.clone())
        },
        rate_limits: None,
        tracing: None,
    })
}

/// Who may call `/rest/v1` from a browser: as the whole server, unless `[rest]` says otherwise. Then it is as with
/// PostgREST, whose clients' headers are not known beforehand.
pub fn rest_cors(settings: &Settings, rest: &Rest, mode: Mode) -> Cors {
    let Some(origins) = &rest.server_cors_allowed_origins else { return cors(settings, mode) };
    let any = origins.iter().any(|origin| origin == "*");
    Cors {
        origins: if any { Vec::new() } else { origins.clone() },
        any,
        localhost: mode == Mode::Dev,
        credentials: !any,
        manner: CorsManner::Postgrest,
        max_age: Duration::from_hours(24),
    }
}

fn cors(settings: &Settings, mode: Mode) -> Cors {
    let server = &settings.server;
    Cors {
        origins: server.cors_origins.clone(),
        localhost: mode == Mode::Dev,
        credentials: server.cors_credentials,
        ..Cors::default()
    }
}

fn limits(settings: &Settings) -> Limits {
    let (server, limits) = (&settings.server, &settings.limits);
    Limits {
        head_bytes: limits.head_bytes.as_usize(),
        headers: limits.header_count,
        url_bytes: limits.url_bytes.as_usize(),
        body_bytes: limits.body_bytes.as_usize(),
        in_flight: server.max_in_flight,
        connections: server.max_connections,
        files_kept: files_kept(settings),
        connections_per_address: server.connections_per_address,
        ..Limits::default()
    }
}

/// What is open beside connections to the API: the database's sockets, those of the admin listener, logs and files that are
/// being read. It must be there however many connections come.
fn files_kept(settings: &Settings) -> usize {
    let (read, write) = pools(settings);
    64 + ADMIN_CONNECTIONS + read.max + write.max
}

/// Scrapers and probes are few.
const ADMIN_CONNECTIONS: usize = 64;

/// The admin listener: for scrapers and probes of this machine or network. They call it by address, by a local name, or by a
/// name that is listed; a page of another site does not have one of those.
pub fn admin(settings: &Settings, mode: Mode) -> Result<Config, Problem> {
    let config = http(settings, mode)?;
    Ok(Config {
        cors: Cors::default(),
        access_log: false,
        allowed_hosts: Some(settings.server.allowed_hosts.clone()),
        allow_addresses: true,
        https: false,
        limits: Limits { connections: ADMIN_CONNECTIONS, files_kept: 0, ..config.limits.clone() },
        ..config
    })
}

pub fn query_limits(settings: &Settings) -> QueryLimits {
    let limits = &settings.limits;
    QueryLimits {
        filter_terms: limits.filter_terms,
        in_items: limits.in_items,
        embed_depth: limits.embed_depth,
        select_items: limits.select_items,
        order_keys: limits.order_keys,
        page_default: limits.page_size_default as u64,
        page_max: limits.page_size_max as u64,
        write_rows: limits.write_rows,
        ..QueryLimits::default()
    }
}

pub fn body_limits(settings: &Settings) -> bedplate_query::validate::body::Limits {
    let limits = &settings.limits;
    bedplate_query::validate::body::Limits {
        depth: limits.json_depth,
        keys: limits.json_keys,
        items: limits.array_items,
    }
}

pub fn batch_limits(settings: &Settings) -> bedplate_api::BatchLimits {
    let limits = &settings.limits;
    bedplate_api::BatchLimits { operations: limits.batch_operations, bytes: limits.batch_bytes.as_usize() }
}

pub fn timeouts(settings: &Settings) -> Timeouts {
    let database = &settings.database;
    Timeouts {
        anonymous: database.statement_timeout_anon,
        user: database.statement_timeout_authenticated,
        service: database.statement_timeout_service,
        lock: database.lock_timeout,
        roles: super::limits::times(settings),
    }
}

/// For what must answer when requests hold every other connection: readiness.
pub fn vital_pool(settings: &Settings) -> pool::Settings {
    let (read, _) = pools(settings);
    pool::Settings { max: 1, min: 1, wait: Duration::from_secs(2), ..read }
}

/// The limits of the read and the write pool.
pub fn pools(settings: &Settings) -> (pool::Settings, pool::Settings) {
    let database = &settings.database;
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let sized = |max: usize| pool::Settings {
        max,
        min: 2.min(max),
        wait: database.pool_wait,
        idle: database.idle_timeout,
        lifetime: database.lifetime,
    };
    (sized(database.read_connections(cores)), sized(database.write_connections()))
}

/// Which counts anonymous callers, users and the service may ask for.
pub fn counts(settings: &Settings) -> [CountPolicy; 3] {
    let policy = |counts: &[Count]| CountPolicy {
        exact: counts.contains(&Count::Exact),
        planned: counts.contains(&Count::Planned),
        estimated: counts.contains(&Count::Estimated),
    };
    let all = CountPolicy { exact: true, planned: true, estimated: true };
    [policy(&settings.api.counts_anon), policy(&settings.api.counts), all]
}

/// The search path of requests: generated SQL names schemas itself, but functions of the app may not.
pub fn search_path(settings: &Settings) -> String {
    let database = &settings.database;
    name_list(database.schemas.iter().chain(&database.extra_search_path))
}

/// Names as a setting of PostgreSQL lists them.
pub fn name_list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let mut list = String::new();
    for name in names {
        if !list.is_empty() {
            list.push_str(", ");
        }
        Ident::from_catalog(name).push_quoted(&mut list);
    }
    list
}
