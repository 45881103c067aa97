//! Who the client is behind proxies. What `Forwarded` and `X-Forwarded-*` say is believed only when the peer is
//! a configured proxy; from others the headers are removed, so that nobody behind this can be fooled.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};

use crate::config::Network;

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const UNTRUSTED: [HeaderName; 7] = [
    FORWARDED,
    FORWARDED_FOR,
    FORWARDED_PROTO,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-real-ip"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    pub(crate) secure: bool,
}

pub(crate) fn identify(peer: IpAddr, proxies: &[Network], headers: &mut HeaderMap) -> Client {
    let trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    if !trusted(peer) {
        // Few requests have any of them; one look at the names is cheaper than looking each of them up.
        let suspicious = |name: &HeaderName| name == FORWARDED || name.as_str().starts_with("x-");
        if headers.keys().any(suspicious) {
            for name in &UNTRUSTED {
                headers.remove(name);
            }
        }
        return Client { address: peer, secure: false };
    }
    let mut hops = forwarded_for(headers);
    // From the nearest hop outwards: each proxy vouches only for the one before it.
    let mut address = peer;
    while trusted(address) {
        match hops.pop() {
            Some(Some(hop)) => address = hop,
            // An unreadable hop (`unknown`, an obfuscated name) hides all before it.
            Some(None) | None => break,
        }
    }
    Client { address, secure: is_secure(headers) }
}

/// The hops as listed, client first: RFC 7239 `Forwarded` when present, otherwise `X-Forwarded-For`.
fn forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let (name, standard) =
        if headers.contains_key(FORWARDED) { (FORWARDED, true) } else { (FORWARDED_FOR, false) };
    let mut hops = Vec::new();
    for value in headers.get_all(name) {
        let Ok(value) = value.to_str() else {
            hops.push(None);
            continue;
        };
        for hop in value.split(',') {
            hops.push(if standard { parameter(hop, "for").and_then(node) } else { node(hop.trim()) });
        }
    }
    hops
}

fn is_secure(headers: &HeaderMap) -> bool {
    let last = |name: &HeaderName| {
        let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
        Some(value.rsplit(',').next().unwrap_or_default().trim().to_owned())
    };
    match last(&FORWARDED) {
        Some(hop) => parameter(&hop, "proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https")),
        None => last(&FORWARDED_PROTO).is_some_and(|proto| proto.eq_ignore_ascii_case("https")),
    }
}

fn parameter<'a>(hop: &'a str, wanted: &str) -> Option<&'a str> {
    hop.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        key.eq_ignore_ascii_case(wanted).then(|| value.trim_matches('"'))
    })
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80` (RFC 7239 §6).
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        map
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn strangers_cannot_say_who_they_are() {
        let mut map = headers(&[("x-forwarded-for", "1.1.1.1"), ("x-real-ip", "1.1.1.1"), ("accept", "*/*")]);
        let client = identify(ip("9.9.9.9"), &[], &mut map);
        assert_eq!(client, Client { address: ip("9.9.9.9"), secure: false });
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn only_proxies_vouch_and_each_for_one_hop() {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let mut map = headers(&[
            ("x-forwarded-for", "6.6.6.6, 203.0.113.7"),
            ("x-forwarded-for", "10.1.1.1"),
            ("x-forwarded-proto", "https"),
        ]);
        let client = identify(ip("10.0.0.1"), &proxies, &mut map);
        assert_eq!(client, Client { address: ip("203.0.113.7"), secure: true });
    }

    #[test]
    fn forwarded_is_read_and_obfuscated_hops_stop_it() {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let mut map = headers(&[("forwarded", "for=\"[2001:db8::7]:4711\";proto=https, for=10.2.2.2")]);
        assert_eq!(identify(ip("10.0.0.1"), &proxies, &mut map).address, ip("2001:db8::7"));
        let mut map = headers(&[("forwarded", "for=1.2.3.4, for=_hidden, for=10.2.2.2")]);
        assert_eq!(identify(ip("10.0.0.1"), &proxies, &mut map).address, ip("10.2.2.2"));
    }
}
