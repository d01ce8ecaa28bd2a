//! What a gate takes from itself before it serves the first byte of an agent. Everything that an agent writes is read by the process that
//! holds the credentials: whoever takes it over finds no file to read, no program to start, and no port but those that it dials anyway.
//!
//! The order matters: the sockets, the configuration and the credentials are there, no second thread is. Landlock binds the thread that asks
//! for it and those that it starts; the filter of system calls binds every thread.

mod calls;
mod paths;
pub(crate) mod tried;

use crate::dial::HTTPS;
use hydra_core::egress::{
    Endpoint,
    gate::{Confined, GateConfig},
};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Where the container's own resolver listens.
const DNS: u16 = 53;

/// What is left to a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Ports that it dials over TCP; datagrams are bounded by the table of its namespace alone.
    ports: BTreeSet<u16>,
    /// The folder in which it writes, where it does.
    kept: Option<PathBuf>,
}

impl Needs {
    /// Of a gate with this configuration; `kept` is where it keeps what it has counted.
    pub(crate) fn of(config: &GateConfig, kept: Option<&Path>) -> Self {
        let resolvers = config.resolvers.iter().map(SocketAddr::port);
        let own = config.resolvers.is_empty().then_some(DNS);
        let api = config.api.as_ref().map(|api| api.upstream.endpoint.port());
        let place = config.model.as_ref().map(Endpoint::port);
        let ports = resolvers.chain(own).chain(api).chain(place).chain([HTTPS]).collect();
        Self { ports, kept: kept.map(Path::to_owned) }
    }
}

/// Confines this process, for good. Where the kernel has no landlock it goes on with the filter, which lets no file be read either.
///
/// # Errors
/// When a second thread runs already, or anything that the kernel has cannot be had: then nothing may be served.
pub(crate) fn confine(needs: &Needs) -> Result<Confined, String> {
    let threads = fs::read_dir("/proc/self/task").map_err(|error| format!("/proc/self/task: {error}"))?.count();
    if threads != 1 {
        return Err(format!("it runs in {threads} threads already, and those that are there first would be free"));
    }
    // Whatever ends it leaves no memory behind for anybody to read.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| format!("no core: {error}"))?;
    let landlock = paths::restrict(needs).map_err(|error| format!("landlock: {error}"))?;
    calls::filter(needs.kept.is_some()).map_err(|error| format!("seccomp: {error}"))?;
    Ok(Confined { landlock, seccomp: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydra_core::{ContainerType, egress::EgressPolicy};

    #[test]
    fn a_gate_dials_https_its_resolvers_and_the_place_of_its_configuration() {
        let mut config = GateConfig::of(&EgressPolicy::default(), ContainerType::Builder, "hydra-test");
        assert_eq!(Needs::of(&config, None), Needs { ports: [53, 443].into(), kept: None });
        config.resolvers = ["11.0.0.53:5353".parse().unwrap(), "[2001:db8::53]:53".parse().unwrap()].into();
        config.model = Some("models.test:8443".parse().unwrap());
        let needs = Needs::of(&config, Some(Path::new("/kept")));
        assert_eq!(needs, Needs { ports: [53, 443, 5353, 8443].into(), kept: Some("/kept".into()) });
        config.resolvers = ["11.0.0.53:5353".parse().unwrap()].into();
        assert_eq!(Needs::of(&config, None).ports, [443, 5353, 8443].into());
    }
}
