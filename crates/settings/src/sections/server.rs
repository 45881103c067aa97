use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{checks, ms, secs};
use crate::field::choices;
use crate::table::section;
use crate::{ByteSize, Network};

choices! {
    /// How trusted proxies say who the client is.
    pub enum ForwardedHeader {
        /// `X-Forwarded-For` and `X-Forwarded-Proto`.
        XForwardedFor = "x-forwarded-for",
        /// `Forwarded` (RFC 7239).
        Forwarded = "forwarded",
    }
}

section! {
    /// The HTTP listeners and their time limits.
    pub struct Server {
        /// Address to listen on. `0.0.0.0` or `::` for all; `bedplate dev` refuses anything but this machine.
        host: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        /// Port of the API; 0 takes a free one.
        port: u16 = 54321;
        /// Origin under which clients reach this server, when that is not `http://host:port`: used in links and as
        /// the issuer of tokens.
        public_url: Option<String> = None, check(checks::public_url);
        /// Address of the admin listener with `/metrics` and health. Keep it off the public network.
        admin_host: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        /// Port of the admin listener; 0 takes a free one.
        admin_port: u16 = 54322;
        /// Peers that are believed when they say for which client they speak, and whether it came by TLS.
        trusted_proxies: Vec<Network> = Vec::new();
        /// Header in which those peers write whom they speak for. The other one is not read: a proxy passes it on as the
        /// client sent it.
        forwarded_header: ForwardedHeader = ForwardedHeader::XForwardedFor;
        /// Host names this server answers to, without port; empty: any. `bedplate dev` answers to localhost only, and to
        /// these. The admin listener answers to localhost, to IP addresses, and to these.
        allowed_hosts: Vec<String> = Vec::new(), check(checks::host_names);
        /// Origins that browsers may call from, such as `https://app.example.com`. Empty: none; `bedplate dev` also
        /// allows localhost.
        cors_origins: Vec<String> = Vec::new(), check(checks::origins);
        /// Whether calls from those origins may carry cookies.
        cors_credentials: bool = false;
        /// Time for the whole head of a request to arrive.
        head_timeout: Duration = secs(5), range(ms(100), secs(60));
        /// Time for the whole body of a request to arrive.
        body_timeout: Duration = secs(30), range(ms(100), secs(3600));
        /// Longest gap between two pieces of a body.
        body_gap: Duration = secs(10), range(ms(100), secs(600));
        /// A client that takes no byte of its answer for so long is cut off.
        write_timeout: Duration = secs(10), range(ms(100), secs(600));
        /// Time from the end of the head to the answer. Past it the statement is cancelled and the answer is 504.
        request_deadline: Duration = secs(30), range(ms(100), secs(3600));
        /// How long an idle connection stays open. Longer than the idle time of a load balancer in front (often 60s).
        keep_alive: Duration = secs(75), range(secs(1), secs(3600));
        /// On shutdown: time during which readiness is already off and requests are still accepted, so that load
        /// balancers notice. `bedplate dev` does without.
        pre_drain: Duration = secs(5), range(Duration::ZERO, secs(300));
        /// On shutdown: time for running requests to end.
        shutdown_grace: Duration = secs(30), range(Duration::ZERO, secs(600));
        /// Open connections in all.
        max_connections: usize = 10_000, range(1, 1_000_000);
        /// Open connections from one address (of IPv6, from one network of 64 bits).
        connections_per_address: usize = 128, range(1, 1_000_000);
        /// Requests in work at once; more are answered 503 with Retry-After.
        max_in_flight: usize = 1_024, range(1, 1_000_000);
        /// Whether answers are compressed (zstd, brotli, gzip) when the client accepts it.
        compression: bool = true;
        /// Answers smaller than this are not compressed.
        compression_min: ByteSize = ByteSize::kib(1);
        /// Worker threads; not set: one per core.
        workers: Option<usize> = None, range(Some(1), Some(1_024));
    }
}
