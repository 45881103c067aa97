//! [`Target`]: where PostgreSQL is and how to speak to it, parsed from a `postgres://` URL or built for the
//! managed server's private socket.

mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bedplate_core::Secret;

pub use parse::Error;

/// One place to try. Several are tried in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Tcp {
        name: String,
        port: u16,
    },
    /// The folder that holds the socket `.s.PGSQL.<port>`.
    Unix {
        dir: PathBuf,
        port: u16,
    },
}

impl Host {
    /// Whether bytes to this host stay on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix { .. } => true,
            Self::Tcp { name, .. } => {
                name.eq_ignore_ascii_case("localhost")
                    || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { name, port } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Tcp { name, port } => write!(f, "{name}:{port}"),
            Self::Unix { dir, port } => write!(f, "{}/.s.PGSQL.{port}", dir.display()),
        }
    }
}

/// How far TLS is demanded and checked; the meanings are libpq's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    Disable,
    /// TLS where the server offers it, unchecked. Only for hosts on this machine.
    Prefer,
    /// Encrypted, the certificate unchecked.
    Require,
    /// The certificate comes from a trusted authority; its name is not compared.
    VerifyCa,
    /// The certificate comes from a trusted authority and is made out to the host's name.
    VerifyFull,
}

/// Which authorities vouch for the server's certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RootCert {
    /// The operating system's store.
    #[default]
    System,
    /// A PEM file.
    File(PathBuf),
}

/// Which server of several will do; the meanings are libpq's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SessionAttrs {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    /// A standby where there is one, else any.
    PreferStandby,
}

/// Where and how to connect. `Debug` and `Display` show no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub hosts: Vec<Host>,
    pub user: String,
    pub password: Option<Secret>,
    pub database: String,
    /// `None`: [`SslMode::VerifyFull`] for hosts elsewhere, [`SslMode::Disable`] for this machine.
    pub ssl_mode: Option<SslMode>,
    pub ssl_root_cert: RootCert,
    pub session_attrs: SessionAttrs,
    /// For one host: resolving, connecting, TLS and authentication together.
    pub connect_timeout: Duration,
    pub application_name: String,
    /// Command-line options for the server session, as `PGOPTIONS` (`-c name=value`).
    pub options: Option<String>,
    /// Settings of the session, sent with the startup message.
    pub parameters: BTreeMap<String, String>,
    /// A transaction pooler (PgBouncer, Supavisor in transaction mode) stands in between, `?pooler=true` in the
    /// URL: prepared statements are unnamed, and only those settings are sent at start that such poolers know; the
    /// rest goes with each transaction. LISTEN, advisory locks and migrations need a target that leads to
    /// PostgreSQL itself.
    pub pooler: bool,
}

impl Target {
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

    /// Reads `postgres://user:password@host:port,host2:port2/database?name=value&…` (or `postgresql://`).
    pub fn parse(url: &str) -> Result<Self, Error> {
        parse::target(url)
    }

    /// A server's unix socket in `dir`, without a password: the operating system vouches for the peer.
    pub fn socket(dir: impl AsRef<Path>, port: u16, user: &str, database: &str) -> Self {
        Self {
            hosts: vec![Host::Unix { dir: dir.as_ref().to_owned(), port }],
            user: user.to_owned(),
            password: None,
            database: database.to_owned(),
            ssl_mode: None,
            ssl_root_cert: RootCert::System,
            session_attrs: SessionAttrs::Any,
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
            application_name: "bedplate".to_owned(),
            options: None,
            parameters: BTreeMap::new(),
            pooler: false,
        }
    }

    #[must_use]
    pub fn with_database(mut self, database: &str) -> Self {
        database.clone_into(&mut self.database);
        self
    }

    #[must_use]
    pub fn with_user(mut self, user: &str, password: Option<Secret>) -> Self {
        user.clone_into(&mut self.user);
        self.password = password;
        self
    }

    #[must_use]
    pub fn with_application_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.application_name);
        self
    }

    /// A setting for every session made from this target, for example `search_path`.
    #[must_use]
    pub fn with_parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    #[must_use]
    pub fn with_pooler(mut self, pooler: bool) -> Self {
        self.pooler = pooler;
        self
    }

    /// The TLS mode that holds for one of the hosts.
    pub fn ssl_mode_for(&self, host: &Host) -> SslMode {
        match host {
            Host::Unix { .. } => SslMode::Disable,
            Host::Tcp { .. } => {
                self.ssl_mode.unwrap_or(if host.is_local() { SslMode::Disable } else { SslMode::VerifyFull })
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "database \"{}\" as \"{}\" on ", self.database, self.user)?;
        for (i, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{host}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("hosts", &self.hosts)
            .field("user", &self.user)
            .field("password", &self.password)
            .field("database", &self.database)
            .field("ssl_mode", &self.ssl_mode)
            .field("ssl_root_cert", &self.ssl_root_cert)
            .field("session_attrs", &self.session_attrs)
            .field("connect_timeout", &self.connect_timeout)
            .field("application_name", &self.application_name)
            .field("options", &self.options)
            .field("parameters", &self.parameters)
            .field("pooler", &self.pooler)
            .finish()
    }
}
