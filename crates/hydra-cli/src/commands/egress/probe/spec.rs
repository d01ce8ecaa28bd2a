//! The container of a probe: a job of its type as the pipeline would start it, with nothing of anybody's in it.

use crate::{compose, config::Settings, exit::Exit, failure::Failure};
use hydra_core::{
    AccountName, ContainerType, Generation, IdError, IssueKey, IssueNumber, RepoName, Stage,
    contract_files::FenceMode,
    egress::{HostName, HostPattern, gate::GateAccount},
    job::{EnvValue, JobKey, JobSpec, Network},
    persona::Limits,
    ports::AccountKind,
    probe::{ORDER, PROBE_EGRESS, ProbeOrder},
};
use std::collections::BTreeMap;

/// Stands in the place of a credential: no request of a probe goes as far as being signed.
const NOBODY: &str = "probe";
/// The provider's host, which is not reached by name where the gate signs for it.
const PROVIDER: &str = "api.anthropic.com";

/// The specification, and what the wrapper in it is told.
pub(super) fn spec(settings: &Settings, container: ContainerType) -> Result<(JobSpec, ProbeOrder), Failure> {
    let internal = |error: String| Failure::new(Exit::Internal, error);
    let stage = stage(container);
    let mut spec = compose::engine::sample(settings, stage, compose::engine::Purpose::Act)?;
    // A name that no job has: each probe stands for itself.
    let repo: RepoName = "hydra/probe".parse().map_err(|error: IdError| internal(error.to_string()))?;
    let issue = IssueKey { repo, number: IssueNumber(u64::from(std::process::id())) };
    spec.key = JobKey { issue, generation: Generation(1), stage, round: 0, attempt: 0 };
    let mut order = ProbeOrder { fence: FenceMode::None, allowed: None, model_port: None };
    match &mut spec.network {
        Network::Gated(gated) => {
            order.fence = FenceMode::Isolated;
            let config = &mut gated.config;
            config.job = spec.key.id().to_string();
            // The fence is probed, not what stands behind it: no certificate is made.
            config.inspect.clear();
            let signs = config.api.is_some();
            let reached = |name: &HostName| !(signs && name.as_str() == PROVIDER);
            order.allowed = config.allow.iter().filter_map(exact).find(reached);
            if let Some(api) = &mut config.api {
                let nobody: AccountName = NOBODY.parse().map_err(|error: IdError| internal(error.to_string()))?;
                api.accounts = vec![GateAccount { name: nobody.clone(), kind: AccountKind::Key }];
                gated.withheld.accounts.insert(nobody, NOBODY.to_owned().into());
                order.model_port = Some(api.port);
            }
        }
        Network::Named(_) => order.fence = FenceMode::InContainer,
        Network::None => {}
    }
    let text = serde_json::to_string(&order).map_err(|error| internal(error.to_string()))?;
    let plain = |(name, value): (&str, String)| (name.to_owned(), EnvValue::Plain(value));
    spec.env = [("HYDRA_MODE", PROBE_EGRESS.to_owned()), (ORDER, text)].map(plain).into();
    (spec.inputs, spec.spec, spec.credentials) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    spec.limits = Limits { cpu_millis: 1000, memory_mib: 256, pids: 64, minutes: 2, turns: 1 };
    (spec.tmp_mib, spec.workspace_mib) = (16, 64);
    Ok((spec, order))
}

/// The first stage that runs in a container of this type.
const fn stage(container: ContainerType) -> Stage {
    match container {
        ContainerType::Builder => Stage::Build,
        ContainerType::Quality => Stage::Quality,
        ContainerType::Reviewer => Stage::CodeReview,
        ContainerType::Security => Stage::SecurityReview,
        ContainerType::Applier => Stage::Apply,
    }
}

fn exact(pattern: &HostPattern) -> Option<HostName> {
    match pattern {
        HostPattern::Exact(name) => Some(name.clone()),
        HostPattern::Below(_) => None,
    }
}
