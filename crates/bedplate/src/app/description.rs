//! The description of the API (`/openapi.json`) and the page that shows it (`/docs`), as `[api]` wants them.

use std::sync::Arc;

use bedplate_api::docs;
use bedplate_api::openapi::{Audience, Fixed, Kind, OpenApi, Settings};
use bedplate_core::{Code, Problem};
use bedplate_data::Data;
use bedplate_http::Route;
use bedplate_settings::Loaded;
use bedplate_settings::sections::{ErrorFormat, OpenApiAudience};

use super::{Mode, kit};

/// Routes that this crate and `http` have, for the description. Those of `bedplate dev` are not the app's and stay out.
const FIXED: &[Fixed] = &[
    Fixed {
        method: "get",
        path: "/health/live",
        id: "health.live",
        summary: "Whether the process runs",
        kind: Kind::Json,
    },
    Fixed {
        method: "get",
        path: "/health/ready",
        id: "health.ready",
        summary: "Whether requests can be served",
        kind: Kind::Json,
    },
];

const PAGE: Fixed = Fixed {
    method: "get",
    path: docs::PATH,
    id: "docs",
    summary: "A page to read this description on, and to try requests",
    kind: Kind::Page,
};

/// The rows for the route table.
pub fn routes(loaded: &Loaded, mode: Mode, data: &Arc<Data>) -> Result<Vec<Route>, Problem> {
    let settings = &loaded.settings;
    let dev = mode == Mode::Dev;
    let default = if dev { OpenApiAudience::Public } else { OpenApiAudience::Service };
    let audience = match settings.api.openapi.unwrap_or(default) {
        OpenApiAudience::Off => return Ok(Vec::new()),
        OpenApiAudience::Service => Audience::Service,
        OpenApiAudience::SignedIn => Audience::SignedIn,
        OpenApiAudience::Public => Audience::Everybody,
    };
    let page = settings.api.docs.unwrap_or(dev);
    let described = OpenApi::new(
        Arc::clone(data),
        Settings {
            audience,
            title: format!("{} API", settings.project.name),
            envelope: settings.api.error_format == ErrorFormat::Envelope,
            counts: kit::counts(settings),
            batch_operations: kit::batch_limits(settings).operations,
            codes: codes(),
            fixed: FIXED.iter().chain(page.then_some(&PAGE)).copied().collect(),
        },
    );
    let mut routes = vec![described.route()];
    if page {
        routes.extend(docs::routes()?);
    }
    Ok(routes)
}

/// The problems that requests can meet.
fn codes() -> Vec<&'static Code> {
    [
        bedplate_api::problems::ALL,
        bedplate_auth::problems::ALL,
        bedplate_core::problem::ALL,
        bedplate_data::problems::ALL,
        bedplate_db::problems::ALL,
        bedplate_http::problems::ALL,
        bedplate_query::problems::ALL,
    ]
    .concat()
}
