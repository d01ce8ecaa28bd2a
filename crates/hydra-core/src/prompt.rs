//! What an agent is told: the persona's rules, the stage's task, and everything that others wrote fenced off as data.
//!
//! The texts are files of `prompts/`, compiled in. `{{OUT}}`, `{{WORKSPACE}}` and `{{SPEC}}` are left for the wrapper, which knows the paths;
//! in data they are taken apart, so that only our own texts hold them.

use crate::{
    BranchName, ChangeName, CommitSha, Stage,
    contract_files::{CommandResult, QualityCommand},
    digest, hidden,
    loosened::LoosenedTest,
    openspec::{Operation, RequirementName},
    persona::Persona,
    pin::Pinned,
    publish::cut,
    verdict::Finding,
};
use std::fmt::Write;

/// One piece of data has at most so many bytes; the rest is cut, and said so.
pub const MAX_DATA: usize = 60_000;

const VERDICT: &str = include_str!("../prompts/contract-verdict.md");
const RFI: &str = include_str!("../prompts/contract-rfi.md");
const DATA: &str = include_str!("../prompts/data.md");

/// What a prompt is made of.
#[derive(Debug, Clone)]
pub struct PromptInput<'a> {
    /// What is to be done.
    pub stage: Stage,
    /// Who does it.
    pub persona: &'a Persona,
    /// The issue as it was pinned.
    pub issue: &'a Pinned,
    /// The change.
    pub change: Option<&'a ChangeName>,
    /// What the change asks for.
    pub requirements: &'a [RequirementName],
    /// The pinned base.
    pub base: &'a CommitSha,
    /// The head to work on or to judge.
    pub head: &'a CommitSha,
    /// The work branch.
    pub branch: &'a BranchName,
    /// The fix round; 0 before the first.
    pub round: u32,
    /// The repository's own checks, in order.
    pub commands: &'a [QualityCommand],
    /// Paths that may not be changed.
    pub protected: &'a [String],
    /// Checks that are red.
    pub red: &'a [CommandResult],
    /// Findings to mend, or (for the applier) that were to be mended.
    pub findings: &'a [Finding],
    /// What came before, in words.
    pub history: &'a [String],
    /// Questions asked earlier that the issue answers by now.
    pub answered: &'a [String],
    /// Tests that lost their strength.
    pub loosened: &'a [LoosenedTest],
    /// Changed files that agents take instructions from.
    pub instruction_changes: &'a [String],
    /// What this repository asks reviewers to look at (of the base commit).
    pub focus: &'a str,
    /// Text of the installation's own configuration, appended.
    pub extra: &'a str,
}

/// A prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Who the agent is: `system.md`.
    pub system: String,
    /// What it is to do: `prompt.md`.
    pub task: String,
    /// SHA-256 of both, hexadecimal.
    pub hash: String,
}

/// Puts a prompt together. The same input gives the same prompt.
#[must_use]
pub fn assemble(input: &PromptInput<'_>) -> Prompt {
    let system = format!("{}\n\n{DATA}", input.persona.prompt.trim_end());
    let stage = input.stage;
    let mut task = task_text(stage)
        .replace("{{CHANGE}}", input.change.map_or("of this issue", ChangeName::as_str))
        .replace("{{BRANCH}}", input.branch.as_str())
        .replace("{{BASE}}", input.base.as_str())
        .replace("{{HEAD}}", input.head.as_str())
        .replace("{{ROUND}}", &input.round.to_string());
    rules(input, &mut task);
    if stage == Stage::CodeReview {
        requirements(input.requirements, &mut task);
    }
    material(input, &mut task);
    if !input.extra.trim().is_empty() {
        let _ = write!(task, "\n{}\n", input.extra.trim_end());
    }
    task.push('\n');
    task.push_str(if stage.judges() { VERDICT } else { RFI });
    let hash = digest::sha256_parts(&[system.as_bytes(), task.as_bytes()]);
    Prompt { system, task, hash }
}

fn rules(input: &PromptInput<'_>, task: &mut String) {
    if input.stage.writes_code() {
        if !input.protected.is_empty() {
            let paths: Vec<String> = input.protected.iter().map(|path| format!("`{}`", flat(path))).collect();
            let _ = write!(
                task,
                "\nProtected paths; a change to one of them is refused as a whole: {}.\n",
                paths.join(", ")
            );
        }
        if !input.commands.is_empty() {
            task.push_str("\nThe repository's own checks, run on your work afterwards, in this order:\n");
            for command in input.commands {
                let _ = writeln!(task, "- {}: `{}`", command.name, flat(&command.command));
            }
        }
    }
}

fn requirements(names: &[RequirementName], task: &mut String) {
    if names.is_empty() {
        return;
    }
    task.push_str("\nRequirements and scenarios to judge, by these names:\n");
    for name in names {
        let note = match name.operation {
            Operation::Added | Operation::Modified => "",
            Operation::Removed => " (to be removed: met when it is gone)",
            Operation::Renamed => " (renamed)",
        };
        let _ = writeln!(task, "- {}{note}", flat(&name.name));
        for scenario in &name.scenarios {
            let _ = writeln!(task, "  - {}", flat(scenario));
        }
    }
}

fn material(input: &PromptInput<'_>, task: &mut String) {
    let judges = input.stage.judges();
    for finding in input.findings {
        let place = match (&finding.file, finding.line) {
            (Some(file), Some(line)) => format!("{file}:{line}\n"),
            (Some(file), None) => format!("{file}\n"),
            (None, _) => String::new(),
        };
        let mend = if finding.remediation.is_empty() {
            String::new()
        } else {
            format!("\nHow to mend it: {}", finding.remediation)
        };
        data(
            task,
            &format!("finding, {}, {}", finding.severity, finding.rule),
            &format!("{place}{}{mend}", finding.message),
        );
    }
    for red in input.red {
        let body = format!("$ {}\nexit code {}\n{}", red.command, red.exit, red.tail);
        data(task, &format!("red check {}", red.name), &body);
    }
    for line in input.history {
        data(task, "what came before", line);
    }
    if judges && !input.loosened.is_empty() {
        let lines: Vec<String> = input.loosened.iter().map(ToString::to_string).collect();
        data(task, "tests that were removed, skipped or loosened, found by rules: judge each", &lines.join("\n"));
    }
    if judges && !input.instruction_changes.is_empty() {
        data(
            task,
            "changed files that coding agents take instructions from: judge each",
            &input.instruction_changes.join("\n"),
        );
    }
    if judges && !input.focus.trim().is_empty() {
        data(task, "what this repository asks reviewers to look at", input.focus);
    }
    data(task, "the issue", &format!("{}\n\n{}", input.issue.title, input.issue.body));
    for comment in &input.issue.comments {
        data(task, &format!("comment on the issue by {}", comment.author), &comment.body);
    }
    for line in input.answered {
        data(task, "asked earlier; the issue answers it by now", line);
    }
}

/// Fences content off. The mark is made of the content's own hash: who writes the content cannot know it, as writing it changes it.
fn data(task: &mut String, title: &str, content: &str) {
    let clean = hidden::strip(content).replace("{{", "{ {");
    let kept = cut(clean.trim_end(), MAX_DATA);
    let note = if kept.len() < clean.trim_end().len() {
        format!("\n(cut: {} bytes in all)", clean.len())
    } else {
        String::new()
    };
    let title = flat(title);
    let mut mark = digest::sha256_parts(&[b"hydra-data-1", title.as_bytes(), kept.as_bytes()]);
    mark.truncate(24);
    let _ = write!(task, "\n<<<DATA {mark} ({title})\n{kept}{note}\n>>>DATA {mark}\n");
}

/// A name on one line, without what could begin a new block or a code span.
fn flat(text: &str) -> String {
    let line = hidden::strip(text).split_whitespace().collect::<Vec<_>>().join(" ");
    cut(&line.replace("{{", "{ {"), 2_000).to_owned()
}

const fn task_text(stage: Stage) -> &'static str {
    match stage {
        Stage::Build => include_str!("../prompts/task-build.md"),
        Stage::FixQuality => include_str!("../prompts/task-fix-quality.md"),
        Stage::CodeReview => include_str!("../prompts/task-code-review.md"),
        Stage::SecurityReview => include_str!("../prompts/task-security-review.md"),
        Stage::Fix => include_str!("../prompts/task-fix.md"),
        Stage::Apply => include_str!("../prompts/task-apply.md"),
        // No agent runs in it.
        Stage::Quality => "",
    }
}

#[cfg(test)]
#[path = "prompt_tests.rs"]
mod tests;
