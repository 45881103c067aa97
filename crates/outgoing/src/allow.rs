//! Entries of `[outgoing] allow`: what may be reached beside the public internet.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The ports that may be called without being named.
const USUAL: [u16; 2] = [80, 443];

/// A host name, an address or a network, with the ports that it is for: `10.0.0.0/8`, `10.1.2.3:8080`,
/// `[fd00::/8]:9000`, `keys.internal`, `localhost:1234`, `localhost:*`. Without a port: 80 and 443.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    place: Place,
    ports: Ports,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Lower case, without the dot at the end. Whatever address it has.
    Name(String),
    Network(IpAddr, u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    Usual,
    One(u16),
    Any,
}

pub(crate) fn is_usual(port: u16) -> bool {
    USUAL.contains(&port)
}

impl Allowed {
    /// Every port of this machine: what development needs.
    pub fn loopback() -> [Self; 2] {
        let every =
            |address: IpAddr, prefix| Self { place: Place::Network(address, prefix), ports: Ports::Any };
        [every(IpAddr::from([127, 0, 0, 0]), 8), every(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 128)]
    }

    pub(crate) fn has_port(&self, port: u16) -> bool {
        match self.ports {
            Ports::Usual => is_usual(port),
            Ports::One(one) => one == port,
            Ports::Any => true,
        }
    }

    pub(crate) fn is_name(&self, host: &str) -> bool {
        matches!(&self.place, Place::Name(name) if name == host)
    }

    /// An IPv4 address inside IPv6 is not the IPv4 address: it takes another way there.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (&self.place, address) {
            (Place::Network(IpAddr::V4(network), prefix), IpAddr::V4(address)) => {
                let differing = u32::from(*network) ^ u32::from(address);
                differing.checked_shr(32 - u32::from(*prefix)).unwrap_or(0) == 0
            }
            (Place::Network(IpAddr::V6(network), prefix), IpAddr::V6(address)) => {
                let differing = u128::from(*network) ^ u128::from(address);
                differing.checked_shr(128 - u32::from(*prefix)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Allowed {
    type Err = String;

    /// The error says what may stand there.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "`{text}` is neither an address, a network nor a host name, with or without a port: write \
                 \"10.0.0.0/8\", \"10.1.2.3:8080\", \"[fd00::/8]:8080\", \"keys.internal\" or \"localhost:1234\""
            )
        };
        let trimmed = text.trim();
        let (host, port) = split(trimmed).ok_or_else(bad)?;
        let ports = match port {
            None => Ports::Usual,
            Some("*") => Ports::Any,
            Some(port) => Ports::One(port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?),
        };
        let place = network(host).or_else(|| name(host)).ok_or_else(bad)?;
        Ok(Self { place, ports })
    }
}

/// Host and port; brackets around IPv6 are needed only before a port.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(inner) = text.strip_prefix('[') {
        let (host, rest) = inner.split_once(']')?;
        let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
        return Some((host, port));
    }
    match text.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Some((text, None)),
        Some((host, port)) => Some((host, Some(port))),
        None => Some((text, None)),
    }
}

fn network(text: &str) -> Option<Place> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address.parse::<IpAddr>().ok()?, Some(prefix.parse::<u8>().ok()?)),
        None => (text.parse::<IpAddr>().ok()?, None),
    };
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.unwrap_or(bits);
    (prefix <= bits).then_some(Place::Network(address, prefix))
}

fn name(text: &str) -> Option<Place> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    // What ends in a number would be read as an IPv4 address in an odd spelling (WHATWG URL, "ends in a number").
    let numeric = name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    (!numeric && name.len() <= 253 && name.split('.').all(is_label)).then_some(Place::Name(name))
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracket = self.ports != Ports::Usual && matches!(self.place, Place::Network(IpAddr::V6(_), _));
        match &self.place {
            Place::Name(name) => write!(f, "{name}")?,
            Place::Network(address, prefix) if bracket => write!(f, "[{address}/{prefix}]")?,
            Place::Network(address, prefix) => write!(f, "{address}/{prefix}")?,
        }
        match self.ports {
            Ports::Usual => Ok(()),
            Ports::One(port) => write!(f, ":{port}"),
            Ports::Any => write!(f, ":*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_networks_addresses_or_names_with_or_without_a_port() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3:8080", "10.1.2.3/32:8080"),
            ("fd00::/8", "fd00::/8"),
            ("[fd00::/8]:9000", "[fd00::/8]:9000"),
            ("[::1]", "::1/128"),
            ("Keys.Internal.", "keys.internal"),
            (" localhost:1234 ", "localhost:1234"),
            ("localhost:*", "localhost:*"),
        ] {
            assert_eq!(text.parse::<Allowed>().unwrap().to_string(), shown);
        }
        for bad in [
            "",
            "10.0.0.0/33",
            "a b",
            "http://x",
            "x:0",
            "x:99999",
            "127.1",
            "0x7f000001",
            "2130706433",
            "*",
            "a..b",
        ] {
            assert!(bad.parse::<Allowed>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_entry_holds_for_its_ports_only() {
        let network: Allowed = "10.0.0.0/8".parse().unwrap();
        assert!(
            network.contains("10.255.0.1".parse().unwrap()) && !network.contains("11.0.0.1".parse().unwrap())
        );
        assert!(
            !network.contains("::ffff:10.0.0.1".parse().unwrap()),
            "another way there is another address"
        );
        assert!(network.has_port(443) && network.has_port(80) && !network.has_port(5432));
        let one: Allowed = "localhost:1234".parse().unwrap();
        assert!(one.is_name("localhost") && one.has_port(1234) && !one.has_port(80));
        let all: Allowed = "0.0.0.0/0:*".parse().unwrap();
        assert!(all.contains("203.0.113.9".parse().unwrap()) && all.has_port(1));
    }
}
