//! What is, and why: read-only, without a lease, as values for `--json` (fields are only added) and for people.

mod facts;
mod local;
mod look;
mod seen;
mod tell;

pub use facts::*;
pub use local::{AccountFacts, HoldFacts, LocalFacts, local};
pub use look::{DayFacts, Overview, SlotFacts, UnseenFacts};
pub use tell::tell;
