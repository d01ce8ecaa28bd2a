//! Puts the fakes together: an engine under virtual time, and the people who work with it.

use crate::{
    forge::{FakeForge, REPO, State, login},
    git::{self, FakeGit},
    laws::Laws,
    steps,
    trouble::{Trouble, Troubled, Turns},
};
use async_trait::async_trait;
use hydra_core::{
    AccountName, CommitSha, ContainerType, IssueKey, IssueNumber, Login, SignedDuration, Stage, Timestamp, TokenRole,
    agent_event::{AgentEnd, AgentEvent, EventKind, ToolKind},
    contract::fake::{FakeRuntime, Play},
    contract_files::{CommandResult, FenceMode, JobInput, JobResult, SCHEMA},
    egress::EgressPolicy,
    job::{ImageRef, InputFile, JobSpec, Network},
    persona,
    plan::{Budget, Columns, PlanPolicy},
    ports::{
        AccountKind, AccountView, Accounts, AccountsError, AuditEntry, AuditError, AuditSink, Clock, DeliveredCommit,
        Delivery, LogLine,
    },
    prices::PriceTable,
    redact::Redactor,
    verdict::envelope::Signer,
    view::{Permission, PullView},
};
use hydra_engine::{BreakerPolicy, Engine, EngineConfig, GitCredentials, Ports};
use secrecy::SecretString;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Virtual time: tokio's paused clock, counted from a fixed day; its hands can be moved.
pub(crate) struct VirtualClock {
    start: tokio::time::Instant,
    /// Seconds that it is ahead.
    ahead: Mutex<i64>,
}
impl VirtualClock {
    pub(crate) fn start() -> Self {
        Self { start: tokio::time::Instant::now(), ahead: Mutex::default() }
    }
    /// Moves the hands, forwards or back; nobody's sleep ends earlier or later for it.
    pub(crate) fn jump(&self, seconds: i64) {
        *self.ahead.lock().unwrap() += seconds;
    }
}
#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        steps::one();
        let day: Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
        let ahead = SignedDuration::from_secs(*self.ahead.lock().unwrap());
        day.checked_add(tokio::time::Instant::now() - self.start).unwrap().checked_add(ahead).unwrap()
    }
    async fn sleep(&self, duration: Duration) {
        steps::one();
        tokio::time::sleep(duration).await;
    }
}

#[derive(Default)]
pub(crate) struct FakeAccounts {
    pub(crate) aside: Mutex<BTreeMap<AccountName, (Timestamp, String)>>,
    pub(crate) names: Vec<&'static str>,
}
#[async_trait]
impl Accounts for FakeAccounts {
    async fn list(&self, now: Timestamp) -> Result<Vec<AccountView>, AccountsError> {
        let aside = self.aside.lock().unwrap();
        let view = |(priority, name): (usize, &&str)| {
            let name: AccountName = name.parse().unwrap();
            let aside = aside.get(&name).filter(|(until, _)| *until > now).cloned();
            AccountView { name, kind: AccountKind::OAuth, priority: priority as i32, aside }
        };
        Ok(self.names.iter().enumerate().map(view).collect())
    }
    async fn credential(&self, _: &AccountName) -> Result<SecretString, AccountsError> {
        Ok("sk-ant-oat01-not-a-real-one".to_owned().into())
    }
    async fn set_aside(&self, name: &AccountName, until: Timestamp, why: &str) -> Result<(), AccountsError> {
        self.aside.lock().unwrap().insert(name.clone(), (until, why.into()));
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct FakeAudit {
    pub(crate) entries: Mutex<Vec<AuditEntry>>,
    pub(crate) broken: Mutex<bool>,
}
impl AuditSink for FakeAudit {
    fn append(&self, entry: &AuditEntry) -> Result<(), AuditError> {
        if *self.broken.lock().unwrap() {
            return Err(AuditError("no space left on device".into()));
        }
        self.entries.lock().unwrap().push(entry.clone());
        Ok(())
    }
    fn head(&self) -> String {
        String::new()
    }
}

/// The whole little world.
pub(crate) struct World {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) runtime: FakeRuntime,
    pub(crate) accounts: Arc<FakeAccounts>,
    pub(crate) audit: Arc<FakeAudit>,
    pub(crate) git: Arc<FakeGit>,
    pub(crate) trouble: Trouble,
    pub(crate) laws: Laws,
    /// Model turns that jobs which are gone have really made, by issue.
    pub(crate) turns: Turns,
    pub(crate) policy: PlanPolicy,
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) fn ada() -> Login {
    "ada".parse().unwrap()
}
pub(crate) fn key(number: u64) -> IssueKey {
    IssueKey { repo: REPO.parse().unwrap(), number: IssueNumber(number) }
}
pub(crate) fn commit(n: u32) -> CommitSha {
    format!("{n:040x}").parse().unwrap()
}

impl World {
    /// A repository with one change folder and a labelled issue #1; jobs do what `play` says.
    pub(crate) fn new(play: impl Fn(&JobSpec) -> Play + Send + Sync + 'static) -> Self {
        steps::begin();
        let clock = Arc::new(VirtualClock::start());
        let mut state = State::default();
        state.branches.insert("main".parse().unwrap(), commit(1));
        state.people.insert(ada(), Permission::Write);
        let files = BTreeMap::from([(".hydra.toml".to_owned(), b"[commands]\ntest = \"true\"\n".to_vec())]);
        let state = Arc::new(Mutex::new(state));
        let trouble = Trouble::default();
        let files = Mutex::new(files);
        let git = FakeGit { state: state.clone(), files, conflicts: Arc::default(), trouble: trouble.clone() };
        let runtime = FakeRuntime::new("test", clock.clone(), play);
        let world = Self {
            state,
            runtime,
            accounts: Arc::new(FakeAccounts { names: vec!["main", "spare"], ..FakeAccounts::default() }),
            audit: Arc::default(),
            git: Arc::new(git),
            trouble,
            laws: Laws::default(),
            turns: Turns::default(),
            policy: policy(),
            clock,
            dir: state_folder(),
        };
        world.change("add-tax");
        world.issue(1, "Please.\n\nChange: add-tax\n");
        world
    }
    /// Lays a change folder into the repository.
    pub(crate) fn change(&self, name: &str) {
        let change = format!("openspec/changes/{name}");
        let spec = "## ADDED Requirements\n\n### Requirement: Tax\nThe cart SHALL add tax.\n\n#### Scenario: One item\n- **WHEN** an item is bought\n- **THEN** tax is added\n";
        self.git.files.lock().unwrap().extend([
            (format!("{change}/proposal.md"), b"# Add tax\n\n## Why\nThe law.\n\n## What Changes\n- tax\n".to_vec()),
            (format!("{change}/tasks.md"), b"## 1. Tax\n- [ ] 1.1 Add it\n".to_vec()),
            (format!("{change}/specs/cart/spec.md"), spec.as_bytes().to_vec()),
        ]);
    }
    /// Opens an issue and sets the trigger label on it.
    pub(crate) fn issue(&self, number: u64, body: &str) {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        state.open_issue(number, body, &ada(), now);
        state.label(number, "ready-to-build", true, &ada(), now);
    }
    pub(crate) fn label(&self, number: u64, name: &str, add: bool) {
        let now = self.clock.now();
        self.state.lock().unwrap().label(number, name, add, &ada(), now);
    }
    pub(crate) fn labels(&self, number: u64) -> Vec<String> {
        let mut labels = self.state.lock().unwrap().issues[&IssueNumber(number)].labels.clone();
        labels.sort();
        labels
    }
    pub(crate) fn pulls(&self) -> Vec<PullView> {
        let state = self.state.lock().unwrap();
        state.pulls.values().map(|pull| state.shown(pull)).collect()
    }
    pub(crate) fn writes(&self) -> Vec<String> {
        self.state.lock().unwrap().writes.clone()
    }
    /// The status comment of an issue.
    pub(crate) fn status(&self, number: u64) -> String {
        let state = self.state.lock().unwrap();
        let comments = &state.issues[&IssueNumber(number)].comments;
        let mut found = comments.iter().filter(|c| c.body.starts_with("<!-- hydra:status g0 -->"));
        let text = found.next().map(|comment| comment.body.clone()).unwrap_or_default();
        assert!(found.next().is_none(), "one status comment, edited in place");
        text
    }
    /// The world as one orchestrator reaches it.
    fn ports(&self, config: &EngineConfig, runtime: &FakeRuntime) -> Ports {
        let (trouble, laws) = (self.trouble.clone(), self.laws.clone());
        let forge = Arc::new(FakeForge {
            state: self.state.clone(),
            clock: self.clock.clone(),
            trouble: trouble.clone(),
            owner: config.owner.clone(),
            laws: laws.clone(),
        });
        Ports {
            runtime: Arc::new(Troubled { inner: runtime.clone(), trouble, laws, turns: self.turns.clone() }),
            forge: forge.clone(),
            writer: forge.clone(),
            leases: forge,
            board: None,
            workspace: self.git.clone(),
            accounts: self.accounts.clone(),
            audit: self.audit.clone(),
            clock: self.clock.clone(),
        }
    }
    pub(crate) fn config(&self, process: &str) -> EngineConfig {
        let signer = Signer::from_seed(&"7".repeat(64).into()).unwrap();
        EngineConfig {
            policy: self.policy.clone(),
            repos: vec![REPO.parse().unwrap()],
            repos_from_board: false,
            org: "acme".into(),
            images: ContainerType::ALL
                .iter()
                .map(|kind| (*kind, ImageRef { name: format!("hydra-{kind}"), pin: "sha256:00".into() }))
                .collect(),
            toolchains: BTreeMap::new(),
            network: Network::Named("hydra-net".into()),
            quality_network: Network::None,
            fence: FenceMode::None,
            gate: None,
            api: None,
            model_base_url: None,
            hosts: BTreeMap::new(),
            name_servers: None,
            git_credentials: GitCredentials::Withheld,
            egress: EgressPolicy::default(),
            extra_env: BTreeMap::new(),
            tmp_mib: 512,
            workspace_mib: 2048,
            max_out_bytes: 1 << 20,
            instance: "test".into(),
            owner: format!("test/here/{process}"),
            owner_gone: |owner| owner.ends_with("dead"),
            state_dir: self.dir.path().to_owned(),
            poll_interval: Duration::from_secs(60),
            quality_minutes: 20,
            unnamed_reset: Duration::from_secs(3600),
            stall_timeout: Duration::from_secs(300),
            first_sign_timeout: Duration::from_secs(120),
            stop_grace: Duration::from_secs(10),
            deadline_grace: Duration::from_secs(60),
            public_keys: vec![signer.public()],
            signer: Arc::new(signer),
            logins: TokenRole::ALL.iter().map(|role| (*role, login(*role))).collect(),
            protected_paths: Vec::new(),
            registries: BTreeMap::new(),
            services: BTreeMap::new(),
            link_hosts: Vec::new(),
            prompt_extra: String::new(),
            prices: PriceTable::default(),
            breaker: BreakerPolicy::default(),
            redactor: Arc::new(Redactor::default()),
        }
    }
    pub(crate) fn engine(&self, process: &str) -> Engine {
        self.engine_with(self.config(process))
    }
    pub(crate) fn engine_with(&self, config: EngineConfig) -> Engine {
        self.engine_on(config, &self.runtime)
    }
    /// With a container engine of its own.
    pub(crate) fn engine_on(&self, config: EngineConfig, runtime: &FakeRuntime) -> Engine {
        let ports = self.ports(&config, runtime);
        Engine::new(config, ports).unwrap()
    }
    /// No law was broken so far.
    pub(crate) fn lawful(&self) {
        let wrong = self.laws.all();
        assert!(wrong.is_empty(), "{} laws broken:\n{}", wrong.len(), wrong.join("\n"));
    }
    /// Runs one engine until everything rests; an hour of virtual time at most.
    pub(crate) async fn run(&self, engine: &mut Engine) -> hydra_engine::Ended {
        let stop = tokio::time::sleep(Duration::from_secs(6 * 3600));
        let ended = engine.run_until_rest(stop).await;
        assert!(ended.cycles < 500, "the loop spins: {:?}", ended.last);
        ended
    }
}

/// In memory where that is to be had: every small file of the state folder is synced, and there are thousands of runs.
pub(crate) fn state_folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir()
        && let Ok(dir) = tempfile::tempdir_in(memory)
    {
        dir
    } else {
        tempfile::tempdir().unwrap()
    }
}

pub(crate) fn policy() -> PlanPolicy {
    let personas = persona::defaults();
    PlanPolicy {
        label_prefix: String::new(),
        trigger_label: "ready-to-build".into(),
        trigger_permission: Permission::Write,
        max_fix_rounds: 2,
        max_quality_fixes: 2,
        max_attempts: 3,
        backoff_base: Duration::from_secs(10),
        backoff_cap: Duration::from_secs(300),
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
        columns: Columns::default(),
        lease_ttl: Duration::from_secs(600),
        allow_hosts: Vec::new(),
    }
}

/// `/in/job.json` of a specification.
pub(crate) fn input(spec: &JobSpec) -> JobInput {
    let Some(InputFile::Bytes(bytes)) = spec.inputs.get("job.json") else { panic!("no job.json") };
    serde_json::from_slice(bytes).unwrap()
}
pub(crate) fn prompt(spec: &JobSpec) -> String {
    let Some(InputFile::Bytes(bytes)) = spec.inputs.get("prompt.md") else { panic!("no prompt.md") };
    String::from_utf8(bytes.clone()).unwrap()
}

/// One event line.
pub(crate) fn event(kind: EventKind) -> String {
    let ts = "2026-11-24T09:00:00Z".parse().unwrap();
    serde_json::to_string(&AgentEvent { v: hydra_core::agent_event::SCHEMA, ts, kind }).unwrap()
}

/// What a well-behaved agent says: a session of two turns in which the changed file was read.
pub(crate) fn events() -> Vec<String> {
    let tokens = hydra_core::Tokens { input: 1000, output: 200, ..hydra_core::Tokens::default() };
    let turn = |turn| event(EventKind::Turn { turn, tokens, model: None });
    let read = EventKind::Tool {
        id: "t1".into(),
        tool: ToolKind::Read,
        name: "Read".into(),
        path: Some("src/cart.py".into()),
        command: None,
    };
    vec![
        event(EventKind::Started { driver: "demo".into(), version: None, model: None }),
        turn(1),
        event(read),
        event(EventKind::ToolResult { id: "t1".into(), ok: true, bytes: 40 }),
        turn(2),
        event(EventKind::Ended { end: AgentEnd::Completed, reported: None }),
    ]
}

/// A job that did its work: with these files besides `result.json` and `events.jsonl`.
pub(crate) fn works(spec: &JobSpec, files: &[(&str, Vec<u8>)], head: Option<CommitSha>) -> Play {
    let job = input(spec);
    let commands = if job.stage == Stage::Quality {
        let run = |c: &hydra_core::contract_files::QualityCommand| CommandResult {
            name: c.name.clone(),
            command: c.command.clone(),
            exit: 0,
            millis: 10,
            tail: String::new(),
        };
        job.commands.iter().map(run).collect()
    } else {
        Vec::new()
    };
    let result = JobResult {
        schema: SCHEMA,
        job: job.job,
        stage: job.stage,
        end: job.stage.has_agent().then_some(AgentEnd::Completed),
        head,
        summary: "done".into(),
        commands,
    };
    let lines = if job.stage.has_agent() { events() } else { Vec::new() };
    let mut play = Play::exits(0);
    play.after = Duration::from_secs(30);
    play.out.insert("result.json".into(), serde_json::to_vec(&result).unwrap());
    play.out.insert("events.jsonl".into(), lines.join("\n").into_bytes());
    play.lines = lines.into_iter().map(|text| LogLine { stderr: false, text }).collect();
    play.out.extend(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())));
    play
}

/// A builder that delivers one commit on top of what it was given.
pub(crate) fn builds(spec: &JobSpec) -> Play {
    let job = input(spec);
    let name = hydra_core::digest::sha256_parts(&[job.job.as_str().as_bytes(), job.head.as_str().as_bytes()]);
    let head: CommitSha = name[..40].parse().unwrap();
    let delivery = Delivery {
        head: head.clone(),
        refs: BTreeMap::from([("refs/heads/hydra-result".to_owned(), head.clone())]),
        commits: vec![DeliveredCommit {
            sha: head.clone(),
            parents: vec![job.head.clone()],
            author: format!("{} <{}>", job.author_name, job.author_email),
            message: "Add tax".into(),
            diff: git::diff(),
        }],
        descends: true,
        diff: git::diff(),
        bytes: 1000,
    };
    works(spec, &[("changes.bundle", serde_json::to_vec(&delivery).unwrap())], Some(head))
}

/// A reviewer with this verdict.
pub(crate) fn judges(spec: &JobSpec, pass: bool, blocking: &[&str]) -> Play {
    let met = serde_json::json!([
        { "requirement": "Tax", "state": "met" },
        { "requirement": "Tax", "scenario": "One item", "state": "met" },
    ]);
    let mut verdict = serde_json::json!({ "pass": pass, "blocking": blocking, "summary": "I looked." });
    if spec.key.stage == Stage::CodeReview {
        verdict["requirements"] = met;
    }
    works(spec, &[("verdict.json", serde_json::to_vec(&verdict).unwrap())], None)
}

/// Everybody does well.
pub(crate) fn well(spec: &JobSpec) -> Play {
    match spec.key.stage {
        Stage::Build | Stage::Fix | Stage::FixQuality => builds(spec),
        Stage::Quality => works(spec, &[], None),
        Stage::CodeReview | Stage::SecurityReview | Stage::Apply => judges(spec, true, &[]),
    }
}
