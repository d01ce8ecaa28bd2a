//! What the gates of an ended job told, kept in the state folder and told to the audit log: bounded and redacted.

use crate::{
    config::Scrub,
    status::RefusedFacts,
    store::{self, StateDir, StoreError},
    watch::Shared,
};
use hydra_core::{
    ContainerType, IssueKey, JobId, Stage, Timestamp,
    egress::{
        Told,
        gate::{Denial, Proof, Reached},
    },
    job::{JobKey, Observed},
    ports::{AuditEntry, Collected},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Version of the file.
const SCHEMA: u32 = 1;
/// Refusals and hosts that are kept, each; the rest is counted. A refusal has less than 2 KiB.
const KEPT: usize = 200;
/// The same in the audit log.
const AUDITED: usize = 20;

/// The note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressNote {
    /// Version: 1.
    pub schema: u32,
    /// The job.
    pub job: JobId,
    /// Its issue; absent where its labels could not be read.
    pub issue: Option<IssueKey>,
    /// Its stage.
    pub stage: Option<Stage>,
    /// The type of its container.
    pub container_type: Option<ContainerType>,
    /// When it was created: a job that is run again by hand has the same name.
    pub created_at: Timestamp,
    /// When it ended; absent while it runs.
    pub ended_at: Option<Timestamp>,
    /// SHA-256 of the policy.
    pub policy: String,
    /// What was proved before the start; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// Every count is exact.
    pub exact: bool,
    /// How often the gate broke down and came back.
    #[serde(default)]
    pub restarts: u32,
    /// The last one broke down, and none came back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Hosts that were reached, those with most connections first; at most 200.
    pub reached: Vec<Reached>,
    /// Further hosts.
    pub more_reached: usize,
    /// What was refused, what was refused most often first; at most 200.
    pub denied: Vec<Denial>,
    /// Further refusals of other kinds.
    pub more_denied: usize,
}

impl EgressNote {
    /// Of what a job's gates have told; `None` where it has none, or none has told anything yet.
    #[must_use]
    pub fn of(job: &Observed, told: Option<Told>, ended_at: Option<Timestamp>, scrub: &Scrub) -> Option<Self> {
        Some(Self::made(&job.id, job.key.as_ref(), job.created_at, told?, ended_at, scrub))
    }

    fn made(
        job: &JobId,
        key: Option<&JobKey>,
        created_at: Timestamp,
        told: Told,
        ended_at: Option<Timestamp>,
        scrub: &Scrub,
    ) -> Self {
        let Told { policy, proof, mut reached, mut denied, exact, restarts, gone } = told;
        reached.sort_by(|a, b| b.connections.cmp(&a.connections).then_with(|| a.host.cmp(&b.host)));
        denied.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.ts.cmp(&b.ts)));
        let container = key.map(|key| key.stage.container());
        let container_type = container.or_else(|| denied.first().map(|denial| denial.container_type));
        let (more_reached, more_denied) = (reached.len().saturating_sub(KEPT), denied.len().saturating_sub(KEPT));
        reached.truncate(KEPT);
        denied.truncate(KEPT);
        let clean = |text: &mut String| *text = scrub.text(text);
        for denial in &mut denied {
            [&mut denial.host, &mut denial.sni].into_iter().flatten().for_each(clean);
            clean(&mut denial.hint);
        }
        Self {
            schema: SCHEMA,
            job: job.clone(),
            issue: key.map(|key| key.issue.clone()),
            stage: key.map(|key| key.stage),
            container_type,
            created_at,
            ended_at,
            policy,
            proof,
            exact,
            restarts,
            gone,
            reached,
            more_reached,
            denied,
            more_denied,
        }
    }

    /// How often something was refused, and what was refused last for the first time; `None` where nothing was.
    #[must_use]
    pub fn refused(&self) -> Option<RefusedFacts> {
        RefusedFacts::of(&self.denied)
    }

    /// Facts for the audit log.
    fn facts(&self) -> serde_json::Value {
        let reached = self.reached.iter().take(AUDITED);
        let denied = self.denied.iter().take(AUDITED).map(
            |denial| serde_json::json!({ "what": denial.about(), "reason": denial.reason, "count": denial.count }),
        );
        let more = |listed: usize, more: usize| listed.saturating_sub(AUDITED) + more;
        serde_json::json!({ "egress": {
            "policy": self.policy,
            "proof": self.proof,
            "gate_restarts": self.restarts,
            "gate_gone": self.gone,
            "reached": reached.collect::<Vec<_>>(),
            "more_reached": more(self.reached.len(), self.more_reached),
            "denied": denied.collect::<Vec<_>>(),
            "more_denied": more(self.denied.len(), self.more_denied),
        } })
    }
}

/// Keeps what the gates of an ended job told, and tells the audit log once. That it cannot be kept changes nothing of the job's outcome.
pub(crate) fn keep(shared: &Shared, job: &Observed, out: &Collected, at: Timestamp) {
    let scrub = Scrub::from(Arc::clone(&shared.config.redactor));
    let Some(note) = EgressNote::of(job, Told::of(&out.gate), Some(at), &scrub) else { return };
    let known = read(&shared.state, &job.id).ok().flatten();
    let audited = |known: EgressNote| known.created_at == note.created_at && known.ended_at.is_some();
    if !known.is_some_and(audited) {
        let entry = AuditEntry {
            ts: at,
            kind: "job".into(),
            issue: note.issue.as_ref().map(ToString::to_string),
            job: Some(job.id.to_string()),
            facts: note.facts(),
        };
        if let Err(error) = shared.ports.audit.append(&entry) {
            tracing::error!(job = %job.id, %error, "what its gate told is not in the audit log");
        }
    }
    if let Err(error) = store::write_json(&shared.state.egress(&job.id), &note) {
        tracing::warn!(job = %job.id, %error, "what its gate told is not kept");
    }
}

/// Keeps what the gate of a running job has told so far. Returns what was refused, where something was.
pub(crate) fn so_far(
    shared: &Shared,
    job: &JobId,
    key: &JobKey,
    created_at: Timestamp,
    told: Told,
) -> Option<RefusedFacts> {
    let scrub = Scrub::from(Arc::clone(&shared.config.redactor));
    let note = EgressNote::made(job, Some(key), created_at, told, None, &scrub);
    if let Err(error) = store::write_json(&shared.state.egress(job), &note) {
        tracing::warn!(%job, %error, "what its gate told is not kept");
    }
    note.refused()
}

/// What is kept of a job.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read(state: &StateDir, job: &JobId) -> Result<Option<EgressNote>, StoreError> {
    store::read_json(&state.egress(job))
}

/// What is kept of every job, newest first, and what could not be read.
///
/// # Errors
/// When the folder cannot be read.
pub fn read_all(state: &StateDir) -> Result<(Vec<EgressNote>, Vec<StoreError>), StoreError> {
    let (mut notes, mut unread) = (Vec::new(), Vec::new());
    for path in store::files(&state.root().join("egress"), "json")? {
        match store::read_json(&path) {
            Ok(note) => notes.extend(note),
            Err(error) => unread.push(error),
        }
    }
    notes.sort_by(|a: &EgressNote, b| b.created_at.cmp(&a.created_at).then_with(|| a.job.cmp(&b.job)));
    Ok((notes, unread))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::JobFacts;
    use hydra_core::{Generation, IssueNumber, egress::DenyReason, job::RuntimeStatus, plan::Progress};

    fn observed() -> Observed {
        let issue = IssueKey { repo: "acme/widgets".parse().unwrap(), number: IssueNumber(7) };
        let key = JobKey { issue, generation: Generation(1), stage: Stage::Build, round: 0, attempt: 0 };
        Observed {
            id: key.id(),
            key: Some(key),
            instance: "test".into(),
            credentials: Vec::new(),
            created_at: Timestamp::UNIX_EPOCH,
            status: RuntimeStatus::Running,
        }
    }
    fn denial(host: &str, count: u64) -> Denial {
        let reason = DenyReason::DnsNotAllowed;
        Denial {
            ts: Timestamp::UNIX_EPOCH,
            job: "hydra-x".into(),
            container_type: ContainerType::Builder,
            layer: reason.layer(),
            reason,
            host: Some(host.into()),
            sni: None,
            dst: None,
            dport: None,
            proto: None,
            uid: None,
            count,
            bytes: 0,
            hint: format!("add {host:?} to `builder` in [egress.extra] of hydra.toml"),
        }
    }

    #[test]
    fn it_is_bounded_redacted_and_read_back() {
        let many = (0..5_000).map(|n| denial(&format!("h{n}.{}.test", "x".repeat(240)), n));
        let mut denied: Vec<Denial> = many.collect();
        denied.push(denial("hunter2.evil.test", 9_999));
        let scrub = Scrub::by(|text| text.replace("hunter2", "***"));
        let told = Told { denied, ..Told::default() };
        let note = EgressNote::of(&observed(), Some(told), None, &scrub).unwrap();
        assert_eq!((note.denied.len(), note.more_denied), (KEPT, 5_001 - KEPT));
        assert_eq!(note.denied[0].host.as_deref(), Some("***.evil.test"), "what was refused most often comes first");
        assert!(!note.denied[0].hint.contains("hunter2"));
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        store::write_json(&state.egress(&note.job), &note).unwrap();
        assert!(std::fs::metadata(state.egress(&note.job)).unwrap().len() < 400 * 1024);
        assert_eq!(read(&state, &note.job).unwrap().as_ref(), Some(&note));
        std::fs::write(dir.path().join("egress/broken.json"), "{").unwrap();
        let (notes, unread) = read_all(&state).unwrap();
        assert_eq!((notes, unread.len()), (vec![note], 1));
    }

    #[test]
    fn a_jobs_facts_tell_of_its_own_gate_and_not_of_an_earlier_run_under_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let job = observed();
        let told = Told { denied: vec![denial("a.test", 3)], ..Told::default() };
        let mut note = EgressNote::of(&job, Some(told), None, &Scrub::by(str::to_owned)).unwrap();
        let refused = || JobFacts::of(&job, &Progress::default()).heard(&state).refused.map(|facts| facts.to_string());
        assert_eq!(refused(), None);
        store::write_json(&state.egress(&job.id), &note).unwrap();
        assert_eq!(refused().as_deref(), Some("egress: 3 refused, last a.test (dns.not_allowed)"));
        note.created_at = Timestamp::from_second(-60).unwrap();
        store::write_json(&state.egress(&job.id), &note).unwrap();
        assert_eq!(refused(), None);
    }

    #[test]
    fn the_audit_log_gets_the_first_of_them_and_the_number_of_the_rest() {
        let told = Told { denied: (1..=30).map(|n| denial(&format!("h{n}.test"), n)).collect(), ..Told::default() };
        let note = EgressNote::of(&observed(), Some(told), None, &Scrub::by(str::to_owned)).unwrap();
        let facts = note.facts();
        assert_eq!(facts["egress"]["denied"].as_array().unwrap().len(), AUDITED);
        assert_eq!(facts["egress"]["more_denied"], 10);
        assert_eq!(
            facts["egress"]["denied"][0],
            serde_json::json!({ "what": "h30.test", "reason": "dns.not_allowed", "count": 30 })
        );
    }
}
