//! Who the client is behind proxies. What `Forwarded` and `X-Forwarded-*` say is believed only when the peer is
//! a configured proxy; from others the headers are removed, so that nobody behind this can be fooled.
//!
//! Of the two ways to say it only the configured one is read. A proxy writes one of them and passes the other on as the
//! client sent it: whoever reads both believes the client.

use std::net::IpAddr;
use std::sync::Once;

use http::{HeaderMap, HeaderName};

use crate::config::{ForwardedHeader, Network};

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

pub(crate) fn identify(
    peer: IpAddr,
    proxies: &[Network],
    written: ForwardedHeader,
    headers: &mut HeaderMap,
) -> Client {
    let trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    if !trusted(peer) {
        // Few requests have any of them; one look at the names is cheaper than looking each of them up.
        let suspicious = |name: &HeaderName| name == FORWARDED || name.as_str().starts_with("x-");
        if headers.keys().any(suspicious) {
            warn_of_proxy(peer, headers);
            for name in &UNTRUSTED {
                headers.remove(name);
            }
        }
        return Client { address: peer, secure: false };
    }
    // What the proxy does not write is the client's own word.
    match written {
        ForwardedHeader::XForwardedFor => drop(headers.remove(FORWARDED)),
        ForwardedHeader::Forwarded => {
            for name in UNTRUSTED.iter().filter(|name| **name != FORWARDED) {
                headers.remove(name);
            }
        }
    }
    let mut hops = forwarded_for(headers, written);
    // From the nearest hop outwards: each proxy vouches only for the one before it.
    let mut address = peer;
    while trusted(address) {
        match hops.pop() {
            Some(Some(hop)) => address = hop,
            // An unreadable hop (`unknown`, an obfuscated name) hides all before it.
            Some(None) | None => break,
        }
    }
    Client { address, secure: is_secure(headers, written) }
}

/// All clients of a proxy that nobody told us of share one address, and with it one rate limit: said once, and only of a
/// peer that can be such a proxy.
fn warn_of_proxy(peer: IpAddr, headers: &HeaderMap) {
    static SAID: Once = Once::new();
    let near = match peer {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private(),
        IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
    };
    if near && (headers.contains_key(FORWARDED_FOR) || headers.contains_key(FORWARDED)) {
        SAID.call_once(|| {
            tracing::warn!(
                %peer,
                "requests come through a proxy that is not listed: its clients share one address in limits and logs; \
                 if it is yours, add it to server.trusted_proxies"
            );
        });
    }
}

/// The hops as listed, client first: of `X-Forwarded-For`, or of RFC 7239's `Forwarded`.
fn forwarded_for(headers: &HeaderMap, written: ForwardedHeader) -> Vec<Option<IpAddr>> {
    let (name, standard) = match written {
        ForwardedHeader::XForwardedFor => (FORWARDED_FOR, false),
        ForwardedHeader::Forwarded => (FORWARDED, true),
    };
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

fn is_secure(headers: &HeaderMap, written: ForwardedHeader) -> bool {
    let last = |name: &HeaderName| {
        let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
        Some(value.rsplit(',').next().unwrap_or_default().trim().to_owned())
    };
    let proto = match written {
        ForwardedHeader::XForwardedFor => last(&FORWARDED_PROTO),
        ForwardedHeader::Forwarded => {
            last(&FORWARDED).and_then(|hop| parameter(&hop, "proto").map(str::to_owned))
        }
    };
    proto.is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
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
    text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok().map(|address| address.to_canonical())
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

    fn by_x(peer: &str, proxies: &[Network], map: &mut HeaderMap) -> Client {
        identify(ip(peer), proxies, ForwardedHeader::XForwardedFor, map)
    }

    fn ten() -> [Network; 1] {
        ["10.0.0.0/8".parse().unwrap()]
    }

    #[test]
    fn a14_strangers_cannot_say_who_they_are() {
        let told = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-real-ip", "1.1.1.1"),
            ("forwarded", "for=1.1.1.1;proto=https"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-port", "1"),
            ("x-forwarded-prefix", "/x"),
            ("accept", "*/*"),
        ];
        for proxies in [&[][..], &ten()] {
            for written in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
                let mut map = headers(&told);
                let client = identify(ip("9.9.9.9"), proxies, written, &mut map);
                assert_eq!(client, Client { address: ip("9.9.9.9"), secure: false });
                assert_eq!(map.keys().collect::<Vec<_>>(), ["accept"]);
            }
        }
    }

    #[test]
    fn a14_only_proxies_vouch_and_each_for_one_hop() {
        let mut map = headers(&[
            ("x-forwarded-for", "6.6.6.6, 203.0.113.7"),
            ("x-forwarded-for", "10.1.1.1"),
            ("x-forwarded-proto", "https"),
        ]);
        let client = by_x("10.0.0.1", &ten(), &mut map);
        assert_eq!(client, Client { address: ip("203.0.113.7"), secure: true });
    }

    /// A proxy that appends to one header hands on the other one as the client wrote it.
    #[test]
    fn a14_the_header_that_the_proxy_does_not_write_is_not_read() {
        let both = [("forwarded", "for=6.6.6.6;proto=https"), ("x-forwarded-for", "203.0.113.7")];
        let mut map = headers(&both);
        let client = by_x("10.0.0.1", &ten(), &mut map);
        assert_eq!(client, Client { address: ip("203.0.113.7"), secure: false });
        assert!(!map.contains_key("forwarded"), "nor seen by anybody behind this");

        let mut map = headers(&[("forwarded", "for=203.0.113.7"), ("x-forwarded-for", "6.6.6.6")]);
        let client = identify(ip("10.0.0.1"), &ten(), ForwardedHeader::Forwarded, &mut map);
        assert_eq!(client.address, ip("203.0.113.7"));
        assert!(!map.contains_key("x-forwarded-for"));
    }

    #[test]
    fn a14_all_hops_being_proxies_the_farthest_counts_and_none_the_peer() {
        let mut map = headers(&[("x-forwarded-for", "10.3.3.3, 10.2.2.2")]);
        assert_eq!(by_x("10.0.0.1", &ten(), &mut map).address, ip("10.3.3.3"));
        for empty in ["", "garbage", "203.0.113.7, garbage", "1.2.3.4:http"] {
            let mut map = headers(&[("x-forwarded-for", empty)]);
            assert_eq!(by_x("10.0.0.1", &ten(), &mut map).address, ip("10.0.0.1"), "{empty:?}");
        }
        assert_eq!(by_x("10.0.0.1", &ten(), &mut HeaderMap::new()).address, ip("10.0.0.1"));
    }

    #[test]
    fn addresses_are_read_with_ports_and_in_one_form() {
        for (text, address) in [
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[::ffff:203.0.113.7]", "203.0.113.7"),
        ] {
            let mut map = headers(&[("x-forwarded-for", text)]);
            assert_eq!(by_x("10.0.0.1", &ten(), &mut map).address, ip(address), "{text}");
        }
    }

    #[test]
    fn forwarded_is_read_and_obfuscated_hops_stop_it() {
        let by_standard =
            |map: &mut HeaderMap| identify(ip("10.0.0.1"), &ten(), ForwardedHeader::Forwarded, map);
        let mut map = headers(&[("forwarded", "for=\"[2001:db8::7]:4711\";proto=https, for=10.2.2.2")]);
        assert_eq!(by_standard(&mut map), Client { address: ip("2001:db8::7"), secure: false });
        let mut map = headers(&[("forwarded", "for=10.2.2.2, for=203.0.113.7;proto=https")]);
        assert_eq!(by_standard(&mut map), Client { address: ip("203.0.113.7"), secure: true });
        let mut map = headers(&[("forwarded", "for=1.2.3.4, for=_hidden, for=10.2.2.2")]);
        assert_eq!(by_standard(&mut map).address, ip("10.2.2.2"));
    }
}
