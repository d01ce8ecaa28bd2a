//! `[personas.<key>]`: what differs from the personas that are compiled in, and personas of a team's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One persona. What is left out is taken from the compiled-in persona of that key; a key of your own needs `name` and `stages`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PersonaEntry {
    /// Display name; commits are authored as it.
    pub name: Option<String>,
    /// E-mail of its commits.
    pub email: Option<String>,
    /// The stages it works on: `build`, `fix-quality`, `code-review`, `security-review`, `fix`, `apply`. They are taken away from the compiled-in persona that had them.
    pub stages: Option<Vec<String>>,
    /// The coding agent: `claude`, `codex`, `gemini`, `opencode` or `demo`.
    pub driver: Option<String>,
    /// The model's name as the provider spells it.
    pub model: Option<String>,
    /// CPUs; capped at what the engine has.
    #[schemars(range(min = 0.1, max = 256.0))]
    pub cpus: Option<f64>,
    /// Memory in MiB; there is no swap.
    #[schemars(range(min = 64, max = 1_048_576))]
    pub memory_mib: Option<u32>,
    /// Processes and threads.
    #[schemars(range(min = 16, max = 65536))]
    pub pids: Option<u32>,
    /// Time limit of one run, in minutes.
    #[schemars(range(min = 1, max = 1440))]
    pub minutes: Option<u32>,
    /// Model turns in one run.
    #[schemars(range(min = 1, max = 10000))]
    pub turns: Option<u32>,
    /// A file with its system prompt, relative to `hydra.toml`.
    pub prompt_file: Option<String>,
}
