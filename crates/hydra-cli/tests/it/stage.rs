//! A simulated GitHub, a scripted model, and a sandbox whose `hydra.toml` and secrets point at them: what an operator's commands work on.

use crate::harness::Sandbox;
use hydra_sim::{
    github::{Access, RepoSeed, Role, Sim, SimConfig, Token},
    model::{ModelConfig, ModelSim, Script, demo_issue, demo_repo},
};
use std::{
    collections::BTreeSet,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub(crate) const REPO: &str = "acme/words";
pub(crate) const PERSON: &str = "ada";
pub(crate) const TRIGGER: &str = "ready-to-build";
pub(crate) const ROLES: [&str; 5] = ["builder", "reviewer", "security", "applier", "orchestrator"];

/// The world of one test. Everything in it ends with it.
pub(crate) struct Stage {
    pub(crate) github: Sim,
    pub(crate) model: ModelSim,
    pub(crate) sandbox: Sandbox,
    /// The issue that was opened and labelled.
    pub(crate) issue: u64,
    /// Serves both simulators.
    _serving: tokio::runtime::Runtime,
}

/// The token of a role: as long and as shapely as a real one.
pub(crate) fn secret(role: &str) -> String {
    format!("github_pat_11AAAAAAA0{role:0<30}")
}

/// A token as the role's should be.
pub(crate) fn token(role: &str, login: &str) -> Token {
    let token =
        Token::fine_grained(&secret(role), login).allow("metadata", Access::Read).allow("contents", Access::Read);
    let token =
        token.allow("pull_requests", Access::Write).allow("issues", Access::Read).allow("statuses", Access::Read);
    match role {
        "builder" => token.allow("contents", Access::Write),
        "orchestrator" => token
            .allow("contents", Access::Write)
            .allow("issues", Access::Write)
            .allow("statuses", Access::Write)
            .allow("checks", Access::Read)
            .allow("administration", Access::Read)
            .allow("organization_projects", Access::Write),
        _ => token,
    }
}

pub(crate) fn login(role: &str) -> String {
    format!("hydra-{role}")
}

impl Stage {
    /// Everything as it should be; the model plays this script (`extends = "happy"`, say).
    pub(crate) fn new(script: &str) -> Self {
        let stage = Self::empty(script, SimConfig::default());
        let issue = stage.open("Limit a slug to a number of words");
        Self { issue, ..stage }
    }
    /// The same without an issue.
    pub(crate) fn empty(script: &str, config: SimConfig) -> Self {
        let serving = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let script: Script = script.parse().unwrap();
        let (github, model) = serving.block_on(async {
            let github = Sim::start(config).await.unwrap();
            (github, ModelSim::start(ModelConfig { script, ..ModelConfig::default() }).await.unwrap())
        });
        seed(&github);
        let stage = Self { issue: 0, github, model, sandbox: Sandbox::new(), _serving: serving };
        stage.configure("");
        stage.credentials(secret);
        stage.sandbox.secret("secrets/.env", format!("HYDRA_SIGNING_KEY={}\n", "7".repeat(64)));
        stage
    }
    /// All goes well at once.
    pub(crate) fn happy() -> Self {
        Self::new("extends = \"happy\"\n")
    }
    /// The builder's first answer takes so long that a test can do what it likes meanwhile.
    pub(crate) fn slow() -> Self {
        Self::new("extends = \"happy\"\n[[adjust]]\nstage = \"build\"\nstep = 1\ndelay_ms = 60000\n")
    }
    /// Opens an issue on the demo's change, puts it on the board and sets the trigger label.
    pub(crate) fn open(&self, title: &str) -> u64 {
        let (_, body) = demo_issue();
        let number = self.github.open_issue(REPO, PERSON, title, &body).unwrap();
        self.github.card("acme", 1, REPO, number, Some("Todo")).unwrap();
        self.github.add_label(REPO, number, TRIGGER, PERSON).unwrap();
        number
    }
    /// Writes `hydra.toml`, with more at its end.
    pub(crate) fn configure(&self, more: &str) {
        let toml = format!(
            r#"instance = "test"
[github]
api_url = "{api}"
web_url = "{api}"
org = "acme"
project = 1
repos = ["{REPO}"]
[models]
base_url = "{model}"
[runtime]
kind = "process"
stop_grace = "2s"
[state]
dir = "state"
[pipeline]
poll_interval = "5s"
[pipeline.retry]
base = "1s"
cap = "2s"
{personas}{more}"#,
            api = self.github.base_url(),
            model = self.model.url(),
            personas = ["al-gorithm", "juan-claude-van-damme", "clyde-barcode", "axel-plier"]
                .map(|persona| format!("[personas.{persona}]\ndriver = \"demo\"\n"))
                .concat(),
        );
        self.sandbox.write("hydra.toml", toml);
    }
    /// Changes what `hydra.toml` says.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = self.sandbox.read("hydra.toml");
        assert!(text.contains(from), "{from}");
        self.sandbox.write("hydra.toml", text.replace(from, to));
    }
    /// Writes `secrets/credentials.json` with this token for each role.
    pub(crate) fn credentials(&self, token: impl Fn(&str) -> String) {
        let tokens: serde_json::Map<String, serde_json::Value> =
            ROLES.iter().map(|role| ((*role).to_owned(), token(role).into())).collect();
        let all = serde_json::json!({
            "claude_accounts": [
                { "name": "main", "token": "sk-ant-oat01-main-0000000000", "priority": 1 },
                { "name": "spare", "token": "sk-ant-oat01-spare-000000000", "priority": 2 },
            ],
            "git_tokens": tokens,
        });
        self.sandbox.secret("secrets/credentials.json", format!("{all:#}\n"));
    }
    pub(crate) fn key(&self) -> String {
        format!("{REPO}#{}", self.issue)
    }
    /// Writes at GitHub so far: changes that took effect.
    pub(crate) fn writes(&self) -> Vec<String> {
        let log = self.github.log();
        let made = log.iter().filter(|entry| entry.write && entry.status.is_some_and(|status| status < 300));
        made.map(|entry| format!("{} {}", entry.method, entry.path)).collect()
    }
    pub(crate) fn labels(&self) -> BTreeSet<String> {
        self.github.issue(REPO, self.issue).unwrap().labels.iter().cloned().collect()
    }
    /// Starts hydra and leaves it running.
    pub(crate) fn spawn(&self, args: &[&str]) -> Running {
        let mut command: Command = self.sandbox.command(args);
        Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }
    /// Waits until `hydra status --json` shows what is asked for.
    pub(crate) fn until(&self, what: &str, found: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let begun = Instant::now();
        loop {
            let status = self.sandbox.run(&["status", "--json"]).json();
            if found(&status) {
                return status;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{what} never came: {status:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    /// Waits until a job of this stage runs; its name.
    pub(crate) fn until_running(&self, stage: &str) -> String {
        let status = self.until("a running job", |status| running(status, stage).is_some());
        running(&status, stage).unwrap()
    }
}

/// The name of a running job of this stage.
pub(crate) fn running(status: &serde_json::Value, stage: &str) -> Option<String> {
    let jobs = status["issues"].as_array().unwrap().iter().flat_map(|issue| issue["jobs"].as_array().unwrap());
    let job = jobs.into_iter().find(|job| job["state"] == "running" && job["stage"] == stage)?;
    Some(job["job"].as_str().unwrap().to_owned())
}

fn seed(github: &Sim) {
    github.org("acme");
    github.user(PERSON);
    let mut repo = RepoSeed::new(REPO).public().files(demo_repo()).role(PERSON, Role::Write);
    for row in hydra_core::label::definitions("", TRIGGER) {
        repo = repo.label(&row.name, &row.color, &row.description);
    }
    for role in ROLES {
        let may = if matches!(role, "builder" | "orchestrator") { Role::Write } else { Role::Read };
        repo = repo.role(&login(role), may);
        github.token(token(role, &login(role)));
    }
    github.repo(repo).unwrap();
    github.board("acme", "Roadmap", &["Todo", "In Progress", "Needs Input", "Review", "Done"]);
}

/// A hydra that runs. It is killed when the test forgets it.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
    /// Its end: code, standard output, standard error.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        let begun = Instant::now();
        while self.0.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(90), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let read = |stream: &mut dyn std::io::Read| {
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        };
        let out = read(self.0.stdout.as_mut().unwrap());
        let err = read(self.0.stderr.as_mut().unwrap());
        (self.0.try_wait().unwrap().and_then(|status| status.code()), out, err)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
