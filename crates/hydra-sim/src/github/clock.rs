//! The simulator's time of day: the machine's, or one that stands still until it is told to go on.

use jiff::{SignedDuration, Timestamp, Unit};
use std::sync::{Arc, Mutex, PoisonError};

/// A clock that every part of one simulator shares. GitHub's timestamps have a resolution of one second, and so have these.
#[derive(Debug, Clone, Default)]
pub struct SimClock(Arc<Mutex<Option<Timestamp>>>);

impl SimClock {
    /// The machine's time.
    #[must_use]
    pub fn real() -> Self {
        Self::default()
    }

    /// Stands still at `start` until [`SimClock::advance`] or [`SimClock::set`].
    #[must_use]
    pub fn fixed(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Some(start))))
    }

    /// Now, whole seconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let fixed = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = fixed.unwrap_or_else(Timestamp::now);
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Moves a standing clock on; a clock that shows the machine's time first comes to a stand there.
    pub fn advance(&self, seconds: i64) {
        let mut fixed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = fixed.unwrap_or_else(Timestamp::now);
        *fixed = Some(now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now));
    }

    /// Sets the clock and lets it stand.
    pub fn set(&self, at: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(at.round(Unit::Second).unwrap_or(at));
    }
}
