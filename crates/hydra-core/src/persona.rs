//! Personas as data: who an agent is, what it runs on and within which limits.

mod defaults;
pub use defaults::{QUALITY_LIMITS, defaults};

use crate::{ModelName, PersonaId, Stage};
use serde::{Deserialize, Serialize};

/// Limits of one job's container and run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// CPU in thousandths of a core.
    pub cpu_millis: u32,
    /// Memory in MiB; swap is none.
    pub memory_mib: u32,
    /// Processes and threads.
    pub pids: u32,
    /// Wall-clock limit of the stage, in minutes; the container enforces it too.
    pub minutes: u32,
    /// Model turns.
    pub turns: u32,
}

/// One persona.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Persona {
    /// Its key, `al-gorithm`.
    pub id: PersonaId,
    /// Its display name, `Al Gorithm`; commits are authored as it.
    pub name: String,
    /// The e-mail of its commits.
    pub email: String,
    /// The stages it works on.
    pub stages: Vec<Stage>,
    /// The coding agent: `claude`, `codex`, `gemini`, `opencode`, `demo`.
    pub driver: String,
    /// The model.
    pub model: ModelName,
    /// Its limits.
    pub limits: Limits,
    /// Its system prompt; compiled in, or the content of the file that `hydra.toml` names.
    pub prompt: String,
}
