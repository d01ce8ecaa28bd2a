//! The whole of `hydra.toml` as one type: its fields are the file's keys, its defaults are the compiled-in values, its schema is checked in.

use super::{github, limits, models, personas, pipeline, runtime};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Hydra's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "hydra.toml")]
pub struct HydraToml {
    /// The name of this installation: jobs carry it, and only its own jobs are touched. Letters, digits, `-`, `_`, `.`.
    pub instance: String,
    /// `per-persona`: one GitHub identity each. `single`: one person, one token, one repository of their own, to try it; every pull request says so, and `yolo` is off.
    pub identities: Identities,
    /// The forge.
    pub github: github::Github,
    /// The pipeline.
    pub pipeline: pipeline::Pipeline,
    /// Jobs at the same time.
    pub slots: limits::Slots,
    /// What may be spent.
    pub budget: limits::Budget,
    /// Models.
    pub models: models::Models,
    /// Prices of models that the compiled-in table does not hold, or that you pay differently for; the key is the model's name.
    pub prices: BTreeMap<String, models::Price>,
    /// Personas, by key.
    pub personas: BTreeMap<String, personas::PersonaEntry>,
    /// Where jobs run.
    pub runtime: runtime::Runtime,
    /// What jobs reach.
    pub egress: runtime::Egress,
    /// What jobs hold.
    pub credentials: runtime::Credentials,
    /// Model accounts.
    pub accounts: runtime::Accounts,
    /// Where Hydra keeps what it may lose.
    pub state: State,
    /// Keys that verdicts and records are verified with.
    pub keys: Keys,
}

/// Who Hydra is on GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Identities {
    /// One identity for each persona.
    PerPersona,
    /// One for all.
    Single,
}

/// Caches, mirrors and the audit log: evidence and speed, never truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// The folder, relative to `hydra.toml`. Flag `--state-dir`, variable `HYDRA_STATE_DIR`.
    pub dir: String,
}

/// Public halves of signing keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// Public keys, old ones too, as `hydra init` and `hydra config show` print them. The one of `HYDRA_SIGNING_KEY` always counts.
    pub public: Vec<String>,
}

impl Default for HydraToml {
    fn default() -> Self {
        Self {
            instance: "local".to_owned(),
            identities: Identities::PerPersona,
            github: github::Github::default(),
            pipeline: pipeline::Pipeline::default(),
            slots: limits::Slots::default(),
            budget: limits::Budget::default(),
            models: models::Models::default(),
            prices: BTreeMap::new(),
            personas: BTreeMap::new(),
            runtime: runtime::Runtime::default(),
            egress: runtime::Egress::default(),
            credentials: runtime::Credentials::default(),
            accounts: runtime::Accounts::default(),
            state: State::default(),
            keys: Keys::default(),
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self { dir: ".hydra".to_owned() }
    }
}

/// The JSON schema of `hydra.toml`, without references, so that a reader (and [`super::walk`]) can go down it key by key.
#[must_use]
pub fn schema() -> serde_json::Value {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<HydraToml>()
        .to_value()
}
