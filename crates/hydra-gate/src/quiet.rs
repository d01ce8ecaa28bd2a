//! How long a body may be silent. The time runs while something is waited for, and begins anew with each piece.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep};

/// The patience with one body.
pub(crate) struct Quiet {
    most: Duration,
    patience: Pin<Box<Sleep>>,
}

impl Quiet {
    pub(crate) fn new(most: Duration) -> Self {
        Self { most, patience: Box::pin(sleep(most)) }
    }
    /// What is waited for: as it came, or an error when nothing has come for too long.
    pub(crate) fn bound<T>(&mut self, piece: Poll<T>, context: &mut Context<'_>) -> Poll<Result<T, io::Error>> {
        match piece {
            Poll::Ready(piece) => {
                self.patience.as_mut().reset(Instant::now() + self.most);
                Poll::Ready(Ok(piece))
            }
            Poll::Pending => {
                self.patience.as_mut().poll(context).map(|()| Err(io::Error::from(io::ErrorKind::TimedOut)))
            }
        }
    }
}
