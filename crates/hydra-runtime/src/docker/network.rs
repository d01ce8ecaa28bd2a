//! The network of jobs, made where it is not there. The engine lets two networks bear one name, so the rest is our own care.

use super::{
    engine::Engine,
    trouble::{explain, is_missing},
};
use crate::error::hinted;
use bollard::{
    models::{Network, NetworkCreateRequest},
    query_parameters::{InspectNetworkOptions, ListNetworksOptions},
};
use hydra_core::ports::{RuntimeError, RuntimeErrorKind};
use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// How long others who made the same network may take to take theirs back.
const SETTLE: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(50);

/// The network of jobs as the engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkFacts {
    /// Its driver: `bridge`.
    pub driver: String,
    /// The addresses of this machine on it: where jobs reach what listens here.
    pub gateways: Vec<IpAddr>,
}

impl Engine {
    /// Makes the network, unless it is there.
    pub(super) async fn network(&self, name: &str) -> Result<NetworkFacts, RuntimeError> {
        if let Some(found) = self.network_facts(name).await? {
            return Ok(found);
        }
        let what = format!("cannot make the network {name}");
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            ..NetworkCreateRequest::default()
        };
        match self.docker.create_network(request).await {
            Ok(made) => self.settle(name, &made.id).await?,
            // Another was faster.
            Err(cause) if super::trouble::status(&cause) == Some(409) => {}
            Err(cause) => return Err(explain(&what, &cause)),
        }
        self.network_facts(name).await?.ok_or_else(|| {
            hinted(
                RuntimeErrorKind::Failed,
                format!("{what}: it is gone again"),
                format!("docker network create {name}"),
            )
        })
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
                Ok(Some(NetworkFacts { driver: found.driver.unwrap_or_default(), gateways: gateways.collect() }))
            }
            Err(cause) if is_missing(&cause) => Ok(None),
            Err(cause) => Err(explain(&format!("cannot look at the network {name}"), &cause)),
        }
    }

    /// Of several who made it at once, the one with the least ID stays; the others are taken back by those who made them.
    async fn settle(&self, name: &str, own: &str) -> Result<(), RuntimeError> {
        let what = format!("cannot make the network {name}");
        let begun = Instant::now();
        loop {
            let mut ids: Vec<String> = self.named(name).await?.into_iter().filter_map(|network| network.id).collect();
            ids.sort();
            match ids.first() {
                Some(first) if first != own => {
                    match self.docker.remove_network(own).await {
                        Ok(()) => {}
                        Err(cause) if is_missing(&cause) => {}
                        Err(cause) => return Err(explain(&what, &cause)),
                    }
                    return Ok(());
                }
                Some(_) if ids.len() > 1 && begun.elapsed() < SETTLE => tokio::time::sleep(TICK).await,
                Some(_) if ids.len() > 1 => {
                    return Err(hinted(
                        RuntimeErrorKind::Failed,
                        format!("there are {} networks named {name}", ids.len()),
                        format!("remove all but one: `docker network ls --filter name=^{name}$`"),
                    ));
                }
                Some(_) | None => return Ok(()),
            }
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
