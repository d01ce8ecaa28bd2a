//! How a job went, once its outputs were read.

use crate::{
    Timestamp,
    contract_files::{CommandResult, Rfi},
    money::Spend,
    ports::Delivery,
    verdict::{Envelope, Finding},
};
use std::fmt;

/// How a job went, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobOutcome {
    /// How.
    pub kind: OutcomeKind,
    /// Cost by its event stream.
    pub spend: Spend,
    /// The account it used.
    pub account: Option<crate::AccountName>,
    /// What left its container and what was refused, in one line; empty where nothing saw it.
    pub egress: String,
}

/// How a job went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutcomeKind {
    /// The builder delivered commits that are acceptable.
    Delivered {
        /// The inspected bundle.
        delivery: Box<Delivery>,
        /// What it says of its work, made harmless.
        summary: String,
        /// What is notable (a changed CLAUDE.md, say) but not refused.
        findings: Vec<Finding>,
    },
    /// The builder delivered commits that are refused; one text each, with file and next step.
    Refused {
        /// Why.
        refusals: Vec<String>,
    },
    /// The builder ended well, without a change.
    NoChange {
        /// What it says.
        summary: String,
    },
    /// The agent asks for information.
    Rfi(Rfi),
    /// The quality stage ran; green when every exit is 0.
    Quality {
        /// Each command.
        commands: Vec<CommandResult>,
    },
    /// A reviewer or the applier judged (void included).
    Judged(Box<Envelope>),
    /// It broke: counts as an attempt.
    Broken {
        /// Which class, for the breaker: `time-out`, `memory`, `crash`, `turn-limit`, `disk`, `killed`, `stall`, `output`.
        class: &'static str,
        /// The whole reason.
        why: String,
    },
    /// An outage: counts as nothing.
    Outage {
        /// Which class, for the breaker: `engine`, `network`, `provider`, `forge`, `vanished`.
        class: &'static str,
        /// The whole reason.
        why: String,
    },
    /// Its account's limit, or a credential that the provider refuses: the account is set aside.
    AccountUnusable {
        /// Until when.
        until: Timestamp,
        /// The provider's words.
        why: String,
    },
    /// The wrapper refused to begin (input contract, fence): fail closed, a person must look.
    WrapperRefused {
        /// Why.
        why: String,
    },
    /// Hydra stopped it.
    Stopped(StopReason),
}

impl OutcomeKind {
    /// Whether quality is green; false for every other kind.
    #[must_use]
    pub fn is_green(&self) -> bool {
        match self {
            Self::Quality { commands } => commands.iter().all(|c| c.exit == 0),
            _ => false,
        }
    }
}

crate::stage::closed!(
    /// Why Hydra stopped a job.
    StopReason, "stop reason" {
    /// The label was taken off.
    LabelRemoved = "label-removed",
    /// A person cancelled it.
    Cancelled = "cancelled",
    /// The issue or its pull request was closed.
    Closed = "closed",
    /// The budget of the issue or of the day is spent.
    Budget = "budget",
    /// Its time ran out and its own deadline did not end it.
    TimeOut = "time-out",
    /// No event for `stall_timeout`.
    Stall = "stall",
    /// No first sign of life.
    NoSignOfLife = "no-sign-of-life",
    /// The head that it judges moved.
    Superseded = "superseded",
    /// It holds a credential that was revoked.
    Credential = "credential",
    /// The orchestrator was told to stop its jobs.
    Shutdown = "shutdown",
    /// Its generation is stale.
    Stale = "stale",
});

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered { delivery, .. } => write!(f, "delivered {} commits", delivery.commits.len()),
            Self::Refused { refusals } => write!(f, "delivery refused: {}", refusals.join("; ")),
            Self::NoChange { .. } => f.write_str("ended without a change"),
            Self::Rfi(rfi) => write!(f, "asks: {}", rfi.questions.join(" / ")),
            Self::Quality { commands } => match commands.iter().find(|c| c.exit != 0) {
                None => f.write_str("green"),
                Some(red) => write!(f, "red: {} exited with {}", red.name, red.exit),
            },
            Self::Judged(envelope) => write!(f, "{:?}", envelope.outcome),
            Self::Broken { why, .. }
            | Self::Outage { why, .. }
            | Self::AccountUnusable { why, .. }
            | Self::WrapperRefused { why } => f.write_str(why),
            Self::Stopped(why) => write!(f, "stopped: {why}"),
        }
    }
}
