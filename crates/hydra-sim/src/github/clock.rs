//! The simulator's time of day: the machine's (or ahead of it), or one that stands still until it is told to go on.

use jiff::{SignedDuration, Timestamp, Unit};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A clock that every part of one simulator shares. GitHub's timestamps have a resolution of one second, and so have these.
#[derive(Debug, Clone, Default)]
pub struct SimClock(Arc<Mutex<Hands>>);

#[derive(Debug, Clone, Copy)]
enum Hands {
    /// The machine's time and so much more.
    Run(SignedDuration),
    Stand(Timestamp),
}

impl Default for Hands {
    fn default() -> Self {
        Self::Run(SignedDuration::ZERO)
    }
}

impl SimClock {
    /// The machine's time.
    #[must_use]
    pub fn real() -> Self {
        Self::default()
    }

    /// Stands still at `start` until [`SimClock::advance`] or [`SimClock::set`].
    #[must_use]
    pub fn fixed(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Hands::Stand(start))))
    }

    /// Now, whole seconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = self.hands().shows();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Moves a standing clock on; a clock that runs first comes to a stand.
    pub fn advance(&self, seconds: i64) {
        let mut hands = self.hands();
        let now = hands.shows();
        *hands = Hands::Stand(now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now));
    }

    /// Moves the clock on and lets it run (or stand) as before.
    pub fn jump(&self, by: SignedDuration) {
        let mut hands = self.hands();
        *hands = match *hands {
            Hands::Run(ahead) => Hands::Run(ahead.saturating_add(by)),
            Hands::Stand(at) => Hands::Stand(at.saturating_add(by).unwrap_or(at)),
        };
    }

    /// Sets the clock and lets it stand.
    pub fn set(&self, at: Timestamp) {
        *self.hands() = Hands::Stand(at.round(Unit::Second).unwrap_or(at));
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hands {
    fn shows(self) -> Timestamp {
        let now = Timestamp::now();
        match self {
            Self::Run(ahead) => now.saturating_add(ahead).unwrap_or(now),
            Self::Stand(at) => at,
        }
    }
}
