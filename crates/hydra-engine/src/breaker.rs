//! The breaker: the same class of failure on five issues within an hour stops new starts; after a pause one trial decides.

use crate::store::{self, StateDir, StoreError};
use hydra_core::{
    IssueKey, Timestamp,
    record::{Hold, HoldKind},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerPolicy {
    /// Issues that must fail alike.
    pub issues: usize,
    /// Within which time.
    pub window: Duration,
    /// How long starts rest before one trial.
    pub pause: Duration,
}
impl Default for BreakerPolicy {
    fn default() -> Self {
        Self { issues: 5, window: Duration::from_secs(3600), pause: Duration::from_secs(15 * 60) }
    }
}

/// `<state>/breaker.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// Failures of the last hour.
    failures: Vec<Failure>,
    /// Set while it is open.
    open: Option<Open>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failure {
    class: String,
    issue: IssueKey,
    at: Timestamp,
    why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    class: String,
    why: String,
    since: Timestamp,
    /// No start before then.
    until: Timestamp,
    /// The one issue that tries, once the pause is over.
    trial: Option<IssueKey>,
}

impl Breaker {
    /// Reads its state; closed where there is none.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(state: &StateDir) -> Result<Self, StoreError> {
        Ok(store::read_json(&state.breaker())?.unwrap_or_default())
    }
    /// Keeps its state.
    ///
    /// # Errors
    /// When it could not be made durable.
    pub fn keep(&self, state: &StateDir) -> Result<(), StoreError> {
        store::write_json(&state.breaker(), self)
    }
    /// A job of `issue` failed with this class. Returns whether the breaker opened (or its trial failed).
    pub fn failed(&mut self, policy: &BreakerPolicy, class: &str, issue: &IssueKey, why: &str, now: Timestamp) -> bool {
        self.failures.retain(|f| since(f.at, now) <= policy.window && !(f.class == class && f.issue == *issue));
        self.failures.push(Failure { class: class.into(), issue: issue.clone(), at: now, why: why.into() });
        if let Some(open) = &mut self.open {
            if open.trial.as_ref() == Some(issue) {
                open.trial = None;
                open.until = later(now, policy.pause);
                return true;
            }
            return false;
        }
        let alike = self.failures.iter().filter(|f| f.class == class).count();
        if alike < policy.issues {
            return false;
        }
        self.open = Some(Open {
            class: class.into(),
            why: why.into(),
            since: now,
            until: later(now, policy.pause),
            trial: None,
        });
        true
    }
    /// A job of `issue` did its work. Returns whether that closed the breaker.
    pub fn worked(&mut self, issue: &IssueKey) -> bool {
        self.failures.retain(|f| f.issue != *issue);
        match &self.open {
            Some(open) if open.trial.as_ref() == Some(issue) => {
                self.open = None;
                self.failures.clear();
                true
            }
            _ => false,
        }
    }
    /// The hold on every start, while it is open; says the cause and when one trial is made.
    #[must_use]
    pub fn hold(&self, now: Timestamp) -> Option<Hold> {
        let open = self.open.as_ref()?;
        let count = self.failures.iter().filter(|f| f.class == open.class).count();
        let next = match &open.trial {
            Some(issue) => format!("{issue} tries now"),
            None if open.until > now => format!("one trial is made at {}", open.until),
            None => "one trial is due".to_owned(),
        };
        let until = (open.until > now).then_some(open.until);
        let reason = format!("{count} failures of the class `{}` ({}); {next}", open.class, open.why);
        Some(Hold { kind: HoldKind::Fault, reason, since: open.since, until })
    }
    /// Whether an issue is to be chosen that tries: the pause is over, and none was.
    #[must_use]
    pub fn wants_trial(&self, now: Timestamp) -> bool {
        self.open.as_ref().is_some_and(|open| open.until <= now && open.trial.is_none())
    }
    /// This issue tries, and no other until it has failed, worked, or is released.
    pub fn choose_trial(&mut self, issue: IssueKey) {
        if let Some(open) = &mut self.open {
            open.trial.get_or_insert(issue);
        }
    }
    /// The issue that tries now, if one was chosen.
    #[must_use]
    pub fn current_trial(&self, now: Timestamp) -> Option<IssueKey> {
        self.open.as_ref().filter(|open| open.until <= now).and_then(|open| open.trial.clone())
    }
    /// The issue that tries is gone, or its job ended in a way that decides nothing: another may.
    pub fn release_trial(&mut self) {
        if let Some(open) = &mut self.open {
            open.trial = None;
        }
    }
}

fn since(from: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(from)).unwrap_or_default()
}
fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(n: u64) -> IssueKey {
        format!("acme/shop#{n}").parse().unwrap()
    }

    #[test]
    fn five_issues_failing_alike_stop_starts_until_one_trial_works() {
        let policy = BreakerPolicy::default();
        let start = Timestamp::UNIX_EPOCH;
        let mut breaker = Breaker::default();
        for n in 1..5 {
            assert!(!breaker.failed(&policy, "engine", &issue(n), "no answer", start));
            assert!(!breaker.failed(&policy, "engine", &issue(n), "no answer", start), "one issue counts once");
        }
        assert!(breaker.hold(start).is_none());
        assert!(breaker.failed(&policy, "engine", &issue(5), "no answer", start));
        assert!(breaker.hold(start).unwrap().reason.contains("`engine`"));
        assert!(!breaker.wants_trial(start), "the pause comes first");
        let after = later(start, policy.pause);
        assert!(breaker.wants_trial(after));
        breaker.choose_trial(issue(9));
        breaker.choose_trial(issue(3));
        assert!(!breaker.wants_trial(after));
        assert_eq!(breaker.current_trial(after), Some(issue(9)), "one trial at a time");
        breaker.release_trial();
        assert!(breaker.wants_trial(after), "it was gone before it was decided");
        breaker.choose_trial(issue(9));
        assert!(breaker.failed(&policy, "engine", &issue(9), "no answer", after));
        assert!(!breaker.wants_trial(after), "a failed trial pauses again");
        let again = later(after, policy.pause);
        assert!(breaker.wants_trial(again));
        breaker.choose_trial(issue(3));
        assert!(breaker.worked(&issue(3)));
        assert!(breaker.hold(again).is_none());
    }

    #[test]
    fn failures_of_different_classes_or_long_ago_do_not_add_up() {
        let policy = BreakerPolicy::default();
        let mut breaker = Breaker::default();
        let start = Timestamp::UNIX_EPOCH;
        for (n, class) in ["a", "b", "c", "d", "e", "f"].into_iter().enumerate() {
            assert!(!breaker.failed(&policy, class, &issue(n as u64), "x", start));
        }
        let mut breaker = Breaker::default();
        for n in 0..10 {
            let at = later(start, Duration::from_secs(n * 1000));
            assert!(!breaker.failed(&policy, "a", &issue(n), "x", at), "{n}");
        }
    }
}
