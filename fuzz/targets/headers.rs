//! `Prefer`, `Range` and `Accept` of the PostgREST dialect.
#![no_main]

mod bound;

use std::sync::{Arc, LazyLock};

use bedplate_data::Door;
use bedplate_query::limits::Limits;
use bedplate_supabase::config::{OpenApi, TransactionEnd};
use bedplate_supabase::{Config, fuzz};
use libfuzzer_sys::fuzz_target;

static CONFIG: LazyLock<Config> = LazyLock::new(|| Config {
    schemas: vec!["public".to_owned()],
    search_paths: vec![None],
    extra_search_path: Vec::new(),
    transaction: TransactionEnd { rollback: false, allow_override: true },
    extensions: true,
    root_spec: None,
    plans: true,
    max_rows: Some(1000),
    openapi: OpenApi::default(),
    server_timing: false,
    trace_header: None,
    json: Default::default(),
    timezones: Arc::new(["America/Los_Angeles".to_owned(), "UTC".to_owned()]),
    door: Door::new(Arc::new(bedplate_access::Rules::default()), Limits::default()),
});

fuzz_target!(|bytes: &[u8]| bound::bounded(|| fuzz::headers(bytes, &CONFIG)));
