//! Jobs as containers of a Docker engine.
//!
//! A job is one container with a deterministic name and labels, and three volumes of its own: `/in` and `/spec` (read only) and `/out`. All of
//! them are filled and read through the engine, so nothing of this machine is mounted and `hydra` may itself run in a container. The root is
//! read only, every capability is dropped but `NET_ADMIN` where the container fences itself, and no process gains a privilege.
//! What differs from the documented command line is listed in `docs/operations/docker.md` and held against it by a test.

mod archive;
mod blueprint;
mod collect;
mod command_line;
mod convert;
mod end;
mod engine;
mod fence;
mod fill;
mod follow;
mod gate_files;
mod image;
mod look;
mod name_servers;
mod network;
mod remains;
mod services;
mod start;
mod told;
mod transport;
mod trouble;
mod version;

pub use command_line::command_line;
pub use engine::{EngineFacts, socket_of};
pub use network::NetworkFacts;
pub use version::{ApiVersion, NEWEST, OLDEST};

use crate::{
    error::error,
    naming::{LABEL_INSTANCE, LABEL_KEY},
};
use async_trait::async_trait;
use bollard::query_parameters::ListContainersOptions;
use engine::Engine;
use futures_util::{future::try_join_all, stream::BoxStream};
use hydra_core::{
    JobId,
    egress::gate::GateLine,
    job::{JobSpec, Observed},
    ports::{Collected, LogLine, Runtime, RuntimeError, RuntimeErrorKind, Selector, Started},
};
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::OnceCell;

/// What is younger may belong to a start that is under way.
const UNDER_WAY: Duration = Duration::from_secs(600);

/// How the engine is reached.
#[derive(Debug, Clone)]
pub struct DockerConfig {
    /// The engine's socket.
    pub socket: PathBuf,
    /// This installation's name.
    pub instance: String,
}

/// The runtime whose jobs are containers. It connects when it is first used, so that an engine that is down is an outage and no end.
#[derive(Debug, Clone)]
pub struct DockerRuntime {
    config: Arc<DockerConfig>,
    engine: Arc<OnceCell<Arc<Engine>>>,
}

impl DockerRuntime {
    /// Asks nothing yet.
    #[must_use]
    pub fn new(config: DockerConfig) -> Self {
        Self { config: Arc::new(config), engine: Arc::default() }
    }

    async fn engine(&self) -> Result<&Arc<Engine>, RuntimeError> {
        let connect = || async { Ok(Arc::new(Engine::connect(&self.config.socket).await?)) };
        self.engine.get_or_try_init(connect).await
    }

    /// Ok when the job's container is there.
    async fn found(&self, job: &JobId) -> Result<&Arc<Engine>, RuntimeError> {
        let engine = self.engine().await?;
        match engine.inspect(job.as_str()).await? {
            Some(_) => Ok(engine),
            None => Err(error(RuntimeErrorKind::NotFound, format!("there is no job {job}"))),
        }
    }
}

#[async_trait]
impl Runtime for DockerRuntime {
    async fn start(&self, spec: &JobSpec) -> Result<Started, RuntimeError> {
        self.engine().await?.start(&self.config.instance, spec).await
    }

    async fn list(&self, which: &Selector) -> Result<Vec<Observed>, RuntimeError> {
        let engine = self.engine().await?;
        let names = match which {
            Selector::Job(id) => vec![id.to_string()],
            Selector::Any => engine.jobs(LABEL_KEY.to_owned()).await?,
            Selector::Mine => engine.jobs(format!("{LABEL_INSTANCE}={}", self.config.instance)).await?,
        };
        // Removed between the listing and the look: then it is not there.
        let found = try_join_all(names.iter().map(|name| engine.inspect(name))).await?;
        let mut seen: Vec<Observed> = found.iter().flatten().filter_map(convert::observed).collect();
        seen.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(seen)
    }

    async fn follow(&self, job: &JobId) -> Result<BoxStream<'static, Result<LogLine, RuntimeError>>, RuntimeError> {
        Ok(follow::follow(Arc::clone(self.found(job).await?), job.to_string()))
    }

    async fn collect(&self, job: &JobId, max_bytes: u64) -> Result<Collected, RuntimeError> {
        let engine = self.found(job).await?;
        let mut collected = engine.collect(job.as_str(), max_bytes).await?;
        collected.gate = engine.told(job.as_str()).await?;
        Ok(collected)
    }

    async fn told(&self, job: &JobId) -> Result<Vec<GateLine>, RuntimeError> {
        self.engine().await?.told_so_far(job.as_str()).await
    }

    async fn stop(&self, job: &JobId, grace: Duration) -> Result<(), RuntimeError> {
        self.engine().await?.stop(job.as_str(), grace).await
    }

    async fn remove(&self, job: &JobId) -> Result<(), RuntimeError> {
        self.engine().await?.remove(job.as_str()).await
    }

    async fn remains(&self) -> Result<Vec<JobId>, RuntimeError> {
        self.engine().await?.remains(&self.config.instance, UNDER_WAY).await
    }
}

impl Engine {
    /// The names of containers that are jobs and bear this label.
    async fn jobs(&self, label: String) -> Result<Vec<String>, RuntimeError> {
        let labels = vec![label, LABEL_KEY.to_owned()];
        let filters = Some(HashMap::from([("label".to_owned(), labels)]));
        let options = ListContainersOptions { all: true, filters, ..ListContainersOptions::default() };
        let found = self.docker.list_containers(Some(options)).await;
        let found = found.map_err(|cause| trouble::explain("cannot list containers", &cause))?;
        Ok(found.into_iter().filter_map(|one| one.id).collect())
    }
}
