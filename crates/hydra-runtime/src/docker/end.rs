//! Ends a container: asks first, then kills; and takes it away with all that belongs to it.

use super::{
    convert,
    engine::Engine,
    trouble::{explain, is_missing, status},
};
use crate::error::error;
use bollard::{
    errors::Error,
    query_parameters::{KillContainerOptions, WaitContainerOptions},
};
use futures_util::StreamExt;
use hydra_core::ports::{RuntimeError, RuntimeErrorKind};
use std::time::{Duration, Instant};

/// A killed container that is not down by then hangs in the kernel or the engine.
const AFTER_KILL: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(50);

impl Engine {
    pub(super) async fn stop(&self, name: &str, grace: Duration) -> Result<(), RuntimeError> {
        let Some(found) = self.inspect(name).await? else { return Ok(()) };
        if !convert::runs(&found) {
            return Ok(());
        }
        if found.state.and_then(|state| state.paused) == Some(true) {
            // Asleep it would hear nothing. That it woke up meanwhile is fine.
            match self.docker.unpause_container(name).await {
                Ok(()) => {}
                Err(cause) if status(&cause).is_some() => {}
                Err(cause) => return Err(explain(&format!("cannot wake {name} up"), &cause)),
            }
        }
        if grace > Duration::ZERO && self.signal(name, "SIGINT").await? && self.down(name, grace).await? {
            return Ok(());
        }
        if self.signal(name, "SIGKILL").await? && !self.down(name, AFTER_KILL).await? {
            return Err(error(
                RuntimeErrorKind::Failed,
                format!("the container {name} does not end although it was killed"),
            ));
        }
        Ok(())
    }

    /// Takes the container away with its volumes. Ok when nothing of it is there.
    pub(super) async fn remove(&self, name: &str) -> Result<(), RuntimeError> {
        self.remove_container(name).await?;
        self.remove_belongings(name).await
    }

    /// Waits until a removal that another began is through.
    pub(super) async fn gone(&self, name: &str) -> Result<(), RuntimeError> {
        let begun = Instant::now();
        while self.inspect(name).await?.is_some() {
            if begun.elapsed() > AFTER_KILL {
                return Err(error(RuntimeErrorKind::Failed, format!("the removal of {name} does not come to its end")));
            }
            tokio::time::sleep(TICK).await;
        }
        Ok(())
    }

    /// False when it does not run (any more).
    async fn signal(&self, name: &str, signal: &str) -> Result<bool, RuntimeError> {
        match self.docker.kill_container(name, Some(KillContainerOptions { signal: signal.to_owned() })).await {
            Ok(()) => Ok(true),
            Err(cause) if is_missing(&cause) || status(&cause) == Some(409) => Ok(false),
            Err(cause) => Err(explain(&format!("cannot send {signal} to {name}"), &cause)),
        }
    }

    /// Waits until it does not run; false when it still does after so long.
    async fn down(&self, name: &str, within: Duration) -> Result<bool, RuntimeError> {
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        let mut ends = Box::pin(self.docker.wait_container(name, Some(options)));
        let end = match tokio::time::timeout(within, ends.next()).await {
            Ok(end) => end,
            Err(_) => return Ok(false),
        };
        match end {
            // bollard makes an error of every exit code but 0.
            Some(Ok(_) | Err(Error::DockerContainerWaitError { .. })) => Ok(true),
            Some(Err(cause)) if is_missing(&cause) => Ok(true),
            Some(Err(cause)) => Err(explain(&format!("cannot wait for the end of {name}"), &cause)),
            None => Ok(self.inspect(name).await?.is_none_or(|found| !convert::runs(&found))),
        }
    }
}
