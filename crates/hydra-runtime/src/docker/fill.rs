//! Fills a job's volumes through a container that is made, given an archive and never started: it needs no folder of this machine, so it also
//! works when `hydra` itself runs in a container. A volume that is mounted read only refuses an archive, so the job's own container cannot do it.

use super::{
    archive::{self, Broken},
    blueprint::Blueprint,
    convert::{LABEL_JOB, filler},
    engine::Engine,
    trouble::{explain, is_missing},
};
use crate::{
    error::{error, hinted},
    naming::LABEL_INSTANCE,
};
use bollard::query_parameters::{
    CreateContainerOptions, ListContainersOptions, ListVolumesOptions, RemoveContainerOptions, RemoveVolumeOptions,
    UploadToContainerOptions,
};
use futures_util::future::{join_all, try_join_all};
use hydra_core::{
    job::JobSpec,
    ports::{RuntimeError, RuntimeErrorKind},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// A container that filled volumes and has to go.
pub(super) struct Filler(String);

impl Engine {
    /// Makes the volumes and fills them. The container that did it is the caller's to remove.
    pub(super) async fn fill(
        &self,
        instance: &str,
        spec: &JobSpec,
        image: &str,
        made: &Blueprint,
    ) -> Result<Filler, RuntimeError> {
        let what = format!("cannot make the volumes of {}", made.name);
        let labels = BTreeMap::from([
            (LABEL_INSTANCE.to_owned(), instance.to_owned()),
            (LABEL_JOB.to_owned(), made.name.clone()),
        ]);
        let name = made.volumes.input.clone();
        let options = CreateContainerOptions { name: Some(name.clone()), ..CreateContainerOptions::default() };
        let body = filler(image, &made.volumes, &labels);
        self.docker.create_container(Some(options), body).await.map_err(|cause| explain(&what, &cause))?;
        let filler = Filler(name);
        let broken = Broken::default();
        let archive = bollard::body_try_stream(archive::stream(spec.clone(), made.owner(), Arc::clone(&broken)));
        let options = UploadToContainerOptions { path: "/".to_owned(), ..UploadToContainerOptions::default() };
        let sent = self.docker.upload_to_container(&filler.0, Some(options), archive).await;
        let Err(cause) = sent else { return Ok(filler) };
        self.unfill(filler, &made.volumes.all()).await;
        Err(match broken.get() {
            Some(why) => error(RuntimeErrorKind::Failed, format!("cannot read the input of {}: {why}", made.name)),
            None => explain(&format!("cannot fill the volumes of {}", made.name), &cause),
        })
    }

    /// Takes the container away that filled the volumes.
    pub(super) async fn done_filling(&self, filler: &Filler) -> Result<(), RuntimeError> {
        self.remove_container(&filler.0).await
    }

    /// Takes back what [`Self::fill`] made. What cannot be taken back is told to the log: it is found again by its label.
    pub(super) async fn unfill(&self, filler: Filler, volumes: &[&str]) {
        let mut failed: Vec<RuntimeError> = self.done_filling(&filler).await.err().into_iter().collect();
        failed.extend(
            join_all(volumes.iter().map(|volume| self.remove_volume(volume))).await.into_iter().filter_map(Result::err),
        );
        for cause in failed {
            tracing::warn!(%cause, "something that a start made stays behind until the job is removed, or `hydra prune`");
        }
    }

    /// Removes the volumes of a job, and containers that were to fill them, by their label.
    pub(super) async fn remove_belongings(&self, job: &str) -> Result<(), RuntimeError> {
        let label = format!("{LABEL_JOB}={job}");
        let (fillers, volumes) = futures_util::try_join!(self.fillers(&label), self.volumes(&label))?;
        try_join_all(fillers.iter().map(|(id, _)| self.remove_container(id))).await?;
        try_join_all(volumes.iter().map(|(name, _)| self.remove_volume(name))).await?;
        Ok(())
    }

    /// Containers with this label, never started, and the job that each was made for.
    pub(super) async fn fillers(&self, label: &str) -> Result<Vec<(String, String)>, RuntimeError> {
        let options = ListContainersOptions { all: true, filters: Some(by_label(label)), ..Default::default() };
        let found = self.docker.list_containers(Some(options)).await;
        let found = found.map_err(|cause| explain("cannot list containers", &cause))?;
        let job = |labels: Option<HashMap<String, String>>| labels.and_then(|mut labels| labels.remove(LABEL_JOB));
        Ok(found.into_iter().filter_map(|one| Some((one.id?, job(one.labels).unwrap_or_default()))).collect())
    }

    /// Volumes with this label, and the job that each belongs to.
    pub(super) async fn volumes(&self, label: &str) -> Result<Vec<(String, String)>, RuntimeError> {
        let options = ListVolumesOptions { filters: Some(by_label(label)) };
        let found = self.docker.list_volumes(Some(options)).await;
        let found = found.map_err(|cause| explain("cannot list volumes", &cause))?;
        let volumes = found.volumes.unwrap_or_default().into_iter();
        Ok(volumes.map(|mut one| (one.name, one.labels.remove(LABEL_JOB).unwrap_or_default())).collect())
    }

    /// Removes a container by name or ID, killing it first where it runs. Ok when it is not there.
    pub(super) async fn remove_container(&self, name: &str) -> Result<(), RuntimeError> {
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        match self.docker.remove_container(name, Some(options)).await {
            Ok(()) => Ok(()),
            Err(cause) if is_missing(&cause) => Ok(()),
            // Another is at it: it is gone when they are done.
            Err(cause) if super::trouble::status(&cause) == Some(409) => self.gone(name).await,
            Err(cause) => Err(explain(&format!("cannot remove the container {name}"), &cause)),
        }
    }

    pub(super) async fn remove_volume(&self, name: &str) -> Result<(), RuntimeError> {
        match self.docker.remove_volume(name, None::<RemoveVolumeOptions>).await {
            Ok(()) => Ok(()),
            Err(cause) if is_missing(&cause) => Ok(()),
            Err(cause) => {
                let mut error = explain(&format!("cannot remove the volume {name}"), &cause);
                if error.kind == RuntimeErrorKind::Conflict {
                    let hint = format!("see who uses it: `docker ps -a --filter volume={name}`");
                    error = hinted(RuntimeErrorKind::Failed, error.message, hint);
                }
                Err(error)
            }
        }
    }
}

pub(super) fn by_label(label: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![label.to_owned()])])
}
