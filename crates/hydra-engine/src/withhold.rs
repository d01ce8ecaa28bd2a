//! Credential mode `withheld`: the gate holds the model's credentials, the job a placeholder that everybody may know.

use crate::{
    frame::{MODEL_PORT as PORT, model_variable},
    watch::Shared,
};
use hydra_core::{
    ModelName,
    contract_files::Allowance,
    egress::gate::{GateAccount, ModelApi, ModelRoute, Upstream},
    job::{CredentialName, EnvValue, JobSpec, Network},
    plan::StartOrder,
    ports::AccountView,
};

/// claude-code makes no call at all without a credential.
const PLACEHOLDER: &str = "withheld-by-hydra";

/// The address of the API inside.
pub(crate) fn base_url() -> String {
    format!("http://127.0.0.1:{PORT}")
}

/// The route of a job, without its accounts.
pub(crate) fn route(upstream: &Upstream, models: impl IntoIterator<Item = ModelName>) -> ModelRoute {
    let models = models.into_iter().flat_map(|model| names(&model));
    ModelRoute {
        port: PORT,
        upstream: upstream.clone(),
        accounts: Vec::new(),
        // The accounts are Claude accounts.
        apis: [ModelApi::Messages].into(),
        models: models.collect(),
        allowance: None,
    }
}

/// What a model is called in requests: the suffix for long contexts is the CLI's own, and the API gets it as a header.
fn names(model: &ModelName) -> [String; 2] {
    let whole = model.as_str().to_owned();
    let short = whole.split('[').next().unwrap_or_default().to_owned();
    [whole, short]
}

/// Gives the gate every account that is free, the ordered one first, and the job a placeholder of its kind.
pub(crate) async fn withhold(
    shared: &Shared,
    order: &StartOrder,
    accounts: &[AccountView],
    allowance: Option<Allowance>,
    spec: &mut JobSpec,
) -> Result<(), String> {
    let Some(first) = &order.account else { return Ok(()) };
    let Network::Gated(gated) = &mut spec.network else {
        return Err("the model credential is to be withheld, and there is no gate that could hold it".into());
    };
    let Some(route) = &mut gated.config.api else {
        return Err("the model credential is to be withheld, and the gate has no model API".into());
    };
    let chosen = accounts.iter().find(|view| view.name == *first);
    let chosen = chosen.ok_or_else(|| format!("there is no model account {first}"))?;
    let others = accounts.iter().filter(|view| view.name != *first && view.aside.is_none());
    for view in std::iter::once(chosen).chain(others) {
        let value = shared.ports.accounts.credential(&view.name).await.map_err(|error| error.to_string())?;
        gated.withheld.accounts.insert(view.name.clone(), value);
        route.accounts.push(GateAccount { name: view.name.clone(), kind: view.kind });
        spec.credentials.push(CredentialName::Account(view.name.clone()));
    }
    route.allowance = allowance;
    // The order names the job's model; the persona's own may have been replaced.
    if let Some(model) = &order.model {
        route.models = names(model).into();
    }
    spec.env.insert(model_variable(chosen.kind).into(), EnvValue::Plain(PLACEHOLDER.into()));
    Ok(())
}
