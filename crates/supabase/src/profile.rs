//! Which schema a request is for: `Accept-Profile` for reads, `Content-Profile` for writes.

use bedplate_core::Result;
use bedplate_http::Request;
use http::{HeaderName, HeaderValue, Method};

use crate::Config;
use crate::error::{PGRST106, Said};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema<'a> {
    pub name: &'a str,
    /// Whether the answer names it: when it was asked for, or when there are several.
    pub negotiated: bool,
}

pub(crate) fn read<'a>(request: &Request, config: &'a Config) -> Result<Schema<'a>> {
    let header = match request.method {
        Method::POST | Method::PATCH | Method::PUT | Method::DELETE => "content-profile",
        _ => "accept-profile",
    };
    let default = config.schemas.first().map_or("", String::as_str);
    let Some(asked) = request.headers.get(header) else {
        return Ok(Schema { name: default, negotiated: config.schemas.len() != 1 });
    };
    let asked = String::from_utf8_lossy(asked.as_bytes());
    match config.schemas.iter().find(|schema| **schema == *asked) {
        Some(name) => Ok(Schema { name, negotiated: true }),
        None => Err(Said::new(format!("Invalid schema: {asked}"))
            .hint(format!("Only the following schemas are exposed: {}", config.schemas.join(", ")))
            .problem(&PGRST106)),
    }
}

impl Schema<'_> {
    /// `Content-Profile` of the answer.
    pub fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let value = HeaderValue::from_bytes(self.name.as_bytes()).ok().filter(|_| self.negotiated)?;
        Some((HeaderName::from_static("content-profile"), value))
    }
}
