//! What every other crate shares: [`Problem`] and its catalogue, [`Principal`] and [`Ctx`], [`Secret`], ids and
//! the clock. Nothing here does I/O, and nothing here knows HTTP beyond status numbers.

mod clock;
mod ctx;
pub mod ids;
pub mod problem;
mod secret;

pub use clock::{Clock, SystemClock};
pub use ctx::{Ctx, Principal, PrincipalKind, RequestInfo};
pub use problem::{Area, Code, FieldFaults, Problem};
pub use secret::Secret;

pub type Result<T, E = Problem> = std::result::Result<T, E>;
