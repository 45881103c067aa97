//! What every other crate shares: [`Problem`] and its catalogue, [`Principal`] and [`Ctx`], [`Secret`], ids, the
//! clock and timers. Nothing here does I/O, and nothing here knows HTTP beyond status numbers.

mod clock;
mod ctx;
pub mod ids;
pub mod problem;
pub mod redact;
mod secret;
mod timer;

pub use clock::{Clock, SystemClock};
pub use ctx::{Ctx, Principal, PrincipalKind, RequestInfo};
pub use problem::{Area, Code, FieldFaults, Problem};
pub use secret::Secret;
pub use timer::Timer;

pub type Result<T, E = Problem> = std::result::Result<T, E>;
