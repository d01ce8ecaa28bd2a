//! `[models]` and `[prices]`: which model stands behind which word, and what its tokens cost.

use super::dollars::Dollars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Models. Each persona names its own; see `[personas]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// One model for every persona, whatever the persona names. Variable `HYDRA_MODEL`.
    pub all: Option<String>,
    /// Address of the model API, where it is not the provider's own; reaches the agent as `ANTHROPIC_BASE_URL`.
    pub base_url: Option<String>,
    /// The certificate authority of `base_url`, a PEM file beside `hydra.toml`; absent: those of the web. Mode `isolated` with `credentials.model = "withheld"` alone.
    pub authority_file: Option<String>,
}

/// What a model's tokens cost, in USD for a million of them. A model without a price is refused before anything is spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Read, not from a cache.
    pub input: Dollars,
    /// Written by the model.
    pub output: Dollars,
    /// Read from the provider's cache.
    pub cache_read: Dollars,
    /// Written to the provider's cache.
    pub cache_write: Dollars,
}
