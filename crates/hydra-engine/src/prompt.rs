//! What a job's agent is told: what the order, the repository and the installation say, handed to the core, which puts it together
//! and fences off what others wrote.

use crate::config::EngineConfig;
use hydra_core::{
    ChangeName, digest, instructions, loosened,
    openspec::RequirementName,
    persona::Persona,
    pin::Pinned,
    plan::StartOrder,
    ports::Diff,
    prompt::{Prompt, PromptInput, assemble},
    target::Target,
};

/// What a prompt is made of.
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a EngineConfig,
    pub(crate) order: &'a StartOrder,
    pub(crate) persona: &'a Persona,
    pub(crate) change: Option<&'a ChangeName>,
    pub(crate) pinned: &'a Pinned,
    pub(crate) requirements: Vec<RequirementName>,
    pub(crate) target: &'a Target,
    /// What a judge is to judge.
    pub(crate) diff: Option<&'a Diff>,
}

/// Puts it together.
pub(crate) fn of(parts: &Parts<'_>) -> Prompt {
    let (config, order, target) = (parts.config, parts.order, parts.target);
    let protected: Vec<String> = config.protected_paths.iter().chain(&target.protected).cloned().collect();
    assemble(&PromptInput {
        stage: order.key.stage,
        persona: parts.persona,
        issue: parts.pinned,
        change: parts.change,
        requirements: &parts.requirements,
        base: &order.base,
        head: &order.head,
        branch: &order.branch,
        round: order.key.round,
        commands: &if target.checks_anything() { target.quality() } else { Vec::new() },
        protected: &protected,
        red: &order.task.red,
        findings: &order.task.findings,
        history: &order.task.history,
        answered: &order.task.answered,
        loosened: &parts.diff.map(|diff| loosened::loosened(&diff.patch)).unwrap_or_default(),
        instruction_changes: &parts.diff.map(instructions::changed).unwrap_or_default(),
        focus: &target.focus,
        extra: &config.prompt_extra,
    })
}

/// That of a stage without an agent.
pub(crate) fn none() -> Prompt {
    Prompt { system: String::new(), task: String::new(), hash: digest::sha256_parts(&[b"", b""]) }
}
