//! The network of jobs, made where it is not there. The engine lets two networks bear one name, so the rest is our own care.

use super::{
    engine::Engine,
    trouble::{explain, is_missing, status},
};
use crate::error::hinted;
use bollard::{
    models::{Network, NetworkCreateRequest},
    query_parameters::{InspectNetworkOptions, ListNetworksOptions},
};
use hydra_core::ports::{RuntimeError, RuntimeErrorKind};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::{Duration, Instant},
};

/// How long others who make the same network may take until one of them has it.
const SETTLE: Duration = Duration::from_secs(10);
/// Milliseconds between two looks, at most.
const APART: u32 = 100;

/// The network of jobs as the engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkFacts {
    /// Its driver: `bridge`.
    pub driver: String,
    /// The addresses of this machine on it: where jobs reach what listens here.
    pub gateways: Vec<IpAddr>,
    /// The engine leads nothing from it to the outside.
    pub internal: bool,
}

impl Engine {
    /// Makes the network, unless it is there.
    pub(super) async fn network(&self, name: &str) -> Result<(), RuntimeError> {
        let what = format!("cannot make the network {name}");
        let begun = Instant::now();
        while begun.elapsed() < SETTLE {
            match self.named(name).await?.as_slice() {
                [] => self.try_to_make(name, &what).await?,
                [_] => return Ok(()),
                _ => {}
            }
            // Apart from one another, so that not all of them try again at once.
            let apart = RandomState::new().hash_one(name) % u64::from(APART);
            tokio::time::sleep(Duration::from_millis(apart)).await;
        }
        let seen = self.named(name).await?.len();
        let hint =
            format!("leave exactly one: `docker network ls --filter name=^{name}$`, `docker network create {name}`");
        Err(hinted(RuntimeErrorKind::Failed, format!("{what}: there are {seen} of that name"), hint))
    }

    /// Makes it, and takes it back when another is there as well. Of two who do so at once, one at least sees the other's: the one whose
    /// look came last. So there is never more than one at the end.
    async fn try_to_make(&self, name: &str, what: &str) -> Result<(), RuntimeError> {
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            ..NetworkCreateRequest::default()
        };
        let own = match self.docker.create_network(request).await {
            Ok(made) => made.id,
            // Newer engines refuse the second one themselves.
            Err(cause) if status(&cause) == Some(409) => return Ok(()),
            Err(cause) => return Err(explain(what, &cause)),
        };
        if self.named(name).await?.iter().all(|network| network.id.as_ref() == Some(&own)) {
            return Ok(());
        }
        match self.docker.remove_network(&own).await {
            Err(cause) if !is_missing(&cause) => Err(explain(what, &cause)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// What is known of a network; `None` when it is not there.
    pub(super) async fn network_facts(&self, name: &str) -> Result<Option<NetworkFacts>, RuntimeError> {
        match self.docker.inspect_network(name, None::<InspectNetworkOptions>).await {
            Ok(found) => {
                let config = found.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
                let gateways = config.iter().filter_map(|config| {
                    // The engine may write the gateway with the length of its prefix.
                    config.gateway.as_deref()?.split('/').next()?.parse().ok()
                });
                let gateways = gateways.collect();
                let internal = found.internal.unwrap_or_default();
                Ok(Some(NetworkFacts { driver: found.driver.unwrap_or_default(), gateways, internal }))
            }
            Err(cause) if is_missing(&cause) => Ok(None),
            Err(cause) => Err(explain(&format!("cannot look at the network {name}"), &cause)),
        }
    }

    async fn named(&self, name: &str) -> Result<Vec<Network>, RuntimeError> {
        let filters = HashMap::from([("name".to_owned(), vec![name.to_owned()])]);
        let options = ListNetworksOptions { filters: Some(filters) };
        let found = self.docker.list_networks(Some(options)).await;
        let mut found = found.map_err(|cause| explain("cannot list networks", &cause))?;
        // The engine's filter takes parts of names.
        found.retain(|network| network.name.as_deref() == Some(name));
        Ok(found)
    }
}
