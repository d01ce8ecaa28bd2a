//! What a job's container is made of, decided once: the engine is told it, `hydra render docker-run` prints it, and the tests hold the two together.

use super::fence::Fence;
use hydra_core::job::{EnvValue, JobSpec, Network};
use std::collections::BTreeMap;

/// Where agents run as a user of their own.
const AGENT: u32 = 1000;
/// The engine takes no less than a hundredth of a CPU.
const LEAST_CPU: u32 = 10;
const MIB: i64 = 1024 * 1024;

/// The volumes of one job, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Volumes {
    /// Mounted at `/in`, read only.
    pub input: String,
    /// Mounted at `/spec`, read only.
    pub spec: String,
    /// Mounted at `/out`.
    pub out: String,
}

impl Volumes {
    /// Those of a job. `mark` tells apart what two orchestrators make at the same time; the one whose container comes to be is the job's.
    #[must_use]
    pub(super) fn of(job: &str, mark: &str) -> Self {
        let name = |what: &str| format!("{job}-{what}{mark}");
        Self { input: name("in"), spec: name("spec"), out: name("out") }
    }

    pub(super) fn all(&self) -> [&str; 3] {
        [&self.input, &self.spec, &self.out]
    }
}

/// A container to be.
#[derive(Debug, Clone)]
pub(super) struct Blueprint {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The image's pin.
    pub image: String,
    /// `uid:gid`; absent where the image's own user starts: uid 0, which sets the rules of the fence and gives the right to do so up.
    pub user: Option<String>,
    /// Variables. Values of secrets are shown by nothing but the request to the engine.
    pub env: BTreeMap<String, EnvValue>,
    /// Host names to resolve inside: `name -> address`.
    pub hosts: BTreeMap<String, String>,
    /// The network's name, or `none`.
    pub network: String,
    /// Whether it gets `NET_ADMIN`. All other capabilities are dropped in any case.
    pub net_admin: bool,
    /// Mount point and options of each tmpfs.
    pub tmpfs: BTreeMap<String, String>,
    /// Volumes.
    pub volumes: Volumes,
    /// CPU in billionths.
    pub nano_cpus: i64,
    /// Memory in bytes; memory and swap together are as much.
    pub memory: i64,
    /// Processes and threads.
    pub pids: i64,
    /// What was asked for, when the engine has fewer CPUs, in thousandths.
    pub capped_from: Option<u32>,
}

impl Blueprint {
    /// The container of a job on an engine with so many CPUs.
    #[must_use]
    pub(super) fn new(spec: &JobSpec, labels: BTreeMap<String, String>, cpus: u32, mark: &str) -> Self {
        let id = spec.key.id();
        let most = cpus.saturating_mul(1000);
        let cpu = spec.limits.cpu_millis.clamp(LEAST_CPU, most.max(LEAST_CPU));
        let tmpfs = BTreeMap::from([
            ("/tmp".to_owned(), format!("size={}", size(spec.tmp_mib))),
            // Docker mounts tmpfs noexec, under which no script of a test suite runs.
            ("/workspace".to_owned(), format!("size={},exec", size(spec.workspace_mib))),
        ]);
        Self {
            name: id.to_string(),
            labels,
            image: spec.image.pin.clone(),
            user: (!spec.net_admin).then(|| format!("{AGENT}:{AGENT}")),
            env: spec.env.clone(),
            hosts: spec.hosts.clone(),
            network: match &spec.network {
                Network::None => "none".to_owned(),
                Network::Named(name) => name.clone(),
                Network::Gated(gated) => format!("container:{}", Fence::of(id.as_str(), mark, gated).holder),
            },
            net_admin: spec.net_admin,
            tmpfs,
            volumes: Volumes::of(id.as_str(), mark),
            nano_cpus: i64::from(cpu) * 1_000_000,
            memory: i64::from(spec.limits.memory_mib) * MIB,
            pids: i64::from(spec.limits.pids),
            capped_from: (spec.limits.cpu_millis > most).then_some(spec.limits.cpu_millis),
        }
    }

    /// Whose the files in the volumes are.
    pub(super) fn owner(&self) -> u64 {
        if self.user.is_some() { u64::from(AGENT) } else { 0 }
    }

    /// Volume, place and options of each mount, as `docker run -v` takes them. What the image holds in those places is never copied into them.
    pub(super) fn binds(&self) -> [String; 3] {
        let Volumes { input, spec, out } = &self.volumes;
        [format!("{input}:/in:ro,nocopy"), format!("{spec}:/spec:ro,nocopy"), format!("{out}:/out:nocopy")]
    }
}

/// A size as the documented command line writes it: `512M`, `2G`.
pub(super) fn size(mib: u32) -> String {
    if mib >= 1024 && mib.is_multiple_of(1024) { format!("{}G", mib / 1024) } else { format!("{mib}M") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::tests::spec;

    fn blueprint(cpus: u32, change: impl FnOnce(&mut JobSpec)) -> Blueprint {
        let mut spec = spec();
        change(&mut spec);
        Blueprint::new(&spec, BTreeMap::new(), cpus, "-1")
    }

    #[test]
    fn no_more_cpu_is_asked_for_than_there_is() {
        let asks = |cpus| blueprint(cpus, |spec| spec.limits.cpu_millis = 4000);
        assert_eq!((asks(8).nano_cpus, asks(8).capped_from), (4_000_000_000, None));
        assert_eq!((asks(2).nano_cpus, asks(2).capped_from), (2_000_000_000, Some(4000)));
        assert_eq!(blueprint(2, |spec| spec.limits.cpu_millis = 1).nano_cpus, 10_000_000);
    }

    #[test]
    fn only_a_container_that_fences_itself_starts_as_uid_0_with_net_admin() {
        let fenced = blueprint(2, |spec| spec.net_admin = true);
        assert_eq!((fenced.user.as_deref(), fenced.owner(), fenced.net_admin), (None, 0, true));
        let other = blueprint(2, |_| {});
        assert_eq!((other.user.as_deref(), other.owner(), other.net_admin), (Some("1000:1000"), 1000, false));
    }

    #[test]
    fn input_is_mounted_read_only_and_the_workspace_may_run_scripts() {
        let made = blueprint(2, |spec| spec.workspace_mib = 2048);
        assert_eq!(
            made.binds(),
            ["in-1:/in:ro,nocopy", "spec-1:/spec:ro,nocopy", "out-1:/out:nocopy"]
                .map(|bind| format!("{}-{bind}", made.name))
        );
        assert_eq!(made.tmpfs["/workspace"], "size=2G,exec");
        assert_eq!(made.tmpfs["/tmp"], "size=16M");
    }
}
