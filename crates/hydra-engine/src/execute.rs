//! Carries out what was planned, one effect after the other. It chooses nothing; it only refuses what it may not do any more.

mod jobs;
mod lease;
mod publish;
mod push;
mod start;
mod verdict;

pub(crate) use verdict::extract as extract_verdict;

use crate::{
    engine::{Died, Engine},
    observe::World,
    observer::Happening,
    report::{Blamed as _, CycleReport, Failure, Side},
    watch::Shared,
};
use hydra_core::{
    IssueKey, PullNumber, Timestamp, TokenRole,
    plan::{Action, IssuePlan, IssueSnapshot},
    ports::{AuditEntry, ForgeError, ForgeErrorKind, ForgeWrite, RuntimeError, WorkspaceError},
    verdict::Envelope,
};

/// What an effect did.
pub(super) struct Effect {
    /// Whether anything outside of this process changed.
    pub(super) wrote: bool,
    /// One line.
    pub(super) detail: String,
}
impl Effect {
    pub(super) fn made(detail: impl Into<String>) -> Self {
        Self { wrote: true, detail: detail.into() }
    }
    pub(super) fn there(detail: impl Into<String>) -> Self {
        Self { wrote: false, detail: detail.into() }
    }
}

/// Why an effect was not made. It ends the issue's list; the next cycle looks again.
#[derive(Debug)]
pub(super) enum Fault {
    /// It failed; not before then, where a time is known.
    Failed { why: String, until: Option<Timestamp>, side: Side },
    /// The world moved on: look again at once.
    Moved(String),
}
impl Fault {
    pub(super) fn failed(why: impl ToString) -> Self {
        Self::Failed { why: why.to_string(), until: None, side: Side::Hydra }
    }
}
impl Fault {
    fn why(self) -> String {
        match self {
            Self::Failed { why, .. } | Self::Moved(why) => why,
        }
    }
}
impl From<ForgeError> for Fault {
    fn from(error: ForgeError) -> Self {
        let until = match error.kind {
            ForgeErrorKind::LimitedUntil(until) => Some(until),
            _ => None,
        };
        Self::Failed { why: error.to_string(), until, side: Side::Forge }
    }
}
impl From<RuntimeError> for Fault {
    fn from(error: RuntimeError) -> Self {
        Self::Failed { why: error.to_string(), until: None, side: Side::Runtime }
    }
}
impl From<WorkspaceError> for Fault {
    fn from(error: WorkspaceError) -> Self {
        Self::Failed { why: error.to_string(), until: None, side: error.side() }
    }
}

/// How an issue's list ended.
pub(crate) struct CarriedOut {
    /// Effects that were made.
    pub(crate) done: usize,
    /// What ended it early.
    pub(crate) failed: Option<String>,
    /// Look again not before then.
    pub(crate) until: Option<Timestamp>,
    /// Look again at once.
    pub(crate) again: bool,
}

/// A write outside of a plan, redacted as those of a plan are; says what it did, or why not.
pub(crate) async fn write(shared: &Shared, role: TokenRole, write: &ForgeWrite) -> Result<String, String> {
    publish::write(shared, role, write).await.map(|effect| effect.detail).map_err(|fault| fault.why())
}

/// A verdict outside of a plan.
pub(crate) async fn post_verdict(
    shared: &Shared,
    key: &IssueKey,
    number: PullNumber,
    role: TokenRole,
    envelope: &Envelope,
) -> Result<String, String> {
    verdict::post(shared, key, number, role, envelope).await.map(|effect| effect.detail).map_err(|fault| fault.why())
}

impl Engine {
    /// Carries out an issue's list, in order, as far as it goes.
    pub(crate) async fn carry_out(
        &mut self,
        plan: &IssuePlan,
        seen: &IssueSnapshot,
        world: &World,
        report: &mut CycleReport,
    ) -> Result<CarriedOut, Died> {
        let mut carried = CarriedOut { done: 0, failed: None, until: None, again: false };
        for action in &plan.actions {
            let name = action.name();
            if !matches!(action, Action::TakeLease { .. } | Action::ReleaseLease { .. })
                && let Err(fault) = self.keep_lease(&plan.key).await?
            {
                self.fault(&plan.key, name, fault, &mut carried, report);
                break;
            }
            self.before(name)?;
            let result = match self.audit(&plan.key, "action", &facts(action)) {
                Err(why) if needs_evidence(action) => Err(Fault::failed(why)),
                _ => self.effect(action, seen, world).await,
            };
            match result {
                Ok(effect) => {
                    carried.done += 1;
                    report.writes += usize::from(effect.wrote);
                    report.actions.push((plan.key.clone(), name));
                    let outcome = serde_json::json!({ "action": name, "made": effect.wrote, "detail": effect.detail });
                    _ = self.audit(&plan.key, "effect", &outcome);
                    let (issue, detail) = (plan.key.clone(), self.shared.config.scrub(&effect.detail));
                    self.shared.observer.saw(&Happening::ActionDone { issue, action: name, detail });
                    self.after(name)?;
                    if matches!(action, Action::TakeLease { .. }) && plan.actions.len() > 1 {
                        // Between the look and now others may have held it and gone: what is there is looked at again, under the lease.
                        carried.again = true;
                        break;
                    }
                }
                Err(fault) => {
                    self.fault(&plan.key, name, fault, &mut carried, report);
                    self.after(name)?;
                    break;
                }
            }
        }
        Ok(carried)
    }

    async fn effect(&mut self, action: &Action, seen: &IssueSnapshot, world: &World) -> Result<Effect, Fault> {
        let key = &seen.key;
        match action {
            Action::TakeLease { before, generation } => self.take_lease(key, before.as_ref(), *generation).await,
            Action::ReleaseLease { before } => self.release_lease(key, before).await,
            Action::StartJob(order) => self.start_job(seen, order, world).await,
            Action::StopJob { job, why } => self.stop_job(job, *why).await,
            Action::RemoveJob { job } => self.remove_job(job).await,
            Action::SetAside { account, until, why } => {
                let accounts = &self.shared.ports.accounts;
                accounts.set_aside(account, *until, why).await.map_err(Fault::failed)?;
                Ok(Effect::made(format!("{account} until {until}: {why}")))
            }
            Action::Push { branch, expected, to, role } => {
                push::push(&self.shared, key, branch, expected.as_ref(), to.as_ref(), *role).await
            }
            Action::Write { role, write } => publish::write(&self.shared, *role, write).await,
            Action::PostVerdict { number, role, envelope } => {
                verdict::post(&self.shared, key, *number, *role, envelope).await
            }
            Action::SaveRecord { record, reason } => {
                let effect = publish::save(&self.shared, key, record, reason).await?;
                self.leases.entry(key.clone()).and_modify(|mine| mine.generation = record.generation);
                self.shared.ledger.settled(key, record, self.now());
                Ok(effect)
            }
            Action::PlaceCard { column } => match &self.shared.ports.board {
                None => Ok(Effect::there("there is no board")),
                Some(board) => Ok(Effect { wrote: board.place(key, column).await?, detail: column.clone() }),
            },
        }
    }

    fn fault(
        &self,
        key: &IssueKey,
        action: &'static str,
        fault: Fault,
        carried: &mut CarriedOut,
        report: &mut CycleReport,
    ) {
        let (why, side) = match fault {
            Fault::Failed { why, until, side } => {
                carried.until = until;
                (why, side)
            }
            Fault::Moved(why) => {
                carried.again = true;
                (why, Side::Hydra)
            }
        };
        let why = self.shared.config.scrub(&why);
        tracing::warn!(issue = %key, action, why, "not done");
        self.shared.observer.saw(&Happening::ActionFailed { issue: key.clone(), action, why: why.clone() });
        report.failures.push(Failure { issue: Some(key.clone()), what: action.into(), why: why.clone(), side });
        carried.failed = Some(format!("{action}: {why}"));
    }

    /// Writes an audit entry; remembers when the log cannot be written, so that nothing starts.
    pub(crate) fn audit(&mut self, issue: &IssueKey, kind: &str, facts: &serde_json::Value) -> Result<(), String> {
        let ts = self.now();
        let entry =
            AuditEntry { ts, kind: kind.into(), issue: Some(issue.to_string()), job: None, facts: facts.clone() };
        match self.shared.ports.audit.append(&entry) {
            Ok(()) => {
                self.audit_broken = None;
                Ok(())
            }
            Err(error) => {
                if self.audit_broken.is_none() {
                    tracing::error!(%error, "nothing starts");
                    self.audit_broken = Some((ts, error.0.clone()));
                }
                Err(error.to_string())
            }
        }
    }
}

/// What is not done unless the audit log shows it first: starts, code that leaves this machine, verdicts, and every step by which a pull
/// request comes nearer to the main branch. Everything else only makes things safer, or shows them.
const fn needs_evidence(action: &Action) -> bool {
    match action {
        Action::StartJob(_) | Action::Push { .. } | Action::PostVerdict { .. } => true,
        Action::Write { write, .. } => match write {
            ForgeWrite::OpenPull { .. }
            | ForgeWrite::Review { .. }
            | ForgeWrite::Status { .. }
            | ForgeWrite::MarkReady { .. }
            | ForgeWrite::ResolveThread { .. }
            | ForgeWrite::Merge { .. } => true,
            ForgeWrite::Labels { .. }
            | ForgeWrite::Comment { .. }
            | ForgeWrite::EditPull { .. }
            | ForgeWrite::ClosePull { .. }
            | ForgeWrite::DefineLabel { .. } => false,
        },
        Action::TakeLease { .. }
        | Action::ReleaseLease { .. }
        | Action::StopJob { .. }
        | Action::RemoveJob { .. }
        | Action::SetAside { .. }
        | Action::SaveRecord { .. }
        | Action::PlaceCard { .. } => false,
    }
}

/// What the audit log keeps of an action before it is made.
fn facts(action: &Action) -> serde_json::Value {
    let name = action.name();
    match action {
        Action::TakeLease { before, generation } => {
            serde_json::json!({ "action": name, "before": before, "generation": generation })
        }
        Action::ReleaseLease { before } => serde_json::json!({ "action": name, "before": before }),
        Action::StartJob(order) => serde_json::json!({
            "action": name, "job": order.key.id(), "stage": order.key.stage, "base": order.base, "head": order.head,
            "account": order.account, "model": order.model,
        }),
        Action::StopJob { job, why } => serde_json::json!({ "action": name, "job": job, "why": why }),
        Action::RemoveJob { job } => serde_json::json!({ "action": name, "job": job }),
        Action::SetAside { account, until, why } => {
            serde_json::json!({ "action": name, "account": account, "until": until, "why": why })
        }
        Action::Push { branch, expected, to, role } => {
            serde_json::json!({ "action": name, "branch": branch, "expected": expected, "to": to, "role": role })
        }
        Action::Write { role, write } => serde_json::json!({ "action": name, "role": role, "write": write }),
        Action::PostVerdict { number, role, envelope } => serde_json::json!({
            "action": name, "pull": number, "role": role, "stage": envelope.stage, "head": envelope.head,
            "outcome": envelope.outcome,
        }),
        Action::SaveRecord { record, reason } => {
            serde_json::json!({ "action": name, "phase": record.phase, "generation": record.generation, "reason": reason })
        }
        Action::PlaceCard { column } => serde_json::json!({ "action": name, "column": column }),
    }
}
