//! The parsers of headers and bodies, for the fuzz targets. Tests read the targets' corpus as well, so that what was found
//! once stays found.

use std::sync::Arc;

use bedplate_data::Door;
use bedplate_query::gate::Gate;
use bedplate_query::limits;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use bedplate_query::request::{Page, Values};
use bedplate_query::validate::body::Limits;

use crate::accept::Media;
use crate::config::{Counts, OpenApi, TransactionEnd};
use crate::range::Window;
use crate::{Config, accept, body, prefer};

/// Everything allowed, so that as much as can be is read.
pub fn config(gate: Arc<dyn Gate>) -> Config {
    Config {
        schemas: vec!["public".to_owned()],
        search_paths: vec![None],
        extra_search_path: Vec::new(),
        transaction: TransactionEnd { rollback: false, allow_override: true },
        extensions: true,
        root_spec: None,
        plans: true,
        counts: [Counts { exact: true, planned: true, estimated: true }; 3],
        max_rows: Some(1000),
        openapi: OpenApi::default(),
        server_timing: false,
        trace_header: None,
        json: Limits::default(),
        timezones: Arc::new(["America/Los_Angeles".to_owned(), "UTC".to_owned()]),
        door: Door::new(gate, limits::Limits::default()),
    }
}

/// `Prefer`, `Range` and `Accept` with the same bytes, where they can stand in a header.
pub fn headers(bytes: &[u8], config: &Config) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let names = ["prefer", "range", "accept"].map(HeaderName::from_static);
    let headers: HeaderMap = names.into_iter().map(|name| (name, value.clone())).collect();
    let _ = prefer::read(&headers, config);
    let _ = Window::read(&Method::GET, &headers, &Page::default(), &Values::default());
    for media in accept::read(&headers) {
        let _ = media.name();
    }
}

/// A body of each media type that writes take.
pub fn bodies(bytes: &[u8], limits: &Limits) {
    for media in [Media::Json, Media::Csv, Media::UrlEncoded] {
        for named in [false, true] {
            let _ = body::parse_as(media.clone(), bytes, limits, named);
        }
    }
}

#[cfg(test)]
mod tests {
    use bedplate_query::catalog::{Catalog, FunctionId, RelationId, RoleId};
    use bedplate_query::gate::{Denial, Verb};

    use super::*;

    struct Closed;

    impl Gate for Closed {
        fn relation(&self, _: &Catalog, _: RoleId, _: RelationId, _: Verb) -> Result<(), Denial> {
            Err(Denial::Hidden(String::new()))
        }

        fn function(&self, _: &Catalog, _: RoleId, _: FunctionId) -> Result<(), Denial> {
            Err(Denial::Hidden(String::new()))
        }

        fn aggregates(&self, _: &Catalog, _: RoleId, _: RelationId) -> bool {
            false
        }
    }

    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let folder = format!("{}/../../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(folder).unwrap();
        let inputs: Vec<_> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
        assert!(inputs.len() > 10, "the corpus of {target}");
        inputs
    }

    #[test]
    fn the_corpus_is_read_without_a_panic() {
        let config = config(Arc::new(Closed));
        for bytes in corpus("headers") {
            headers(&bytes, &config);
        }
        for bytes in corpus("bodies") {
            bodies(&bytes, &Limits::default());
        }
    }
}
