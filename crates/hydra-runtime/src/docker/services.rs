//! Side services of one job (a database): containers in the namespace of its fence, so that the job reaches them on loopback, and they
//! reach what the fence lets through and nothing else. They stand before the job starts, and go with it.

use super::{
    convert::{LABEL_JOB, LOG_OPTIONS},
    engine::Engine,
    fence::{Fence, LABEL_ROLE, MIB},
};
use crate::naming::LABEL_INSTANCE;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use hydra_core::{
    job::{Gated, Service},
    ports::RuntimeError,
};
use std::collections::{BTreeMap, HashMap};

/// What a service's container is.
const ROLE: &str = "service";
/// Processes of one, at most.
const PIDS: i64 = 512;

impl Engine {
    /// Starts every service of a job, one after the other.
    pub(super) async fn serve_aside(
        &self,
        fence: &Fence,
        gated: &Gated,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), RuntimeError> {
        for (service, name) in gated.services.iter().zip(&fence.services) {
            let image = self.image(&service.image).await?;
            self.made(name, body(&image, labels, &fence.holder, service, self.nano_cpus_beside())).await?;
            self.started(name).await?;
        }
        Ok(())
    }
}

fn body(
    image: &str,
    labels: &BTreeMap<String, String>,
    holder: &str,
    service: &Service,
    cpus: i64,
) -> ContainerCreateBody {
    let own =
        [LABEL_INSTANCE, LABEL_JOB].iter().filter_map(|name| Some(((*name).to_owned(), labels.get(*name)?.clone())));
    let role = (LABEL_ROLE.to_owned(), ROLE.to_owned());
    let memory = i64::from(service.memory_mib) * MIB;
    ContainerCreateBody {
        image: Some(image.to_owned()),
        user: service.user.clone(),
        env: Some(service.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        labels: Some(own.chain([role]).collect::<HashMap<_, _>>()),
        host_config: Some(HostConfig {
            network_mode: Some(format!("container:{holder}")),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            cap_drop: Some(vec!["ALL".to_owned()]),
            memory: Some(memory),
            memory_swap: Some(memory),
            nano_cpus: Some(cpus),
            pids_limit: Some(PIDS),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(LOG_OPTIONS.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
            }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}
