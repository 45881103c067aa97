//! Descriptions of large catalogs are heavy, so they are kept as long as what they were made from.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bedplate_core::Problem;
use bedplate_query::catalog::{Catalog, RoleId};
use bytes::Bytes;
use foldhash::fast::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{Scope, describe};
use crate::Config;

/// Bytes of all descriptions that are kept.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// How many are expected: schemas times roles.
const USUAL: usize = 16;
/// Descriptions of more relations than this are made beside the threads that serve requests.
const MANY: usize = 200;

/// The descriptions made under one configuration from one catalog. A role asks for few; more than fit are made again.
#[derive(Default)]
pub(crate) struct Descriptions {
    present: ArcSwapOption<Generation>,
}

struct Generation {
    catalog: u64,
    config: Arc<Config>,
    documents: Cache<(RoleId, Box<str>), Bytes, ByBytes, RandomState>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<(RoleId, Box<str>), Bytes> for ByBytes {
    fn weight(&self, _: &(RoleId, Box<str>), document: &Bytes) -> u64 {
        document.len() as u64 + 64
    }
}

/// What a description is made from.
pub(crate) struct Source<'a> {
    pub catalog: &'a Arc<Catalog>,
    pub config: &'a Arc<Config>,
    pub role: RoleId,
    pub schema: &'a str,
}

impl Descriptions {
    /// From the cache, or made now; by one request when many ask at once.
    pub async fn get(&self, source: Source<'_>) -> Result<Bytes, Problem> {
        let generation = self.generation(&source);
        let key = (source.role, Box::from(source.schema));
        generation.documents.get_or_insert_async(&key, make(&source)).await
    }

    fn generation(&self, source: &Source<'_>) -> Arc<Generation> {
        let fits = |held: &Arc<Generation>| {
            held.catalog == source.catalog.version && Arc::ptr_eq(&held.config, source.config)
        };
        if let Some(held) = self.present.load_full().filter(fits) {
            return held;
        }
        let documents = Cache::with(USUAL, MOST_BYTES, ByBytes, RandomState::default(), Default::default());
        let config = Arc::clone(source.config);
        let new = Arc::new(Generation { catalog: source.catalog.version, config, documents });
        self.present.store(Some(Arc::clone(&new)));
        new
    }
}

async fn make(source: &Source<'_>) -> Result<Bytes, Problem> {
    let (catalog, config) = (Arc::clone(source.catalog), Arc::clone(source.config));
    let (role, schema) = (source.role, source.schema.to_owned());
    let many = catalog.relations.len() + catalog.functions.len() > MANY;
    let work = move || {
        let scope = Scope {
            catalog: &catalog,
            gate: &*config.door.gate,
            role,
            schema: &schema,
            extra_path: &config.extra_search_path,
            config: &config.openapi,
        };
        describe(scope).map(Bytes::from)
    };
    if !many {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Problem::internal_error(format!("the description failed: {e}")))?
}
