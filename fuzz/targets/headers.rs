//! `Prefer`, `Range` and `Accept` of the PostgREST dialect.
#![no_main]

mod bound;

use std::sync::{Arc, LazyLock};

use bedplate_supabase::{Config, fuzz};
use libfuzzer_sys::fuzz_target;

static CONFIG: LazyLock<Config> = LazyLock::new(|| fuzz::config(Arc::new(bedplate_access::Rules::default())));

fuzz_target!(|bytes: &[u8]| bound::bounded(|| fuzz::headers(bytes, &CONFIG)));
