//! One stage by hand: the same specification, the same runtime, the same judgement of what came out as in the pipeline; no lease, no
//! record, and nothing written to the forge unless that is asked for.

mod publish;

pub use publish::Published;

use crate::{
    engine::{Engine, EngineError},
    observe::{Unseen, pin_now},
    observer::{Happening, who},
    order, outcome,
    prune::HandNote,
    report::Side,
    stops::{self, Halt, StopNote},
    store, watch,
    watch::Watched,
};
use hydra_core::{
    AccountName, BranchName, ChangeName, CommitSha, Generation, IssueKey, JobId, ModelName, Stage, Timestamp,
    job::{InputFile, JobKey, Observed, RuntimeStatus},
    plan::{
        ChangeRead, IssueSnapshot, JobOutcome, LeaseRead, OutcomeKind, PinRead, RecordRead, StartOrder, StopReason,
        Task,
    },
    ports::{AuditEntry, Collected, Selector},
    view::{IssueState, IssueView, PullView, RepoView},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::pin,
    time::Duration,
};

/// How often the runtime is asked whether the job has ended, besides its own word.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What is to be run.
#[derive(Debug, Clone)]
pub struct ByHand {
    /// The stage.
    pub stage: Stage,
    /// The issue, or a name that stands for one where there is none (number 0).
    pub issue: IssueView,
    /// The repository.
    pub repo: RepoView,
    /// The change.
    pub change: ChangeName,
    /// Its title.
    pub title: String,
    /// Where it starts.
    pub base: CommitSha,
    /// What is worked on or judged.
    pub head: CommitSha,
    /// What the agent must know of what came before.
    pub task: Task,
    /// Pull requests of the work branch.
    pub pulls: Vec<PullView>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct HandResult {
    /// The job's name; it is removed by now.
    pub job: JobId,
    /// Its key.
    pub key: JobKey,
    /// The work branch's name.
    pub branch: BranchName,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The model.
    pub model: Option<ModelName>,
    /// The account.
    pub account: Option<AccountName>,
    /// The image that it ran in; empty for processes.
    pub image: String,
    /// How it went.
    pub outcome: JobOutcome,
    /// What it was given, as far as that is text: `job.json`, `prompt.md`, `system.md`.
    pub given: BTreeMap<String, Vec<u8>>,
    /// What it left in `/out`.
    pub left: Collected,
    /// `stop` ended it.
    pub interrupted: bool,
}

impl Engine {
    /// Runs the stage to its end; stops it when `stop` ends first. Budgets, time-outs and turn limits bind as in the pipeline.
    ///
    /// # Errors
    /// When it cannot be started, or what it left cannot be read. The job is kept then: `hydra prune` removes it.
    pub async fn by_hand(&mut self, ask: &ByHand, stop: impl Future<Output = ()>) -> Result<HandResult, EngineError> {
        let shared = self.shared.clone();
        let now = self.now();
        let failed = |what: &str| {
            let what = what.to_owned();
            move |why: String| EngineError::Failed { what, why }
        };
        let accounts =
            shared.ports.accounts.list(now).await.map_err(|error| failed("the model accounts")(error.to_string()))?;
        let order = self.order_by_hand(ask, &accounts, now)?;
        let seen = self.snapshot_by_hand(ask).await?;
        let job = order.key.id();
        let built = order::build(&shared, &seen, &order, &accounts, now).await;
        let (spec, note) = built.map_err(|refused| failed("the job cannot be made up")(refused.why))?;
        let given = spec.inputs.iter().filter_map(|(name, file)| match file {
            InputFile::Bytes(bytes) => Some((name.clone(), bytes.clone())),
            InputFile::Path(_) => None,
        });
        let given = given.collect();
        let image = spec.image.name.clone();
        self.evidence(
            &ask.issue.key,
            &job,
            "dev-run",
            &serde_json::json!({ "stage": ask.stage, "base": ask.base, "head": ask.head }),
        )?;
        store::write_json(&shared.state.by_hand(&job), &HandNote { owner: shared.config.owner.clone() })?;
        store::write_json(&shared.state.order(&job), &note)?;
        let started = shared.ports.runtime.start(&spec).await;
        started.map_err(|error| EngineError::Runtime(error.to_string()))?;
        let who = who(&shared.config.policy, ask.stage);
        let key = order.key.clone();
        shared.observer.saw(&Happening::StageStarted { key: key.clone(), job: job.clone(), at: now, who });
        let watched = Watched {
            key: key.clone(),
            bounds: order::bounds(&shared.config, ask.stage, note.limits, now),
            model: order.model.clone(),
            account: order.account.clone(),
        };
        self.watches.follow(&shared, &job, watched);
        let (observed, interrupted) = self.until_ended(&job, stop).await?;
        let stopped = stops::read(&shared.state, &job)?;
        let outcome = outcome::of(&shared, &observed, stopped.as_ref()).await.map_err(unseen)?;
        let outcome = outcome.ok_or_else(|| failed("the job")("it has not ended".to_owned()))?;
        let left = match shared.ports.runtime.collect(&job, shared.config.max_out_bytes).await {
            Ok(left) => left,
            // What is refused is refused in the outcome already.
            Err(error) if matches!(outcome.kind, OutcomeKind::Broken { .. } | OutcomeKind::Outage { .. }) => {
                tracing::warn!(%job, %error, "what it left is not kept");
                Collected::default()
            }
            Err(error) => return Err(EngineError::Runtime(error.to_string())),
        };
        let ended_at = match &observed.status {
            RuntimeStatus::Exited { at, .. } => *at,
            RuntimeStatus::Created | RuntimeStatus::Running | RuntimeStatus::Lost { .. } => self.now(),
        };
        let told = Box::new(outcome.clone());
        shared.observer.saw(&Happening::StageEnded { key: key.clone(), started_at: now, at: ended_at, outcome: told });
        if let (OutcomeKind::AccountUnusable { until, why }, Some(account)) = (&outcome.kind, &outcome.account) {
            let set = shared.ports.accounts.set_aside(account, *until, why).await;
            set.map_err(|error| failed("the model accounts")(error.to_string()))?;
        }
        Ok(HandResult {
            job,
            key,
            branch: order.branch,
            started_at: now,
            ended_at,
            model: order.model,
            account: order.account,
            image,
            outcome,
            given,
            left,
            interrupted,
        })
    }

    /// Removes the job and what the state folder holds of it, once its results are kept elsewhere.
    ///
    /// # Errors
    /// When it stays.
    pub async fn forget_by_hand(&mut self, job: &JobId) -> Result<(), EngineError> {
        let shared = self.shared.clone();
        self.watches.stop().await;
        shared.ports.runtime.remove(job).await.map_err(|error| EngineError::Runtime(error.to_string()))?;
        for path in [shared.state.order(job), shared.state.stop(job), shared.state.by_hand(job)] {
            store::remove(&path)?;
        }
        Ok(())
    }

    fn order_by_hand(
        &self,
        ask: &ByHand,
        accounts: &[hydra_core::ports::AccountView],
        now: Timestamp,
    ) -> Result<StartOrder, EngineError> {
        let failed = |why: String| EngineError::Failed { what: format!("{} cannot be run", ask.stage), why };
        let persona = self.shared.config.policy.personas.get(&ask.stage);
        let account = if ask.stage.has_agent() {
            let free = accounts.iter().find(|account| account.aside.is_none());
            let free = free.ok_or_else(|| {
                let first =
                    accounts.iter().filter_map(|account| account.aside.as_ref()).min_by_key(|(until, _)| *until);
                failed(match first {
                    Some((until, why)) => {
                        format!("every model account is set aside ({why}); the first is back at {until:.0}")
                    }
                    None => "there is no model account: secrets/credentials.json and secrets/.env name none".to_owned(),
                })
            })?;
            Some(free.name.clone())
        } else {
            None
        };
        let branch = branch_of(&ask.change)?;
        Ok(StartOrder {
            key: JobKey {
                issue: ask.issue.key.clone(),
                // Runs of the pipeline begin at 1: a stage by hand is never one of theirs, nor is a second one the first.
                generation: Generation(0),
                stage: ask.stage,
                round: 0,
                attempt: u32::try_from(now.as_second()).unwrap_or(u32::MAX),
            },
            base: ask.base.clone(),
            head: ask.head.clone(),
            branch,
            account,
            model: persona.filter(|_| ask.stage.has_agent()).map(|persona| persona.model.clone()),
            task: ask.task.clone(),
        })
    }

    /// The issue as it would be seen: pinned as it is now.
    async fn snapshot_by_hand(&self, ask: &ByHand) -> Result<IssueSnapshot, EngineError> {
        let pinned = pin_now(&self.shared, &ask.issue, self.now()).await.map_err(unseen)?;
        let hash = pinned.hash();
        store::write_json(&self.shared.state.pin(&hash), &pinned)?;
        Ok(IssueSnapshot {
            key: ask.issue.key.clone(),
            issue: ask.issue.clone(),
            repo: ask.repo.clone(),
            people: BTreeMap::new(),
            record: RecordRead::Absent,
            pin: PinRead::Pinned { hash },
            lease: LeaseRead::Free,
            change: ChangeRead::Found {
                name: ask.change.clone(),
                title: ask.title.clone(),
                open_dependencies: Vec::new(),
                cycle: None,
            },
            rivals: Vec::new(),
            pulls: ask.pulls.clone(),
            base_tip: ask.base.clone(),
            head_tip: None,
            head_descends: true,
            conflicts: false,
            commands: Ok(true),
            verdicts: Vec::new(),
            jobs: Vec::new(),
            column: None,
            hold: None,
            own: BTreeSet::new(),
        })
    }

    /// Waits for the job's end. When `stop` ends first, the job is stopped, once.
    async fn until_ended(
        &mut self,
        job: &JobId,
        stop: impl Future<Output = ()>,
    ) -> Result<(Observed, bool), EngineError> {
        let shared = self.shared.clone();
        let mut stop = pin!(stop);
        let mut interrupted = false;
        loop {
            let seen = shared.ports.runtime.list(&Selector::Job(job.clone())).await;
            let seen = seen.map_err(|error| EngineError::Runtime(error.to_string()))?;
            let seen =
                seen.into_iter().next().ok_or_else(|| EngineError::Runtime(format!("{job} is not there any more")))?;
            if matches!(seen.status, RuntimeStatus::Exited { .. } | RuntimeStatus::Lost { .. }) {
                return Ok((seen, interrupted));
            }
            tokio::select! {
                () = &mut stop, if !interrupted => {
                    interrupted = true;
                    let detail = "whoever started it told it to stop".to_owned();
                    let note = StopNote { why: Halt::Because(StopReason::Shutdown), detail, at: self.now() };
                    watch::stop(&shared, job, &note).await.map_err(EngineError::Runtime)?;
                }
                () = shared.wake.notified() => {}
                () = shared.ports.clock.sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// An entry of the audit log, before what it says is done.
    fn evidence(
        &self,
        issue: &IssueKey,
        job: &JobId,
        command: &str,
        facts: &serde_json::Value,
    ) -> Result<(), EngineError> {
        let facts = serde_json::json!({ "command": command, "facts": facts });
        let (issue, job) = (Some(issue.to_string()), Some(job.to_string()));
        let entry = AuditEntry { ts: self.now(), kind: "operator".into(), issue, job, facts };
        let appended = self.shared.ports.audit.append(&entry);
        appended.map_err(|error| EngineError::Failed { what: "the audit log".into(), why: error.to_string() })
    }
}

/// The work branch of a change.
fn branch_of(change: &ChangeName) -> Result<BranchName, EngineError> {
    let parsed = format!("hydra/{change}").parse();
    parsed.map_err(|error: hydra_core::IdError| EngineError::Failed {
        what: "the work branch's name".to_owned(),
        why: error.to_string(),
    })
}

/// An issue that is none: for a change that nobody opened an issue for. `url` is where the change lies, for the agent to be told.
#[must_use]
pub fn no_issue(
    key: IssueKey,
    change: &ChangeName,
    title: &str,
    author: hydra_core::Login,
    url: String,
    now: Timestamp,
) -> IssueView {
    IssueView {
        key,
        state: IssueState::Open,
        title: title.to_owned(),
        body: format!("Change: {change}\n"),
        author,
        labels: Vec::new(),
        label_events: Vec::new(),
        comments: Vec::new(),
        edited_at: None,
        updated_at: now,
        url,
    }
}

fn unseen(error: Unseen) -> EngineError {
    let text = error.to_string();
    match error.side {
        Side::Forge | Side::Git => EngineError::Forge(text),
        Side::Runtime => EngineError::Runtime(text),
        Side::Machine | Side::Hydra => EngineError::Failed { what: error.what, why: error.why },
    }
}
