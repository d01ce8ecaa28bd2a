//! The end of a connection: one side is done, and the other may not be.

use std::{future::Future, pin::pin, time::Duration};
use tokio::{select, time::timeout};

/// Runs both directions to their ends, or until one breaks. When the first is done, the second is given so long: whoever has gone away keeps
/// no place because of a host that never closes.
pub(super) async fn both<E>(
    up: impl Future<Output = Result<(), E>>,
    down: impl Future<Output = Result<(), E>>,
    patience: Duration,
) -> Result<(), E> {
    let (mut up, mut down) = (pin!(up), pin!(down));
    let rest = select! {
        done = &mut up => {
            done?;
            timeout(patience, down).await
        }
        done = &mut down => {
            done?;
            timeout(patience, up).await
        }
    };
    // Nothing is lost that anybody waits for.
    rest.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use tokio::time::sleep;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    async fn later(after: Duration, said: Result<(), u8>) -> Result<(), u8> {
        sleep(after).await;
        said
    }

    #[tokio::test]
    async fn the_second_direction_is_waited_for_and_not_for_ever() {
        let begun = std::time::Instant::now();
        assert_eq!(both(ready(Ok(())), later(SHORT, Ok(())), LONG).await, Ok(()));
        assert!(begun.elapsed() >= SHORT);
        assert_eq!(both(ready(Ok::<(), u8>(())), pending(), SHORT).await, Ok(()));
        assert_eq!(both(pending(), later(SHORT, Ok(())), SHORT).await, Ok(()));
        assert!(begun.elapsed() < LONG);
    }

    #[tokio::test]
    async fn what_breaks_ends_both_at_once() {
        assert_eq!(both(pending(), ready(Err(1)), LONG).await, Err(1));
        assert_eq!(both(later(SHORT, Err(2)), pending(), LONG).await, Err(2));
        assert_eq!(both(ready(Ok(())), later(SHORT, Err(3)), LONG).await, Err(3));
    }
}
