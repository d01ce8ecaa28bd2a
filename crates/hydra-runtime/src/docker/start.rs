//! Starts a job. The container's name is the claim: volumes are filled under a mark of their own first, so that whoever finds the container
//! finds it whole; of two who make it at once the engine lets one, and of two who start it the engine tells which one did.

use super::{
    blueprint::Blueprint,
    convert::{self, LABEL_PROOF, container},
    engine::Engine,
    fence::Fence,
    fill::Filler,
    transport::NOT_MODIFIED,
    trouble::{explain, is_missing, status},
};
use crate::{
    check,
    error::{error, join_error},
    naming,
};
use bollard::{
    models::ContainerInspectResponse,
    query_parameters::{CreateContainerOptions, InspectContainerOptions, StartContainerOptions},
};
use hydra_core::{
    job::{JobSpec, Network, RuntimeStatus},
    ports::{RuntimeError, RuntimeErrorKind, Started},
};
use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

/// Found, gone, found again: a name that is fought over so often is not ours to settle.
const TRIES: usize = 5;
/// How long two networks of one name may stand in the way of a start.
const SETTLE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(50);

impl Engine {
    pub(super) async fn start(&self, instance: &str, spec: &JobSpec) -> Result<Started, RuntimeError> {
        let id = spec.key.id();
        let checked = spec.clone();
        let owner = instance.to_owned();
        // Both read files.
        let labels = tokio::task::spawn_blocking(move || {
            check::check(&checked)?;
            naming::labels(&owner, &checked)
        });
        let labels = labels.await.map_err(|cause| join_error(&cause))??;
        for _ in 0..TRIES {
            if let Some(found) = self.inspect(id.as_str()).await? {
                naming::same(id.as_str(), &labels, &convert::labels(&found))?;
                if found.state.as_ref().map(convert::status) != Some(RuntimeStatus::Created) {
                    return Ok(Started::Adopted);
                }
                if matches!(spec.network, Network::Gated(_)) && !self.fence_stands(id.as_str()).await? {
                    // It was made and never started, and its fence is gone: it is made anew.
                    self.remove(id.as_str()).await?;
                    continue;
                }
                match self.let_go(id.as_str()).await {
                    // Removed since.
                    Err(cause)
                        if cause.kind == RuntimeErrorKind::NotFound && self.inspect(id.as_str()).await?.is_none() => {}
                    started => return started,
                }
            }
            if let Some(started) = self.make(instance, spec, &labels).await? {
                return Ok(started);
            }
        }
        Err(error(RuntimeErrorKind::Conflict, format!("{id} comes and goes: somebody else makes and removes it")))
    }

    /// What the engine knows of a container; `None` when it is not there.
    pub(super) async fn inspect(&self, name: &str) -> Result<Option<ContainerInspectResponse>, RuntimeError> {
        match self.docker.inspect_container(name, None::<InspectContainerOptions>).await {
            Ok(found) => Ok(Some(found)),
            Err(cause) if is_missing(&cause) => Ok(None),
            Err(cause) => Err(explain(&format!("cannot look at the container {name}"), &cause)),
        }
    }

    /// Makes and starts it; `None` when another was faster.
    async fn make(
        &self,
        instance: &str,
        spec: &JobSpec,
        labels: &BTreeMap<String, String>,
    ) -> Result<Option<Started>, RuntimeError> {
        let network = async {
            match &spec.network {
                Network::None => Ok(()),
                Network::Named(name) => self.network(name).await,
                Network::Gated(gated) => self.network(&gated.network).await,
            }
        };
        let (image, ()) = futures_util::try_join!(self.image(&spec.image), network)?;
        let mark = format!("-{:08x}", RandomState::new().hash_one(std::process::id()) >> 32);
        let mut made = Blueprint::new(spec, labels.clone(), self.facts.cpus, &mark);
        if let Some(asked) = made.capped_from {
            tracing::info!(job = %made.name, asked, cpus = self.facts.cpus, "the engine has fewer CPUs than the limit allows");
        }
        let (filled, raised) = futures_util::join!(self.fill(instance, spec, &image, &made), async {
            match &spec.network {
                Network::Gated(gated) => self.raise(instance, &made.name, gated, &mark).await.map(Some),
                Network::None | Network::Named(_) => Ok(None),
            }
        });
        let (filler, fence) = match (filled, raised) {
            (Ok(filler), Ok(fence)) => (filler, fence),
            (filled, raised) => return Err(self.take_back(&made, filled, raised).await),
        };
        if let Some(fence) = &fence {
            made.labels.insert(LABEL_PROOF.to_owned(), fence.proof.clone());
        }
        match self.create(&made).await {
            Ok(()) => self.first_start(made, filler).await.map(Some),
            Err(cause) => {
                self.unfill(filler, &made.volumes.all()).await;
                if let Some(fence) = &fence {
                    self.lower(fence).await;
                }
                if cause.kind == RuntimeErrorKind::Conflict { Ok(None) } else { Err(cause) }
            }
        }
    }

    /// Volumes without a fence, or a fence without volumes: what there is of either goes, and the cause is told.
    async fn take_back(
        &self,
        made: &Blueprint,
        filled: Result<Filler, RuntimeError>,
        raised: Result<Option<Fence>, RuntimeError>,
    ) -> RuntimeError {
        let mut causes = Vec::new();
        match filled {
            Ok(filler) => self.unfill(filler, &made.volumes.all()).await,
            Err(cause) => causes.push(cause),
        }
        match raised {
            Ok(Some(fence)) => self.lower(&fence).await,
            Ok(None) => {}
            Err(cause) => causes.push(cause),
        }
        let nothing = || error(RuntimeErrorKind::Failed, format!("{} was not made", made.name));
        causes.into_iter().next().unwrap_or_else(nothing)
    }

    async fn create(&self, made: &Blueprint) -> Result<(), RuntimeError> {
        let options = CreateContainerOptions { name: Some(made.name.clone()), ..CreateContainerOptions::default() };
        let created = self.docker.create_container(Some(options), container(made)).await;
        let created = created.map_err(|cause| {
            let explained = explain(&format!("cannot make the container {}", made.name), &cause);
            let is_image = is_missing(&cause) && explained.message.contains("image");
            if is_image { RuntimeError { kind: RuntimeErrorKind::Image, ..explained } } else { explained }
        })?;
        for warning in created.warnings {
            tracing::warn!(job = %made.name, %warning, "the engine");
        }
        Ok(())
    }

    /// Starts what was just made, and takes the filling container away at the same time. Nothing stays of a start that the engine refuses.
    async fn first_start(&self, made: Blueprint, filler: Filler) -> Result<Started, RuntimeError> {
        let (started, done) = futures_util::join!(self.let_go(&made.name), self.done_filling(&filler));
        if let Err(cause) = done {
            tracing::warn!(%cause, "the container that filled the volumes stays behind until the job is removed");
        }
        match started {
            Ok(started) => Ok(started),
            // Whether it runs cannot be known: the next look tells.
            Err(cause) if cause.kind == RuntimeErrorKind::Unavailable => Err(cause),
            Err(cause) => {
                let cleared = async {
                    self.remove_container(&made.name).await?;
                    self.remove_belongings(&made.name).await
                };
                if let Err(left) = cleared.await {
                    tracing::warn!(job = %made.name, %left, "a job that the engine did not start stays behind");
                }
                Err(cause)
            }
        }
    }

    async fn let_go(&self, name: &str) -> Result<Started, RuntimeError> {
        let begun = Instant::now();
        loop {
            let cause = match self.docker.start_container(name, None::<StartContainerOptions>).await {
                Ok(()) => return Ok(Started::New),
                Err(cause) if status(&cause) == Some(NOT_MODIFIED) => return Ok(Started::Adopted),
                Err(cause) => explain(&format!("cannot start the container {name}"), &cause),
            };
            // Somebody who made the same network at the same time is about to take theirs back.
            if cause.message.contains("is ambiguous") && begun.elapsed() < SETTLE {
                tokio::time::sleep(TICK).await;
                continue;
            }
            return Err(cause);
        }
    }
}
