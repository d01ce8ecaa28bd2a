//! What no job may ask for, on any runtime: refused before anything is made.

use crate::error::{error, hinted};
use hydra_core::{
    job::{EnvValue, InputFile, JobSpec, Network},
    ports::{RuntimeError, RuntimeErrorKind},
};
use std::{collections::BTreeMap, net::IpAddr};

/// Networks by these names are not networks of their own: they join the host or leave the choice to the engine.
const SHARED_NETWORKS: [&str; 4] = ["host", "default", "bridge", "none"];
/// With one of these a program inside would look for an engine to talk to.
const ENGINE_VARIABLES: [&str; 4] = ["DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "KUBECONFIG"];
/// Sockets that would give a job the engine itself.
const ENGINE_SOCKETS: [&str; 4] = ["docker.sock", "containerd.sock", "podman.sock", "crio.sock"];

/// Refuses a specification that asks for what no job may have.
pub(crate) fn check(spec: &JobSpec) -> Result<(), RuntimeError> {
    network(&spec.network)?;
    for (name, value) in &spec.env {
        variable(name, value)?;
    }
    files("/in", &spec.inputs)?;
    files("/spec", &spec.spec)?;
    for (name, address) in &spec.hosts {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
            return Err(refused(format!("{name:?} is not a host name")));
        }
        if address.parse::<IpAddr>().is_err() {
            return Err(refused(format!("{name} cannot resolve to {address:?}: that is not an address")));
        }
    }
    let limits = &spec.limits;
    if limits.cpu_millis == 0
        || limits.memory_mib == 0
        || limits.pids == 0
        || spec.tmp_mib == 0
        || spec.workspace_mib == 0
    {
        return Err(refused("a limit of 0 would mean no limit: cpu, memory, pids, tmp and workspace must be positive"));
    }
    Ok(())
}

fn refused(message: impl Into<String>) -> RuntimeError {
    error(RuntimeErrorKind::Refused, message)
}

fn network(network: &Network) -> Result<(), RuntimeError> {
    let name = match network {
        Network::None => return Ok(()),
        Network::Named(name) => name,
        Network::Gated(gated) => &gated.network,
    };
    let plain = !name.is_empty()
        && name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if plain && !SHARED_NETWORKS.contains(&name.as_str()) {
        return Ok(());
    }
    Err(hinted(
        RuntimeErrorKind::Refused,
        format!("a job may not use the network {name:?}"),
        "give the job a network of its own, such as hydra-net, or none",
    ))
}

fn variable(name: &str, value: &EnvValue) -> Result<(), RuntimeError> {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !plain {
        return Err(refused(format!("{name:?} is not the name of a variable")));
    }
    if ENGINE_VARIABLES.contains(&name) {
        return Err(refused(format!("a job may not be given {name}: no job talks to an engine")));
    }
    let text = match value {
        EnvValue::Plain(text) => text.as_str(),
        EnvValue::Secret { value, .. } => secrecy::ExposeSecret::expose_secret(value),
    };
    if text.contains('\0') {
        return Err(refused(format!("the value of {name} holds a zero byte")));
    }
    Ok(())
}

fn files(root: &str, files: &BTreeMap<String, InputFile>) -> Result<(), RuntimeError> {
    for (name, file) in files {
        if !relative(name) {
            return Err(refused(format!("{name:?} is not a path below {root}")));
        }
        if let InputFile::Path(path) = file {
            let last = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if ENGINE_SOCKETS.contains(&last.as_str()) {
                return Err(refused(format!("{} would hand the job an engine", path.display())));
            }
            // What is copied must be a file: never a socket, a device or a folder of this machine.
            match std::fs::metadata(path) {
                Ok(meta) if meta.is_file() => {}
                Ok(_) => return Err(refused(format!("{} is not a plain file", path.display()))),
                Err(cause) => return Err(crate::error::io_error("cannot read the input", path, &cause)),
            }
        }
    }
    Ok(())
}

/// Whether a path stays below the folder it is joined to, on every system.
pub(crate) fn relative(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 1024
        && !path.chars().any(|c| c.is_control() || c == '\\')
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests;
