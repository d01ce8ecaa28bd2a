//! One Docker engine: connected to at the first use, its API version agreed on, and what it can enforce known.

use super::{
    transport::transport,
    trouble::explain,
    version::{self, ApiVersion},
};
use crate::error::{error, hinted};
use bollard::Docker;
use hydra_core::ports::{RuntimeError, RuntimeErrorKind};
use std::path::{Path, PathBuf};

/// No request to the engine but those that wait on purpose takes longer, in seconds.
const TIMEOUT: u64 = 120;
/// CPUs of whatever stands beside a job, each, at most: what an agent can have them do is bounded too.
const CPUS_BESIDE: u32 = 2;

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFacts {
    /// Its own version, as 20.10.24.
    pub version: String,
    /// The API version that is spoken with it.
    pub api: ApiVersion,
    /// CPUs.
    pub cpus: u32,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Whether it can keep a container from swapping.
    pub limits_swap: bool,
}

/// A connection and what is known about its other end.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) docker: Docker,
    pub(super) facts: EngineFacts,
}

/// The socket that an address as in `DOCKER_HOST` names.
///
/// # Errors
/// `Unsupported` for anything but a socket of this machine.
pub fn socket_of(address: &str) -> Result<PathBuf, RuntimeError> {
    let path = address.strip_prefix("unix://").unwrap_or(address);
    if !path.contains("://") && path.starts_with('/') {
        return Ok(path.into());
    }
    Err(hinted(
        RuntimeErrorKind::Unsupported,
        format!("the engine's address {address:?} is not a socket of this machine"),
        "name one such as unix:///var/run/docker.sock with runtime.socket or DOCKER_HOST",
    ))
}

impl Engine {
    pub(super) async fn connect(socket: &Path) -> Result<Self, RuntimeError> {
        let what = format!("cannot ask the engine at {}", socket.display());
        let open = |prefix: String| {
            Docker::connect_with_custom_transport(
                transport(socket.to_owned(), prefix),
                Some("http://engine"),
                TIMEOUT,
                bollard::API_DEFAULT_VERSION,
            )
            .map_err(|cause| explain(&what, &cause))
        };
        let said = open(String::new())?.version().await.map_err(|cause| explain(&what, &cause))?;
        let version = said.version.unwrap_or_default();
        let api = version::agree(
            &version,
            said.min_api_version.as_deref().unwrap_or_default(),
            said.api_version.as_deref().unwrap_or_default(),
        )?;
        let docker = open(format!("/v{api}"))?;
        let info = docker.info().await.map_err(|cause| explain(&what, &cause))?;
        if info.os_type.as_deref().is_some_and(|os| os != "linux") {
            let message = format!("{what}: it runs {} containers", info.os_type.unwrap_or_default());
            return Err(hinted(RuntimeErrorKind::Unsupported, message, "switch Docker to Linux containers"));
        }
        // A limit that the engine would quietly leave out is a limit that is not there.
        for (enforced, limit) in
            [(info.memory_limit, "memory"), (info.cpu_cfs_quota, "CPU time"), (info.pids_limit, "processes")]
        {
            if enforced == Some(false) {
                let message = format!("{what}: it cannot limit {limit}");
                let hint = "enable the cgroup controllers cpu, memory and pids in this machine's kernel";
                return Err(hinted(RuntimeErrorKind::Unsupported, message, hint));
            }
        }
        let cpus = info.ncpu.and_then(|cpus| u32::try_from(cpus).ok()).filter(|cpus| *cpus > 0);
        let Some(cpus) = cpus else {
            return Err(error(RuntimeErrorKind::Failed, format!("{what}: it does not say how many CPUs it has")));
        };
        let options = info.security_options.unwrap_or_default();
        if !options.iter().any(|option| option.contains("seccomp") && !option.contains("unconfined")) {
            let message = format!("{what}: it starts containers without a filter of system calls (seccomp)");
            let hint =
                "take seccomp-profile: unconfined out of its configuration, or use a kernel and an engine with seccomp";
            return Err(hinted(RuntimeErrorKind::Unsupported, message, hint));
        }
        let facts = EngineFacts {
            version,
            api,
            cpus,
            memory_mib: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0) / (1024 * 1024),
            limits_swap: info.swap_limit != Some(false),
        };
        Ok(Self { docker, facts })
    }

    /// CPUs of a container that stands beside a job, in billionths. An engine takes no more than it has.
    pub(super) fn nano_cpus_beside(&self) -> i64 {
        i64::from(self.facts.cpus.min(CPUS_BESIDE)) * 1_000_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_of_this_machine_are_taken() {
        assert_eq!(socket_of("unix:///run/docker.sock"), Ok("/run/docker.sock".into()));
        assert_eq!(socket_of("/run/docker.sock"), Ok("/run/docker.sock".into()));
        for address in ["tcp://127.0.0.1:2375", "ssh://host", "docker.sock", ""] {
            assert_eq!(socket_of(address).unwrap_err().kind, RuntimeErrorKind::Unsupported, "{address}");
        }
    }
}
