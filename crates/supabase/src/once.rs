//! Requests with an `Idempotency-Key`, which PostgREST does not know: answered as others are, within a transaction that keeps
//! the answer; or with the answer that was kept.

use std::sync::Arc;

use bedplate_core::Result;
use bedplate_data::{Attempt, Concluded, Once};
use bedplate_http::{BoxFuture, RequestBody, Response, idempotency};

use crate::route::Place;
use crate::{Call, Config, Rest};

pub(crate) async fn answer(
    rest: &Rest,
    call: &Call<'_>,
    place: &Place<'_>,
    config: &Arc<Config>,
    body: RequestBody,
    key: &str,
) -> Result<Response> {
    let request = call.request;
    let body = body.collect().await?;
    let once = Once {
        key,
        method: request.method.as_str(),
        path: request.path(),
        query: request.query(),
        fingerprint: idempotency::fingerprint(request, &body),
        parts: idempotency::parts,
    };
    let work = |attempt: Arc<Attempt>| -> BoxFuture<'_, Result<Response>> {
        let body = request.body.of(body.clone());
        Box::pin(async move {
            let call = Call { within: Some(&attempt), preferences: call.preferences.clone(), ..*call };
            rest.answer(&call, place, config, body).await
        })
    };
    match call.data.once(call.ctx, &once, work).await? {
        Concluded::Done(response) => Ok(response),
        Concluded::Replayed(parts) => idempotency::replay(parts),
    }
}
