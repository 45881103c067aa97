//! The seam to authentication: credentials in, a [`Principal`] out. Nearly every token is in a cache, so the
//! answer is usually there at once; a future is made only when keys must be fetched first.

use std::net::IpAddr;
use std::sync::Arc;

use bedplate_core::{Principal, Problem};
use http::HeaderMap;

use crate::handler::BoxFuture;

pub enum Authentication<'a> {
    Ready(Result<Arc<Principal>, Problem>),
    Pending(BoxFuture<'a, Result<Arc<Principal>, Problem>>),
}

pub trait Authenticator: Send + Sync + 'static {
    /// Who sent these headers. No credentials is a principal too (anonymous), or a problem where a key is
    /// demanded; bad credentials are always a problem. `client` is for throttling and logs, not for trust.
    fn authenticate<'a>(&'a self, headers: &'a HeaderMap, client: IpAddr) -> Authentication<'a>;
}

/// For listeners without accounts, such as the admin listener: everybody is anonymous.
#[derive(Debug)]
pub struct Anonymous(Arc<Principal>);

impl Default for Anonymous {
    fn default() -> Self {
        Self(Arc::new(Principal::anonymous("anon")))
    }
}

impl Authenticator for Anonymous {
    fn authenticate<'a>(&'a self, _headers: &'a HeaderMap, _client: IpAddr) -> Authentication<'a> {
        Authentication::Ready(Ok(Arc::clone(&self.0)))
    }
}
