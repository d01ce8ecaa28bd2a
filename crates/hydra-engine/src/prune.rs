//! What nobody owns: jobs whose results are kept or whose issue is gone, and leftovers of the state folder. When in doubt it is kept, with
//! the reason: what cannot be seen is not absent.

mod files;

use crate::{
    engine::{Engine, EngineError},
    observe::{Look, People, World},
    operator::BY_HAND,
    report::Side,
    status::UnseenFacts,
    store,
    tick::Branches,
};
use hydra_core::{
    JobId,
    job::{JobKey, Observed, RuntimeStatus},
    plan::{Action, IssueSnapshot, LeaseRead, RecordRead},
    ports::{AuditEntry, ForgeErrorKind, Selector},
    record::{RunRecord, StageResult},
    view::IssueState,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// What was removed, or would be.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Pruned {
    /// Jobs, with everything that belongs to them.
    pub jobs: Vec<PrunedJob>,
    /// Jobs that somebody owns, or that may have an owner.
    pub kept: Vec<PrunedJob>,
    /// Files, relative to the state folder.
    pub files: Vec<String>,
    /// What could not be seen or removed.
    pub failures: Vec<UnseenFacts>,
}

/// A job and why it is removed or kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrunedJob {
    /// Its name.
    pub job: JobId,
    /// Its issue, where its labels can be read.
    pub issue: Option<String>,
    /// Why.
    pub why: String,
}

/// `<state>/by-hand/<job>.json`: which process waits for a stage that was started by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandNote {
    /// The process, as a lease's owner.
    pub(crate) owner: String,
}

enum Fate {
    /// Nobody owns it.
    Remove(String),
    /// Somebody does, or may.
    Keep(String),
    /// Its issue cannot be seen.
    Unseen(UnseenFacts),
}

impl Engine {
    /// Removes what nobody owns; with `dry_run` only says what that is.
    ///
    /// # Errors
    /// When the runtime, the accounts or the holds cannot be read.
    pub async fn prune(&mut self, dry_run: bool) -> Result<Pruned, EngineError> {
        let shared = Arc::clone(&self.shared);
        let seen = shared.ports.runtime.list(&Selector::Any).await;
        let seen = seen.map_err(|error| EngineError::Runtime(error.to_string()))?;
        let world = World::read(&shared).await;
        let world = world.map_err(|error| EngineError::Failed { what: error.what, why: error.why })?;
        let mut pruned = Pruned::default();
        let instance = &shared.config.instance;
        for job in &seen {
            let fate = match job.instance.strip_prefix(instance.as_str()) {
                Some("") => self.fate(&world, job).await,
                Some(BY_HAND) => self.fate_by_hand(job),
                Some(_) | None => continue,
            };
            let told =
                |why| PrunedJob { job: job.id.clone(), issue: job.key.as_ref().map(|k| k.issue.to_string()), why };
            match fate {
                Fate::Keep(why) => pruned.kept.push(told(why)),
                Fate::Unseen(error) => pruned.failures.push(error),
                Fate::Remove(why) if dry_run => pruned.jobs.push(told(why)),
                Fate::Remove(why) => match self.remove_unowned(job, &why).await {
                    Ok(()) => pruned.jobs.push(told(why)),
                    Err(error) => pruned.failures.push(error),
                },
            }
        }
        let remains = shared.ports.runtime.remains().await;
        for job in remains.map_err(|error| EngineError::Runtime(error.to_string()))? {
            let why = "it is gone, and parts of it are left".to_owned();
            if !dry_run && let Err(error) = self.take_away(&job, None, &[], &why).await {
                pruned.failures.push(error);
                continue;
            }
            pruned.jobs.push(PrunedJob { job, issue: None, why });
        }
        let gone: BTreeSet<&JobId> = pruned.jobs.iter().map(|job| &job.job).collect();
        let there: BTreeSet<&JobId> = seen.iter().map(|job| &job.id).filter(|id| !gone.contains(id)).collect();
        let (files, failures) = files::prune(&shared.state, &|id| there.contains(id), dry_run);
        pruned.files = files;
        pruned.failures.extend(failures);
        Ok(pruned)
    }

    async fn remove_unowned(&self, job: &Observed, why: &str) -> Result<(), UnseenFacts> {
        let issue = job.key.as_ref().map(|key| key.issue.to_string());
        self.take_away(&job.id, issue, &job.credentials, why).await
    }

    async fn take_away(
        &self,
        job: &JobId,
        issue: Option<String>,
        credentials: &[String],
        why: &str,
    ) -> Result<(), UnseenFacts> {
        let shared = &self.shared;
        let failed =
            |why: String, side| UnseenFacts { issue: issue.clone(), what: format!("the removal of {job}"), why, side };
        let facts = serde_json::json!({ "command": "prune", "why": why, "credentials": credentials });
        let entry = AuditEntry {
            ts: self.now(),
            kind: "operator".into(),
            issue: issue.clone(),
            job: Some(job.to_string()),
            facts,
        };
        // Evidence of a removal comes before the removal.
        shared.ports.audit.append(&entry).map_err(|error| failed(error.to_string(), Side::Machine))?;
        shared.ports.runtime.remove(job).await.map_err(|error| failed(error.to_string(), Side::Runtime))?;
        for path in [shared.state.order(job), shared.state.stop(job), shared.state.by_hand(job)] {
            store::remove(&path).map_err(|error| failed(error.to_string(), Side::Machine))?;
        }
        Ok(())
    }

    fn fate_by_hand(&self, job: &Observed) -> Fate {
        let note: Option<HandNote> = store::read_json(&self.shared.state.by_hand(&job.id)).ok().flatten();
        match note {
            Some(note) if !(self.shared.config.owner_gone)(&note.owner) => {
                Fate::Keep(format!("{} waits for it (`hydra dev-run`)", note.owner))
            }
            Some(_) | None => Fate::Remove("it was started by hand, and whoever started it is gone".to_owned()),
        }
    }

    async fn fate(&self, world: &World, job: &Observed) -> Fate {
        let Some(key) = &job.key else { return Fate::Remove("its labels cannot be read".to_owned()) };
        let shared = &self.shared;
        match shared.ports.forge.issue(&key.issue).await {
            Ok(_) => {}
            Err(error) if error.kind == ForgeErrorKind::Missing => {
                return Fate::Remove(format!("its issue is not there any more: {}", error.message));
            }
            Err(error) => {
                let issue = Some(key.issue.to_string());
                let what = format!("the issue of {}", job.id);
                return Fate::Unseen(UnseenFacts { issue, what, why: error.to_string(), side: Side::Forge });
            }
        }
        let (people, branches) = (People::default(), Branches::new());
        let look = Look { shared, world, people: &people, branches: &branches };
        let seen = match look.at(&key.issue).await {
            Ok(looked) => looked.snapshot,
            Err(error) => {
                let issue = Some(key.issue.to_string());
                return Fate::Unseen(UnseenFacts { issue, what: error.what, why: error.why, side: error.side });
            }
        };
        if let LeaseRead::Other(held) = &seen.lease {
            return Fate::Keep(format!("{} works on its issue", held.record.owner));
        }
        let running = matches!(job.status, RuntimeStatus::Running);
        match &seen.record {
            RecordRead::Bad { why, .. } => Fate::Keep(format!("the record of its issue cannot be used: {why}")),
            RecordRead::Absent if self.is_asked_for(&seen) => {
                Fate::Keep("its issue asks for it; the next poll adopts it".to_owned())
            }
            RecordRead::Absent => Fate::Remove("its issue has no run and asks for none".to_owned()),
            RecordRead::Valid(_) if running => Fate::Keep("it runs; the next poll follows or stops it".to_owned()),
            RecordRead::Valid(record) => {
                let record = (**record).clone();
                self.fate_of_ended(world, seen, key, &job.id, &record)
            }
        }
    }

    /// An ended job is in nobody's way once the record holds what came of it, and the plan would remove it too.
    fn fate_of_ended(&self, world: &World, seen: IssueSnapshot, key: &JobKey, job: &JobId, record: &RunRecord) -> Fate {
        let together = self.snapshot(world, vec![seen]);
        let plan = (self.planner)(&together).issues.pop();
        let removes = |action: &Action| matches!(action, Action::RemoveJob { job: id } if id == job);
        let planned = plan.is_some_and(|plan| plan.actions.iter().any(removes));
        let entry = record.stages.iter().find(|entry| entry.job == *job);
        match entry {
            _ if key.generation < record.generation && planned => {
                Fate::Remove(format!("it is of generation {}, which was started over", key.generation))
            }
            Some(entry) if entry.result != StageResult::Running && planned => {
                Fate::Remove(format!("what came of it is kept: {}", entry.result))
            }
            Some(_) | None => Fate::Keep("the next poll takes its results over".to_owned()),
        }
    }

    fn is_asked_for(&self, seen: &IssueSnapshot) -> bool {
        let policy = &self.shared.config.policy;
        let trigger = format!("{}{}", policy.label_prefix, policy.trigger_label);
        let labelled = seen.issue.labels.iter().any(|label| label.eq_ignore_ascii_case(&trigger));
        labelled && seen.issue.state == IssueState::Open
    }
}
