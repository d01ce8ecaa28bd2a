//! What people and the composition root ask an engine besides its jobs: what it is, which images it has, what the network of jobs is like.

use super::{DockerRuntime, EngineFacts, NetworkFacts};
use crate::error::error;
use hydra_core::{
    job::ImageRef,
    ports::{RuntimeError, RuntimeErrorKind},
};

impl DockerRuntime {
    /// What the engine says of itself.
    ///
    /// # Errors
    /// When it cannot be asked, or is not one that jobs can run on.
    pub async fn facts(&self) -> Result<EngineFacts, RuntimeError> {
        Ok(self.engine().await?.facts.clone())
    }

    /// The ID of a pinned image.
    ///
    /// # Errors
    /// When it is not there, or is another one.
    pub async fn image(&self, image: &ImageRef) -> Result<String, RuntimeError> {
        self.engine().await?.image(image).await
    }

    /// The network of jobs; `None` when it is not there.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn network(&self, name: &str) -> Result<Option<NetworkFacts>, RuntimeError> {
        self.engine().await?.network_facts(name).await
    }

    /// Makes the network of jobs, unless it is there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn make_network(&self, name: &str) -> Result<NetworkFacts, RuntimeError> {
        let engine = self.engine().await?;
        engine.network(name).await?;
        let gone = || error(RuntimeErrorKind::Failed, format!("the network {name} is gone again"));
        engine.network_facts(name).await?.ok_or_else(gone)
    }
}
