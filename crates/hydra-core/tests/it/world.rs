//! A forge, a runtime and git in a few fields, so that the planner can be told stories: it carries out a plan as the executor would.

use hydra_core::{
    ChangeName, CommitSha, IssueKey, Login, PullNumber, Stage, Timestamp, TokenRole,
    contract_files::{CommandResult, Rfi},
    job::{JobKey, Observed, RuntimeStatus},
    money::Spend,
    persona::{Limits, Persona},
    plan::*,
    ports::{AccountKind, AccountView, DeliveredCommit, Delivery, Diff, ForgeWrite, Held, LeaseRecord},
    record::{Hold, HoldKind, RunRecord},
    verdict::{Envelope, Evidence, Finding, Outcome, Severity, Verdict},
    view::*,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::Duration,
};

pub(crate) fn sha(text: &str) -> CommitSha {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex:0<40}")[..40].parse().unwrap()
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

fn login(name: &str) -> Login {
    name.parse().unwrap()
}

pub(crate) struct World {
    pub(crate) now: i64,
    pub(crate) seen: IssueSnapshot,
    pub(crate) policy: PlanPolicy,
    pub(crate) accounts: Vec<AccountView>,
    pub(crate) hold: Option<Hold>,
    pub(crate) slots_elsewhere: u32,
    pub(crate) spent: Spend,
    next: u64,
    pub(crate) last: Option<IssuePlan>,
    pub(crate) log: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let repo: hydra_core::RepoName = "acme/target".parse().unwrap();
        let key = IssueKey { repo: repo.clone(), number: hydra_core::IssueNumber(7) };
        let people = BTreeMap::from([
            (login("alice"), Permission::Write),
            (login("mallory"), Permission::Read),
            (login("boss"), Permission::Admin),
        ]);
        let own =
            ["hydra-builder", "hydra-reviewer", "hydra-security", "hydra-applier", "hydra-orchestrator"].map(login);
        let issue = IssueView {
            key: key.clone(),
            state: IssueState::Open,
            title: "Add it".into(),
            body: "Change: add-it".into(),
            author: login("alice"),
            labels: vec![],
            label_events: vec![],
            comments: vec![],
            edited_at: None,
            updated_at: at(0),
            url: String::new(),
        };
        let seen = IssueSnapshot {
            key,
            issue,
            repo: RepoView {
                name: repo,
                default_branch: "main".parse().unwrap(),
                private: false,
                archived: false,
                clone_url: String::new(),
                labels: vec![],
            },
            people,
            record: RecordRead::Absent,
            pin: PinRead::NoTrigger,
            lease: LeaseRead::Free,
            change: ChangeRead::Found {
                name: "add-it".parse::<ChangeName>().unwrap(),
                title: "Add it".into(),
                open_dependencies: vec![],
                cycle: None,
            },
            rivals: vec![],
            pulls: vec![],
            base_tip: sha("base"),
            head_tip: None,
            head_descends: true,
            conflicts: false,
            commands: Ok(true),
            verdicts: vec![],
            jobs: vec![],
            column: Some("Todo".into()),
            hold: None,
            own: BTreeSet::from(own),
        };
        let account = |name: &str, priority| AccountView {
            name: name.parse().unwrap(),
            kind: AccountKind::Key,
            priority,
            aside: None,
        };
        let mut world = Self {
            now: 0,
            seen,
            policy: policy(),
            accounts: vec![account("main", 0), account("spare", 1)],
            hold: None,
            slots_elsewhere: 0,
            spent: Spend::default(),
            next: 100,
            last: None,
            log: String::new(),
        };
        world.policy.yolo_allowed = vec![login("boss")];
        world
    }

    pub(crate) fn label(&mut self, name: &str, by: &str, added: bool) {
        self.next += 1;
        self.seen.issue.labels.retain(|label| label != name);
        if added {
            self.seen.issue.labels.push(name.into());
            if name == "ready-to-build" {
                self.seen.pin = PinRead::Pinned { hash: format!("pin{}", self.next) };
            }
        }
        let event = LabelEvent { id: self.next, label: name.into(), added, actor: login(by), at: at(self.now) };
        self.seen.issue.label_events.push(event);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut accounts = self.accounts.clone();
        for account in &mut accounts {
            account.aside = account.aside.take().filter(|(until, _)| *until > at(self.now));
        }
        Snapshot {
            now: at(self.now),
            policy: self.policy.clone(),
            issues: vec![self.seen.clone()],
            slots_elsewhere: self.slots_elsewhere,
            accounts,
            day_spend: self.spent,
            hold: self.hold.clone(),
            repo_holds: BTreeMap::new(),
            trial: None,
        }
    }

    /// Plans once, logs the plan, and carries it out.
    pub(crate) fn tick(&mut self) -> usize {
        let plan = plan(&self.snapshot()).issues.remove(0);
        for action in &plan.actions {
            let line = brief(action);
            writeln!(self.log, "  {line}").unwrap();
            self.carry_out(action);
        }
        if plan.actions.is_empty() {
            let reasons: Vec<_> = plan.reasons.iter().map(ToString::to_string).collect();
            writeln!(self.log, "  (nothing) {}{}", reasons.join(" | "), if plan.rests { " [rests]" } else { "" })
                .unwrap();
        }
        let count = plan.actions.len();
        self.last = Some(plan);
        count
    }

    /// Plans until nothing more is to be done.
    pub(crate) fn settle(&mut self) {
        for _ in 0..20 {
            if self.tick() == 0 {
                return;
            }
        }
        panic!("the plan never comes to rest:\n{}", self.log);
    }

    fn carry_out(&mut self, action: &Action) {
        match action {
            Action::TakeLease { generation, .. } => {
                let record = LeaseRecord {
                    schema: 1,
                    owner: "me".into(),
                    generation: *generation,
                    expires_at: at(self.now + 300),
                };
                self.seen.lease = LeaseRead::Mine(Held { oid: sha("lease"), record });
            }
            Action::ReleaseLease { .. } => self.seen.lease = LeaseRead::Free,
            Action::StartJob(order) => self.started(order),
            Action::StopJob { job, why } => {
                let job = self.seen.jobs.iter_mut().find(|seen| seen.observed.id == *job).unwrap();
                job.observed.status = RuntimeStatus::Exited { code: 130, oom: false, at: at(self.now) };
                job.outcome = Some(JobOutcome {
                    kind: OutcomeKind::Stopped(*why),
                    spend: Spend::default(),
                    account: None,
                    egress: String::new(),
                });
            }
            Action::RemoveJob { job } => self.seen.jobs.retain(|seen| seen.observed.id != *job),
            Action::SetAside { account, until, why } => {
                let account = self.accounts.iter_mut().find(|seen| seen.name == *account).unwrap();
                account.aside = Some((*until, why.clone()));
            }
            Action::Push { expected, to, .. } => {
                assert_eq!(self.seen.head_tip, *expected, "the executor's compare-and-swap would fail");
                self.seen.head_tip.clone_from(to);
                if let (Some(pull), Some(to)) = (self.seen.pulls.first_mut(), to) {
                    pull.head = to.clone();
                    pull.statuses.clear();
                }
            }
            Action::PostVerdict { envelope, .. } => {
                self.next += 1;
                self.seen.verdicts.push(VerdictSeen { review: self.next, envelope: (**envelope).clone() });
            }
            Action::SaveRecord { record, .. } => self.seen.record = RecordRead::Valid(record.clone()),
            Action::PlaceCard { column } => self.seen.column = Some(column.clone()),
            Action::Write { write, role } => self.written(*role, write),
        }
    }

    fn started(&mut self, order: &StartOrder) {
        let id = order.key.id();
        if self.seen.jobs.iter().any(|job| job.observed.id == id) {
            return;
        }
        let observed = Observed {
            id,
            key: Some(order.key.clone()),
            instance: "test".into(),
            credentials: vec![],
            created_at: at(self.now),
            status: RuntimeStatus::Running,
        };
        let progress = Progress { account: order.account.clone(), ..Progress::default() };
        let given = Some(Given { base: order.base.clone(), head: order.head.clone() });
        let key = order.key.clone();
        self.seen.jobs.push(JobSeen { key, observed, progress, outcome: None, stop: None, given });
    }

    fn written(&mut self, role: TokenRole, write: &ForgeWrite) {
        match write {
            ForgeWrite::Labels { add, remove, .. } => {
                self.seen.issue.labels.retain(|label| !remove.contains(label));
                self.seen.issue.labels.extend(add.iter().cloned());
            }
            ForgeWrite::OpenPull { title, marker, body, head, base, .. } => {
                if self.seen.pulls.iter().any(|pull| pull.body.contains(&marker.to_string())) {
                    return;
                }
                self.next += 1;
                let pull = PullView {
                    number: PullNumber(self.next),
                    state: PullState::Open,
                    draft: true,
                    title: title.clone(),
                    body: format!("{marker}\n{body}"),
                    author: login(&format!("hydra-{role}")),
                    closed_by: None,
                    head_ref: head.clone(),
                    head: self.seen.head_tip.clone().unwrap(),
                    head_repo: Some(self.seen.repo.name.clone()),
                    base_ref: base.clone(),
                    base: self.seen.base_tip.clone(),
                    mergeable: Mergeable::Clean,
                    labels: vec![],
                    label_events: vec![],
                    reviews: vec![],
                    threads: vec![],
                    comments: vec![],
                    statuses: vec![],
                    url: String::new(),
                };
                self.seen.pulls.insert(0, pull);
            }
            ForgeWrite::EditPull { title, marker, body, .. } => {
                let pull = self.seen.pulls.first_mut().unwrap();
                (pull.title, pull.body) = (title.clone(), format!("{marker}\n{body}"));
            }
            ForgeWrite::ClosePull { .. } => self.seen.pulls.first_mut().unwrap().state = PullState::Closed,
            ForgeWrite::MarkReady { .. } => self.seen.pulls.first_mut().unwrap().draft = false,
            ForgeWrite::Merge { head, .. } => {
                let pull = self.seen.pulls.first_mut().unwrap();
                assert_eq!(pull.head, *head);
                pull.state = PullState::Merged;
            }
            ForgeWrite::Status { context, state, description, .. } => {
                let pull = self.seen.pulls.first_mut().unwrap();
                pull.statuses.retain(|status| status.context != *context);
                let (context, description) = (context.clone(), description.clone());
                pull.statuses.push(StatusView { context, state: *state, description, creator: None });
            }
            ForgeWrite::Comment { .. }
            | ForgeWrite::Review { .. }
            | ForgeWrite::ResolveThread { .. }
            | ForgeWrite::DefineLabel { .. } => {}
        }
    }

    pub(crate) fn record(&self) -> Option<&RunRecord> {
        match &self.seen.record {
            RecordRead::Valid(record) => Some(record),
            _ => None,
        }
    }

    /// The running job of a stage ends.
    pub(crate) fn end(&mut self, stage: Stage, kind: OutcomeKind) {
        let now = at(self.now);
        let running = |job: &&mut JobSeen| job.key.stage == stage && job.observed.status == RuntimeStatus::Running;
        let job = self.seen.jobs.iter_mut().find(running).unwrap_or_else(|| panic!("no {stage} runs"));
        job.observed.status = RuntimeStatus::Exited { code: 0, oom: false, at: now };
        let spend = Spend { cost: hydra_core::Usd::micros(10_000), turns: 3, ..Spend::default() };
        let egress = format!("reached: {stage}.example.org (1 connections, 2 B up, 3 B down); refused: nothing");
        job.outcome = Some(JobOutcome { kind, spend, account: job.progress.account.clone(), egress });
    }

    pub(crate) fn delivered(&self, head: &str) -> OutcomeKind {
        let commit = DeliveredCommit {
            sha: sha(head),
            parents: vec![],
            author: String::new(),
            message: String::new(),
            diff: Diff::default(),
        };
        OutcomeKind::Delivered {
            delivery: Box::new(Delivery {
                head: sha(head),
                refs: BTreeMap::new(),
                commits: vec![commit],
                descends: true,
                diff: Diff::default(),
                bytes: 1,
            }),
            summary: String::new(),
            findings: vec![],
        }
    }

    pub(crate) fn judged(&self, stage: Stage, outcome: Outcome, blocking: &str) -> OutcomeKind {
        let running = |job: &&JobSeen| job.key.stage == stage && job.observed.status == RuntimeStatus::Running;
        let key: &JobKey = &self.seen.jobs.iter().find(running).unwrap_or_else(|| panic!("no {stage} runs")).key;
        let finding = (!blocking.is_empty()).then(|| Finding {
            severity: Severity::Critical,
            file: Some("lib.sh".into()),
            line: Some(3),
            rule: String::new(),
            message: blocking.into(),
            remediation: String::new(),
        });
        let verdict = Verdict {
            pass: outcome == Outcome::Pass,
            blocking: finding.iter().map(|f| f.message.clone()).collect(),
            findings: finding.into_iter().collect(),
            summary: String::new(),
            requirements: vec![],
        };
        OutcomeKind::Judged(Box::new(Envelope {
            schema: 1,
            issue: key.issue.clone(),
            generation: key.generation,
            stage,
            round: key.round,
            attempt: key.attempt,
            persona: "p".parse().unwrap(),
            head: self.record().and_then(|record| record.head.clone()).unwrap(),
            base: sha("base"),
            snapshot: String::new(),
            policy: String::new(),
            prompt: String::new(),
            image: String::new(),
            model: "m".parse().unwrap(),
            spend: Spend::default(),
            egress: String::new(),
            loosened_tests: vec![],
            evidence: Evidence::default(),
            outcome,
            void_reason: (outcome == Outcome::Void).then(|| "no file of the diff was read".into()),
            verdict: (outcome != Outcome::Void).then_some(verdict),
        }))
    }
}

pub(crate) fn quality(exit: i32) -> OutcomeKind {
    let command =
        CommandResult { name: "test".into(), command: "make test".into(), exit, millis: 5, tail: "the tail".into() };
    OutcomeKind::Quality { commands: vec![command] }
}

pub(crate) fn rfi(question: &str) -> OutcomeKind {
    OutcomeKind::Rfi(Rfi { questions: vec![question.into()], context: String::new() })
}

pub(crate) fn cancel(seconds: i64) -> Hold {
    Hold { kind: HoldKind::Cancel, reason: "alice cancelled".into(), since: at(seconds), until: None }
}

fn policy() -> PlanPolicy {
    let persona = |stage: Stage| Persona {
        id: "p".parse().unwrap(),
        name: "Al Gorithm".into(),
        email: String::new(),
        stages: vec![stage],
        driver: "demo".into(),
        model: "m".parse().unwrap(),
        limits: Limits { cpu_millis: 1000, memory_mib: 512, pids: 64, minutes: 5, turns: 10 },
        prompt: String::new(),
    };
    PlanPolicy {
        label_prefix: String::new(),
        trigger_label: "ready-to-build".into(),
        trigger_permission: Permission::Write,
        max_fix_rounds: 2,
        max_quality_fixes: 2,
        max_attempts: 3,
        backoff_base: Duration::from_secs(10),
        backoff_cap: Duration::from_secs(600),
        yolo_allowed: vec![],
        single_identity: false,
        slots: 5,
        weights: Stage::ALL.iter().map(|stage| (*stage, if stage.writes_code() { 2 } else { 1 })).collect(),
        issue_budget: Budget { usd: Some(hydra_core::Usd::dollars(5)), tokens: None },
        day_budget: Budget::default(),
        personas: Stage::ALL.iter().filter(|s| s.has_agent()).map(|s| (*s, persona(*s))).collect(),
        priced: vec!["m".parse().unwrap()],
        columns: Columns {
            progress: Some("Doing".into()),
            review: Some("Review".into()),
            blocked: Some("Blocked".into()),
            done: Some("Done".into()),
        },
        lease_ttl: Duration::from_secs(300),
        allow_hosts: vec![],
    }
}

/// One line for an action.
pub(crate) fn brief(action: &Action) -> String {
    match action {
        Action::StartJob(order) => {
            let account = order.account.as_ref().map_or("-", |account| account.as_str());
            let key = &order.key;
            let task = match (&order.task.findings[..], &order.task.red[..]) {
                ([], []) => String::new(),
                (findings, []) => format!(", {} findings", findings.len()),
                (_, red) => format!(", {} red", red.len()),
            };
            format!("start {} g{} r{} a{} (account {account}{task})", key.stage, key.generation, key.round, key.attempt)
        }
        Action::StopJob { why, job } => format!("stop {} ({why})", short(job.as_str())),
        Action::RemoveJob { job } => format!("remove {}", short(job.as_str())),
        Action::SetAside { account, .. } => format!("set aside {account}"),
        Action::Push { branch, to, .. } => {
            format!("push {branch} {}", if to.is_some() { "forward" } else { "deleted" })
        }
        Action::PostVerdict { envelope, role, .. } => {
            format!("post {} {:?} as {role}", envelope.stage, envelope.outcome)
        }
        Action::SaveRecord { record, reason } => format!("save {} r{} | {reason}", record.phase.kind(), record.round),
        Action::PlaceCard { column } => format!("card to {column}"),
        Action::TakeLease { generation, .. } => format!("take lease g{generation}"),
        Action::ReleaseLease { .. } => "release lease".into(),
        Action::Write { role, write } => match write {
            ForgeWrite::Labels { add, remove, .. } => format!("labels +{add:?} -{remove:?}"),
            ForgeWrite::Status { context, state, description, .. } => {
                format!("status {context} {state:?}: {description}")
            }
            ForgeWrite::OpenPull { title, head, .. } => format!("open pull {head} {title:?} as {role}"),
            ForgeWrite::EditPull { .. } => "edit pull".into(),
            ForgeWrite::ClosePull { .. } => "close pull".into(),
            ForgeWrite::Comment { marker, body, .. } => {
                format!("comment {} as {role}: {}", marker.purpose, body.lines().nth(2).unwrap_or(""))
            }
            ForgeWrite::MarkReady { .. } => "mark ready".into(),
            ForgeWrite::Merge { .. } => "merge".into(),
            ForgeWrite::ResolveThread { .. } => "resolve thread".into(),
            ForgeWrite::Review { .. } => "review".into(),
            ForgeWrite::DefineLabel { .. } => "define label".into(),
        },
    }
}

fn short(job: &str) -> String {
    job.strip_prefix("hydra-target-7-").unwrap_or(job).rsplit_once('-').map_or(String::new(), |(name, _)| name.into())
}
