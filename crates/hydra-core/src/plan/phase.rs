//! The state machine of a run: phase x event -> step, total over closed enums.

use crate::record::{Need, Phase};

crate::stage::closed!(
    /// The kind of a phase, without what it carries.
    PhaseKind, "phase" {
    /// The builder works, or is due.
    Build = "build",
    /// Quality runs, or is due.
    Quality = "quality",
    /// The builder mends red quality.
    FixQuality = "fix-quality",
    /// Both reviews run, or are due.
    Review = "review",
    /// The builder mends blocking findings.
    Fix = "fix",
    /// The applier judges.
    Apply = "apply",
    /// Ready for a person.
    Ready = "ready",
    /// A person must act.
    NeedsInput = "needs-input",
    /// Attempts are used up.
    Maxed = "maxed",
    /// Cancelled.
    Cancelled = "cancelled",
    /// Closed or merged.
    Finished = "finished",
});

crate::stage::closed!(
    /// What happened to a run.
    Event, "event" {
    /// Acceptable commits were delivered.
    Delivered = "delivered",
    /// Commits were delivered and refused.
    DeliveryRefused = "delivery-refused",
    /// The builder ended without a change.
    NothingDelivered = "nothing-delivered",
    /// The agent asks for information.
    Asked = "asked",
    /// Quality is green, or there is nothing to run.
    Green = "green",
    /// Quality is red and may be mended.
    RedFixable = "red-fixable",
    /// Quality is red and fixes are used up.
    RedFinal = "red-final",
    /// Both reviews pass and no fix round changed the code.
    PassedAtOnce = "passed-at-once",
    /// Both reviews pass after a fix round.
    PassedAfterFix = "passed-after-fix",
    /// A review blocks and a round is left.
    BlockedFixable = "blocked-fixable",
    /// A review blocks and rounds are used up.
    BlockedFinal = "blocked-final",
    /// A verdict was void twice.
    VoidTwice = "void-twice",
    /// The applier says go.
    Go = "go",
    /// The applier says no-go.
    NoGo = "no-go",
    /// A stage broke and attempts are used up.
    AttemptsSpent = "attempts-spent",
    /// The wrapper refused to begin.
    WrapperRefused = "wrapper-refused",
    /// The budget is spent.
    BudgetSpent = "budget-spent",
    /// The work conflicts with the base branch.
    Conflict = "conflict",
    /// The branch stands elsewhere than the delivery's parent.
    Diverged = "diverged",
    /// A person pushed to the branch while it was being judged.
    HeadMoved = "head-moved",
    /// The trigger label was taken off.
    LabelRemoved = "label-removed",
    /// A person cancelled.
    Cancel = "cancel",
    /// The pull request was merged.
    Merged = "merged",
    /// The pull request or the issue was closed.
    Closed = "closed",
});

/// Where an event leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To another phase (or the same one anew).
    To(PhaseKind),
    /// To a person, with this need.
    Need(Need),
    /// Nowhere: the event means nothing in this phase.
    Stay,
}

impl Phase {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> PhaseKind {
        match self {
            Self::Build => PhaseKind::Build,
            Self::Quality => PhaseKind::Quality,
            Self::FixQuality => PhaseKind::FixQuality,
            Self::Review => PhaseKind::Review,
            Self::Fix => PhaseKind::Fix,
            Self::Apply => PhaseKind::Apply,
            Self::Ready => PhaseKind::Ready,
            Self::NeedsInput { .. } => PhaseKind::NeedsInput,
            Self::Maxed { .. } => PhaseKind::Maxed,
            Self::Cancelled { .. } => PhaseKind::Cancelled,
            Self::Finished { .. } => PhaseKind::Finished,
        }
    }
}

impl PhaseKind {
    /// Whether stages run in it.
    #[must_use]
    pub const fn is_active(self) -> bool {
        match self {
            Self::Build | Self::Quality | Self::FixQuality | Self::Review | Self::Fix | Self::Apply => true,
            Self::Ready | Self::NeedsInput | Self::Maxed | Self::Cancelled | Self::Finished => false,
        }
    }
    /// Whether the builder works in it.
    #[must_use]
    pub const fn writes_code(self) -> bool {
        match self {
            Self::Build | Self::FixQuality | Self::Fix => true,
            Self::Quality
            | Self::Review
            | Self::Apply
            | Self::Ready
            | Self::NeedsInput
            | Self::Maxed
            | Self::Cancelled
            | Self::Finished => false,
        }
    }
    /// The phase with this kind and this detail; `need` is used for `NeedsInput` alone.
    #[must_use]
    pub fn with(self, detail: String) -> Phase {
        match self {
            Self::Build => Phase::Build,
            Self::Quality => Phase::Quality,
            Self::FixQuality => Phase::FixQuality,
            Self::Review => Phase::Review,
            Self::Fix => Phase::Fix,
            Self::Apply => Phase::Apply,
            Self::Ready => Phase::Ready,
            Self::NeedsInput => Phase::NeedsInput { need: Need::Configuration, detail },
            Self::Maxed => Phase::Maxed { detail },
            Self::Cancelled => Phase::Cancelled { detail },
            Self::Finished => Phase::Finished { detail },
        }
    }
}

/// The state machine.
#[must_use]
pub const fn step(phase: PhaseKind, event: Event) -> Step {
    use PhaseKind as P;
    let active = phase.is_active();
    let builds = phase.writes_code();
    let judged = matches!(phase, P::Quality | P::Review | P::Apply | P::Ready);
    match event {
        Event::Delivered if builds => Step::To(P::Quality),
        Event::DeliveryRefused if builds => Step::Need(Need::Delivery),
        Event::NothingDelivered if builds => Step::Need(Need::NoChange),
        Event::Asked if active => Step::Need(Need::Information),
        Event::Green if matches!(phase, P::Quality) => Step::To(P::Review),
        Event::RedFixable if matches!(phase, P::Quality) => Step::To(P::FixQuality),
        Event::RedFinal if matches!(phase, P::Quality) => Step::Need(Need::Quality),
        Event::PassedAtOnce if matches!(phase, P::Review) => Step::To(P::Ready),
        Event::PassedAfterFix if matches!(phase, P::Review) => Step::To(P::Apply),
        Event::BlockedFixable if matches!(phase, P::Review) => Step::To(P::Fix),
        Event::BlockedFinal if matches!(phase, P::Review) => Step::Need(Need::Rounds),
        Event::VoidTwice if matches!(phase, P::Review | P::Apply) => Step::Need(Need::VoidReview),
        Event::Go if matches!(phase, P::Apply) => Step::To(P::Ready),
        Event::NoGo if matches!(phase, P::Apply) => Step::Need(Need::NoGo),
        Event::AttemptsSpent if active => Step::To(P::Maxed),
        Event::WrapperRefused if active => Step::Need(Need::Configuration),
        Event::BudgetSpent if active => Step::Need(Need::Budget),
        Event::Conflict if judged => Step::Need(Need::Conflict),
        Event::Diverged if builds => Step::Need(Need::Diverged),
        Event::HeadMoved if judged => Step::To(P::Quality),
        Event::LabelRemoved if active => Step::To(P::Cancelled),
        Event::Cancel if active || matches!(phase, P::NeedsInput | P::Maxed) => Step::To(P::Cancelled),
        Event::Merged | Event::Closed if !matches!(phase, P::Finished) => Step::To(P::Finished),
        Event::Delivered
        | Event::DeliveryRefused
        | Event::NothingDelivered
        | Event::Asked
        | Event::Green
        | Event::RedFixable
        | Event::RedFinal
        | Event::PassedAtOnce
        | Event::PassedAfterFix
        | Event::BlockedFixable
        | Event::BlockedFinal
        | Event::VoidTwice
        | Event::Go
        | Event::NoGo
        | Event::AttemptsSpent
        | Event::WrapperRefused
        | Event::BudgetSpent
        | Event::Conflict
        | Event::Diverged
        | Event::HeadMoved
        | Event::LabelRemoved
        | Event::Cancel
        | Event::Merged
        | Event::Closed => Step::Stay,
    }
}

/// Applies an event to a phase. `None`: it means nothing there.
#[must_use]
pub(super) fn apply(phase: &Phase, event: Event, detail: &str) -> Option<Phase> {
    match step(phase.kind(), event) {
        Step::To(kind) => Some(kind.with(detail.to_owned())),
        Step::Need(need) => Some(Phase::NeedsInput { need, detail: detail.to_owned() }),
        Step::Stay => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn the_whole_table() {
        let mut table = String::new();
        for phase in PhaseKind::ALL {
            for event in Event::ALL {
                match step(*phase, *event) {
                    Step::To(next) => writeln!(table, "{phase} + {event} -> {next}"),
                    Step::Need(need) => writeln!(table, "{phase} + {event} -> needs-input: {need}"),
                    Step::Stay => Ok(()),
                }
                .unwrap();
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_finished_run_never_moves_and_nothing_at_rest_starts_by_itself() {
        for event in Event::ALL {
            assert_eq!(step(PhaseKind::Finished, *event), Step::Stay, "{event}");
            for rest in [PhaseKind::NeedsInput, PhaseKind::Maxed, PhaseKind::Cancelled] {
                if let Step::To(next) = step(rest, *event) {
                    assert!(!next.is_active(), "{rest} + {event}");
                }
            }
        }
    }
}
