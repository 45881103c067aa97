//! What kind of address an IP address is (the special-purpose registries of IANA: RFC 6890, RFC 8190).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of the internet.
    Public,
    /// This machine or a private network: fine where the operator names it, never where a stranger does.
    Local,
    /// Nothing that anybody means to call: link-local (cloud metadata), multicast, reserved, and the forms of IPv6 that
    /// carry an IPv4 address inside.
    Never,
}

/// Metadata services outside the link-local ranges (Alibaba Cloud, AWS over IPv6).
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

pub(crate) fn kind(address: IpAddr) -> Kind {
    if METADATA.contains(&address) {
        return Kind::Never;
    }
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        [127 | 10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Kind::Local,
        // This network; link-local; protocol assignments, documentation, the relay of 6to4; benchmarks; multicast and
        // reserved.
        [0, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [198, 18 | 19, ..]
        | [224..=255, ..] => Kind::Never,
        _ => Kind::Public,
    }
}

fn v6(address: Ipv6Addr) -> Kind {
    if address.is_loopback() || address.segments()[0] & 0xfe00 == 0xfc00 {
        return Kind::Local;
    }
    match address.segments() {
        // Protocol assignments, Teredo among them (2001::/32); documentation; 6to4.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] | [0x2002, ..] => {
            Kind::Never
        }
        // Global unicast. NAT64 (64:ff9b::/96), IPv4-mapped (::ffff:0:0/96), link-local and multicast are outside it.
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => Kind::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Kind {
        kind(text.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_told_from_all_others() {
        for public in [
            "1.1.1.1",
            "93.184.216.34",
            "172.32.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert_eq!(of(public), Kind::Public, "{public}");
        }
        for local in
            ["127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"]
        {
            assert_eq!(of(local), Kind::Local, "{local}");
        }
        for local in ["100.64.0.1", "100.127.255.255", "::1", "fc00::1", "fdff::1"] {
            assert_eq!(of(local), Kind::Local, "{local}");
        }
        for never in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "100.100.100.200",
            "fd00:ec2::254",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "4000::1",
        ] {
            assert_eq!(of(never), Kind::Never, "{never}");
        }
    }
}
