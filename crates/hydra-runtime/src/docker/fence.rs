//! The fence of a job in mode `isolated`: a holder whose namespace is the agent's, a gate in a container of its own, and two short-lived
//! containers that fence one namespace each and prove it. It stands whole before the job's container is made, or it does not stand.

use super::{
    convert::{LABEL_JOB, LOG_OPTIONS},
    engine::Engine,
    gate_files::{self, NOBODY},
    name_servers,
    trouble::explain,
};
use crate::{
    error::{error, hinted},
    naming::LABEL_INSTANCE,
};
use bollard::{
    container::LogOutput,
    errors::Error,
    models::{
        ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, MountVolumeOptions, RestartPolicy,
        RestartPolicyNameEnum,
    },
    query_parameters::{
        CreateContainerOptions, ListContainersOptions, LogsOptions, StartContainerOptions, UploadToContainerOptions,
        WaitContainerOptions,
    },
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use hydra_core::{
    egress::{HostPattern, gate::Proof},
    job::Gated,
    ports::{RuntimeError, RuntimeErrorKind},
};
use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    net::SocketAddr,
    time::Duration,
};

/// The folder that the gate's containers share.
const FOLDER: &str = "/run/hydra-gate";
/// What a container of the fence is.
pub(super) const LABEL_ROLE: &str = "hydra.role";
pub(super) const MIB: i64 = 1024 * 1024;
/// How long one that fences a namespace may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the engine starts a gate again that broke down.
const RESTARTS: i64 = 20;
/// Where the engine resolves names on a network of its own.
const RESOLVER: &str = "127.0.0.11:53";
const DNS: u16 = 53;
/// Bytes of a gate's output that are read.
const MOST: usize = 64 * 1024 * 1024;
/// Characters of a part's last words that an error holds.
const WORDS: usize = 500;
/// What to do about a fence that cannot be made.
const TRY_IT: &str = "no job starts without it; `hydra doctor` tries it step by step";

/// The containers of one fence, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fence {
    pub(super) holder: String,
    /// Holds the gate's own namespace, so that a gate that is started again finds it fenced.
    way: String,
    gate: String,
    volume: String,
    /// Fences the agent's namespace.
    net_init: String,
    /// Fences the gate's own.
    close: String,
    /// The job's side services.
    pub(super) services: Vec<String>,
    /// What was proved, as net-init says it: JSON.
    pub(super) proof: String,
}

impl Fence {
    pub(super) fn of(job: &str, mark: &str, gated: &Gated) -> Self {
        let name = |what: &str| format!("{job}-{what}{mark}");
        Self {
            holder: name("holder"),
            way: name("way"),
            gate: name("gate"),
            volume: name("fence"),
            net_init: name("net-init"),
            close: name("close"),
            proof: String::new(),
            services: gated.services.iter().map(|service| name(&format!("service-{}", service.name))).collect(),
        }
    }
}

/// What tells one container of a fence from another.
struct Part<'a> {
    role: &'a str,
    command: Vec<String>,
    network: String,
    net_admin: bool,
    memory_mib: i64,
    nano_cpus: i64,
}

impl Engine {
    /// Makes the whole fence and proves it. Nothing stays of one that could not be made.
    pub(super) async fn raise(
        &self,
        instance: &str,
        job: &str,
        gated: &Gated,
        mark: &str,
    ) -> Result<Fence, RuntimeError> {
        let mut fence = Fence::of(job, mark, gated);
        let labels =
            BTreeMap::from([(LABEL_INSTANCE.to_owned(), instance.to_owned()), (LABEL_JOB.to_owned(), job.to_owned())]);
        match self.try_to_raise(&fence, gated, &labels).await {
            Ok(proof) => {
                fence.proof = proof;
                Ok(fence)
            }
            Err(cause) => {
                let cause = self.with_last_words(&fence, cause).await;
                self.lower(&fence).await;
                Err(cause)
            }
        }
    }

    /// The cause, and what parts of the fence have said that are down by themselves: mostly it is theirs.
    async fn with_last_words(&self, fence: &Fence, mut cause: RuntimeError) -> RuntimeError {
        for (role, name) in [("holder", &fence.holder), ("way", &fence.way), ("gate", &fence.gate)] {
            let Ok(Some(part)) = self.inspect(name).await else { continue };
            let again = part.restart_count.unwrap_or_default();
            let code = part.state.and_then(|state| state.exit_code).unwrap_or_default();
            if again == 0 && code == 0 {
                continue;
            }
            let said = self.said(name, false, true).await.unwrap_or_default();
            let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
            let last: String = last.chars().take(WORDS).collect();
            // That the engine joins nobody to what is down is no conflict over a name.
            let message = format!("{}; the {role} broke down (exit code {code}): {last}", cause.message);
            cause = hinted(RuntimeErrorKind::Failed, message, TRY_IT);
        }
        cause
    }

    async fn try_to_raise(
        &self,
        fence: &Fence,
        gated: &Gated,
        labels: &BTreeMap<String, String>,
    ) -> Result<String, RuntimeError> {
        let image = self.image(&gated.image).await?;
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let part = |role, command, network: String, net_admin, memory_mib| {
            body(
                &image,
                labels,
                &fence.volume,
                &Part { role, command, network, net_admin, memory_mib, nano_cpus: self.nano_cpus_beside() },
            )
        };
        let of = |name: &str| format!("container:{name}");
        let mut holder = part("holder", words(&["hold"]), "none".to_owned(), false, 32);
        if let Some(host) = &mut holder.host_config {
            // The agent's own name: programs look it up, and it is nothing that was refused.
            host.extra_hosts = Some(vec!["holder:127.0.0.1".to_owned()]);
        }
        let gate = part("gate", words(&["serve"]), of(&fence.way), false, 512);
        let mut way = part("way", words(&["stand"]), gated.network.clone(), false, 32);
        let servers = match &gated.name_servers {
            Some(servers) => servers.clone(),
            None => name_servers::of_this_machine().await,
        };
        if let Some(host) = &mut way.host_config {
            host.extra_hosts = Some(gated.hosts.iter().map(|(name, address)| format!("{name}:{address}")).collect());
            // The engine's resolver asks from inside this namespace: whom it asks must be known, so that it can be let through.
            host.dns = Some(servers.iter().map(ToString::to_string).collect());
        }
        both(self.made(&fence.holder, holder), self.made(&fence.way, way)).await?;
        both(self.made(&fence.gate, gate), self.configured(&fence.holder, gated)).await?;
        let mut shut = words(&["close", "--resolver", RESOLVER]);
        for server in &servers {
            shut.extend(["--resolver".to_owned(), SocketAddr::new(*server, DNS).to_string()]);
        }
        let mut init = words(&["net-init"]);
        if let Some(name) = gated.config.allow.iter().find_map(exact) {
            init.extend(["--allowed".to_owned(), name]);
        }
        if let Some(port) = gated.config.model_port() {
            init.extend(["--model-port".to_owned(), port.to_string()]);
        }
        if let Some(place) = gated.config.place() {
            shut.extend(["--model".to_owned(), place.to_string()]);
        }
        let shut = part("close", shut, of(&fence.way), true, 64);
        let init = part("net-init", init, of(&fence.holder), true, 64);
        let held = both(self.started(&fence.holder), self.started(&fence.way));
        both(held, both(self.made(&fence.close, shut), self.made(&fence.net_init, init))).await?;
        // The gate begins in a namespace that is closed already; net-init waits for it, unless it cannot come any more.
        let gate = async {
            let served = async {
                self.run("close", &fence.close).await?;
                self.started(&fence.gate).await
            };
            let served = served.await;
            if served.is_err() {
                _ = self.remove_container(&fence.net_init).await;
            }
            served
        };
        let (gate, proved) = futures_util::join!(gate, self.run("net-init", &fence.net_init));
        gate?;
        let proof = proved?;
        serde_json::from_str::<Proof>(&proof).map_err(|cause| {
            let why = format!("the fence cannot be made: net-init does not say what it proved: {cause}");
            hinted(RuntimeErrorKind::Failed, why, TRY_IT)
        })?;
        self.serve_aside(fence, gated, labels).await?;
        Ok(proof.trim().to_owned())
    }

    /// Takes a fence away. What cannot be taken away is found again by its label.
    pub(super) async fn lower(&self, fence: &Fence) {
        let own = [&fence.net_init, &fence.close, &fence.gate, &fence.way, &fence.holder];
        for name in fence.services.iter().chain(own) {
            if let Err(cause) = self.remove_container(name).await {
                tracing::warn!(%cause, "a part of a fence stays behind until the job is removed, or `hydra prune`");
            }
        }
        if let Err(cause) = self.remove_volume(&fence.volume).await {
            tracing::warn!(%cause, "the volume of a fence stays behind until the job is removed, or `hydra prune`");
        }
    }

    /// Whether the fence of a job stands: both namespaces are held, and the gate runs.
    pub(super) async fn fence_stands(&self, job: &str) -> Result<bool, RuntimeError> {
        let parts = self.parts(job).await?;
        let runs = |role: &str| parts.iter().any(|(_, its, running)| its == role && *running);
        Ok(runs("holder") && runs("way") && runs("gate"))
    }

    /// Name, role and whether it runs, of each container of a job's fence.
    pub(super) async fn parts(&self, job: &str) -> Result<Vec<(String, String, bool)>, RuntimeError> {
        let labels = vec![format!("{LABEL_JOB}={job}"), LABEL_ROLE.to_owned()];
        let filters = Some(HashMap::from([("label".to_owned(), labels)]));
        let options = ListContainersOptions { all: true, filters, ..ListContainersOptions::default() };
        let found = self.docker.list_containers(Some(options)).await;
        let found = found.map_err(|cause| explain("cannot list containers", &cause))?;
        let part = |one: bollard::models::ContainerSummary| {
            let role = one.labels?.remove(LABEL_ROLE)?;
            let runs = one.state.is_some_and(|state| state.to_string() == "running");
            Some((one.id?, role, runs))
        };
        Ok(found.into_iter().filter_map(part).collect())
    }

    pub(super) async fn made(&self, name: &str, body: ContainerCreateBody) -> Result<(), RuntimeError> {
        let options = CreateContainerOptions { name: Some(name.to_owned()), ..CreateContainerOptions::default() };
        let made = self.docker.create_container(Some(options), body).await;
        made.map(drop).map_err(|cause| explain(&format!("cannot make the container {name}"), &cause))
    }

    pub(super) async fn started(&self, name: &str) -> Result<(), RuntimeError> {
        let started = self.docker.start_container(name, None::<StartContainerOptions>).await;
        started.map_err(|cause| explain(&format!("cannot start the container {name}"), &cause))
    }

    /// Puts the gate's configuration and its credentials where only the gate can read them.
    async fn configured(&self, holder: &str, gated: &Gated) -> Result<(), RuntimeError> {
        let failed =
            |why: String| error(RuntimeErrorKind::Failed, format!("cannot write the gate's configuration: {why}"));
        let archive = gate_files::archive(gated).map_err(failed)?;
        let options = UploadToContainerOptions { path: FOLDER.to_owned(), ..UploadToContainerOptions::default() };
        let sent = self.docker.upload_to_container(holder, Some(options), bollard::body_full(archive.into())).await;
        sent.map_err(|cause| explain("cannot write the gate's configuration", &cause))
    }

    /// Runs a container that was made to its end and takes it away. Whatever is not success is the reason why the job does not start.
    async fn run(&self, role: &str, name: &str) -> Result<String, RuntimeError> {
        self.started(name).await?;
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        let mut ends = Box::pin(self.docker.wait_container(name, Some(options)));
        let code = match tokio::time::timeout(PATIENCE, ends.next()).await {
            Ok(Some(Ok(end))) => end.status_code,
            // bollard makes an error of every exit code but 0.
            Ok(Some(Err(Error::DockerContainerWaitError { code, .. }))) => code,
            Ok(Some(Err(cause))) => return Err(explain(&format!("cannot wait for the end of {name}"), &cause)),
            Ok(None) => {
                return Err(error(RuntimeErrorKind::Failed, format!("the engine does not say how {name} ended")));
            }
            Err(_) => {
                let why = format!("the fence cannot be made: {role} did not end within {} s", PATIENCE.as_secs());
                return Err(hinted(RuntimeErrorKind::Failed, why, TRY_IT));
            }
        };
        let said = self.said(name, code == 0, code != 0).await?;
        if code != 0 {
            let why = format!("the fence cannot be made: {role}: {}", said.trim());
            return Err(hinted(RuntimeErrorKind::Failed, why, TRY_IT));
        }
        self.remove_container(name).await?;
        Ok(said)
    }

    /// What a container has said.
    pub(super) async fn said(&self, name: &str, stdout: bool, stderr: bool) -> Result<String, RuntimeError> {
        let options = LogsOptions { stdout, stderr, tail: "all".to_owned(), ..LogsOptions::default() };
        let pieces = self.docker.logs(name, Some(options)).map_ok(LogOutput::into_bytes);
        let said = pieces.try_fold(Vec::new(), |mut said, piece| async move {
            if said.len() < MOST {
                said.extend_from_slice(&piece);
            }
            Ok(said)
        });
        let said = said.await.map_err(|cause| explain(&format!("cannot read what {name} said"), &cause))?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

/// Both to their ends, also where one fails: a request that is dropped half-way is carried out by the engine all the same, and what it made
/// would stay.
async fn both<T, U>(
    one: impl Future<Output = Result<T, RuntimeError>>,
    other: impl Future<Output = Result<U, RuntimeError>>,
) -> Result<(), RuntimeError> {
    let (one, other) = futures_util::join!(one, other);
    one.map(drop).and(other.map(drop))
}

/// A name that stands for itself alone: one that the proof can ask for.
fn exact(pattern: &HostPattern) -> Option<String> {
    match pattern {
        HostPattern::Exact(name) => Some(name.to_string()),
        HostPattern::Below(_) => None,
    }
}

fn body(image: &str, labels: &BTreeMap<String, String>, volume: &str, part: &Part<'_>) -> ContainerCreateBody {
    let own: HashMap<String, String> = labels.clone().into_iter().collect();
    let mut all = own.clone();
    all.insert(LABEL_ROLE.to_owned(), part.role.to_owned());
    let restarts = part.role == "gate";
    let user = if part.net_admin { 0 } else { NOBODY };
    ContainerCreateBody {
        image: Some(image.to_owned()),
        hostname: (!part.network.starts_with("container:")).then(|| part.role.to_owned()),
        user: Some(format!("{user}:{user}")),
        cmd: Some(part.command.clone()),
        labels: Some(all),
        host_config: Some(HostConfig {
            readonly_rootfs: Some(true),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: part.net_admin.then(|| vec!["CAP_NET_ADMIN".to_owned()]),
            memory: Some(part.memory_mib * MIB),
            memory_swap: Some(part.memory_mib * MIB),
            nano_cpus: Some(part.nano_cpus),
            pids_limit: Some(64),
            network_mode: Some(part.network.clone()),
            // The engine switches IPv6 off where there is no network: then its rules could not be proved.
            sysctls: (part.role == "holder")
                .then(|| HashMap::from([("net.ipv6.conf.all.disable_ipv6".to_owned(), "0".to_owned())])),
            restart_policy: Some(RestartPolicy {
                name: Some(if restarts { RestartPolicyNameEnum::ON_FAILURE } else { RestartPolicyNameEnum::NO }),
                maximum_retry_count: restarts.then_some(RESTARTS),
            }),
            mounts: Some(vec![Mount {
                typ: Some(MountType::VOLUME),
                source: Some(volume.to_owned()),
                target: Some(FOLDER.to_owned()),
                volume_options: Some(MountVolumeOptions { labels: Some(own), ..MountVolumeOptions::default() }),
                ..Mount::default()
            }]),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(LOG_OPTIONS.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
            }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}
