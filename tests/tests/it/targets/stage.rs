//! The stage: a simulated GitHub with the target repository, the scripted model where containers reach it, and the program's own engine,
//! composed from a team's folder as `hydra poll` composes it, on Docker with the images of the lock file.

use super::{
    package::{Package, Tree},
    script::script,
};
use crate::{
    images::{bridge::Bridge, docker, docker_output, pins, root},
    stories::{
        hands::record_in,
        stage::{ADA, ORG, TRIGGER, seed, token},
    },
};
use hydra_cli::{
    args::Color,
    compose::engine::{Extras, engine},
    config::environment::Environment,
    context::Context,
    output::screen::Screen,
};
use hydra_core::{TokenRole, record::RunRecord};
use hydra_engine::Ended;
use hydra_sim::{
    github::{Issue, Pull, Sim, SimConfig},
    model::{Adjust, Authority, ModelConfig, ModelSim, Script},
};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// One package takes less.
const LONGEST: Duration = Duration::from_secs(240);
static COUNT: AtomicU32 = AtomicU32::new(0);

/// An image of the team's own, built on the builder's as the documents say; it goes with this value.
pub(crate) struct Toolchain {
    pub(crate) name: String,
    id: String,
}

impl Toolchain {
    /// The builder's image with one more program. Never asks a registry for anything.
    pub(crate) fn with(program: &str) -> Self {
        let name = format!("hydra-test-toolchain-{}", std::process::id());
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(program);
        fs::write(&file, "#!/bin/sh\nexec \"$@\"\n").expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
        let container = docker(&["create", "--pull", "never", &Target::pin("hydra-builder")]);
        docker(&["cp", &file.display().to_string(), &format!("{container}:/usr/local/bin/{program}")]);
        let id = docker(&["commit", &container, &name]);
        docker(&["rm", &container]);
        Self { name, id }
    }
}

impl Drop for Toolchain {
    fn drop(&mut self) {
        docker_output(&["image", "rm", "--force", &self.name]);
    }
}

/// What is other than usual.
#[derive(Default)]
pub(crate) struct Play {
    /// Changes to what the model says.
    pub(crate) adjust: Vec<Adjust>,
    /// Further lines of `hydra.toml`.
    pub(crate) more: String,
    /// Further lines of its `[egress]`, `[pipeline]` and `[runtime]`.
    pub(crate) egress: String,
    pub(crate) pipeline: String,
    pub(crate) runtime: String,
    /// What the model says, instead of the way from one release to the next.
    pub(crate) script: Option<Script>,
    /// The model speaks TLS, under a certificate of its own.
    pub(crate) tls: bool,
}

/// The model's name, where it speaks TLS.
const MODEL: &str = "models.example.test";
/// The accounts, in their order.
pub(crate) const ACCOUNTS: [&str; 2] = ["sk-ant-target-first", "sk-ant-target-second"];

/// What the orchestrator signs with.
pub(crate) const SIGNING_KEY: &str = "de30de30de30de30de30de30de30de30de30de30de30de30de30de30de30de30";

/// A run of the pipeline on one package.
pub(crate) struct Target {
    pub(crate) github: Sim,
    pub(crate) model: ModelSim,
    pub(crate) repo: String,
    pub(crate) branch: String,
    pub(crate) team: tempfile::TempDir,
    issue: u64,
    pub(crate) instance: String,
    /// Names that gates resolve without asking.
    hosts: BTreeMap<String, String>,
}

impl Target {
    /// A repository of the package's first release with a labelled issue, and a builder that goes to `built`.
    pub(crate) async fn of(package: &Package, built: &Tree, toolchain: Option<&Toolchain>) -> Self {
        Self::with(package, built, toolchain, Play::default()).await
    }
    pub(crate) async fn with(package: &Package, built: &Tree, toolchain: Option<&Toolchain>, play: Play) -> Self {
        // The names of containers come from repository and issue: others may be playing on this engine too.
        let unique = format!("{}-{}-{}", package.name, std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let (repo, instance) = (format!("{ORG}/{unique}"), format!("target-{unique}"));
        let github = Sim::start(SimConfig::default()).await.expect("GitHub");
        let gateway = Bridge::documented().gateway();
        let listen = Some(SocketAddr::new(gateway, 0));
        let script = play.script.clone().unwrap_or_else(|| script(package, built, play.adjust.clone()));
        let authority = play.tls.then(|| Authority::new().expect("an authority"));
        let certificate = authority.as_ref().map(|authority| authority.issue(&[MODEL]).expect("a certificate"));
        let tls = certificate.map(|certificate| (SocketAddr::new(gateway, 0), certificate));
        let model =
            ModelSim::start(ModelConfig { script, listen, tls, ..ModelConfig::default() }).await.expect("a model");
        let (from, to) = &package.versions;
        let title = format!("{} {to}", package.name);
        let body = format!("From {from} to {to}.\n\nChange: {}\n", package.change);
        let issue = seed(&github, &repo, package.repository(&package.from), (&title, &body), false);
        github.add_label(&repo, issue, TRIGGER, ADA).expect("a label");
        let branch = format!("hydra/{}", package.change);
        let team = tempfile::tempdir().expect("a folder");
        let hosts = BTreeMap::from([(MODEL.to_owned(), gateway.to_string())]);
        let target = Self { github, model, repo, branch, team, issue, instance, hosts };
        target.write_team(toolchain, authority.as_ref().map(Authority::pem), &play);
        target
    }

    /// What `hydra init` would have been filled in with.
    fn write_team(&self, toolchain: Option<&Toolchain>, authority: Option<&str>, play: &Play) {
        let at = |name: &str| self.team.path().join(name);
        let lock = root().canonicalize().expect("a checkout").join("target/images.lock.json");
        let (endpoint, models) = match (authority, self.model.tls_address()) {
            (Some(pem), Some(tls)) => {
                fs::write(at("models.pem"), pem).expect("a file");
                let endpoint = format!("{MODEL}:{}", tls.port());
                let models = format!("base_url = \"https://{endpoint}\"\nauthority_file = \"models.pem\"");
                (endpoint, models)
            }
            _ => (self.model.address().to_string(), format!("base_url = \"{}\"", self.model.url())),
        };
        let mut toml = format!(
            r#"instance = {instance:?}

[github]
api_url = "{api}"
web_url = "{api}"
org = "{ORG}"
project = 1
repos = [{repo:?}]

[pipeline]
poll_interval = "5s"
{pipeline}

[models]
{models}

[state]
dir = "state"

[runtime]
kind = "docker"
image_lock = {lock:?}
{runtime}

# The scripted model is all that an agent reaches.
[egress]
base = []
name_servers = []
model_endpoint = "{endpoint}"
{egress}

[egress.extra]
builder = []
reviewer = []
security = []
applier = []
"#,
            instance = self.instance,
            api = self.github.base_url().trim_end_matches('/'),
            repo = self.repo,
            pipeline = play.pipeline,
            runtime = play.runtime,
            egress = play.egress,
        );
        toml.push_str(&play.more);
        if let Some(image) = toolchain {
            toml.push_str(&format!("\n[runtime.toolchains]\n{:?} = {:?}\n", image.name, image.id));
        }
        fs::write(at("hydra.toml"), toml).expect("a file");
        let tokens: BTreeMap<String, String> =
            TokenRole::ALL.iter().map(|role| (role.to_string(), token(*role))).collect();
        let [first, second] = ACCOUNTS;
        let accounts = [
            serde_json::json!({ "name": "first", "token": first, "priority": 1 }),
            serde_json::json!({ "name": "second", "token": second, "priority": 2 }),
        ];
        let credentials = serde_json::json!({ "claude_accounts": accounts, "git_tokens": tokens }).to_string();
        fs::create_dir(at("secrets")).expect("a folder");
        for (name, text) in [("credentials.json", credentials), (".env", format!("HYDRA_SIGNING_KEY={SIGNING_KEY}\n"))]
        {
            let file = at("secrets").join(name);
            fs::write(&file, text).expect("a file");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
    }

    /// Runs the pipeline until it rests.
    pub(crate) async fn run(&self) -> Ended {
        let variables = ["PATH", "HOME", "DOCKER_HOST"];
        let variables = variables.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?)));
        let context = Context {
            cwd: self.team.path().to_owned(),
            environment: variables.collect::<Environment>(),
            config: None,
            state_dir: None,
            screen: Screen::new(false, Color::Never, false),
        };
        let settings = context.load().expect("a configuration").settings;
        let mut engine = engine(&context, &settings, Extras { hosts: self.hosts.clone(), ..Extras::default() })
            .await
            .expect("an engine");
        let ended = engine.run_until_rest(tokio::time::sleep(LONGEST)).await;
        assert!(ended.last.busy.is_empty(), "it does not come to rest: {:#?}\n{}", ended.last, self.told());
        assert_eq!(ended.last.failures, [], "{}", self.told());
        ended
    }

    /// Waits until a stage has asked the model this often.
    pub(crate) async fn has_asked(&self, stage: &str, often: usize) {
        let of_it = |job: &str| job.contains(&format!("-{stage}-"));
        let asked = || self.model.requests().iter().filter(|one| one.job.as_deref().is_some_and(of_it)).count();
        let begun = Instant::now();
        while asked() < often {
            assert!(begun.elapsed() < LONGEST, "{stage} has asked {} times", asked());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Once a stage has asked the model this often: SIGKILL to its gate, from outside, as a kernel that is out of memory sends it. The engine
    /// is not told that anybody wanted it.
    pub(crate) async fn kill_gate(&self, stage: &str, after: usize) {
        self.has_asked(stage, after).await;
        let instance = format!("label=hydra.instance={}", self.instance);
        let gate = docker(&["ps", "--quiet", "--filter", &instance, "--filter", "label=hydra.role=gate"]);
        let pid = docker(&["inspect", "--format", "{{.State.Pid}}", gate.trim()]);
        let killed = std::process::Command::new("kill").args(["-KILL", pid.trim()]).status();
        assert!(killed.is_ok_and(|status| status.success()), "{pid}");
    }

    /// The text of the status comment.
    pub(crate) fn status(&self) -> String {
        let issue = self.github.issue(&self.repo, self.issue).expect("an issue");
        let own = issue.comments.iter().find(|comment| comment.body.starts_with("<!-- hydra:status g0 -->"));
        own.map(|comment| comment.body.clone()).unwrap_or_default()
    }

    /// Everything that helps to see what went wrong: the status comment, and what the agents did.
    pub(crate) fn told(&self) -> String {
        let mut text = self.status();
        for (path, log) in self.logs() {
            let last: Vec<&str> = log.lines().rev().take(40).collect();
            text.push_str(&format!("\n--- {path}\n"));
            text.extend(last.into_iter().rev().flat_map(|line| [&line[..line.floor_char_boundary(2_000)], "\n"]));
        }
        text
    }

    /// The kept event streams by their files' names.
    pub(crate) fn logs(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        collect(&self.team.path().join("state/logs"), &mut found);
        found
    }

    pub(crate) fn record(&self) -> RunRecord {
        record_in(&self.status())
    }

    /// `stage: result` of everything that ran, reviews by name.
    pub(crate) fn stages(&self) -> Vec<String> {
        self.record().stages.iter().map(|entry| format!("{}: {}", entry.stage, entry.result)).collect()
    }

    pub(crate) fn labels(&self) -> Vec<String> {
        let mut labels = self.github.issue(&self.repo, self.issue).expect("an issue").labels;
        labels.sort();
        labels
    }

    /// The one pull request.
    pub(crate) fn pull(&self) -> Pull {
        self.pulled().pull.expect("a pull request")
    }

    fn pulled(&self) -> Issue {
        let mut pulls: Vec<Issue> = self.github.pulls(&self.repo);
        assert_eq!(pulls.len(), 1, "one pull request: {pulls:#?}");
        pulls.remove(0)
    }

    /// What the pull request says of a stage's traffic.
    pub(crate) fn egress(&self, stage: &str) -> String {
        let body = self.pulled().body.unwrap_or_default();
        let row = format!("| {stage} | 0 | proved before the start: ");
        body.lines().find(|line| line.starts_with(&row)).unwrap_or(&body).to_owned()
    }

    /// All files of a commit.
    pub(crate) fn tree(&self, at: &str) -> Tree {
        let names = self.github.git(&self.repo, &["ls-tree", "-r", "-z", "--name-only", at]).expect("a commit");
        let names = names.split_terminator('\0').map(str::to_owned);
        names.map(|name| (name.clone(), self.github.file(&self.repo, at, &name).expect("a file"))).collect()
    }

    /// The ID that the lock file pins for an image.
    pub(crate) fn pin(image: &str) -> String {
        pins().remove(image).expect("a pinned image")
    }

    /// Containers and volumes of this run that are still there.
    pub(crate) fn left(&self) -> String {
        let label = format!("label=hydra.instance={}", self.instance);
        let containers = docker(&["ps", "--all", "--quiet", "--filter", &label]);
        containers + &docker(&["volume", "ls", "--quiet", "--filter", &label])
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // After a failure; otherwise there is nothing.
        let label = format!("label=hydra.instance={}", self.instance);
        let remove = |list: &[&str], how: &[&str]| {
            let found = docker_output(&[list, &["--quiet", "--filter", &label]].concat());
            for id in String::from_utf8_lossy(&found.stdout).lines() {
                docker_output(&[how, &[id]].concat());
            }
        };
        remove(&["ps", "--all"], &["rm", "--force"]);
        remove(&["volume", "ls"], &["volume", "rm"]);
    }
}

fn collect(folder: &Path, found: &mut BTreeMap<String, String>) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, found);
        } else if let Ok(bytes) = fs::read(&path) {
            found.insert(path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}
