//! Holds that this installation keeps (`hydra cancel`, `hydra pause`): they last over restarts and need no label to be written.

use crate::store::{self, StateDir, StoreError};
use hydra_core::{
    IssueKey, RepoName, Timestamp,
    record::{Hold, HoldKind},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldEntry {
    /// Why.
    pub reason: String,
    /// Until when; absent: until a person resumes.
    pub until: Option<Timestamp>,
    /// When it was set: a request label that is newer lifts a cancel.
    pub set_at: Timestamp,
    /// Set by `cancel`: running jobs were stopped too.
    #[serde(default)]
    pub cancel: bool,
}

/// What is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// A repository.
    Repo(RepoName),
    /// An issue.
    Issue(IssueKey),
}
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("everything"),
            Self::Repo(repo) => repo.fmt(f),
            Self::Issue(issue) => issue.fmt(f),
        }
    }
}

/// `<state>/holds.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Holds {
    /// Version of the file: 1.
    pub schema: u32,
    /// On every start.
    pub all: Option<HoldEntry>,
    /// On a repository.
    pub repos: BTreeMap<String, HoldEntry>,
    /// On an issue.
    pub issues: BTreeMap<String, HoldEntry>,
}

impl Holds {
    /// Reads the file; nothing is held where there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read: then nobody knows what is held, and nothing may start.
    pub fn read(state: &StateDir) -> Result<Self, StoreError> {
        Ok(store::read_json(&state.holds())?.unwrap_or_default())
    }
    /// Sets a hold; durable when it returns. A cancel is not replaced by a pause, which would lapse: then it is returned, and stands.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn set(state: &StateDir, scope: &Scope, entry: HoldEntry) -> Result<Option<HoldEntry>, StoreError> {
        let _turn = store::lock(&state.holds())?;
        let mut holds = Self::read(state)?;
        if let Scope::Issue(issue) = scope
            && let Some(stands) = holds.issues.get(&issue.to_string()).filter(|stands| stands.cancel && !entry.cancel)
        {
            return Ok(Some(stands.clone()));
        }
        match scope {
            Scope::All => holds.all = Some(entry),
            Scope::Repo(repo) => _ = holds.repos.insert(repo.to_string(), entry),
            Scope::Issue(issue) => _ = holds.issues.insert(issue.to_string(), entry),
        }
        holds.schema = 1;
        store::write_json(&state.holds(), &holds)?;
        Ok(None)
    }
    /// Lifts a hold; returns it, if there was one.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn lift(state: &StateDir, scope: &Scope) -> Result<Option<HoldEntry>, StoreError> {
        let _turn = store::lock(&state.holds())?;
        let mut holds = Self::read(state)?;
        let was = match scope {
            Scope::All => holds.all.take(),
            Scope::Repo(repo) => holds.repos.remove(&repo.to_string()),
            Scope::Issue(issue) => holds.issues.remove(&issue.to_string()),
        };
        if was.is_some() {
            store::write_json(&state.holds(), &holds)?;
        }
        Ok(was)
    }
    /// The hold on one issue. That a cancel is lifted by a newer request is the planner's to say.
    #[must_use]
    pub fn of_issue(&self, issue: &IssueKey, now: Timestamp) -> Option<Hold> {
        live(self.issues.get(&issue.to_string())?, now)
    }
    /// The hold on everything.
    #[must_use]
    pub fn of_all(&self, now: Timestamp) -> Option<Hold> {
        self.all.as_ref().and_then(|entry| live(entry, now))
    }
    /// The holds on repositories.
    #[must_use]
    pub fn of_repos(&self, now: Timestamp) -> BTreeMap<String, Hold> {
        self.repos.iter().filter_map(|(repo, entry)| Some((repo.clone(), live(entry, now)?))).collect()
    }
}

fn live(entry: &HoldEntry, now: Timestamp) -> Option<Hold> {
    entry.until.is_none_or(|until| until > now).then(|| hold(entry))
}

fn hold(entry: &HoldEntry) -> Hold {
    let kind = if entry.cancel { HoldKind::Cancel } else { HoldKind::Pause };
    Hold { kind, reason: entry.reason.clone(), since: entry.set_at, until: entry.until }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_lasts_over_restarts_until_it_is_lifted() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let issue: IssueKey = "acme/shop#7".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let entry =
            HoldEntry { reason: "cancelled".into(), until: None, set_at: at("2026-11-24T10:00:00Z"), cancel: true };
        Holds::set(&state, &Scope::Issue(issue.clone()), entry).unwrap();
        let again = Holds::read(&state).unwrap();
        let now = at("2026-11-25T00:00:00Z");
        assert_eq!(again.of_issue(&issue, now).unwrap().kind, HoldKind::Cancel);
        let lapses = HoldEntry { reason: "lunch".into(), until: Some(now), set_at: now, cancel: false };
        let stands = Holds::set(&state, &Scope::Issue(issue.clone()), lapses).unwrap().unwrap();
        assert_eq!((stands.cancel, Holds::read(&state).unwrap()), (true, again));
        assert!(Holds::lift(&state, &Scope::Issue(issue.clone())).unwrap().unwrap().cancel);
        assert_eq!(Holds::lift(&state, &Scope::Issue(issue)).unwrap(), None);
    }

    #[test]
    fn a_pause_ends_by_itself_and_a_broken_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let entry = HoldEntry {
            reason: "release week".into(),
            until: Some(at("2026-11-25T00:00:00Z")),
            set_at: at("2026-11-24T10:00:00Z"),
            cancel: false,
        };
        Holds::set(&state, &Scope::All, entry).unwrap();
        let holds = Holds::read(&state).unwrap();
        assert!(holds.of_all(at("2026-11-24T23:59:59Z")).is_some());
        assert!(holds.of_all(at("2026-11-25T00:00:00Z")).is_none());
        std::fs::write(state.holds(), "{").unwrap();
        assert!(Holds::read(&state).is_err());
    }
}
