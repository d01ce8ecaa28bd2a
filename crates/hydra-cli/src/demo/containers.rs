//! What the demo needs to run its agents in containers: the engine, the network of jobs, the images.

use super::jobs;
use crate::{compose::docker, context::Context, exit::Exit, failure::Failure};
use hydra_runtime::{DockerConfig, DockerRuntime};
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// The documented name.
const NETWORK: &str = "hydra-net";
/// Where `cargo xtask images` writes what it has built.
const LOCK: &str = "target/images.lock.json";

/// All that is there.
pub struct Containers {
    /// This machine's address on the network of jobs, with any port.
    pub gateway: SocketAddr,
    /// The file that pins the images.
    pub lock: PathBuf,
}

/// Looks at the engine, makes the network, finds the images.
///
/// # Errors
/// When one of them is not there.
pub async fn ready(context: &Context) -> Result<Containers, Failure> {
    let socket = docker::socket(context, None)?;
    let runtime = DockerRuntime::new(DockerConfig { socket, instance: jobs::instance() });
    let lock =
        context.cwd.ancestors().map(|folder| folder.join(LOCK)).find(|path| path.is_file()).ok_or_else(|| {
            Failure::new(Exit::Runtime, format!("there is no {LOCK}: the agents' images are not built"))
                .help("build them with `cargo xtask images` (Docker and a few minutes), or leave --runtime docker out")
        })?;
    let facts = runtime.make_network(NETWORK).await?;
    let gateway = facts.gateways.into_iter().find(IpAddr::is_ipv4).ok_or_else(|| {
        Failure::new(Exit::Runtime, format!("the network {NETWORK} has no gateway of this machine"))
            .help(format!("docker network rm {NETWORK}: it is made anew"))
    })?;
    // Where the engine runs in a machine of its own (Docker Desktop), its bridge is not ours.
    std::net::TcpListener::bind((gateway, 0)).map_err(|error| {
        Failure::new(
            Exit::Runtime,
            format!("containers could not reach this program: {gateway}, the gateway of {NETWORK}, is no address of this machine ({error})"),
        )
        .help("run the demo on the machine on which the engine runs")
    })?;
    jobs::make_room(&runtime).await?;
    Ok(Containers { gateway: SocketAddr::new(gateway, 0), lock })
}
