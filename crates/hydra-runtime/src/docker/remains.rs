//! Volumes and fillers of jobs whose container is not there: what a start or a removal that was cut off has left.

use super::{convert::LABEL_JOB, engine::Engine, fill::by_label, trouble::explain};
use crate::naming::LABEL_INSTANCE;
use bollard::query_parameters::{ListContainersOptions, ListVolumesOptions};
use hydra_core::{JobId, SignedDuration, Timestamp, ports::RuntimeError};
use std::{collections::BTreeSet, time::Duration};

impl Engine {
    /// Jobs of this installation of which something older than `age` is left, and no container.
    pub(super) async fn remains(&self, instance: &str, age: Duration) -> Result<Vec<JobId>, RuntimeError> {
        let label = format!("{LABEL_INSTANCE}={instance}");
        let options = ListVolumesOptions { filters: Some(by_label(&label)) };
        let volumes = self.docker.list_volumes(Some(options)).await;
        let volumes = volumes.map_err(|cause| explain("cannot list volumes", &cause))?.volumes.unwrap_or_default();
        let options = ListContainersOptions { all: true, filters: Some(by_label(&label)), ..Default::default() };
        let fillers = self.docker.list_containers(Some(options)).await;
        let fillers = fillers.map_err(|cause| explain("cannot list containers", &cause))?;
        let line = Timestamp::now() - SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        let of_volumes = volumes.into_iter().filter_map(|mut one| {
            let made: Timestamp = one.created_at.as_deref()?.parse().ok()?;
            Some((one.labels.remove(LABEL_JOB)?, made))
        });
        let of_fillers = fillers.into_iter().filter_map(|one| {
            let made = Timestamp::from_second(one.created?).ok()?;
            Some((one.labels?.remove(LABEL_JOB)?, made))
        });
        let old = of_volumes.chain(of_fillers).filter(|(_, made)| *made <= line).map(|(job, _)| job);
        let mut left = Vec::new();
        for job in old.collect::<BTreeSet<String>>() {
            if let Ok(id) = job.parse()
                && self.inspect(&job).await?.is_none()
            {
                left.push(id);
            }
        }
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::VolumeCreateRequest;
    use std::path::Path;

    #[tokio::test]
    #[ignore = "needs docker"]
    async fn volumes_without_their_job_are_told_when_they_are_old_enough_and_taken_away() {
        let engine = Engine::connect(Path::new("/var/run/docker.sock")).await.unwrap();
        let instance = format!("remains-{}", std::process::id());
        let job = format!("hydra-remains-{}-g1-build-r0-a0-00000000", std::process::id());
        let labels = [(LABEL_INSTANCE, instance.as_str()), (LABEL_JOB, job.as_str())];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let request =
            VolumeCreateRequest { name: Some(format!("{job}-out")), labels: Some(labels), ..Default::default() };
        engine.docker.create_volume(request).await.unwrap();
        let hour = Duration::from_secs(3600);
        let seen = (
            engine.remains(&instance, hour).await,
            engine.remains("another", Duration::ZERO).await,
            engine.remains(&instance, Duration::ZERO).await,
        );
        let removed = engine.remove(&job).await;
        assert_eq!(seen, (Ok(vec![]), Ok(vec![]), Ok(vec![job.parse().unwrap()])));
        assert_eq!((removed, engine.remains(&instance, Duration::ZERO).await), (Ok(()), Ok(vec![])));
    }
}
