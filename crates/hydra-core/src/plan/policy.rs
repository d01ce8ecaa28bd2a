//! The configuration that decisions depend on.

use crate::{
    Login, ModelName, Stage,
    money::{Spend, Tokens, Usd},
    persona::Persona,
    view::Permission,
};
use std::{collections::BTreeMap, time::Duration};

/// See `docs/configuration.md` for each value's meaning, unit and default.
#[derive(Debug, Clone)]
pub struct PlanPolicy {
    /// Label prefix; may be empty.
    pub label_prefix: String,
    /// The trigger label, without the prefix.
    pub trigger_label: String,
    /// Who may set the trigger and request labels.
    pub trigger_permission: Permission,
    /// Fix rounds, at most; 0 is single-shot.
    pub max_fix_rounds: u32,
    /// `fix-quality` runs in a generation, at most.
    pub max_quality_fixes: u32,
    /// Failed attempts of one stage, at most.
    pub max_attempts: u32,
    /// First wait after a failed attempt; doubles.
    pub backoff_base: Duration,
    /// Longest wait after a failed attempt.
    pub backoff_cap: Duration,
    /// People who may ask for a merge by `yolo`; empty: nobody.
    pub yolo_allowed: Vec<Login>,
    /// One token for everything: said on every pull request, and `yolo` is off.
    pub single_identity: bool,
    /// Slots in all.
    pub slots: u32,
    /// Slots that a job of a stage takes.
    pub weights: BTreeMap<Stage, u32>,
    /// Budget of an issue over all generations.
    pub issue_budget: Budget,
    /// Budget of a day (UTC) over all issues.
    pub day_budget: Budget,
    /// Personas by stage; every stage with an agent has one.
    pub personas: BTreeMap<Stage, Persona>,
    /// Models that have a price.
    pub priced: Vec<ModelName>,
    /// Columns of the board; empty names leave the card alone.
    pub columns: Columns,
    /// How long a lease lasts.
    pub lease_ttl: Duration,
    /// Files under these paths may not be changed by an agent.
    pub allow_hosts: Vec<String>,
}

/// A limit in money, in tokens, or both; `None` is no limit of that kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// Money.
    pub usd: Option<Usd>,
    /// Tokens of all kinds.
    pub tokens: Option<u64>,
}

impl Budget {
    /// What is left of it after `spend`, never below zero.
    #[must_use]
    pub fn left(&self, spend: Spend) -> Self {
        Self {
            usd: self.usd.map(|limit| limit.saturating_sub(spend.cost)),
            tokens: self.tokens.map(|limit| limit.saturating_sub(spend.tokens.total())),
        }
    }
    /// Whether it is used up.
    #[must_use]
    pub fn is_spent(&self, usd: Usd, tokens: Tokens) -> bool {
        self.usd.is_some_and(|limit| usd >= limit) || self.tokens.is_some_and(|limit| tokens.total() >= limit)
    }
}

/// Names of the board's columns; an absent one leaves the card where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// While Hydra works.
    pub progress: Option<String>,
    /// When a person must look at the pull request.
    pub review: Option<String>,
    /// When a person must answer.
    pub blocked: Option<String>,
    /// When it was merged.
    pub done: Option<String>,
}
