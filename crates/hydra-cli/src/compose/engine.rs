//! The engine, joined: configuration and adapters become one `Engine`.

use super::{accounts, github, plan_policy, read_only::ReadOnly, redactor, runtime, workspace};
use crate::{
    clock::SystemClock,
    config::{
        Settings,
        runtime::{EgressMode, GitCredential, ModelCredential, RuntimeKind, SideService},
    },
    context::Context,
    exit::Exit,
    failure::Failure,
    images,
    output::log::Logged,
};
use hydra_core::{
    ContainerType, IssueKey, IssueNumber, Login, Stage, TokenRole,
    contract_files::FenceMode,
    egress::{HostError, gate::Upstream},
    job::{ImageRef, JobSpec, Network, Service},
    ports::{Board, Forge, ForgeWriter, Leases},
    redact::Redactor,
    verdict::envelope::Signer,
};
use hydra_engine::{
    BreakerPolicy, Engine, EngineConfig, GitCredentials, Ports, Scrub, audit_log::AuditLog, frame, lease_owner,
    observer::Observer, store::StateDir,
};
use secrecy::SecretString;
use std::{collections::BTreeMap, sync::Arc};
use url::Url;

/// What the demo and tests change about an engine that is otherwise as configured.
#[derive(Default)]
pub struct Extras {
    /// Variables for every container.
    pub env: BTreeMap<String, String>,
    /// Host names to resolve in containers.
    pub hosts: BTreeMap<String, String>,
    /// Who is told what happens.
    pub observer: Option<Arc<dyn Observer>>,
    /// What it is for.
    pub purpose: Purpose,
}

/// What an engine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// To act: it needs every credential, and signs what it publishes.
    #[default]
    Act,
    /// To look: it reads with the orchestrator's token, can write nothing to GitHub, and needs neither key nor images.
    Look,
    /// To print what would be: nothing is started or signed, and neither key, images nor credentials are needed.
    Print,
}

/// The engine as configured. Asks GitHub who each token is.
///
/// # Errors
/// When a credential is missing or refused, an image is not pinned, or the state folder cannot be used.
pub async fn engine(context: &Context, settings: &Settings, extras: Extras) -> Result<Engine, Failure> {
    let forge = Arc::new(github(settings)?);
    let logins = logins(settings, &*forge).await?;
    let redactor = Arc::new(redactor(settings));
    let folder = StateDir::open(&settings.state_dir).map_err(|error| local(error.into()))?;
    let audit = AuditLog::open(&folder.audit(), Scrub::from(Arc::clone(&redactor)))
        .map_err(|error| Failure::new(Exit::Local, error.to_string()))?;
    let board = settings.values.github.project.is_some();
    let look = Arc::new(ReadOnly(forge.clone()));
    let (writer, leases, boards): (Arc<dyn ForgeWriter>, Arc<dyn Leases>, Arc<dyn Board>) = match extras.purpose {
        Purpose::Act => (forge.clone(), forge.clone(), forge.clone()),
        Purpose::Look | Purpose::Print => (look.clone(), look.clone(), look),
    };
    let ports = Ports {
        runtime: runtime(context, settings)?,
        forge: forge.clone(),
        writer,
        leases,
        board: board.then_some(boards),
        workspace: Arc::new(workspace(settings)?),
        accounts: Arc::new(accounts(settings)),
        audit: Arc::new(audit),
        clock: Arc::new(SystemClock),
    };
    let config = config(settings, logins, redactor, &extras)?;
    let engine = Engine::new(config, ports).map_err(local)?;
    engine.observed_by(Arc::new(Logged(extras.observer))).map_err(local)
}

fn local(error: hydra_engine::EngineError) -> Failure {
    Failure::new(Exit::Local, error.to_string())
}

/// The login of each role that has a token: the configuration's, or GitHub's word.
///
/// # Errors
/// When GitHub refuses a token.
pub(crate) async fn logins(settings: &Settings, forge: &dyn Forge) -> Result<BTreeMap<TokenRole, Login>, Failure> {
    let mut logins = settings.logins.clone();
    for role in TokenRole::ALL {
        if !logins.contains_key(role) && settings.token(*role).is_some() {
            logins.insert(*role, forge.identity(*role).await?.login);
        }
    }
    Ok(logins)
}

/// The provider's own API.
const PROVIDER: &str = "https://api.anthropic.com";

/// The model API that the gate signs for.
fn upstream(settings: &Settings) -> Result<Upstream, Failure> {
    let own = settings.values.models.base_url.as_deref();
    let wrong = |why: &str| {
        Failure::new(Exit::Configuration, format!("models.base_url: {why}"))
            .help("write https://HOST or http://HOST:PORT, or set credentials.model = \"env\"")
    };
    let url = Url::parse(own.unwrap_or(PROVIDER)).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.path(), "/" | "") || url.query().is_some() || !url.username().is_empty() {
        return Err(wrong("a gate can stand before a host and a port, not before a path of one"));
    }
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(wrong("it names no host"));
    };
    let endpoint = format!("{host}:{port}").parse().map_err(|error: HostError| wrong(&error.to_string()))?;
    Ok(Upstream {
        endpoint,
        tls: url.scheme() == "https",
        private: own.is_some(),
        authority: settings.model_authority.clone(),
    })
}

/// The hosts of the model API, where the gate stands before it: they are reached through its port, and not by name.
pub(crate) fn behind_the_model_port(settings: &Settings) -> Vec<String> {
    let values = &settings.values;
    let signs = values.egress.mode == EgressMode::Isolated && values.credentials.model == ModelCredential::Withheld;
    if !signs || values.runtime.kind == RuntimeKind::Process {
        return Vec::new();
    }
    let own = upstream(settings).map(|upstream| upstream.endpoint.host().to_owned());
    own.into_iter().chain(url::Url::parse(PROVIDER).ok().and_then(|url| url.host_str().map(str::to_owned))).collect()
}

/// The configuration as the engine is told it.
///
/// # Errors
/// When the signing key is missing or an image is not pinned.
pub(crate) fn config(
    settings: &Settings,
    logins: BTreeMap<TokenRole, Login>,
    redactor: Arc<Redactor>,
    extras: &Extras,
) -> Result<EngineConfig, Failure> {
    let values = &settings.values;
    let (runtime, pipeline) = (&values.runtime, &values.pipeline);
    let looks = extras.purpose != Purpose::Act;
    let signer = if looks { throwaway()? } else { signer(settings)? };
    let mut public_keys = settings.public_keys.clone();
    // A look signs nothing, and nobody takes the word of its key.
    if !looks {
        public_keys.insert(0, signer.public());
    }
    let is_process = runtime.kind == RuntimeKind::Process;
    let images = if is_process || looks { unpinned() } else { images::pinned(settings)? };
    let pinned = |(name, pin): (&String, &String)| (name.clone(), ImageRef { name: name.clone(), pin: pin.clone() });
    let git_credentials = match values.credentials.git {
        GitCredential::Withheld => GitCredentials::Withheld,
        GitCredential::Env => GitCredentials::Env(tokens(settings)),
    };
    Ok(EngineConfig {
        policy: plan_policy(settings),
        repos: settings.repos.clone(),
        repos_from_board: settings.repos.is_empty(),
        org: values.github.org.clone().unwrap_or_default(),
        images,
        toolchains: runtime.toolchains.iter().map(pinned).collect(),
        services: services(settings),
        network: if is_process { Network::None } else { Network::Named(runtime.network.clone()) },
        quality_network: Network::None,
        fence: match values.egress.mode {
            EgressMode::InContainer | EgressMode::Isolated if is_process => FenceMode::None,
            EgressMode::InContainer => FenceMode::InContainer,
            EgressMode::Isolated => FenceMode::Isolated,
        },
        gate: match values.egress.mode {
            EgressMode::Isolated if !is_process && extras.purpose == Purpose::Print => {
                Some(ImageRef { name: images::GATE.to_owned(), pin: String::new() })
            }
            EgressMode::Isolated if !is_process && !looks => Some(images::gate(settings)?),
            EgressMode::Isolated | EgressMode::InContainer => None,
        },
        api: match (values.egress.mode, values.credentials.model) {
            (EgressMode::Isolated, ModelCredential::Withheld) if !is_process => Some(upstream(settings)?),
            (EgressMode::Isolated | EgressMode::InContainer, ModelCredential::Withheld | ModelCredential::Env) => None,
        },
        registries: settings.secrets.registries.iter().map(|(name, one)| (name.clone(), one.authorization())).collect(),
        model_base_url: values.models.base_url.clone(),
        hosts: extras.hosts.clone(),
        name_servers: values.egress.name_servers.clone(),
        git_credentials,
        egress: settings.egress.clone(),
        extra_env: extras.env.clone(),
        tmp_mib: runtime.tmp_mib,
        workspace_mib: runtime.workspace_mib,
        max_out_bytes: u64::from(pipeline.max_delivery_mib) * 1024 * 1024,
        instance: values.instance.clone(),
        owner: lease_owner::this_process(&values.instance),
        owner_gone: lease_owner::is_gone,
        state_dir: settings.state_dir.clone(),
        poll_interval: pipeline.poll_interval.std(),
        quality_minutes: pipeline.quality_minutes,
        unnamed_reset: values.accounts.unnamed_reset.std(),
        stall_timeout: pipeline.stall_timeout.std(),
        first_sign_timeout: pipeline.first_sign_timeout.std(),
        stop_grace: runtime.stop_grace.std(),
        deadline_grace: runtime.deadline_grace.std(),
        signer: Arc::new(signer),
        public_keys,
        logins,
        protected_paths: pipeline.protected_paths.clone(),
        link_hosts: pipeline.link_hosts.clone(),
        prompt_extra: pipeline.prompt_extra.clone(),
        prices: settings.prices.clone(),
        breaker: BreakerPolicy {
            issues: pipeline.retry.breaker_issues as usize,
            window: pipeline.retry.breaker_window.std(),
            pause: pipeline.retry.breaker_pause.std(),
        },
        redactor,
    })
}

fn signer(settings: &Settings) -> Result<Signer, Failure> {
    let key = settings.secrets.signing_key.as_ref().ok_or_else(|| {
        Failure::new(Exit::Credentials, "HYDRA_SIGNING_KEY is missing: verdicts and records could not be signed")
            .help("put 64 random hexadecimal digits there, in secrets/.env (`openssl rand -hex 32` makes them)")
    })?;
    Signer::from_seed(&key.value).map_err(|error| Failure::new(Exit::Credentials, error.to_string()))
}

/// A signer of a key that nobody keeps.
fn throwaway() -> Result<Signer, Failure> {
    let seed = SecretString::from(crate::commands::init::signing_key()?);
    Signer::from_seed(&seed).map_err(|error| Failure::new(Exit::Internal, error.to_string()))
}

/// A stage's job as it would be specified, with the names of variables in the place of what the work brings.
///
/// # Errors
/// When the configuration is not complete enough to start one.
pub fn sample(settings: &Settings, stage: Stage, purpose: Purpose) -> Result<JobSpec, Failure> {
    let extras = Extras { purpose, ..Extras::default() };
    let config = config(settings, settings.logins.clone(), Arc::new(redactor(settings)), &extras)?;
    let repo = match settings.repos.first() {
        Some(repo) => repo.clone(),
        None => "owner/repository".parse().map_err(|error| Failure::new(Exit::Internal, format!("{error}")))?,
    };
    let first = settings.secrets.accounts.iter().min_by_key(|account| account.priority);
    let account = first.map(|account| (account.name.clone(), account.kind));
    let issue = IssueKey { repo, number: IssueNumber(1) };
    frame::sample(&config, stage, issue, account).map_err(|why| Failure::new(Exit::Runtime, why))
}

fn tokens(settings: &Settings) -> BTreeMap<TokenRole, SecretString> {
    TokenRole::ALL.iter().filter_map(|role| Some((*role, settings.token(*role)?.value.clone()))).collect()
}

fn services(settings: &Settings) -> BTreeMap<String, Service> {
    let service = |(name, entry): (&String, &SideService)| {
        let service = Service {
            name: name.clone(),
            image: ImageRef { name: entry.image.clone(), pin: entry.pin.clone() },
            port: entry.port,
            user: entry.user.clone(),
            env: entry.env.clone(),
            memory_mib: entry.memory_mib,
        };
        (name.clone(), service)
    };
    settings.values.runtime.services.iter().map(service).collect()
}

/// A process has no image.
fn unpinned() -> BTreeMap<ContainerType, ImageRef> {
    let image = |kind: &ContainerType| ImageRef { name: images::image_name(*kind).to_owned(), pin: String::new() };
    ContainerType::ALL.iter().map(|kind| (*kind, image(kind))).collect()
}
