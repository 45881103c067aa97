//! [`Handler`]: the end of the pipeline. Written as an `async fn`; kept behind one boxed future per request.

use std::future::Future;
use std::pin::Pin;

use bedplate_core::Problem;

use crate::request::{Request, RequestContext};
use crate::response::Response;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub trait Handler: Send + Sync + 'static {
    /// Answers one request. The future is dropped when the client goes away or the deadline passes, at any
    /// `await`; it must leave nothing half done then.
    fn handle(
        &self,
        context: RequestContext,
        request: Request,
    ) -> impl Future<Output = Result<Response, Problem>> + Send;
}

/// The object-safe form of [`Handler`].
pub(crate) trait DynHandler: Send + Sync + 'static {
    fn call(&self, context: RequestContext, request: Request) -> BoxFuture<'_, Result<Response, Problem>>;
}

impl<H: Handler> DynHandler for H {
    fn call(&self, context: RequestContext, request: Request) -> BoxFuture<'_, Result<Response, Problem>> {
        // The space first: a future made before it would be copied there with all the room for its later states.
        let space = Box::new_uninit();
        let future = Box::write(space, self.handle(context, request));
        Box::into_pin(future)
    }
}

/// A handler from a plain async function or closure.
pub fn handler_fn<F, Fut>(function: F) -> impl Handler
where
    F: Fn(RequestContext, Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    FnHandler(function)
}

struct FnHandler<F>(F);

impl<F, Fut> Handler for FnHandler<F>
where
    F: Fn(RequestContext, Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    fn handle(
        &self,
        context: RequestContext,
        request: Request,
    ) -> impl Future<Output = Result<Response, Problem>> + Send {
        (self.0)(context, request)
    }
}
