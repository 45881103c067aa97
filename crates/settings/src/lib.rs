//! Settings: `bedplate.toml`, its `[env.NAME]` overlays, `.env`, the environment and the command line become one
//! typed [`Settings`] value, with the place each value came from.
//!
//! Every setting is declared once, in [`sections`]: a row gives its documentation, type, default and range, and
//! from the rows come the struct, the parser, the reference page, the JSON Schema for editors and
//! `bedplate config explain`. All faults of a configuration are found in one go, each with its line and its fix.
//!
//! The process environment is read here and nowhere else, into an [`Environment`], so that tests bring their own.

mod consistency;
mod docs;
mod environment;
mod fault;
mod field;
mod foreign;
mod known;
mod layer;
mod load;
mod network;
mod origin;
mod reader;
mod safety;
mod secrets;
pub mod sections;
mod suggest;
mod table;
mod units;

pub use docs::{Explanation, explain, json_schema, reference_markdown};
pub use environment::Environment;
pub use fault::Fault;
pub use foreign::toml_values;
pub use load::{FILE_NAME, Loaded, Override, Row, Source};
pub use network::Network;
pub use origin::Origin;
pub use safety::{Context, KeyOrigin, unsafe_settings};
pub use secrets::ConnectionUrl;
pub use sections::Settings;
pub use suggest::nearest;
pub use table::{Key, Section, keys};
pub use units::{ByteSize, Rate, format_duration, parse_duration};
