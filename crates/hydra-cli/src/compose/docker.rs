//! The Docker runtime, joined: which socket, under which name.

use crate::{config::Settings, context::Context, exit::Exit, failure::Failure};
use hydra_runtime::{DockerConfig, DockerRuntime, docker};

/// Where engines listen, unless they are told otherwise.
const SOCKET: &str = "/var/run/docker.sock";

/// The runtime of `runtime.kind = "docker"`. Asks the engine nothing yet.
///
/// # Errors
/// When the engine's address is not a socket of this machine.
pub fn runtime(context: &Context, settings: &Settings) -> Result<DockerRuntime, Failure> {
    let configured = settings.values.runtime.socket.as_deref();
    let address = match configured {
        Some(address) => address.to_owned(),
        None => context
            .environment
            .text("DOCKER_HOST")
            .map_err(|problem| Failure::new(Exit::Configuration, problem))?
            .unwrap_or(SOCKET)
            .to_owned(),
    };
    let socket = docker::socket_of(&address)?;
    Ok(DockerRuntime::new(DockerConfig { socket, instance: settings.values.instance.clone() }))
}
