//! `OPTIONS`, and 405 for methods that a place does not offer: `Allow` says what this caller may do here.

use bedplate_core::problem::NOT_FOUND;
use bedplate_core::{Problem, Result};
use bedplate_http::Response;
use bedplate_query::gate::Verb;
use bedplate_query::plan;
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};

use crate::path::Above;
use crate::resource::Resource;
use crate::{Call, not_allowed};

pub(crate) fn collection(call: &Call<'_>, above: &[Above<'_>], name: &str) -> Result<Response> {
    check_above(call, above)?;
    let resource = Resource::get(call, name)?;
    let offered: &[(Verb, &str)] = &[(Verb::Select, "GET, HEAD"), (Verb::Insert, "POST")];
    let creates = above.last().map_or(Ok(true), |parent| creates_below(call, parent, &resource))?;
    answer(call, &allow(call, &resource, if creates { offered } else { &offered[..1] }))
}

pub(crate) fn one(call: &Call<'_>, above: &[Above<'_>], name: &str) -> Result<Response> {
    check_above(call, above)?;
    let resource = Resource::get(call, name)?;
    resource.key_names()?;
    let offered: &[(Verb, &str)] = if above.is_empty() {
        &[
            (Verb::Select, "GET, HEAD"),
            (Verb::Update, "PATCH"),
            (Verb::Insert, "PUT"),
            (Verb::Delete, "DELETE"),
        ]
    } else {
        &[(Verb::Select, "GET, HEAD")]
    };
    // PUT creates or replaces: it needs both rights, and a key that the caller can give.
    let can_put = !resource.makes_its_keys() && resource.allows(call, Verb::Update);
    let offered = offered.iter().copied().filter(|(_, method)| *method != "PUT" || can_put);
    let offered: Vec<_> = offered.collect();
    answer(call, &allow(call, &resource, &offered))
}

pub(crate) fn function(call: &Call<'_>, name: &str) -> Result<Response> {
    let data = &call.api.data;
    let catalog = data.catalog();
    let role = data.role(&catalog, call.ctx)?;
    let gate = data.gate();
    let overloads = catalog.find_functions(None, name);
    let visible: Vec<_> = overloads.iter().filter(|id| gate.function(&catalog, role, **id).is_ok()).collect();
    if visible.is_empty() {
        return Err(Problem::new(&NOT_FOUND));
    }
    let reads = |id: &bedplate_query::catalog::FunctionId| {
        catalog.function(*id).volatility != bedplate_query::catalog::Volatility::Volatile
    };
    answer(
        call,
        if visible.iter().any(|id| reads(id)) { "GET, HEAD, POST, OPTIONS" } else { "POST, OPTIONS" },
    )
}

pub(crate) fn batch(call: &Call<'_>) -> Result<Response> {
    answer(call, "POST, OPTIONS")
}

/// Whether new rows can be made below the parent: they get its key by a foreign key of theirs.
fn creates_below(call: &Call<'_>, parent: &Above<'_>, resource: &Resource) -> Result<bool> {
    let data = &call.api.data;
    let above = Resource::get(call, &parent.resource)?;
    let (catalog, gate) = (&resource.catalog, data.gate());
    let below = plan::below(catalog, resource.role, &*gate, data.limits(), above.id, resource.id);
    Ok(below.is_some_and(|below| below.creates))
}

fn check_above(call: &Call<'_>, above: &[Above<'_>]) -> Result<()> {
    above.iter().try_for_each(|step| Resource::get(call, &step.resource).map(|_| ()))
}

fn allow(call: &Call<'_>, resource: &Resource, offered: &[(Verb, &str)]) -> String {
    let mut allow = String::new();
    for (verb, methods) in offered {
        if resource.allows(call, *verb) {
            allow.push_str(methods);
            allow.push_str(", ");
        }
    }
    allow.push_str("OPTIONS");
    allow
}

fn answer(call: &Call<'_>, allow: &str) -> Result<Response> {
    call.report.set_class("api.options");
    if call.request.method != Method::OPTIONS {
        return Err(not_allowed(allow));
    }
    let mut response = Response::empty(StatusCode::NO_CONTENT);
    if let Ok(value) = HeaderValue::from_str(allow) {
        response.headers.insert(ALLOW, value);
    }
    Ok(response)
}
