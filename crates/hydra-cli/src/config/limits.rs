//! `[slots]` and `[budget]`: how much at once, and how much in all.

use super::dollars::Dollars;
use hydra_core::ContainerType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Jobs at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Slots {
    /// Slots in all.
    #[schemars(range(min = 1, max = 1000))]
    pub total: u32,
    /// Slots that one job takes, by kind of container.
    pub weights: Weights,
}

/// Slots that one job takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// Builds and fixes.
    #[schemars(range(min = 1))]
    pub builder: u32,
    /// The target's own commands.
    #[schemars(range(min = 1))]
    pub quality: u32,
    /// Code reviews.
    #[schemars(range(min = 1))]
    pub reviewer: u32,
    /// Security reviews.
    #[schemars(range(min = 1))]
    pub security: u32,
    /// Go or no-go.
    #[schemars(range(min = 1))]
    pub applier: u32,
}

impl Weights {
    /// Slots that a job in this kind of container takes.
    #[must_use]
    pub const fn of(&self, container: ContainerType) -> u32 {
        match container {
            ContainerType::Builder => self.builder,
            ContainerType::Quality => self.quality,
            ContainerType::Reviewer => self.reviewer,
            ContainerType::Security => self.security,
            ContainerType::Applier => self.applier,
        }
    }
}

/// What may be spent, across all personas and rounds, counted while it is spent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// USD for one issue.
    pub issue_usd: Dollars,
    /// Tokens of all kinds for one issue.
    #[schemars(range(min = 1))]
    pub issue_tokens: u64,
    /// USD in one UTC day, all issues.
    pub day_usd: Dollars,
    /// Tokens of all kinds in one UTC day, all issues.
    #[schemars(range(min = 1))]
    pub day_tokens: u64,
}

impl Default for Slots {
    fn default() -> Self {
        Self { total: 5, weights: Weights::default() }
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self { builder: 2, quality: 1, reviewer: 1, security: 1, applier: 1 }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            issue_usd: Dollars::whole(20),
            issue_tokens: 50_000_000,
            day_usd: Dollars::whole(200),
            day_tokens: 500_000_000,
        }
    }
}
