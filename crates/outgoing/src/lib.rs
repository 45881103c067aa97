//! Every HTTP call that Bedplate makes goes through one [`Client`]. It bounds time and size, repeats what may be repeated,
//! leaves hosts alone that fail, and connects only to addresses that its guard has checked.
//!
//! Where an address comes from decides what it may reach. [`Target::configured`] is for URLs that the operator wrote into
//! the settings: their host may be on this machine or in a private network. [`Target::foreign`] is for URLs that came
//! over the network or from a user: they reach public addresses on ports 80 and 443, and what `[outgoing] allow` lists.
//! Names are resolved here, and the connection goes to the very address that was checked, so that a name which answers
//! differently the second time (DNS rebinding) gains nothing. Environment variables that name proxies are not read: a
//! proxy would resolve the name again, out of the guard's sight.

mod address;
mod allow;
mod breaker;
mod client;
mod config;
mod connect;
mod error;
mod guard;
mod hosts;
mod metrics;
mod names;
mod request;
mod response;
mod retry;
mod target;
mod tls;

pub use allow::Allowed;
pub use client::Client;
pub use config::{Config, Limits};
pub use error::Error;
pub use metrics::{ClassStatistics, OUTCOMES, Statistics};
pub use names::{Resolve, Resolving, SystemNames};
pub use request::Request;
pub use response::{Response, Streaming};
pub use target::Target;
pub use tls::authorities;
