//! Which kind of resource a path names.

use std::borrow::Cow;

use bedplate_core::Result;
use bedplate_http::Request;

use crate::Config;
use crate::error::{self, PGRST125};

pub(crate) enum Place<'r> {
    /// `/`
    Root,
    /// `/{table or view}`
    Relation(Cow<'r, str>),
    /// `/rpc/{function}`
    Function(Cow<'r, str>),
}

pub(crate) fn read<'r>(request: &'r Request, _config: &Config) -> Result<Place<'r>> {
    let mut segments = request.segments()?.into_iter();
    match (segments.next(), segments.next(), segments.next()) {
        (None, ..) => Ok(Place::Root),
        (Some(name), None, None) => Ok(if name.is_empty() { Place::Root } else { Place::Relation(name) }),
        (Some(rpc), Some(name), None) if rpc == "rpc" => Ok(Place::Function(name)),
        _ => Err(error::plain(&PGRST125, "Invalid path specified in request URL")),
    }
}
