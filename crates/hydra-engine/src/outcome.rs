//! How an ended job went: its exit, its outputs and its events become one outcome. Computed once for each job.

mod builder;
mod egress;
mod ends;
mod lost;
mod review;

use crate::{
    egress_note,
    observe::Unseen,
    order::{self, OrderNote},
    stops::{Halt, StopNote},
    tally::{self, Tally},
    watch::Shared,
};
use hydra_core::{
    AccountName, JobId, Stage, Timestamp, Tokens,
    agent_event::AgentEvent,
    contract_files::{self, JobResult, exit},
    egress::{Told, gate::GateLine},
    job::{Observed, RuntimeStatus},
    money::Spend,
    plan::{JobOutcome, OutcomeKind, StopReason},
    ports::{Collected, RuntimeErrorKind},
    record::RunRecord,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Outcomes that were computed, and those that nobody was told of yet.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    known: Mutex<BTreeMap<JobId, JobOutcome>>,
    fresh: Mutex<Vec<(Observed, JobOutcome)>>,
}

impl Outcomes {
    fn get(&self, job: &JobId) -> Option<JobOutcome> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(job).cloned()
    }
    fn put(&self, job: &Observed, outcome: &JobOutcome) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(job.id.clone(), outcome.clone());
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).push((job.clone(), outcome.clone()));
    }
    pub(crate) fn forget(&self, job: &JobId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(job);
    }
    /// What was computed since the last call.
    pub(crate) fn fresh(&self) -> Vec<(Observed, JobOutcome)> {
        std::mem::take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The account that a job uses, from its credentials' names.
pub(crate) fn account_of(job: &Observed) -> Option<AccountName> {
    job.credentials.iter().find_map(|name| name.strip_prefix("account:")).and_then(|name| name.parse().ok())
}

/// Everything that an ended job left.
pub(crate) struct Left<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) job: &'a Observed,
    pub(crate) note: &'a OrderNote,
    pub(crate) out: &'a Collected,
    pub(crate) tally: Tally,
    pub(crate) events: Vec<AgentEvent>,
    pub(crate) result: Option<JobResult>,
    pub(crate) ended_at: Timestamp,
}

/// What a job was started with, as far as it can be known.
pub(crate) enum Order {
    /// As it was kept.
    Kept(Box<OrderNote>),
    /// The state folder does not know it: as it must have been.
    Guessed(Box<OrderNote>),
    /// Neither.
    Lost,
}

/// What a job of an issue was started with. `None`: its record comes first, then it can be said.
pub(crate) async fn order_of(
    shared: &Shared,
    job: &Observed,
    record: Option<&RunRecord>,
) -> Result<Option<Order>, Unseen> {
    let note = order::read_note(&shared.state, &job.id);
    if let Some(note) = note.map_err(|error| Unseen::new(format!("what {} was started with", job.id), error))? {
        return Ok(Some(Order::Kept(Box::new(note))));
    }
    let knows = |record: &&RunRecord| record.stages.iter().any(|entry| entry.job == job.id);
    let (Some(key), Some(record)) = (&job.key, record.filter(knows)) else { return Ok(None) };
    Ok(Some(match lost::again(shared, record, key, job).await? {
        Some(note) => Order::Guessed(Box::new(note)),
        None => Order::Lost,
    }))
}

/// The outcome of a job that is nobody's but this process's; `None` while it has not ended.
pub(crate) async fn of(shared: &Shared, job: &Observed, stop: Option<&StopNote>) -> Result<Option<JobOutcome>, Unseen> {
    let order = order_of(shared, job, None).await?;
    judged(shared, job, stop, order.unwrap_or(Order::Lost)).await
}

/// The outcome; `None` while the job has not ended. An error: its outputs cannot be read now, ask again.
pub(crate) async fn judged(
    shared: &Shared,
    job: &Observed,
    stop: Option<&StopNote>,
    order: Order,
) -> Result<Option<JobOutcome>, Unseen> {
    let (code, oom, at) = match &job.status {
        RuntimeStatus::Created | RuntimeStatus::Running => return Ok(None),
        RuntimeStatus::Exited { code, oom, at } => (Some(*code), *oom, *at),
        RuntimeStatus::Lost { .. } => (None, false, shared.ports.clock.now()),
    };
    if let Some(known) = shared.outcomes.get(&job.id) {
        return Ok(Some(known));
    }
    let what = || format!("what {} left", job.id);
    let out = match shared.ports.runtime.collect(&job.id, shared.config.max_out_bytes).await {
        Ok(out) => out,
        Err(error) if error.kind == RuntimeErrorKind::NotFound || code.is_none() => Collected::default(),
        // What it left cannot be taken (a link out of the folder, say): that will not change.
        Err(error) if error.kind == RuntimeErrorKind::Refused => {
            let kind = broken("output", format!("its outputs are refused: {error}"));
            return Ok(Some(settle(shared, job, Spend::default(), kind, String::new())));
        }
        Err(error) => return Err(Unseen::new(what(), error)),
    };
    spent_accounts(shared, &out).await;
    egress_note::keep(shared, job, &out, at);
    let (note, guessed) = match order {
        Order::Kept(note) => (Some(note), false),
        Order::Guessed(note) => (Some(note), true),
        Order::Lost => (None, true),
    };
    let (tally, events) = read_events(shared, job, &out, note.as_deref());
    let spend = tally.progress.spend;
    let traffic = egress::of(shared, &out, &tally).unwrap_or_default();
    let Some(note) = note else {
        return Ok(Some(settle(shared, job, spend, unknown(), traffic)));
    };
    let result = out.files.get("result.json").and_then(|bytes| read_result(bytes, &job.id));
    let left = Left { shared, job, note: &note, out: &out, tally, events, result, ended_at: at };
    let kind = match (code, stop) {
        _ if stopped(code, stop).is_some() => stopped(code, stop).unwrap_or(OutcomeKind::Stopped(StopReason::Stale)),
        (None, _) => {
            let RuntimeStatus::Lost { why } = &job.status else { return Ok(None) };
            OutcomeKind::Outage { class: "vanished", why: why.clone() }
        }
        (Some(_), _) if oom => {
            broken("memory", format!("it needed more than {} MiB of memory", note.limits.memory_mib))
        }
        (Some(code), _) if code == i64::from(exit::DONE) => match done(&left).await? {
            // It may have been given something else than is guessed: it is made again rather than held against it.
            OutcomeKind::Refused { .. } if guessed => unknown(),
            kind => kind,
        },
        // Whatever it says itself: it had no world any more, and may be the cause of that.
        (Some(_), _) if Told::of(&out.gate).is_some_and(|told| told.gone) => broken("gate", GATE_GONE.to_owned()),
        (Some(code), _) => ends::of(&left, code),
    };
    Ok(Some(settle(shared, job, spend, kind, traffic)))
}

/// Accounts that the gate has found used up are set aside for everybody.
async fn spent_accounts(shared: &Shared, out: &Collected) {
    for line in &out.gate {
        if let GateLine::Aside { account, until, why } = line
            && let Err(error) = shared.ports.accounts.set_aside(account, *until, why).await
        {
            tracing::warn!(%account, %error, "it is used up and could not be set aside");
        }
    }
}

fn settle(shared: &Shared, job: &Observed, spend: Spend, kind: OutcomeKind, egress: String) -> JobOutcome {
    let outcome = JobOutcome { kind, spend, account: account_of(job), egress };
    shared.outcomes.put(job, &outcome);
    outcome
}

fn unknown() -> OutcomeKind {
    let why = "the state folder does not know what it was started with, so its work cannot be judged".to_owned();
    OutcomeKind::Outage { class: "vanished", why }
}

/// Why a job came to nothing whose gate did not come back.
pub(crate) const GATE_GONE: &str = "its gate broke down for good, so that it reached nothing any more";

/// What a stop from outside means. A job that did its work before the stop reached it did its work.
fn stopped(code: Option<i64>, stop: Option<&StopNote>) -> Option<OutcomeKind> {
    let note = stop?;
    let done = code == Some(i64::from(exit::DONE));
    Some(match note.why.reason() {
        None | Some(StopReason::TimeOut | StopReason::Stall | StopReason::NoSignOfLife | StopReason::Superseded)
            if done =>
        {
            return None;
        }
        None if note.why == Halt::Gate => broken("gate", note.detail.clone()),
        None => broken("turn-limit", note.detail.clone()),
        Some(StopReason::TimeOut) => broken("time-out", format!("its time ran out: {}", note.detail)),
        Some(StopReason::Stall) => broken("stall", format!("it stalled: {}", note.detail)),
        Some(StopReason::NoSignOfLife) => broken("stall", format!("it gave no sign of life: {}", note.detail)),
        Some(reason) => OutcomeKind::Stopped(reason),
    })
}

async fn done(left: &Left<'_>) -> Result<OutcomeKind, Unseen> {
    let stage = left.note.key.stage;
    if left.result.is_none() {
        return Ok(broken("output", "it ended well without a readable result.json".into()));
    }
    match stage {
        Stage::Build | Stage::FixQuality | Stage::Fix => builder::of(left).await,
        Stage::Quality => Ok(quality(left)),
        Stage::CodeReview | Stage::SecurityReview | Stage::Apply => review::of(left).await,
    }
}

fn quality(left: &Left<'_>) -> OutcomeKind {
    let Some(result) = &left.result else { return broken("output", "no result".into()) };
    let mut commands = result.commands.clone();
    for command in &mut commands {
        command.tail = left.shared.config.scrub(&command.tail);
    }
    // The target's own code runs there: a green that left a command out is no green.
    let ran: Vec<&String> = commands.iter().map(|command| &command.name).collect();
    let all = ran == left.note.commands.iter().collect::<Vec<_>>();
    if !all && commands.iter().all(|command| command.exit == 0) {
        return broken("output", format!("it ran {} of {} commands", commands.len(), left.note.commands.len()));
    }
    OutcomeKind::Quality { commands }
}

pub(crate) fn broken(class: &'static str, why: String) -> OutcomeKind {
    OutcomeKind::Broken { class, why }
}

fn read_result(bytes: &[u8], job: &JobId) -> Option<JobResult> {
    let result: JobResult = serde_json::from_slice(bytes).ok()?;
    let schema = result.schema == contract_files::SCHEMA || result.schema + 1 == contract_files::SCHEMA;
    (schema && result.job == *job).then_some(result)
}

/// The event lines, redacted. What was followed to its end counts: nobody can change it afterwards, and the file in `/out` lies beside the
/// agent. The file counts where nobody listened to the end; what was heard of the spend until then is its least.
fn read_events(shared: &Shared, job: &Observed, out: &Collected, note: Option<&OrderNote>) -> (Tally, Vec<AgentEvent>) {
    // Without its note it is priced as its persona's model: what it cost counts all the same.
    let persona = job.key.as_ref().and_then(|key| shared.config.policy.personas.get(&key.stage));
    let fallback = note.map_or_else(|| persona.map(|persona| persona.model.clone()), |note| note.model.clone());
    let read = |bytes: &[u8]| tally::read(bytes, &shared.config.redactor, &shared.config.prices, fallback.as_ref());
    let heard = read(&std::fs::read(shared.state.log(&job.id)).unwrap_or_default());
    let mut left = match out.files.get("events.jsonl").filter(|_| heard.0.end.is_none()) {
        None => heard,
        Some(bytes) => {
            let mut left = read(bytes);
            let spend = &mut left.0.progress.spend;
            if heard.0.progress.spend.cost > spend.cost {
                *spend = heard.0.progress.spend;
            }
            left
        }
    };
    // The gate has counted what the API itself said: an agent that says less has used no less.
    let spend = &mut left.0.progress.spend;
    if let Some(tokens) = counted(&out.gate).filter(|tokens| tokens.total() > spend.tokens.total()) {
        let cost = fallback.as_ref().and_then(|model| shared.config.prices.cost(model, tokens).ok());
        spend.tokens = tokens;
        spend.cost = spend.cost.max(cost.unwrap_or_default());
    }
    left
}

/// What a gate counted.
pub(crate) fn counted(lines: &[GateLine]) -> Option<Tokens> {
    lines.iter().rev().find_map(|line| match line {
        GateLine::Report { tokens, .. } => Some(*tokens),
        GateLine::Proved(_)
        | GateLine::Ready { .. }
        | GateLine::Denied(_)
        | GateLine::Aside { .. }
        | GateLine::Gone { .. } => None,
    })
}
