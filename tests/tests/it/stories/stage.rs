//! The stage: a simulated GitHub with one small repository and a labelled issue, a scripted model, and engines with real adapters.

use crate::stories::script::demo;
use async_trait::async_trait;
use hydra_cli::{
    accounts::FileAccounts,
    secrets::{Account, Held},
};
use hydra_core::{
    ContainerType, IssueKey, IssueNumber, Login, SignedDuration, Stage, Timestamp, TokenRole,
    contract::fake::{FakeRuntime, Play},
    contract_files::FenceMode,
    egress::EgressPolicy,
    job::{ImageRef, JobSpec, Network},
    label, persona,
    plan::{Budget, Columns, PlanPolicy},
    ports::{AccountKind, Clock, Runtime},
    prices::PriceTable,
    redact::Redactor,
    verdict::envelope::Signer,
    view::Permission,
};
use hydra_engine::{BreakerPolicy, Engine, EngineConfig, GitCredentials, Ports, Scrub, audit_log::AuditLog};
use hydra_github::{GitHub, GitHubConfig};
use hydra_runtime::{ProcessConfig, ProcessRuntime};
use hydra_sim::{
    github::{Access, RepoSeed, Role, Sim, SimConfig, Token},
    model::{ModelConfig, ModelSim, Script, demo_issue, demo_repo},
};
use hydra_workspace::{GitWorkspace, RemoteTemplate};
use secrecy::SecretString;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The organisation and its repository.
pub(crate) const ORG: &str = "acme";
pub(crate) const REPO: &str = "acme/words";
pub(crate) const TRIGGER: &str = "ready-to-build";
/// The change that the issue names, and its branch.
pub(crate) const BRANCH: &str = "hydra/add-word-limit";
const COLUMNS: [&str; 5] = ["Todo", "In Progress", "Needs Input", "Review", "Done"];

/// Ada may push; Mallory only reads.
pub(crate) const ADA: &str = "ada";
pub(crate) const MALLORY: &str = "mallory";

/// The login of each identity.
pub(crate) const fn login(role: TokenRole) -> &'static str {
    match role {
        TokenRole::Builder => "al-gorithm-bot",
        TokenRole::Reviewer => "juan-claude-bot",
        TokenRole::Security => "clyde-barcode-bot",
        TokenRole::Applier => "axel-plier-bot",
        TokenRole::Orchestrator => "hydra-bot",
    }
}

/// Its token: none of them real.
pub(crate) fn token(role: TokenRole) -> String {
    format!("github_pat_story_{role}_00000000000000000000")
}

/// The machine's time and whatever the story has skipped.
#[derive(Default)]
pub(crate) struct StoryClock {
    ahead: Mutex<SignedDuration>,
    jumped: tokio::sync::Notify,
}

#[async_trait]
impl Clock for StoryClock {
    fn now(&self) -> Timestamp {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        Timestamp::now().saturating_add(ahead).expect("a time")
    }
    async fn sleep(&self, duration: Duration) {
        let until = self.now().saturating_add(duration).expect("a time");
        loop {
            let jumped = self.jumped.notified();
            let left = Duration::try_from(until.duration_since(self.now())).unwrap_or_default();
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = jumped => {}
            }
        }
    }
}

type Change = Box<dyn Fn(&mut EngineConfig) + Send + Sync>;

/// Plays jobs.
type Player = Box<dyn Fn(&JobSpec) -> Play + Send + Sync>;

/// What a story begins with.
pub(crate) struct Setup {
    script: Script,
    files: BTreeMap<String, Vec<u8>>,
    body: String,
    by: &'static str,
    labelled: bool,
    change: Change,
    fake: Option<Player>,
    accounts: Vec<(&'static str, &'static str)>,
    one_login: bool,
}

/// A story whose model follows this script.
pub(crate) fn told(script: Script) -> Setup {
    Setup {
        script,
        files: demo_repo(),
        body: demo_issue().1,
        by: ADA,
        labelled: true,
        change: Box::new(|_| {}),
        fake: None,
        accounts: vec![("first", "sk-ant-story-first-account"), ("second", "sk-ant-story-second-account")],
        one_login: false,
    }
}

/// A story whose jobs are played by a function: no process, no model.
pub(crate) fn played(play: impl Fn(&JobSpec) -> Play + Send + Sync + 'static) -> Setup {
    Setup { fake: Some(Box::new(play)), ..told(demo("happy")) }
}

impl Setup {
    /// Changes the engine's configuration.
    pub(crate) fn with(mut self, change: impl Fn(&mut EngineConfig) + Send + Sync + 'static) -> Self {
        self.change = Box::new(change);
        self
    }
    /// A file of the repository.
    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.as_bytes().to_vec());
        self
    }
    /// One more change folder, like the demo's own.
    pub(crate) fn change(mut self, name: &str) -> Self {
        const OWN: &str = "openspec/changes/add-word-limit/";
        let files = self.files.iter().filter(|(path, _)| !path.ends_with("hydra.json"));
        let copies = files.filter_map(|(path, text)| {
            Some((format!("openspec/changes/{name}/{}", path.strip_prefix(OWN)?), text.clone()))
        });
        let copies: Vec<_> = copies.collect();
        self.files.extend(copies);
        self
    }
    /// The issue's text.
    pub(crate) fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }
    /// Who sets the label.
    pub(crate) fn labelled_by(mut self, who: &'static str) -> Self {
        self.by = who;
        self
    }
    /// Nobody has set the label yet.
    pub(crate) fn unlabelled(mut self) -> Self {
        self.labelled = false;
        self
    }
    /// Model accounts, in the order in which they are tried.
    pub(crate) fn accounts(mut self, accounts: &[(&'static str, &'static str)]) -> Self {
        self.accounts = accounts.to_vec();
        self
    }
    /// One person, one token.
    pub(crate) fn single_identity(mut self) -> Self {
        self.one_login = true;
        self
    }

    /// The curtain rises.
    pub(crate) async fn begin(self) -> Story {
        let clock = Arc::new(StoryClock::default());
        let github = Sim::start(SimConfig::default()).await.expect("GitHub");
        let model =
            ModelSim::start(ModelConfig { script: self.script, ..ModelConfig::default() }).await.expect("model");
        let issue = seed(&github, REPO, self.files, (&demo_issue().0, &self.body), self.one_login);
        if self.labelled {
            github.add_label(REPO, issue, TRIGGER, self.by).expect("a label");
        }
        github.reset_log();
        let fake = self.fake.map(|play| FakeRuntime::new("story", clock.clone(), play));
        Story {
            github,
            model,
            clock,
            issue,
            dir: tempfile::tempdir().expect("a folder"),
            fake,
            change: self.change,
            accounts: self.accounts,
            one_login: self.one_login,
        }
    }
}

/// An organisation with a board and a repository, and Ada's issue (title and text) in it, not labelled yet.
pub(crate) fn seed(
    github: &Sim,
    name: &str,
    files: BTreeMap<String, Vec<u8>>,
    (title, body): (&str, &str),
    one_login: bool,
) -> u64 {
    github.org(ORG);
    let mut repo = RepoSeed::new(name).public().files(files).role(ADA, Role::Write).role(MALLORY, Role::Read);
    for row in label::definitions("", TRIGGER) {
        repo = repo.label(&row.name, &row.color, &row.description);
    }
    for role in TokenRole::ALL {
        let may = if matches!(role, TokenRole::Builder | TokenRole::Orchestrator) { Role::Write } else { Role::Read };
        repo = repo.role(login(*role), may);
    }
    github.repo(repo).expect("a repository");
    github.member(ORG, login(TokenRole::Orchestrator));
    if one_login {
        github.token(Token::fine_grained(&token(TokenRole::Builder), ADA).allow_work());
    }
    for role in TokenRole::ALL.iter().filter(|_| !one_login) {
        // Each may do what its row in the design's table says, and no more.
        let read = ["metadata", "contents", "issues", "statuses"];
        let held = read.iter().fold(Token::fine_grained(&token(*role), login(*role)), |t, p| t.allow(p, Access::Read));
        let held = held.allow("pull_requests", Access::Write);
        let write = |held: Token, names: &[&str]| names.iter().fold(held, |t, name| t.allow(name, Access::Write));
        github.token(match role {
            TokenRole::Builder => write(held, &["contents"]),
            TokenRole::Orchestrator => write(held, &["contents", "issues", "statuses", "organization_projects"]),
            TokenRole::Reviewer | TokenRole::Security | TokenRole::Applier => held,
        });
    }
    let board = github.board(ORG, "Roadmap", &COLUMNS);
    let number = github.open_issue(name, ADA, title, body).expect("an issue");
    github.card(ORG, board, name, number, Some("Todo")).expect("a card");
    number
}

/// A story under way.
pub(crate) struct Story {
    pub(crate) github: Sim,
    pub(crate) model: ModelSim,
    pub(crate) clock: Arc<StoryClock>,
    /// The issue that it is about.
    pub(crate) issue: u64,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) fake: Option<FakeRuntime>,
    change: Change,
    pub(crate) accounts: Vec<(&'static str, &'static str)>,
    one_login: bool,
}

impl Story {
    /// An engine of this installation, as a process of that name would make it.
    pub(crate) fn engine(&self, process: &str) -> Engine {
        self.engine_in(process, self.dir.path())
    }
    /// An engine with a state folder of its own: another machine, or one that lost its disk.
    pub(crate) fn engine_in(&self, process: &str, state: &Path) -> Engine {
        let config = self.config(process, state);
        let ports = self.ports(&config);
        Engine::new(config, ports).expect("an engine")
    }
    pub(crate) fn token_of(&self, role: TokenRole) -> SecretString {
        token(if self.one_login { TokenRole::Builder } else { role }).into()
    }
    pub(crate) fn login_of(&self, role: TokenRole) -> &'static str {
        if self.one_login { ADA } else { login(role) }
    }
    /// The issue as the engine names it.
    pub(crate) fn key(&self) -> IssueKey {
        key(self.issue)
    }
    /// Skips time, on GitHub and here.
    pub(crate) fn skip(&self, by: Duration) {
        let by = SignedDuration::try_from(by).expect("a time");
        *self.clock.ahead.lock().unwrap_or_else(PoisonError::into_inner) += by;
        self.github.clock().jump(by);
        self.clock.jumped.notify_waiters();
    }

    pub(crate) fn github_config(&self) -> GitHubConfig {
        let mut github = GitHubConfig::new(self.github.base_url().parse().expect("an address"));
        github.tokens = TokenRole::ALL.iter().map(|role| (*role, self.token_of(*role))).collect();
        github.project = (!self.one_login).then(|| (ORG.to_owned(), 1));
        github.retry_delay = Duration::from_millis(5);
        github.mergeable_delay = Duration::from_millis(5);
        github
    }

    pub(crate) fn ports(&self, config: &EngineConfig) -> Ports {
        let github = Arc::new(GitHub::new(self.github_config()).expect("an adapter"));
        let template = format!("{}/{{repo}}.git", self.github.base_url());
        let tokens: BTreeMap<TokenRole, SecretString> =
            TokenRole::ALL.iter().map(|role| (*role, self.token_of(*role))).collect();
        let remotes = RemoteTemplate::new(template, move |role| Ok(tokens.get(&role).cloned()));
        let runtime: Arc<dyn Runtime> = match &self.fake {
            Some(fake) => Arc::new(fake.instance(config.instance.clone())),
            None => Arc::new(processes(config)),
        };
        let audit = AuditLog::open(&config.state_dir.join("audit.jsonl"), Scrub::from(Arc::clone(&config.redactor)));
        Ports {
            runtime,
            forge: github.clone(),
            writer: github.clone(),
            leases: github.clone(),
            board: (!self.one_login).then(|| github.clone() as _),
            workspace: Arc::new(GitWorkspace::new(&config.state_dir, Arc::new(remotes))),
            accounts: Arc::new(FileAccounts::new(self.held(), &config.state_dir)),
            audit: Arc::new(audit.expect("an audit log")),
            clock: self.clock.clone(),
        }
    }

    fn held(&self) -> Vec<Account> {
        let account = |(priority, (name, value)): (usize, &(&str, &str))| Account {
            name: name.parse().expect("a name"),
            kind: AccountKind::Key,
            priority: i32::try_from(priority).expect("few"),
            held: Held { value: SecretString::from(*value), source: "story".to_owned() },
        };
        self.accounts.iter().enumerate().map(account).collect()
    }

    pub(crate) fn config(&self, process: &str, state: &Path) -> EngineConfig {
        let signer = Signer::from_seed(&"57".repeat(32).into()).expect("a key");
        let mut secrets: Vec<(String, SecretString)> =
            TokenRole::ALL.iter().map(|role| (format!("git:{role}"), self.token_of(*role))).collect();
        secrets.extend(self.accounts.iter().map(|(name, value)| (format!("account:{name}"), (*value).into())));
        let agent = serde_json::json!([program(), "sim-agent"]).to_string();
        let mut config = EngineConfig {
            policy: policy(),
            repos: vec![REPO.parse().expect("a name")],
            repos_from_board: false,
            org: ORG.into(),
            images: ContainerType::ALL
                .iter()
                .map(|kind| (*kind, ImageRef { name: format!("hydra-{kind}"), pin: String::new() }))
                .collect(),
            toolchains: BTreeMap::new(),
            network: Network::None,
            quality_network: Network::None,
            fence: FenceMode::None,
            gate: None,
            api: None,
            model_base_url: Some(self.model.url()),
            hosts: BTreeMap::new(),
            name_servers: None,
            git_credentials: GitCredentials::Withheld,
            egress: EgressPolicy::default(),
            extra_env: BTreeMap::from([("HYDRA_DEMO_AGENT".to_owned(), agent)]),
            tmp_mib: 512,
            workspace_mib: 2048,
            max_out_bytes: 8 << 20,
            instance: "story".into(),
            owner: format!("story/here/{process}"),
            owner_gone: |owner| owner.ends_with("gone"),
            state_dir: state.to_owned(),
            poll_interval: Duration::from_millis(200),
            quality_minutes: 20,
            unnamed_reset: Duration::from_secs(3600),
            stall_timeout: Duration::from_secs(300),
            first_sign_timeout: Duration::from_secs(120),
            stop_grace: Duration::from_secs(5),
            deadline_grace: Duration::from_secs(60),
            public_keys: vec![signer.public()],
            signer: Arc::new(signer),
            logins: TokenRole::ALL
                .iter()
                .map(|role| (*role, self.login_of(*role).parse::<Login>().expect("a login")))
                .collect(),
            protected_paths: Vec::new(),
            registries: BTreeMap::new(),
            services: BTreeMap::new(),
            link_hosts: Vec::new(),
            prompt_extra: String::new(),
            prices: PriceTable::default(),
            breaker: BreakerPolicy::default(),
            redactor: Arc::new(Redactor::new(secrets.iter().map(|(name, value)| (name.as_str(), value)))),
        };
        config.policy.single_identity = self.one_login;
        (self.change)(&mut config);
        config
    }
}

/// The program that jobs run.
pub(crate) fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_hydra-of-the-stories").into()
}

fn processes(config: &EngineConfig) -> ProcessRuntime {
    ProcessRuntime::new(ProcessConfig {
        state_dir: config.state_dir.clone(),
        program: program(),
        args: vec!["agent".to_owned()],
        instance: config.instance.clone(),
        extra_env: BTreeMap::new(),
    })
    .expect("a runtime")
}

/// An issue of the repository as the engine names it.
pub(crate) fn key(number: u64) -> IssueKey {
    IssueKey { repo: REPO.parse().expect("a name"), number: IssueNumber(number) }
}

/// The documented defaults, with waits that a test can afford.
fn policy() -> PlanPolicy {
    let mut personas = persona::defaults();
    for persona in &mut personas {
        "demo".clone_into(&mut persona.driver);
    }
    let column = |name: &str| Some(name.to_owned());
    PlanPolicy {
        label_prefix: String::new(),
        trigger_label: TRIGGER.into(),
        trigger_permission: Permission::Write,
        max_fix_rounds: 2,
        max_quality_fixes: 2,
        max_attempts: 3,
        backoff_base: Duration::from_millis(50),
        backoff_cap: Duration::from_millis(400),
        yolo_allowed: Vec::new(),
        single_identity: false,
        slots: 5,
        weights: BTreeMap::new(),
        issue_budget: Budget::default(),
        day_budget: Budget::default(),
        personas: Stage::ALL
            .iter()
            .filter_map(|stage| Some((*stage, personas.iter().find(|p| p.stages.contains(stage))?.clone())))
            .collect(),
        priced: personas.iter().map(|persona| persona.model.clone()).collect(),
        columns: Columns {
            progress: column("In Progress"),
            review: column("Review"),
            blocked: column("Needs Input"),
            done: column("Done"),
        },
        lease_ttl: Duration::from_secs(600),
        allow_hosts: Vec::new(),
    }
}
