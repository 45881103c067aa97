//! Descriptions of large catalogs take a while to write, so they are kept as long as what they were made from.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bedplate_core::{PrincipalKind, Problem, Result};
use bedplate_query::catalog::{Catalog, RoleId};
use bedplate_query::gate::Gate;
use bedplate_query::limits::Limits;
use bytes::Bytes;
use foldhash::fast::RandomState;
use http::HeaderValue;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use super::{Scope, Settings, document};

/// Bytes of all descriptions that are kept.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// How many are expected: one for each role.
const USUAL: usize = 8;
/// Descriptions of more objects than this are made beside the threads that serve requests.
const MANY: usize = 100;

/// A description as it is sent.
#[derive(Clone)]
pub(super) struct Described {
    pub document: Bytes,
    pub tag: HeaderValue,
}

/// What a description is made from.
pub(super) struct Source {
    pub catalog: Arc<Catalog>,
    pub gate: Arc<dyn Gate>,
    pub limits: Limits,
    pub role: RoleId,
    pub kind: PrincipalKind,
    pub settings: Arc<Settings>,
}

/// A role is one kind of caller's in any sensible configuration; where it is not, counts differ.
type Key = (RoleId, u8);

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Described> for ByBytes {
    fn weight(&self, _: &Key, described: &Described) -> u64 {
        described.document.len() as u64 + 64
    }
}

struct Generation {
    catalog: u64,
    documents: Cache<Key, Described, ByBytes, RandomState>,
}

/// The descriptions made from one catalog.
#[derive(Default)]
pub(super) struct Descriptions {
    present: ArcSwapOption<Generation>,
}

impl Descriptions {
    /// From the cache, or made now; by one request when many ask at once.
    pub async fn get(&self, source: Source) -> Result<Described> {
        let generation = self.generation(source.catalog.version);
        let kind = match source.kind {
            PrincipalKind::Anonymous => 0,
            PrincipalKind::User => 1,
            PrincipalKind::Service => 2,
        };
        let key = (source.role, kind);
        if let Some(known) = generation.documents.get(&key) {
            return Ok(known);
        }
        // A caller who does not wait for the end leaves it to the next one.
        let made = async move { generation.documents.get_or_insert_async(&key, make(source)).await };
        let done = tokio::spawn(made).await;
        done.map_err(|e| Problem::internal_error("the description failed").caused_by(e))?
    }

    fn generation(&self, catalog: u64) -> Arc<Generation> {
        if let Some(held) = self.present.load_full().filter(|held| held.catalog == catalog) {
            return held;
        }
        let documents = Cache::with(USUAL, MOST_BYTES, ByBytes, RandomState::default(), Default::default());
        let new = Arc::new(Generation { catalog, documents });
        self.present.store(Some(Arc::clone(&new)));
        new
    }
}

async fn make(source: Source) -> Result<Described> {
    let many = source.catalog.relations.len() + source.catalog.functions.len() > MANY;
    let work = move || {
        let scope = Scope {
            catalog: &source.catalog,
            gate: &*source.gate,
            limits: &source.limits,
            role: source.role,
            kind: source.kind,
            settings: &source.settings,
        };
        let document = document::write(scope)?;
        let tag = tag(&document)?;
        Ok(Described { document: document.into(), tag })
    };
    if !many {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Problem::internal_error("the description failed").caused_by(e))?
}

fn tag(document: &[u8]) -> Result<HeaderValue> {
    let digest = Sha256::digest(document);
    let number = u128::from_be_bytes(digest[..16].try_into().unwrap_or_default());
    HeaderValue::try_from(format!("\"{number:032x}\""))
        .map_err(|e| Problem::internal_error("an entity tag").caused_by(e))
}
