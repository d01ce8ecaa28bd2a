//! The composition root: what the configuration says becomes adapters and plain values of core's types. The only place that knows all adapters.

pub mod docker;
pub mod engine;
mod read_only;

use crate::{
    accounts::FileAccounts,
    config::{Settings, runtime::RuntimeKind},
    context::Context,
    exit::Exit,
    failure::Failure,
};
use hydra_core::{
    Stage, TokenRole,
    plan::{Budget, Columns, PlanPolicy},
    ports::{Runtime, WorkspaceError, WorkspaceErrorKind},
    redact::Redactor,
    view::Permission,
};
use hydra_github::{GitHub, GitHubConfig};
use hydra_runtime::{ProcessConfig, ProcessRuntime};
use hydra_workspace::{GitWorkspace, RemoteTemplate};
use secrecy::SecretString;
use std::{collections::BTreeMap, sync::Arc};
use url::Url;

/// What the GitHub adapter is told.
///
/// # Errors
/// When an address is not one.
pub fn github_config(settings: &Settings) -> Result<GitHubConfig, Failure> {
    let github = &settings.values.github;
    let mut config = GitHubConfig::new(address("github.api_url", &github.api_url)?);
    config.git_base = github.web_url.as_deref().map(|url| address("github.web_url", url)).transpose()?;
    config.tokens = settings.secrets.tokens.iter().map(|(role, held)| (*role, held.value.clone())).collect();
    config.project = github.org.clone().zip(github.project);
    config.status_field = github.status_field.clone();
    Ok(config)
}

/// The GitHub adapter. Needs a tokio runtime.
///
/// # Errors
/// For an address or token that cannot be one.
pub fn github(settings: &Settings) -> Result<GitHub, Failure> {
    Ok(GitHub::new(github_config(settings)?)?)
}

/// Git, with each role's token at the moment of use.
///
/// # Errors
/// When an address is not one.
pub fn workspace(settings: &Settings) -> Result<GitWorkspace, Failure> {
    let base = github_config(settings)?.git();
    let template = format!("{}/{{repo}}.git", base.as_str().trim_end_matches('/'));
    let tokens: BTreeMap<TokenRole, SecretString> =
        TokenRole::ALL.iter().filter_map(|role| Some((*role, settings.token(*role)?.value.clone()))).collect();
    let remotes = RemoteTemplate::new(template, move |role| match tokens.get(&role) {
        Some(token) => Ok(Some(token.clone())),
        None => Err(WorkspaceError {
            kind: WorkspaceErrorKind::Auth,
            message: format!("there is no GitHub token for the role {role}: add {}", role.variable()),
        }),
    });
    Ok(GitWorkspace::new(&settings.state_dir, Arc::new(remotes)))
}

/// Model accounts, with their state in the state folder.
#[must_use]
pub fn accounts(settings: &Settings) -> FileAccounts {
    FileAccounts::new(settings.secrets.accounts.clone(), &settings.state_dir)
}

/// Masks every secret that the configuration holds, in every spelling, and whatever has a secret's shape.
#[must_use]
pub fn redactor(settings: &Settings) -> Redactor {
    let secrets = &settings.secrets;
    let tokens = secrets.tokens.iter().map(|(role, held)| (format!("git:{role}"), &held.value));
    let accounts = secrets.accounts.iter().map(|account| (format!("account:{}", account.name), &account.held.value));
    let registries =
        secrets.registries.iter().map(|(name, registry)| (format!("registry:{name}"), &registry.held.value));
    let key = secrets.signing_key.iter().map(|held| ("signing-key".to_owned(), &held.value));
    let named: Vec<(String, &SecretString)> = tokens.chain(accounts).chain(registries).chain(key).collect();
    Redactor::new(named.iter().map(|(name, value)| (name.as_str(), *value)))
}

/// Names the program of driver `demo`.
const DEMO_AGENT: &str = "HYDRA_DEMO_AGENT";

/// Where jobs run.
///
/// # Errors
/// When the state folder cannot be made, or the engine is not there.
pub fn runtime(context: &Context, settings: &Settings) -> Result<Arc<dyn Runtime>, Failure> {
    match settings.values.runtime.kind {
        RuntimeKind::Process => {
            let program = std::env::current_exe()
                .map_err(|error| Failure::local("this program's own path cannot be found", &error))?;
            let mut extra_env = context.environment.for_processes();
            // The simulator's agent lives in this very program.
            let agent = serde_json::json!([program, "sim-agent"]).to_string();
            extra_env.entry(DEMO_AGENT.to_owned()).or_insert(agent);
            let config = ProcessConfig {
                state_dir: settings.state_dir.clone(),
                program,
                args: vec!["agent".to_owned()],
                instance: settings.values.instance.clone(),
                extra_env,
            };
            Ok(Arc::new(ProcessRuntime::new(config)?))
        }
        RuntimeKind::Docker => Ok(Arc::new(docker::runtime(context, settings)?)),
    }
}

/// What decisions depend on.
#[must_use]
pub fn plan_policy(settings: &Settings) -> PlanPolicy {
    let values = &settings.values;
    let (pipeline, budget, columns) = (&values.pipeline, &values.budget, &values.github.columns);
    let column = |name: &String| Some(name.clone()).filter(|name| !name.is_empty());
    let personas = Stage::ALL.iter().filter_map(|stage| Some((*stage, settings.persona(*stage)?.clone()))).collect();
    PlanPolicy {
        label_prefix: pipeline.label_prefix.clone(),
        trigger_label: pipeline.trigger_label.clone(),
        trigger_permission: permission(pipeline.trigger_permission),
        max_fix_rounds: pipeline.max_fix_rounds,
        max_quality_fixes: pipeline.max_quality_fixes,
        max_attempts: pipeline.retry.attempts,
        backoff_base: pipeline.retry.base.std(),
        backoff_cap: pipeline.retry.cap.std(),
        yolo_allowed: settings.yolo_allowed.clone(),
        single_identity: settings.single_identity(),
        slots: values.slots.total,
        weights: Stage::ALL.iter().map(|stage| (*stage, values.slots.weights.of(stage.container()))).collect(),
        issue_budget: Budget { usd: Some(budget.issue_usd.usd()), tokens: Some(budget.issue_tokens) },
        day_budget: Budget { usd: Some(budget.day_usd.usd()), tokens: Some(budget.day_tokens) },
        personas,
        // The third pass has refused every persona whose model has no price.
        priced: settings.personas.iter().map(|persona| persona.model.clone()).collect(),
        columns: Columns {
            progress: column(&columns.in_progress),
            review: column(&columns.review),
            blocked: column(&columns.needs_input),
            done: column(&columns.done),
        },
        lease_ttl: pipeline.lease.std(),
        allow_hosts: pipeline.link_hosts.clone(),
    }
}

fn permission(permission: crate::config::pipeline::TriggerPermission) -> Permission {
    use crate::config::pipeline::TriggerPermission as Trigger;
    match permission {
        Trigger::Triage => Permission::Triage,
        Trigger::Write => Permission::Write,
        Trigger::Maintain => Permission::Maintain,
        Trigger::Admin => Permission::Admin,
    }
}

fn address(key: &str, text: &str) -> Result<Url, Failure> {
    Url::parse(text).map_err(|error| Failure::new(Exit::Configuration, format!("`{key}` is not an address: {error}")))
}
