//! `/statistics` on the admin listener: what statements cost, for `bedplate advise`.

use std::sync::Arc;

use bedplate_core::Problem;
use bedplate_data::Data;
use bedplate_http::{Access, Response, Route, handler_fn};
use http::{Method, StatusCode};

/// Names of tables and columns and SQL without values: for whoever runs the server, as the listener is.
pub fn route(data: &Arc<Data>) -> Route {
    let data = Arc::clone(data);
    let handler = handler_fn(move |_, _| {
        let overview = serde_json::to_vec(&data.statistics().read());
        async move {
            let body = overview.map_err(|error| Problem::internal_error(format!("statistics: {error}")))?;
            Ok(Response::json(StatusCode::OK, body))
        }
    });
    Route::new(&[Method::GET], "/statistics", "statistics", Access::Public, handler)
}
