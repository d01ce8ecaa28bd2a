//! What of a specification is the same for every job of a stage: image, limits, network, the right to fence itself, plain variables.

use crate::{
    config::{EngineConfig, GitCredentials},
    withhold,
};
use hydra_core::{
    AccountName, Generation, IssueKey, Stage, TokenRole,
    contract_files::FenceMode,
    egress::{
        EgressPolicy,
        gate::{GateConfig, PROVIDER},
    },
    job::{CredentialName, EnvValue, Gated, ImageRef, JobKey, JobSpec, Network, Service, Withheld},
    persona::{Limits, QUALITY_LIMITS},
    ports::AccountKind,
};
use std::collections::BTreeMap;

/// Where the gate takes the place of the model API, inside.
pub const MODEL_PORT: u16 = 8088;
/// The variable of a GitHub token in a container.
pub(crate) const GIT_TOKEN: &str = "GIT_TOKEN";

/// The variable of a model credential.
pub(crate) const fn model_variable(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::OAuth => "CLAUDE_CODE_OAUTH_TOKEN",
        AccountKind::Key => "ANTHROPIC_API_KEY",
    }
}

/// What the work is about, as addresses.
pub(crate) struct Links {
    pub(crate) repo: String,
    pub(crate) issue: String,
    pub(crate) pull: String,
}

/// Who fences the containers of a stage.
pub(crate) fn fence(config: &EngineConfig, stage: Stage) -> FenceMode {
    if stage.has_agent() { config.fence } else { FenceMode::None }
}

/// Those of the stage's persona, or of the quality stage.
pub(crate) fn limits(config: &EngineConfig, stage: Stage) -> Limits {
    let quality = Limits { minutes: config.quality_minutes, ..QUALITY_LIMITS };
    config.policy.personas.get(&stage).map_or(quality, |persona| persona.limits)
}

/// A specification without what the work brings: variables, files, credentials.
pub(crate) fn frame(
    config: &EngineConfig,
    key: JobKey,
    image: ImageRef,
    egress: &EgressPolicy,
    services: Vec<Service>,
) -> JobSpec {
    let stage = key.stage;
    let network = network(config, &key, egress, services);
    let gated = matches!(network, Network::Gated(_));
    JobSpec {
        key,
        container: stage.container(),
        image,
        env: BTreeMap::new(),
        inputs: BTreeMap::new(),
        spec: BTreeMap::new(),
        limits: limits(config, stage),
        tmp_mib: config.tmp_mib,
        workspace_mib: config.workspace_mib,
        network,
        net_admin: fence(config, stage) == FenceMode::InContainer && config.network != Network::None,
        hosts: if stage.has_agent() && !gated { config.hosts.clone() } else { BTreeMap::new() },
        credentials: Vec::new(),
    }
}

/// The network of a job. Behind a gate: with an agent always, without one where the policy names a host for it, or it has side services.
fn network(config: &EngineConfig, key: &JobKey, egress: &EgressPolicy, services: Vec<Service>) -> Network {
    let (stage, container) = (key.stage, key.stage.container());
    let plain = if stage.has_agent() { &config.network } else { &config.quality_network };
    let named = stage.has_agent() || !egress.hosts(container).is_empty() || !services.is_empty();
    match (&config.gate, &config.network) {
        (Some(image), Network::Named(network)) if named => {
            let mut gate = GateConfig::of(egress, container, key.id().as_str());
            if let Some(upstream) = config.api.as_ref().filter(|_| stage.has_agent()) {
                let persona = config.policy.personas.get(&stage);
                // What the gate signs for is reached through it alone: not with a key of the agent's own.
                gate.allow.retain(|line| ![upstream.endpoint.host(), PROVIDER].contains(&line.to_string().as_str()));
                gate.model = None;
                gate.api = Some(withhold::route(upstream, persona.map(|persona| persona.model.clone())));
            }
            let hosts = config.hosts.clone();
            Network::Gated(Box::new(Gated {
                image: image.clone(),
                network: network.clone(),
                hosts,
                name_servers: config.name_servers.clone(),
                config: gate,
                services,
                withheld: Withheld::default(),
            }))
        }
        _ => plain.clone(),
    }
}

/// Variables that are no secrets.
pub(crate) fn plain_env(config: &EngineConfig, key: &JobKey, links: Links) -> BTreeMap<String, EnvValue> {
    let mut pairs = vec![
        ("REPO_URL", links.repo),
        ("ISSUE_URL", links.issue),
        ("PR_URL", links.pull),
        ("SPEC_PATH", "/spec".to_owned()),
        ("HYDRA_MODE", key.stage.as_str().to_owned()),
        ("HYDRA_JOB", key.id().to_string()),
        ("GITHUB_ORG", config.org.clone()),
    ];
    let url = if config.api.is_some() { Some(withhold::base_url()) } else { config.model_base_url.clone() };
    if let Some(url) = url.filter(|_| key.stage.has_agent()) {
        pairs.push(("ANTHROPIC_BASE_URL", url));
    }
    let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(config.extra_env.clone());
    pairs.map(|(name, value)| (name, EnvValue::Plain(value))).collect()
}

/// A stage's job for an issue, as it would be specified: whatever the work brings is named as a variable of a shell.
///
/// # Errors
/// When no image is configured for the stage.
pub fn sample(
    config: &EngineConfig,
    stage: Stage,
    issue: IssueKey,
    account: Option<(AccountName, AccountKind)>,
) -> Result<JobSpec, String> {
    let container = stage.container();
    let image = config.images.get(&container).cloned();
    let image = image.ok_or_else(|| format!("no image is configured for {container} containers"))?;
    let key = JobKey { issue, generation: Generation(1), stage, round: 0, attempt: 0 };
    let mut spec = frame(config, key, image, &config.egress, Vec::new());
    let named = |name: &str| format!("${{{name}}}");
    let pull = if stage == Stage::Build { String::new() } else { named("PR_URL") };
    spec.env = plain_env(config, &spec.key, Links { repo: named("REPO_URL"), issue: named("ISSUE_URL"), pull });
    let mut secret = |variable: &str, credential: CredentialName| {
        let value = EnvValue::Secret { credential: credential.to_string(), value: String::new().into() };
        spec.env.insert(variable.to_owned(), value);
        spec.credentials.push(credential);
    };
    if let Some((name, kind)) = account.filter(|_| stage.has_agent() && config.api.is_none()) {
        secret(model_variable(kind), CredentialName::Account(name));
    }
    if let GitCredentials::Env(tokens) = &config.git_credentials
        && stage.token() != TokenRole::Orchestrator
        && tokens.contains_key(&stage.token())
    {
        secret(GIT_TOKEN, CredentialName::Git(stage.token()));
    }
    Ok(spec)
}
