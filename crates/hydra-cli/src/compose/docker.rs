//! The Docker runtime, joined: which socket, under which name.

use crate::{
    config::{
        Settings,
        runtime::{EgressMode, RuntimeKind},
    },
    context::Context,
    exit::Exit,
    failure::Failure,
    images,
};
use hydra_runtime::{DockerConfig, DockerRuntime, docker};
use std::path::PathBuf;

/// Where engines listen, unless they are told otherwise.
const SOCKET: &str = "/var/run/docker.sock";

/// The engine's socket: as configured, else as `DOCKER_HOST` says, else where engines listen.
///
/// # Errors
/// When the engine's address is not a socket of this machine.
pub fn socket(context: &Context, configured: Option<&str>) -> Result<PathBuf, Failure> {
    let address = match configured {
        Some(address) => address.to_owned(),
        None => context
            .environment
            .text("DOCKER_HOST")
            .map_err(|problem| Failure::new(Exit::Configuration, problem))?
            .unwrap_or(SOCKET)
            .to_owned(),
    };
    Ok(docker::socket_of(&address)?)
}

/// The runtime of `runtime.kind = "docker"`. Asks the engine nothing yet.
///
/// # Errors
/// When the engine's address is not a socket of this machine.
pub fn runtime(context: &Context, settings: &Settings) -> Result<DockerRuntime, Failure> {
    let socket = socket(context, settings.values.runtime.socket.as_deref())?;
    Ok(DockerRuntime::new(DockerConfig { socket, instance: settings.values.instance.clone() }))
}

/// That the engine answers, is one of those that are supported, and holds every image as pinned. Asked before anything is done: a job that
/// cannot be started would be found out in the middle of a pipeline.
///
/// # Errors
/// The first of them that is not so.
pub async fn ready(context: &Context, settings: &Settings) -> Result<(), Failure> {
    if settings.values.runtime.kind != RuntimeKind::Docker {
        return Ok(());
    }
    let pinned = images::pinned(settings)?;
    let runtime = runtime(context, settings)?;
    runtime.facts().await?;
    for image in pinned.values() {
        runtime.image(image).await?;
    }
    if settings.values.egress.mode == EgressMode::Isolated {
        runtime.image(&images::gate(settings)?).await?;
    }
    Ok(())
}
