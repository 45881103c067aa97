//! Bodies of writes: JSON, CSV and forms.
#![no_main]

mod bound;

use bedplate_query::validate::body::Limits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| bound::bounded(|| bedplate_supabase::fuzz::bodies(bytes, &Limits::default())));
