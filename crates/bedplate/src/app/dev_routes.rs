//! Routes that exist in `bedplate dev` only: who can be signed in as, and a token for one of them. The example's page uses
//! them until the app has accounts. They are on the loopback listener, behind the Host check, and answer only requests
//! that the page's own origin (or no browser at all) makes.

use std::sync::Arc;

use bedplate_core::Problem;
use bedplate_core::problem::{FORBIDDEN, MALFORMED, NOT_FOUND};
use bedplate_db::Connector;
use bedplate_http::{Access, Request, Response, Route, handler_fn};
use bedplate_settings::Loaded;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::database::Database;
use super::keys::Keys;
use super::{service, token, users};

struct Dev {
    owner: Connector,
    minter: token::Minter,
}

pub fn routes(loaded: &Loaded, keys: &Keys, database: &Database) -> Result<Vec<Route>, Problem> {
    let dev = Arc::new(Dev { owner: database.owner.clone(), minter: token::Minter::new(loaded, keys)? });
    let for_list = Arc::clone(&dev);
    let list = handler_fn(move |_, request: Request| {
        let dev = Arc::clone(&for_list);
        async move {
            check_origin(&request.headers)?;
            let client = service::owner(&dev.owner).await?;
            let names = users::list_names(&client).await?;
            Ok(answer(&json!({ "data": names })))
        }
    });
    let mint = handler_fn(move |_, request: Request| {
        let dev = Arc::clone(&dev);
        async move {
            check_origin(&request.headers)?;
            let body = request.body.collect().await?;
            let body: Value = serde_json::from_slice(&body)
                .map_err(|_| Problem::new(&MALFORMED).detail("send {\"user\": \"e-mail or id\"}"))?;
            let name =
                body["user"].as_str().ok_or_else(|| Problem::new(&MALFORMED).field("user", "is required"))?;
            let client = service::owner(&dev.owner).await?;
            let user = users::find(&client, name).await?.ok_or_else(|| Problem::new(&NOT_FOUND))?;
            let token = dev.minter.mint(&user)?;
            Ok(answer(
                &json!({ "data": { "access_token": token, "user": { "id": user.id, "email": user.email } } }),
            ))
        }
    });
    Ok(vec![
        Route::new(&[Method::GET], "/dev/users", "dev.users", Access::Public, list),
        Route::new(&[Method::POST], "/dev/token", "dev.token", Access::Public, mint),
    ])
}

fn answer(value: &Value) -> Response {
    Response::json(StatusCode::OK, value.to_string())
}

/// Browsers say where a request comes from; another site's page gets nothing here, whatever CORS allows.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").map(|v| v.as_bytes());
    let own_site = matches!(site, None | Some(b"same-origin" | b"none"));
    // Older browsers send no Sec-Fetch-Site, but an Origin with every POST.
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let own_origin = headers.get(ORIGIN).is_none()
        || text(ORIGIN).zip(text(HOST)).is_some_and(|(origin, host)| {
            origin.strip_prefix("http://").is_some_and(|origin| origin.eq_ignore_ascii_case(host))
        });
    if own_site && own_origin {
        Ok(())
    } else {
        Err(Problem::new(&FORBIDDEN).detail("this route answers its own page only"))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn only_the_pages_own_origin_and_programs_are_answered() {
        let asks = |pairs: &[(&'static str, &'static str)]| {
            let header = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            let host = [("host", "localhost:8080")];
            check_origin(&host.iter().chain(pairs).map(header).collect()).is_ok()
        };
        assert!(asks(&[]) && asks(&[("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8080")]));
        assert!(asks(&[("origin", "http://localhost:8080")]) && asks(&[("sec-fetch-site", "none")]));
        for refused in [
            [("sec-fetch-site", "cross-site")],
            [("sec-fetch-site", "same-site")],
            [("origin", "http://localhost:3000")],
            [("origin", "https://localhost:8080")],
            [("origin", "null")],
        ] {
            assert!(!asks(&refused), "{refused:?}");
        }
    }
}
