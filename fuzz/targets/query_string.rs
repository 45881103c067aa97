//! Query strings, by the rules of both front doors.
#![no_main]

mod bound;

use bedplate_query::limits::Limits;
use bedplate_query::syntax::{self, Options};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let limits = Limits::default();
    let call = Options { arguments: true, ..Options::POSTGREST };
    let extended = Options { extensions: true, ..Options::POSTGREST };
    for options in [Options::NATIVE, Options::POSTGREST, call, extended] {
        bound::bounded(|| {
            if let Err(error) = syntax::parse(text, &limits, &options) {
                let _ = bedplate_core::Problem::from(error).to_string();
            }
        });
    }
});
