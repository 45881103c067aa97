//! The limits in the life of a request: what is counted when, and as what.

use bedplate_core::problem::UNAUTHENTICATED;
use bedplate_core::{Principal, Problem};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::limiter::Limiter;
use super::rules::Kind;
use super::standing::Standing;
use crate::exchange::Exchange;
use crate::routes::{Access, Endpoint};

/// Before anybody is asked who they are: what is for everybody, and paths that lead nowhere.
pub(crate) async fn unnamed(exchange: &mut Exchange) -> Result<(), Problem> {
    let named = |endpoint: &Endpoint| endpoint.vital || endpoint.access != Access::Public;
    if exchange.endpoint.as_deref().is_some_and(named) {
        return Ok(());
    }
    let Some(limiter) = limiter(exchange) else { return Ok(()) };
    let standing = limiter.unnamed(exchange.client.address, exchange.started).await;
    keep(exchange, standing)
}

/// Before credentials are looked at: an address whose guesses are used up makes no more of them.
pub(crate) fn guesses(exchange: &mut Exchange, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(limiter) = limiter(exchange) else { return Ok(()) };
    let guessing = || headers.contains_key(AUTHORIZATION) || headers.contains_key("apikey");
    let standing = limiter.guessed(exchange.client.address, exchange.started, guessing);
    keep(exchange, standing)
}

/// After credentials were refused; what the caller is told.
pub(crate) async fn failed(exchange: &mut Exchange, problem: Problem) -> Problem {
    if problem.status() != UNAUTHENTICATED.status {
        return problem;
    }
    let Some(limiter) = limiter(exchange) else { return problem };
    let standing = limiter.failed(exchange.client.address, exchange.started).await;
    keep(exchange, standing).err().unwrap_or(problem)
}

/// After the caller is known.
pub(crate) async fn known(
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    principal: &Principal,
) -> Result<(), Problem> {
    let Some(limiter) = limiter(exchange) else { return Ok(()) };
    let below = exchange.uri.path().get(endpoint.mounted_at..).unwrap_or_default();
    let kind = Kind::of(&exchange.method, below, endpoint.options.calls_below);
    let standing = limiter.known(principal, exchange.client.address, kind, exchange.started).await;
    keep(exchange, standing)
}

fn limiter(exchange: &Exchange) -> Option<std::sync::Arc<Limiter>> {
    exchange.app().limiter.clone()
}

/// The answer tells where the caller stands, whatever it is.
fn keep(exchange: &mut Exchange, standing: Option<Standing>) -> Result<(), Problem> {
    let Some(standing) = standing else { return Ok(()) };
    let refused = standing.problem();
    exchange.standing = Some(standing);
    refused.map_or(Ok(()), Err)
}
