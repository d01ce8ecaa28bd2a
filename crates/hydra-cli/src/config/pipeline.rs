//! `[pipeline]`: labels, rounds, time-outs, retries, and what may not be touched.

use super::duration::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a labelled issue becomes a pull request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pipeline {
    /// The label that starts Hydra. Variable `HYDRA_TRIGGER_LABEL`.
    pub trigger_label: String,
    /// Put before every label, the trigger too. Variable `HYDRA_LABEL_PREFIX`.
    pub label_prefix: String,
    /// What the person who sets the trigger label must at least be allowed to do in the repository.
    pub trigger_permission: TriggerPermission,
    /// Fix rounds after blocking reviews; 0 is single-shot.
    #[schemars(range(max = 20))]
    pub max_fix_rounds: u32,
    /// Runs of the builder to mend red quality commands.
    #[schemars(range(max = 20))]
    pub max_quality_fixes: u32,
    /// Logins whose `yolo` label lets Hydra merge. Empty: nobody's.
    pub yolo_allowed: Vec<String>,
    /// Time limit of the quality stage, in minutes. Limits of the other stages stand with their personas.
    #[schemars(range(min = 1, max = 1440))]
    pub quality_minutes: u32,
    /// No event of an agent for so long stops its job and schedules a retry; `"0"` turns it off.
    pub stall_timeout: Duration,
    /// The first event must come within this time.
    pub first_sign_timeout: Duration,
    /// How failed attempts are repeated.
    pub retry: Retry,
    /// Paths that no agent may change, as gitignore-style patterns, besides the built-in ones (workflows, agents' instructions, `.hydra.toml`).
    pub protected_paths: Vec<String>,
    /// Hosts that links in published text may point to; others are shown as text.
    pub link_hosts: Vec<String>,
    /// Largest bundle that an agent may deliver, in MiB.
    #[schemars(range(min = 1, max = 95))]
    pub max_delivery_mib: u32,
    /// Text that is put at the end of every prompt.
    pub prompt_extra: String,
    /// How often `hydra supervise` looks at the board.
    pub poll_interval: Duration,
    /// A lease that is not renewed lapses after this time.
    pub lease: Duration,
}

/// Repeating failed attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Wait before the first repetition; each further wait is twice as long.
    pub base: Duration,
    /// The longest wait.
    pub cap: Duration,
    /// Attempts of one stage in one round, the first included; then `agent-maxed-out`.
    #[schemars(range(min = 1, max = 20))]
    pub attempts: u32,
    /// The same class of failure on so many issues within `breaker_window` stops new starts.
    #[schemars(range(min = 1, max = 1000))]
    pub breaker_issues: u32,
    /// See `breaker_issues`.
    pub breaker_window: Duration,
    /// After so long one trial run decides whether starts go on.
    pub breaker_pause: Duration,
}

/// Permissions as GitHub names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum TriggerPermission {
    /// May label.
    Triage,
    /// May push.
    Write,
    /// May change most settings.
    Maintain,
    /// May do everything.
    Admin,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            trigger_label: "ready-to-build".to_owned(),
            label_prefix: String::new(),
            trigger_permission: TriggerPermission::Write,
            max_fix_rounds: 2,
            max_quality_fixes: 2,
            yolo_allowed: Vec::new(),
            quality_minutes: 20,
            stall_timeout: Duration::mins(10),
            first_sign_timeout: Duration::mins(2),
            retry: Retry::default(),
            protected_paths: Vec::new(),
            link_hosts: vec!["github.com".to_owned()],
            max_delivery_mib: 50,
            prompt_extra: String::new(),
            poll_interval: Duration::secs(30),
            lease: Duration::mins(5),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            base: Duration::secs(10),
            cap: Duration::mins(10),
            attempts: 4,
            breaker_issues: 5,
            breaker_window: Duration::mins(60),
            breaker_pause: Duration::mins(15),
        }
    }
}
