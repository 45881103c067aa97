use super::checks;
use crate::table::section;

section! {
    /// HTTP calls that Bedplate makes itself, such as for the keys of an issuer. See docs/outgoing.md.
    pub struct Outgoing {
        /// What may be called beside the public internet and the hosts that the settings name: addresses, networks and
        /// host names, each with `:port` or `:*` where it is for other ports than 80 and 443. `bedplate dev` also allows
        /// this machine.
        allow: Vec<String> = Vec::new(), check(checks::places);
        /// PEM file with certificate authorities that are trusted beside the system's, inside the project folder or
        /// absolute.
        ca_file: Option<String> = None;
        /// Calls to one host at once.
        connections_per_host: usize = 8, range(1, 1_000);
    }
}
