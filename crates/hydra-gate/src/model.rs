//! The port of the model API: a place that the configuration names, or the API that the gate signs for.

mod accounts;
mod asked;
mod budget;
mod counted;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod place;
mod proxy;
mod route;
mod upstream;
mod usage;
mod warning;

pub(crate) use proxy::Model;
pub(crate) use upstream::{Connector, Pooled, denied, pooled};

use crate::{dial::Dialer, gate::Gate};
use accounts::{Account, Accounts};
use budget::Budget;
use hydra_core::{AccountName, egress::gate::GateConfig};
use std::{collections::BTreeMap, io, path::Path, time::Duration};
use tokio::net::TcpStream;

/// The credentials, in the folder that no agent sees.
const SECRETS: &str = "accounts.json";
/// The one folder below it in which a gate writes while it serves.
pub(crate) const KEPT: &str = "kept";
/// What was used so far, in that folder, for the next gate of the same job.
const USED: &str = "used.json";

/// The API of a configuration that has one; its credentials are read and taken away from the folder's file system by nobody but the runtime.
pub(crate) fn api(folder: Option<&Path>, config: &GateConfig) -> Result<Option<Model>, String> {
    let Some(route) = config.api.clone() else { return Ok(None) };
    let folder = folder.ok_or("a model API needs a folder with its credentials")?;
    let path = folder.join(SECRETS);
    let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let secrets: BTreeMap<AccountName, String> =
        serde_json::from_slice(&text).map_err(|_| format!("{} cannot be read", path.display()))?;
    let accounts = route.accounts.iter().map(|account| {
        let secret = secrets.get(&account.name).ok_or_else(|| format!("there is no credential of {}", account.name))?;
        let value = Account::value(account.kind, secret)?;
        Ok::<_, String>(Account { name: account.name.clone(), kind: account.kind, value })
    });
    let accounts = Accounts::new(accounts.collect::<Result<_, _>>()?);
    let patience = Duration::from_millis(config.limits.connect_millis.into());
    let connector = Connector::new(&route.upstream, Dialer::new(config)?, patience)?;
    let kept = folder.join(KEPT);
    std::fs::create_dir_all(&kept).map_err(|error| format!("{}: {error}", kept.display()))?;
    let budget = Budget::new(route.allowance, Some(kept.join(USED)))?;
    let quiet = Duration::from_millis(config.limits.quiet_millis.into());
    Ok(Some(Model::new(route, accounts, budget, connector, quiet)))
}

/// One connection.
pub(crate) async fn serve(gate: &Gate, stream: TcpStream) -> io::Result<()> {
    match &gate.api {
        Some(api) => api.serve(&gate.events, stream).await,
        None => place::serve(gate, stream).await,
    }
}
