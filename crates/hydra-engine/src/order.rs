//! A start order becomes a job's specification: bundle, prompt, change folder, image, environment, limits, names of credentials.

use crate::{
    config::{EngineConfig, GitCredentials},
    frame, inspect,
    observe::{self, CHANGES},
    prompt,
    report::{Blamed as _, Side},
    services,
    store::{self, StateDir, StoreError},
    watch::Shared,
    withhold,
};
use hydra_core::{
    AccountName, BranchName, ChangeName, CommitSha, IssueKey, JobId, ModelName, PersonaId, Stage, Timestamp, TokenRole,
    contract_files::{Allowance, JobInput, QualityCommand, SCHEMA},
    instructions,
    job::{CredentialName, EnvValue, ImageRef, InputFile, JobKey, JobSpec},
    openspec::ChangeFolder,
    persona::{Limits, Persona},
    pin::Pinned,
    plan::{ChangeRead, IssueSnapshot, RecordRead, StartOrder},
    ports::{AccountView, WorkspaceError},
    prompt::Prompt,
    target::Target,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// What a job was started with, kept so that its outputs can be judged after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderNote {
    pub(crate) schema: u32,
    pub(crate) key: JobKey,
    pub(crate) base: CommitSha,
    pub(crate) head: CommitSha,
    pub(crate) branch: BranchName,
    pub(crate) change: Option<ChangeName>,
    pub(crate) account: Option<AccountName>,
    pub(crate) model: Option<ModelName>,
    pub(crate) persona: Option<PersonaId>,
    /// `Name <email>` of its commits.
    pub(crate) author: String,
    /// SHA-256 of the pinned issue.
    pub(crate) snapshot: String,
    /// SHA-256 of the egress policy.
    pub(crate) policy: String,
    /// SHA-256 of the prompt.
    pub(crate) prompt: String,
    pub(crate) image: String,
    /// Names of the commands that quality must run.
    pub(crate) commands: Vec<String>,
    /// Protected besides the fixed ones.
    pub(crate) protected: Vec<String>,
    /// Where changes may lie; empty: anywhere.
    #[serde(default)]
    pub(crate) scope: Vec<String>,
    pub(crate) started_at: Timestamp,
    pub(crate) limits: Limits,
}

/// Reads what a job was started with; `None` when the state folder does not know it.
pub(crate) fn read_note(state: &StateDir, job: &JobId) -> Result<Option<OrderNote>, StoreError> {
    store::read_json(&state.order(job))
}

/// Why a job cannot be started, and on whose side that lies.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) why: String,
    pub(crate) side: Side,
}
impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}
impl<S: Into<String>> From<S> for Refused {
    fn from(why: S) -> Self {
        Self { why: why.into(), side: Side::Hydra }
    }
}
/// What git or the disk refused.
fn by_workspace(error: WorkspaceError) -> Refused {
    Refused { why: error.to_string(), side: error.side() }
}

/// Builds the specification and the note. Writes nothing.
pub(crate) async fn build(
    shared: &Shared,
    seen: &IssueSnapshot,
    order: &StartOrder,
    accounts: &[AccountView],
    now: Timestamp,
) -> Result<(JobSpec, OrderNote), Refused> {
    let (config, workspace) = (&shared.config, &shared.ports.workspace);
    let stage = order.key.stage;
    let repo = &seen.key.repo;
    let target = observe::read_target(shared, repo, &order.base).await;
    let target = target.map_err(|error| Refused { why: error.to_string(), side: error.side })??;
    let change = change_name(seen);
    let files = match &change {
        None => BTreeMap::new(),
        Some(name) => {
            let path = format!("{CHANGES}/{name}");
            workspace.read(repo, &order.base, &path).await.map_err(by_workspace)?
        }
    };
    let bundle = workspace.bundle(repo, &order.base, &order.head).await.map_err(by_workspace)?;
    let persona = config.policy.personas.get(&stage);
    if stage.has_agent() && persona.is_none() {
        return Err(format!("no persona works on {stage}").into());
    }
    let container = stage.container();
    let egress = target.egress(&config.egress, container).map_err(|error| error.to_string())?;
    let image = image(config, stage, &target)?;
    let services = services::chosen(config, stage, &target)?;
    let limits = frame::limits(config, stage);
    let commands = target.quality();
    let fence = frame::fence(config, stage);
    let pinned = pinned(shared, seen)?;
    let told = prompt_of(shared, seen, order, &target, &files, &pinned).await?;
    let note = OrderNote {
        schema: 1,
        key: order.key.clone(),
        base: order.base.clone(),
        head: order.head.clone(),
        branch: order.branch.clone(),
        change: change.clone(),
        account: order.account.clone(),
        model: order.model.clone(),
        persona: persona.map(|persona| persona.id.clone()),
        author: author(persona),
        snapshot: pinned.hash(),
        policy: egress.hash(),
        prompt: told.hash,
        image: image.pin.clone(),
        commands: commands.iter().map(|command| command.name.clone()).collect(),
        protected: config.protected_paths.iter().chain(&target.protected).cloned().collect(),
        scope: target.scope.clone(),
        started_at: now,
        limits,
    };
    let job = JobInput {
        schema: SCHEMA,
        job: order.key.id(),
        stage,
        issue: seen.key.clone(),
        base: order.base.clone(),
        head: order.head.clone(),
        branch: order.branch.clone(),
        author_name: persona.map_or_else(|| "Hydra".to_owned(), |persona| persona.name.clone()),
        author_email: persona.map_or_else(|| "hydra@hydra.invalid".to_owned(), |persona| persona.email.clone()),
        driver: persona.map(|persona| persona.driver.clone()),
        model: order.model.clone(),
        max_turns: limits.turns,
        deadline_secs: u64::from(limits.minutes) * 60,
        commands: if stage.judges() { Vec::<QualityCommand>::new() } else { commands },
        instruction_files: instructions::pathspecs(),
        fence,
        allow_hosts: egress.hosts(container).iter().map(ToString::to_string).collect(),
        model_endpoint: egress.model_endpoint(container).map(ToString::to_string),
        read_only: stage.judges(),
        allowance: allowance(shared, &seen.key, order.model.as_ref(), now),
        services: services::ports(&services),
    };
    let mut inputs = BTreeMap::from([
        ("job.json".to_owned(), InputFile::Bytes(serde_json::to_vec_pretty(&job).map_err(|error| error.to_string())?)),
        ("repo.bundle".to_owned(), InputFile::Path(bundle)),
    ]);
    if stage.has_agent() {
        inputs.insert("prompt.md".into(), InputFile::Bytes(told.task.into_bytes()));
        inputs.insert("system.md".into(), InputFile::Bytes(told.system.into_bytes()));
    }
    let mut env = plain_env(config, seen, order);
    env.extend(services::variables(&services));
    let mut credentials = Vec::new();
    if config.api.is_none() {
        model_env(shared, order, accounts, &mut env, &mut credentials).await?;
    }
    git_env(config, stage, &mut env, &mut credentials);
    let mut spec = JobSpec {
        env,
        inputs,
        spec: files.into_iter().map(|(path, bytes)| (path, InputFile::Bytes(bytes))).collect(),
        credentials,
        ..frame::frame(config, order.key.clone(), image, &egress, services)
    };
    if config.api.is_some() {
        withhold::withhold(shared, order, accounts, job.allowance, &mut spec).await?;
    }
    inspect::equip(&config.registries, &mut spec, now)?;
    Ok((spec, note))
}

/// What is left of both budgets.
fn allowance(shared: &Shared, issue: &IssueKey, model: Option<&ModelName>, now: Timestamp) -> Option<Allowance> {
    let price = shared.config.prices.price(model?).ok()?;
    let policy = &shared.config.policy;
    let left = [
        policy.issue_budget.left(shared.ledger.issue_spend(issue, now)),
        policy.day_budget.left(shared.ledger.day_spend(now)),
    ];
    let usd = left.iter().filter_map(|budget| budget.usd).min();
    let tokens = left.iter().filter_map(|budget| budget.tokens).min();
    (usd.is_some() || tokens.is_some()).then_some(Allowance { usd, tokens, price })
}

/// The change that is built.
fn change_name(seen: &IssueSnapshot) -> Option<ChangeName> {
    let recorded = match &seen.record {
        RecordRead::Valid(record) => record.change.clone(),
        RecordRead::Absent | RecordRead::Bad { .. } => None,
    };
    recorded.or_else(|| match &seen.change {
        ChangeRead::Found { name, .. } => Some(name.clone()),
        ChangeRead::Broken { name, .. } => name.clone(),
        ChangeRead::Unnamed => None,
    })
}

/// The issue as it was pinned: from the state folder, where the look has put it.
fn pinned(shared: &Shared, seen: &IssueSnapshot) -> Result<Pinned, Refused> {
    let hydra_core::plan::PinRead::Pinned { hash } = &seen.pin else {
        return Err("the issue is not pinned".into());
    };
    observe::load_pin(&shared.state, hash).ok_or_else(|| "the pinned issue cannot be read".into())
}

async fn prompt_of(
    shared: &Shared,
    seen: &IssueSnapshot,
    order: &StartOrder,
    target: &Target,
    files: &BTreeMap<String, Vec<u8>>,
    pinned: &Pinned,
) -> Result<Prompt, Refused> {
    let stage = order.key.stage;
    let persona = shared.config.policy.personas.get(&stage).filter(|_| stage.has_agent());
    let Some(persona) = persona else { return Ok(prompt::none()) };
    let folder = ChangeFolder::parse(files).ok();
    let mut diff = None;
    if stage.judges() {
        let read = shared.ports.workspace.diff(&seen.key.repo, &order.base, &order.head).await;
        diff = Some(read.map_err(|error| error.to_string())?.0);
    }
    let change = change_name(seen);
    Ok(prompt::of(&prompt::Parts {
        config: &shared.config,
        order,
        persona,
        change: change.as_ref(),
        pinned,
        requirements: folder.map(|folder| folder.requirements()).unwrap_or_default(),
        target,
        diff: diff.as_ref(),
    }))
}

fn image(config: &EngineConfig, stage: Stage, target: &Target) -> Result<ImageRef, String> {
    let container = stage.container();
    if !stage.judges()
        && let Some(name) = &target.toolchain.image
    {
        let known = config.toolchains.get(name).cloned();
        return known.ok_or_else(|| {
            let known: Vec<&str> = config.toolchains.keys().map(String::as_str).collect();
            format!(
                ".hydra.toml names the image {name:?}, which is not among the toolchains of hydra.toml ({})",
                known.join(", ")
            )
        });
    }
    config.images.get(&container).cloned().ok_or_else(|| format!("no image is configured for {container} containers"))
}

pub(crate) fn author(persona: Option<&Persona>) -> String {
    persona.map(|persona| format!("{} <{}>", persona.name, persona.email)).unwrap_or_default()
}

fn plain_env(config: &EngineConfig, seen: &IssueSnapshot, order: &StartOrder) -> BTreeMap<String, EnvValue> {
    let pull = seen.pulls.iter().find(|pull| pull.head_ref == order.branch).map(|pull| pull.url.clone());
    let links = frame::Links {
        repo: seen.repo.clone_url.clone(),
        issue: seen.issue.url.clone(),
        pull: pull.unwrap_or_default(),
    };
    frame::plain_env(config, &order.key, links)
}

/// The model credential, fetched at the moment of use.
async fn model_env(
    shared: &Shared,
    order: &StartOrder,
    accounts: &[AccountView],
    env: &mut BTreeMap<String, EnvValue>,
    credentials: &mut Vec<CredentialName>,
) -> Result<(), Refused> {
    let Some(account) = &order.account else { return Ok(()) };
    let view = accounts.iter().find(|view| view.name == *account);
    let kind = view.map(|view| view.kind).ok_or_else(|| format!("there is no model account {account}"))?;
    let value = shared.ports.accounts.credential(account).await.map_err(|error| error.to_string())?;
    let credential = CredentialName::Account(account.clone());
    env.insert(frame::model_variable(kind).into(), EnvValue::Secret { credential: credential.to_string(), value });
    credentials.push(credential);
    Ok(())
}

fn git_env(
    config: &EngineConfig,
    stage: Stage,
    env: &mut BTreeMap<String, EnvValue>,
    credentials: &mut Vec<CredentialName>,
) {
    let GitCredentials::Env(tokens) = &config.git_credentials else { return };
    let role = stage.token();
    // Quality is the target's own code: it never holds a credential.
    let Some(token) = tokens.get(&role).filter(|_| role != TokenRole::Orchestrator) else { return };
    let credential = CredentialName::Git(role);
    let value = EnvValue::Secret { credential: credential.to_string(), value: token.clone() };
    env.insert(frame::GIT_TOKEN.into(), value);
    credentials.push(credential);
}

/// The bounds that a watching task holds a job against.
pub(crate) fn bounds(
    config: &Arc<EngineConfig>,
    stage: Stage,
    limits: Limits,
    started_at: Timestamp,
) -> crate::watch::Bounds {
    let on = |limit: std::time::Duration| (!limit.is_zero()).then_some(limit);
    // Quality says little while a test suite runs: only its time-out binds it.
    let stall = on(config.stall_timeout).filter(|_| stage.has_agent());
    crate::watch::Bounds {
        started_at,
        heard_from: started_at,
        deadline: std::time::Duration::from_secs(u64::from(limits.minutes) * 60) + config.deadline_grace,
        stall,
        first_sign: on(config.first_sign_timeout),
        turns: stage.has_agent().then_some(limits.turns),
    }
}

/// Whether `hydra.toml` lets any job of the repository have what its `.hydra.toml` asks for: hosts, image, side services. Looked at before the
/// first start, so that the issue says it instead of a start that fails again and again.
pub(crate) fn fits(config: &EngineConfig, target: &Target) -> Result<(), String> {
    for &stage in Stage::ALL {
        target.egress(&config.egress, stage.container()).map_err(|error| error.to_string())?;
        services::chosen(config, stage, target)?;
        if target.toolchain.image.is_some() && !stage.judges() {
            image(config, stage, target)?;
        }
    }
    Ok(())
}
