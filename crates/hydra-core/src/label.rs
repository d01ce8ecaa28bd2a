//! The label vocabulary: one table of names, colours, who may set what and who removes it, and which labels a record shows.
//!
//! A label is a request or a display, never a proof.

use crate::{
    Stage,
    record::{Phase, RunRecord, StageResult},
    view::RepoLabel,
};
use std::{collections::BTreeSet, sync::LazyLock};

/// Who may set a label so that it means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBy {
    /// A person with the trigger permission: a request.
    Person,
    /// A person named in `pipeline.yolo_allowed`.
    Named,
    /// Hydra: a display. Set by anyone else it counts for nothing and is taken off.
    Hydra,
}

/// One row of the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRow {
    /// The name without the prefix.
    pub name: String,
    /// Six hexadecimal digits.
    pub color: &'static str,
    /// At most 100 characters.
    pub description: String,
    /// Who may set it.
    pub set_by: SetBy,
    /// Whether Hydra takes it off once it was answered or is out of date.
    pub removed_by_hydra: bool,
}

/// The request to mend the open findings once more.
pub const RETRY: &str = "retry:queued";
/// The request to start over.
pub const REBUILD: &str = "rebuild:queued";
/// The request to merge without a person.
pub const YOLO: &str = "yolo";
/// All went well; a person is asked to look at the pull request.
pub const DONE: &str = "done";
/// A person must act.
pub const NEEDS_INPUT: &str = "needs-input";
/// Attempts are used up.
pub const MAXED: &str = "agent-maxed-out";

const GROUPS: [(&str, &str); 6] = [
    ("build", "the builder"),
    ("quality", "the repository's own checks"),
    ("code-review", "the code review"),
    ("security-review", "the security review"),
    ("applier", "the applier"),
    ("fix", "a fix round"),
];
const STATES: [(&str, &str, &str); 4] = [
    ("queued", "c5def5", "waits for a slot"),
    ("running", "1d76db", "is at work"),
    ("pass", "0e8a16", "passed"),
    ("fail", "d93f0b", "did not pass"),
];

/// Every label that Hydra knows, in the order that people read them.
#[must_use]
pub fn vocabulary(trigger: &str) -> Vec<LabelRow> {
    let row = |name: &str, color, description: &str, set_by, removed_by_hydra| LabelRow {
        name: name.to_owned(),
        color,
        description: description.to_owned(),
        set_by,
        removed_by_hydra,
    };
    let mut rows = vec![row(trigger, "5319e7", "Hydra: build the change that this issue names", SetBy::Person, false)];
    for (group, who) in GROUPS {
        for (state, color, what) in STATES {
            rows.push(row(&format!("{group}:{state}"), color, &format!("Hydra: {who} {what}"), SetBy::Hydra, true));
        }
    }
    rows.push(row(DONE, "0e8a16", "Hydra: the pull request is ready for a person", SetBy::Hydra, true));
    rows.push(row(NEEDS_INPUT, "fbca04", "Hydra: a person must act; the status comment says how", SetBy::Hydra, true));
    rows.push(row(MAXED, "b60205", "Hydra: attempts are used up; the status comment says why", SetBy::Hydra, true));
    rows.push(row(RETRY, "bfdadc", "Ask Hydra for one more fixer run on the open findings", SetBy::Person, true));
    rows.push(row(REBUILD, "bfdadc", "Ask Hydra to close the pull request and start over", SetBy::Person, true));
    rows.push(row(
        YOLO,
        "e99695",
        "Ask Hydra to merge when everything is green (named people only)",
        SetBy::Named,
        false,
    ));
    rows
}

/// The labels that Hydra itself sets and removes.
static OWN: LazyLock<Vec<String>> =
    LazyLock::new(|| vocabulary("").into_iter().filter(|row| row.set_by == SetBy::Hydra).map(|row| row.name).collect());

/// Whether a label, its prefix taken off, is one that Hydra itself sets to show how a run stands.
#[must_use]
pub fn is_state(name: &str) -> bool {
    OWN.iter().any(|own| own == name)
}

/// The vocabulary as labels of a repository, prefix applied.
#[must_use]
pub fn definitions(prefix: &str, trigger: &str) -> Vec<RepoLabel> {
    vocabulary(trigger)
        .into_iter()
        .map(|row| RepoLabel {
            name: format!("{prefix}{}", row.name),
            color: row.color.to_owned(),
            description: row.description,
        })
        .collect()
}

/// The state of one label group in a record, as the label's second half; none when the group shows nothing.
#[must_use]
pub fn group_state(record: &RunRecord, group: &str) -> Option<&'static str> {
    let due = due_groups(&record.phase);
    let current = current_entries(record);
    let newest = record.stages[if matches!(group, "build" | "fix") { 0 } else { current }..]
        .iter()
        .rev()
        .find(|entry| entry.stage.label_group() == group && (group != "quality" || entry.stage == Stage::Quality))
        .map(|entry| entry.result);
    let is_due = due.contains(&group);
    match newest {
        Some(StageResult::Running) => Some("running"),
        Some(StageResult::Pass) if !(is_due && group == "fix") => Some("pass"),
        Some(StageResult::Fail) => Some("fail"),
        Some(StageResult::Void) => Some(if is_due { "queued" } else { "fail" }),
        Some(
            StageResult::Pass
            | StageResult::Rfi
            | StageResult::Broken
            | StageResult::Outage
            | StageResult::Limited
            | StageResult::Stopped,
        )
        | None => is_due.then_some("queued"),
    }
}

/// The labels that a record shows, without the prefix.
#[must_use]
pub fn display(record: &RunRecord) -> BTreeSet<String> {
    let mut labels: BTreeSet<String> = GROUPS
        .iter()
        .filter_map(|(group, _)| group_state(record, group).map(|state| format!("{group}:{state}")))
        .collect();
    match &record.phase {
        Phase::Ready => labels.insert(DONE.to_owned()),
        Phase::NeedsInput { .. } => labels.insert(NEEDS_INPUT.to_owned()),
        Phase::Maxed { .. } => labels.insert(MAXED.to_owned()),
        Phase::Build
        | Phase::Quality
        | Phase::FixQuality
        | Phase::Review
        | Phase::Fix
        | Phase::Apply
        | Phase::Cancelled { .. }
        | Phase::Finished { .. } => false,
    };
    labels
}

/// What to add and what to remove so that `present` (full names) shows `want` (without prefix): only effective changes, only Hydra's own labels.
#[must_use]
pub fn changes(prefix: &str, trigger: &str, present: &[String], want: &BTreeSet<String>) -> (Vec<String>, Vec<String>) {
    // Compared in parts: every issue is asked at every look, and most show what they should.
    let has = |name: &str| {
        present.iter().any(|label| {
            let parts = label.split_at_checked(prefix.len());
            parts.is_some_and(|(before, own)| before.eq_ignore_ascii_case(prefix) && own.eq_ignore_ascii_case(name))
        })
    };
    let full = |name: &String| format!("{prefix}{name}");
    let add = want.iter().filter(|name| !has(name)).map(full).collect();
    // The trigger may be called what it will: it is a person's, and never taken off here.
    let own = OWN.iter().filter(|name| *name != trigger && !want.contains(*name));
    (add, own.filter(|name| has(name)).map(full).collect())
}

/// Index of the first entry that speaks of the present head: what came before the newest delivery is out of date.
fn current_entries(record: &RunRecord) -> usize {
    record
        .stages
        .iter()
        .rposition(|entry| entry.stage.writes_code() && entry.result == StageResult::Pass)
        .map_or(0, |index| index)
}

/// Groups whose stage is due or runs in a phase.
fn due_groups(phase: &Phase) -> &'static [&'static str] {
    match phase {
        Phase::Build => &["build"],
        Phase::Quality => &["quality"],
        Phase::FixQuality | Phase::Fix => &["fix"],
        Phase::Review => &["code-review", "security-review"],
        Phase::Apply => &["applier"],
        Phase::Ready
        | Phase::NeedsInput { .. }
        | Phase::Maxed { .. }
        | Phase::Cancelled { .. }
        | Phase::Finished { .. } => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_githubs_limits_and_are_unique() {
        let rows = vocabulary("ready-to-build");
        let names: BTreeSet<_> = rows.iter().map(|row| row.name.to_lowercase()).collect();
        assert_eq!(names.len(), rows.len());
        for row in rows {
            assert!(row.name.len() <= 50, "{}", row.name);
            assert!(row.description.chars().count() <= 100, "{}", row.description);
            assert!(row.color.len() == 6 && row.color.bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }

    #[test]
    fn only_effective_changes_and_only_own_labels() {
        let present = ["bug", "X-build:queued", "X-done", "X-ready-to-build", "x-YOLO"].map(str::to_owned);
        let want = BTreeSet::from(["build:queued".to_owned(), "quality:running".to_owned()]);
        let (add, remove) = changes("X-", "ready-to-build", &present, &want);
        assert_eq!(add, ["X-quality:running"]);
        assert_eq!(remove, ["X-done"]);
        // Names of other letters than ASCII are cut nowhere.
        assert_eq!(changes("X", "t", &["é".to_owned(), String::new()], &BTreeSet::new()), (vec![], vec![]));
    }
}
