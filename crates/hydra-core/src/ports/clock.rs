//! Time, so that a whole pipeline runs under virtual time.

use crate::Timestamp;
use async_trait::async_trait;

/// Time. `now` never goes back by more than the system's own clock does; `sleep` may return early only when the task is dropped.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;
    /// Waits.
    async fn sleep(&self, duration: std::time::Duration);
}
