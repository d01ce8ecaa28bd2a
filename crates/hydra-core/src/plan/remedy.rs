//! Each reason's name for programs, and for people what would change it: `hydra explain` never leaves anyone without a next step.

use super::Reason;
use crate::record::HoldKind;

impl Reason {
    /// Whether every word of it is Hydra's own: then its numbers and names may stand as they are where it is published.
    #[must_use]
    pub(super) const fn is_own_words(&self) -> bool {
        match self {
            Self::Ready { .. } | Self::Rival { .. } | Self::Dependency { .. } | Self::Finished { .. } => true,
            Self::NoTrigger { .. }
            | Self::Closed
            | Self::Archived
            | Self::Leased { .. }
            | Self::Running { .. }
            | Self::Held { .. }
            | Self::NoSlot { .. }
            | Self::NoAccount { .. }
            | Self::BackOff { .. }
            | Self::DayBudget { .. }
            | Self::MergeUnknown
            | Self::NeedsInput { .. }
            | Self::Maxed { .. }
            | Self::NoYolo { .. }
            | Self::Cancelled { .. }
            | Self::Working
            | Self::ForeignLabel { .. }
            | Self::NoRight { .. }
            | Self::NoEvent { .. } => false,
        }
    }
    /// The kind's name, for `--json`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoTrigger { .. } => "no-trigger",
            Self::Closed => "closed",
            Self::Archived => "archived",
            Self::Leased { .. } => "leased",
            Self::Running { .. } => "running",
            Self::Rival { .. } => "rival",
            Self::Dependency { .. } => "dependency",
            Self::Held { .. } => "held",
            Self::NoSlot { .. } => "no-slot",
            Self::NoAccount { .. } => "no-account",
            Self::BackOff { .. } => "back-off",
            Self::DayBudget { .. } => "day-budget",
            Self::MergeUnknown => "merge-unknown",
            Self::NeedsInput { .. } => "needs-input",
            Self::Maxed { .. } => "maxed",
            Self::Ready { .. } => "ready",
            Self::NoYolo { .. } => "no-yolo",
            Self::Cancelled { .. } => "cancelled",
            Self::Finished { .. } => "finished",
            Self::Working => "working",
            Self::ForeignLabel { .. } => "foreign-label",
            Self::NoRight { .. } => "no-right",
            Self::NoEvent { .. } => "no-event",
        }
    }

    /// What would change it, as an instruction.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::NoTrigger { label } => format!("set the label `{label}` on the issue"),
            Self::Closed => "open the issue again".to_owned(),
            Self::Archived => "unarchive the repository".to_owned(),
            Self::Leased { until, .. } => {
                format!("wait: the holder goes on with it; if it is dead, the lease lapses at {until:.0}")
            }
            Self::Running { .. } => "wait for its end; `hydra cancel` stops it".to_owned(),
            Self::Rival { issue, .. } => format!("close issue #{issue}, or name another change in this one"),
            Self::Dependency { .. } => "finish and close what it depends on".to_owned(),
            Self::Held { until: Some(until), .. } => format!("wait until {until:.0}, or `hydra resume`"),
            Self::Held { kind: HoldKind::Fault, until: None, .. } => {
                "mend what the reason names; it goes on by itself".to_owned()
            }
            Self::Held { until: None, .. } => "`hydra resume` with the same scope".to_owned(),
            Self::NoSlot { .. } => "wait until a job ends, or raise slots.total in hydra.toml".to_owned(),
            Self::NoAccount { until: Some(until), .. } => {
                format!("wait until {until:.0}, or add an account to secrets/credentials.json")
            }
            Self::NoAccount { until: None, .. } => "add an account to secrets/credentials.json".to_owned(),
            Self::BackOff { due, .. } => format!("wait until {due:.0}; it is tried again by itself"),
            Self::DayBudget { .. } => "wait for the next day (UTC), or raise [budget] in hydra.toml".to_owned(),
            Self::MergeUnknown => "wait: GitHub is asked again".to_owned(),
            Self::NeedsInput { .. } => {
                "do what the reason says, then take the trigger label off and set it again".to_owned()
            }
            Self::Maxed { .. } => "set `retry:queued`, or take the trigger label off and set it again".to_owned(),
            Self::Ready { pull } => format!("review pull request #{pull} and merge it, or close it"),
            Self::NoYolo { .. } => "merge it yourself, or do what the reason says".to_owned(),
            Self::Cancelled { .. } => "set `retry:queued`, or take the trigger label off and set it again".to_owned(),
            Self::Finished { .. } => "nothing is left to do; `rebuild:queued` starts over".to_owned(),
            Self::Working => "nothing: it goes on by itself".to_owned(),
            Self::ForeignLabel { .. } => "nothing is needed; Hydra takes it off when it next shows labels".to_owned(),
            Self::NoRight { label, .. } => format!("a person who may takes `{label}` off and sets it again"),
            Self::NoEvent { .. } => "wait: GitHub is asked again".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_name_of_its_own_and_a_way_out() {
        let at = crate::Timestamp::UNIX_EPOCH;
        let reasons = [
            Reason::NoTrigger { label: "x".into() },
            Reason::Closed,
            Reason::Archived,
            Reason::Leased { owner: "o".into(), until: at },
            Reason::Held { scope: "everything", kind: HoldKind::Pause, reason: "r".into(), until: Some(at) },
            Reason::NoAccount { until: None, why: "w".into() },
            Reason::MergeUnknown,
            Reason::Ready { pull: 7 },
            Reason::Working,
        ];
        let names: std::collections::BTreeSet<_> = reasons.iter().map(Reason::name).collect();
        assert_eq!(names.len(), reasons.len());
        assert!(reasons.iter().all(|reason| !reason.remedy().is_empty()));
        assert!(Reason::Ready { pull: 7 }.remedy().contains("#7"));
    }
}
