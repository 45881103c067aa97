//! The `postgres://` URL, as libpq's documentation ("Connection URIs") describes it, several hosts included.
//! No message repeats the URL or a value of it that could be the password.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use bedplate_core::Secret;
use percent_encoding::percent_decode_str;

use super::{Host, RootCert, SessionAttrs, SslMode, Target};

/// Why a URL is refused; the text says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database URL is not usable: {0}")]
pub struct Error(String);

impl From<Error> for bedplate_core::Problem {
    fn from(error: Error) -> Self {
        Self::internal_error(error.to_string())
    }
}

type Result<T> = std::result::Result<T, Error>;

fn refuse<T>(why: impl Into<String>) -> Result<T> {
    Err(Error(why.into()))
}

const PARAMETERS: &str = "sslmode, sslrootcert, target_session_attrs, connect_timeout, application_name, options, \
                          host, port, user, password, dbname, pooler";

/// What the URL said, before the parts are put together.
#[derive(Default)]
struct Parts {
    user: Option<String>,
    password: Option<Secret>,
    database: Option<String>,
    hosts: Vec<String>,
    ports: Vec<Option<u16>>,
    ssl_mode: Option<SslMode>,
    ssl_root_cert: RootCert,
    session_attrs: SessionAttrs,
    connect_timeout: Option<Duration>,
    application_name: Option<String>,
    options: Option<String>,
    pooler: bool,
}

pub(super) fn target(url: &str) -> Result<Target> {
    let url = url.trim();
    let Some(rest) = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")) else {
        return refuse("it must begin with postgres:// or postgresql://");
    };
    if rest.contains('#') {
        return refuse("it holds a #; write # in a password as %23");
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    if database.contains('/') {
        return refuse("the database name holds a /; write / in a name or password as %2F");
    }
    let mut parts = Parts::default();
    if !database.is_empty() {
        parts.database = Some(decode("the database name", database)?);
    }
    parts.authority(authority)?;
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return refuse(format!("the parameter \"{}\" has no value; write name=value", printable(pair)));
        };
        parts.parameter(name, decode(name, value)?)?;
    }
    parts.finish()
}

/// Percent-decodes; a `+` stays a plus, as in libpq.
fn decode(what: &str, text: &str) -> Result<String> {
    let bytes = text.as_bytes();
    for (i, _) in text.match_indices('%') {
        let digits = bytes.get(i + 1..i + 3).unwrap_or_default();
        if digits.len() != 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return refuse(format!("a % in {what} is not followed by two hex digits; write % itself as %25"));
        }
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(text) if text.contains('\0') => refuse(format!("{what} holds a NUL character")),
        Ok(text) => Ok(text.into_owned()),
        Err(_) => refuse(format!("{what} is not UTF-8 after percent-decoding")),
    }
}

/// For names that an error repeats: cut short, without control characters.
fn printable(text: &str) -> Cow<'_, str> {
    if text.len() <= 40 && !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| !c.is_control()).take(40).collect())
}

impl Parts {
    fn authority(&mut self, authority: &str) -> Result<()> {
        let hosts = match authority.rsplit_once('@') {
            Some((login, hosts)) => {
                self.login(login)?;
                hosts
            }
            None => authority,
        };
        if hosts.is_empty() {
            return Ok(());
        }
        for part in hosts.split(',') {
            self.host_and_port(part)?;
        }
        Ok(())
    }

    fn login(&mut self, login: &str) -> Result<()> {
        if login.contains('@') {
            return refuse("there is more than one @; write @ in the user name or password as %40");
        }
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        if !user.is_empty() {
            self.user = Some(decode("the user name", user)?);
        }
        if let Some(password) = password {
            self.password = Some(Secret::new(decode("the password", password)?));
        }
        Ok(())
    }

    fn host_and_port(&mut self, part: &str) -> Result<()> {
        let (host, port) = if let Some(rest) = part.strip_prefix('[') {
            let Some((address, after)) = rest.split_once(']') else {
                return refuse("an IPv6 address lacks its closing ]");
            };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return refuse("what stands between [ and ] is not an IPv6 address");
            }
            match after.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None if after.is_empty() => (address, None),
                None => return refuse("after the ] of an IPv6 address only :port may follow"),
            }
        } else {
            match part.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return refuse("an IPv6 address must stand in brackets: [::1]:5432");
                }
                Some((host, port)) => (host, Some(port)),
                None => (part, None),
            }
        };
        self.hosts.push(decode("a host name", host)?);
        self.ports.push(match port {
            None | Some("") => None,
            Some(port) => Some(self::port(port)?),
        });
        Ok(())
    }

    fn parameter(&mut self, name: &str, value: String) -> Result<()> {
        match name {
            "host" => self.hosts = value.split(',').map(str::to_owned).collect(),
            "port" => {
                self.ports = value
                    .split(',')
                    .map(|p| if p.is_empty() { Ok(None) } else { port(p).map(Some) })
                    .collect::<Result<_>>()?;
            }
            "user" => self.user = Some(value),
            "password" => self.password = Some(Secret::new(value)),
            "dbname" => self.database = Some(value),
            "sslmode" => self.ssl_mode = Some(ssl_mode(&value)?),
            "sslrootcert" => {
                self.ssl_root_cert =
                    if value == "system" { RootCert::System } else { RootCert::File(PathBuf::from(value)) };
            }
            "target_session_attrs" => self.session_attrs = session_attrs(&value)?,
            "connect_timeout" => match value.parse::<u64>() {
                Ok(seconds @ 1..=300) => self.connect_timeout = Some(Duration::from_secs(seconds)),
                _ => return refuse("connect_timeout must be 1 to 300 (seconds)"),
            },
            "application_name" => self.application_name = Some(value),
            "options" => self.options = Some(value),
            "pooler" | "pgbouncer" => match value.as_str() {
                "true" => self.pooler = true,
                "false" => self.pooler = false,
                _ => return refuse(format!("{name} must be true or false")),
            },
            // GSS encryption is never used, so these change nothing; hosted providers' URLs carry them.
            "gssencmode" if matches!(value.as_str(), "disable" | "prefer") => {}
            "channel_binding" if matches!(value.as_str(), "disable" | "prefer") => {}
            "channel_binding" => {
                return refuse(
                    "channel_binding=require is not offered; it is used by itself where both sides can. Remove it",
                );
            }
            "sslcert" | "sslkey" | "sslpassword" => {
                return refuse(format!(
                    "client certificates ({name}) are not offered; use a password (SCRAM)"
                ));
            }
            _ => {
                return refuse(format!(
                    "unknown parameter \"{}\"; the known ones are {PARAMETERS}",
                    printable(name)
                ));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Target> {
        let Some(user) = self.user.filter(|u| !u.is_empty()) else {
            return refuse("it names no user; write postgres://user:password@host/database");
        };
        if self.hosts.is_empty() {
            return refuse("it names no host; write postgres://user:password@host/database");
        }
        let hosts = hosts(&self.hosts, &self.ports)?;
        let ssl_mode = match (self.ssl_mode, &self.ssl_root_cert) {
            // As libpq: who names an authority wants it checked.
            (Some(SslMode::Require), RootCert::File(_)) => Some(SslMode::VerifyCa),
            (mode, _) => mode,
        };
        if ssl_mode == Some(SslMode::Prefer) && !hosts.iter().all(Host::is_local) {
            return refuse(
                "sslmode=prefer would fall back to an unencrypted connection to another machine; use verify-full, \
                 or require where the certificate cannot be checked, or disable to say that you mean it",
            );
        }
        Ok(Target {
            hosts,
            database: self.database.unwrap_or_else(|| user.clone()),
            user,
            password: self.password.filter(|p| !p.is_empty()),
            ssl_mode,
            ssl_root_cert: self.ssl_root_cert,
            session_attrs: self.session_attrs,
            connect_timeout: self.connect_timeout.unwrap_or(Target::DEFAULT_CONNECT_TIMEOUT),
            application_name: self.application_name.unwrap_or_else(|| "bedplate".to_owned()),
            options: self.options.filter(|o| !o.is_empty()),
            parameters: Default::default(),
            pooler: self.pooler,
        })
    }
}

fn hosts(names: &[String], ports: &[Option<u16>]) -> Result<Vec<Host>> {
    if ports.len() > 1 && ports.len() != names.len() {
        return refuse("there must be one port, or as many ports as hosts");
    }
    names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let port =
                if ports.len() == 1 { ports[0] } else { ports.get(i).copied().flatten() }.unwrap_or(5432);
            if name.is_empty() {
                return refuse("a host name is empty");
            }
            if name.starts_with('/') {
                return Ok(Host::Unix { dir: PathBuf::from(name), port });
            }
            if name.chars().any(|c| c.is_control() || c.is_whitespace() || "/\\@?".contains(c)) {
                return refuse("a host name holds a character that no host name has");
            }
            Ok(Host::Tcp { name: name.clone(), port })
        })
        .collect()
}

fn port(text: &str) -> Result<u16> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        // Not repeated: a forgotten %40 or %3A in a password ends up here.
        _ => refuse("a port is not a number from 1 to 65535; is a : in the password not written as %3A?"),
    }
}

fn ssl_mode(value: &str) -> Result<SslMode> {
    Ok(match value {
        "disable" => SslMode::Disable,
        "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        "allow" => return refuse("sslmode=allow is not offered; use verify-full, or prefer on this machine"),
        _ => return refuse("sslmode must be disable, prefer, require, verify-ca or verify-full"),
    })
}

fn session_attrs(value: &str) -> Result<SessionAttrs> {
    Ok(match value {
        "any" => SessionAttrs::Any,
        "read-write" => SessionAttrs::ReadWrite,
        "read-only" => SessionAttrs::ReadOnly,
        "primary" => SessionAttrs::Primary,
        "standby" => SessionAttrs::Standby,
        "prefer-standby" => SessionAttrs::PreferStandby,
        _ => {
            return refuse(
                "target_session_attrs must be any, read-write, read-only, primary, standby or prefer-standby",
            );
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tcp(name: &str, port: u16) -> Host {
        Host::Tcp { name: name.into(), port }
    }

    #[test]
    fn reads_every_part() {
        let t = target(
            "postgres://us%40er:p%3Aw%23@db1.example:6000,[2001:db8::1],db3:7000/app%20db?sslmode=verify-ca\
             &sslrootcert=/etc/ca.pem&target_session_attrs=read-write&connect_timeout=7&application_name=x\
             &options=-c%20search_path%3Dpublic&pgbouncer=true",
        )
        .unwrap();
        assert_eq!(t.hosts, [tcp("db1.example", 6000), tcp("2001:db8::1", 5432), tcp("db3", 7000)]);
        assert_eq!((t.user.as_str(), t.database.as_str()), ("us@er", "app db"));
        assert_eq!(t.password.as_ref().unwrap().expose(), "p:w#");
        assert_eq!(t.ssl_mode, Some(SslMode::VerifyCa));
        assert_eq!(t.ssl_root_cert, RootCert::File("/etc/ca.pem".into()));
        assert_eq!(t.session_attrs, SessionAttrs::ReadWrite);
        assert_eq!(t.connect_timeout, Duration::from_secs(7));
        assert_eq!(t.options.as_deref(), Some("-c search_path=public"));
        assert!(t.pooler);
        assert!(!format!("{t:?} {t}").contains("p:w"));
    }

    #[test]
    fn sockets_by_host_part_or_parameter() {
        for url in ["postgres://me@%2Frun%2Fpg:6543/db", "postgres://me@/db?host=/run/pg&port=6543"] {
            let t = target(url).unwrap();
            assert_eq!(t.hosts, [Host::Unix { dir: "/run/pg".into(), port: 6543 }], "{url}");
            assert_eq!(t.ssl_mode_for(&t.hosts[0]), SslMode::Disable);
        }
    }

    #[test]
    fn tls_is_full_by_default_except_on_this_machine() {
        let t = target("postgres://u@localhost,127.0.0.1,[::1],db.example,10.0.0.1/db").unwrap();
        let modes: Vec<_> = t.hosts.iter().map(|h| t.ssl_mode_for(h)).collect();
        use SslMode::*;
        assert_eq!(modes, [Disable, Disable, Disable, VerifyFull, VerifyFull]);
        let t = target("postgres://u@db/x?sslmode=require&sslrootcert=ca.pem").unwrap();
        assert_eq!(t.ssl_mode, Some(VerifyCa));
        assert_eq!(target("postgres://u@localhost/x?sslmode=prefer").unwrap().ssl_mode, Some(Prefer));
    }

    #[test]
    fn each_fault_is_named_and_no_secret_is_repeated() {
        for (url, part) in [
            ("mysql://u@h/d", "begin with postgres://"),
            ("postgres://h/d", "no user"),
            ("postgres://u:hunter2@/d", "no host"),
            ("postgres://u:hun@ter2@h/d", "more than one @"),
            ("postgres://u:hunter2/d", "port"),
            ("postgres://u:hunter2@h:99999/d", "port"),
            ("postgres://u:hunter2@h:0/d", "port"),
            ("postgres://u:hunter2@::1/d", "brackets"),
            ("postgres://u:hunter2@[::1/d", "closing ]"),
            ("postgres://u:hunter2@[zz]/d", "IPv6"),
            ("postgres://u:hunter2@[::1]x/d", "only :port"),
            ("postgres://u:hunter2%@h/d", "two hex digits"),
            ("postgres://u:hunter2%ff@h/d", "not UTF-8"),
            ("postgres://u:hunter2%00@h/d", "NUL"),
            ("postgres://u:hunter2#x@h/d", "%23"),
            ("postgres://u:hunter2@h/d/e", "%2F"),
            ("postgres://u:hunter2@h,,g/d", "empty"),
            ("postgres://u:hunter2@h/d?sslmode=never", "sslmode must be"),
            ("postgres://u:hunter2@h/d?sslmode=allow", "sslmode=allow"),
            ("postgres://u:hunter2@h/d?sslmode=prefer", "sslmode=prefer"),
            ("postgres://u:hunter2@h/d?target_session_attrs=fast", "target_session_attrs must be"),
            ("postgres://u:hunter2@h/d?connect_timeout=0", "connect_timeout"),
            ("postgres://u:hunter2@h/d?connection_limit=3", "unknown parameter \"connection_limit\""),
            ("postgres://u:hunter2@h/d?sslmode", "no value"),
            ("postgres://u:hunter2@h/d?sslcert=x", "client certificates"),
            ("postgres://u:hunter2@h/d?host=a,b&port=1,2,3", "as many ports"),
            ("postgres://u:hunter2@h/d?pooler=yes", "true or false"),
        ] {
            let text = target(url).unwrap_err().to_string();
            assert!(text.contains(part), "{url}: {text}");
            assert!(!text.contains("hunter2") && !text.contains("ter2@"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(url in "(postgres://)?[ -~é]{0,60}") {
            let _ = target(&url);
        }

        #[test]
        fn any_password_survives_percent_encoding(password in "\\PC{1,30}") {
            let encoded = percent_encoding::utf8_percent_encode(&password, percent_encoding::NON_ALPHANUMERIC);
            let t = target(&format!("postgres://u:{encoded}@localhost/d")).unwrap();
            let read = t.password.unwrap();
            prop_assert_eq!(read.expose(), password);
        }
    }
}
