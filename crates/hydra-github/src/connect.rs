//! Builds an octocrab client without its dangerous defaults: no retries, no cache, no redirects, no credential of its own.

use crate::{config::GitHubConfig, error::error};
use hydra_core::ports::{ForgeError, ForgeErrorKind};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};

/// A client on one connection pool. Every request carries its own address and headers.
pub(crate) fn octocrab(config: &GitHubConfig) -> Result<Octocrab, ForgeError> {
    let refused = |why: String| error(ForgeErrorKind::Malformed, why);
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(refused("the GitHub client must be made inside a tokio runtime".to_owned()));
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(config.connect_timeout));
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .map_err(|e| refused(format!("TLS cannot be set up: {e}")))?
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let client: Client<_, OctoBody> = Client::builder(TokioExecutor::new()).build(tls);
    match OctocrabBuilder::new_empty().with_service(client).with_auth(AuthState::None).build() {
        Ok(octocrab) => Ok(octocrab),
        Err(never) => match never {},
    }
}
