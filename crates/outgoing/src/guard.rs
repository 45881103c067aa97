//! The guard against calls to where nobody outside may lead us (server-side request forgery).

use std::net::IpAddr;

use crate::address::{self, Kind};
use crate::allow::{self, Allowed};
use crate::target::Trust;

pub(crate) struct Guard {
    allow: Vec<Allowed>,
}

impl Guard {
    pub fn new(allow: Vec<Allowed>) -> Self {
        Self { allow }
    }

    /// Whether it is worth resolving the name at all. A name server is not asked about what is refused anyway.
    pub fn may_resolve(&self, trust: Trust, port: u16) -> bool {
        trust == Trust::Configured
            || allow::is_usual(port)
            || self.allow.iter().any(|entry| entry.has_port(port))
    }

    /// Whether `host`, which has these addresses, may be called. One that may not spoils all of them: a name that is
    /// public and private at once is a mistake, or means to be caught on the other foot.
    pub fn permits(&self, trust: Trust, host: &str, port: u16, addresses: &[IpAddr]) -> bool {
        let entries = || self.allow.iter().filter(|entry| entry.has_port(port));
        if entries().any(|entry| entry.is_name(host)) {
            return true;
        }
        let fine = |address: &IpAddr| {
            let by_kind = match (trust, address::kind(*address)) {
                (Trust::Configured, Kind::Public | Kind::Local) => true,
                (Trust::Foreign, Kind::Public) => allow::is_usual(port),
                (Trust::Foreign, Kind::Local) | (_, Kind::Never) => false,
            };
            by_kind || entries().any(|entry| entry.contains(*address))
        };
        addresses.iter().all(fine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn strangers_reach_the_internet_and_operators_what_they_write_down() {
        let guard = Guard::new(Vec::new());
        let may = |trust, port, list: &[&str]| guard.permits(trust, "h", port, &ips(list));
        assert!(may(Trust::Foreign, 443, &["1.1.1.1"]));
        assert!(!may(Trust::Foreign, 5432, &["1.1.1.1"]));
        assert!(!may(Trust::Foreign, 443, &["1.1.1.1", "10.0.0.1"]), "one bad address spoils the name");
        assert!(may(Trust::Configured, 8080, &["10.0.0.1", "::1"]));
        assert!(!may(Trust::Configured, 80, &["169.254.169.254"]), "not even the operator means this");
    }

    #[test]
    fn what_is_listed_may_be_called() {
        let listed = ["10.0.0.0/8", "localhost:1234", "169.254.10.1:80"];
        let guard = Guard::new(listed.iter().map(|text| text.parse().unwrap()).collect());
        let may = |host, port, list: &[&str]| guard.permits(Trust::Foreign, host, port, &ips(list));
        assert!(may("x", 443, &["10.9.9.9"]) && !may("x", 1234, &["10.9.9.9"]));
        assert!(may("localhost", 1234, &["::1", "127.0.0.1"]) && !may("localhost", 80, &["127.0.0.1"]));
        assert!(may("x", 80, &["169.254.10.1"]) && !may("x", 80, &["169.254.10.2"]));
        assert!(guard.may_resolve(Trust::Foreign, 1234) && !guard.may_resolve(Trust::Foreign, 22));
    }
}
