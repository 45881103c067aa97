//! Requests with an `Idempotency-Key`: answered as others are, within a transaction that keeps the answer; or with the answer
//! that was kept.

use std::sync::Arc;

use bedplate_core::Result;
use bedplate_data::{Attempt, Concluded, Once};
use bedplate_http::{BoxFuture, RequestBody, Response, idempotency};

use crate::Call;

pub(crate) async fn answer(call: &Call<'_>, body: RequestBody, key: &str) -> Result<Response> {
    let request = call.request;
    let body = match call.api.body_limit(request.rest()) {
        Some(limit) => body.collect_up_to(limit).await?,
        None => body.collect().await?,
    };
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
            let call = Call { within: Some(&attempt), ..*call };
            crate::answer(&call, body).await
        })
    };
    match call.api.data.once(call.ctx, &once, work).await? {
        Concluded::Done(response) => Ok(response),
        Concluded::Replayed(parts) => idempotency::replay(parts),
    }
}
