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

pub(crate) fn read<'r>(request: &'r Request, config: &Config) -> Result<Place<'r>> {
    let mut segments = request.segments()?.into_iter();
    match (segments.next(), segments.next(), segments.next()) {
        (None, ..) => root(config),
        (Some(name), None, None) if name.is_empty() => root(config),
        (Some(name), None, None) => Ok(Place::Relation(name)),
        (Some(rpc), Some(name), None) if rpc == "rpc" => Ok(Place::Function(name)),
        _ => Err(error::plain(&PGRST125, "Invalid path specified in request URL")),
    }
}

/// The description, or the function that is configured to stand in for it.
fn root<'r>(config: &Config) -> Result<Place<'r>> {
    crate::root::check_enabled(config)?;
    Ok(match &config.root_spec {
        Some(function) => Place::Function(Cow::Owned(function.name.clone())),
        None => Place::Root,
    })
}
