//! What an agent is told: the persona's rules, the stage's task, and everything that others wrote fenced off as data.
//!
//! The texts are files of `prompts/`, compiled in. `{{OUT}}`, `{{WORKSPACE}}` and `{{SPEC}}` are left for the wrapper, which knows the paths;
//! in data they are taken apart, so that only our own texts and the installation's hold them.

use crate::{
    BranchName, ChangeName, CommitSha, Stage,
    contract_files::{CommandResult, QualityCommand},
    digest, hidden,
    loosened::LoosenedTest,
    openspec::{Operation, RequirementName},
    persona::Persona,
    pin::{Pinned, PinnedComment},
    publish::cut,
    verdict::Finding,
};
use std::fmt::Write;

/// One piece of data has at most so many bytes; the rest is cut, and said so.
pub const MAX_DATA: usize = 60_000;
/// All comments of an issue together have at most so many bytes; what is left out is left out of the oldest.
pub const MAX_COMMENTS: usize = 400_000;

/// What the wrapper fills in.
const PLACES: [&str; 3] = ["{{OUT}}", "{{WORKSPACE}}", "{{SPEC}}"];

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
    if !input.stage.writes_code() {
        return;
    }
    if !input.protected.is_empty() {
        task.push_str("\nThese paths are protected; a change to one of them is refused as a whole.\n");
        verbatim(task, "protected paths", &input.protected.join("\n"), usize::MAX);
    }
    if !input.commands.is_empty() {
        task.push_str(
            "\nThese are the repository's own checks; they are run on your work afterwards, in this order.\n",
        );
        let lines: Vec<String> = input.commands.iter().map(|c| format!("{}: {}", c.name, c.command)).collect();
        verbatim(task, "the repository's own checks", &lines.join("\n"), usize::MAX);
    }
}

fn requirements(names: &[RequirementName], task: &mut String) {
    if names.is_empty() {
        return;
    }
    let mut lines = String::new();
    for name in names {
        let note = match name.operation {
            Operation::Added | Operation::Modified => "",
            Operation::Removed => " (to be removed: met when it is gone)",
            Operation::Renamed => " (renamed)",
        };
        let _ = writeln!(lines, "- {}{note}", flat(&name.name));
        for scenario in &name.scenarios {
            let _ = writeln!(lines, "  - {}", flat(scenario));
        }
    }
    task.push_str("\nThese are the requirements and scenarios to judge, by exactly these names.\n");
    // Not cut: what is not listed is not judged. A change folder has its own limits.
    verbatim(task, "requirements and scenarios to judge", &lines, usize::MAX);
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
        let body = format!("{place}{}: {}{mend}", finding.rule, finding.message);
        data(task, &format!("finding, {}", finding.severity), &body);
    }
    for red in input.red {
        let body = format!("{}\n$ {}\nexit code {}\n{}", red.name, red.command, red.exit, red.tail);
        // In what a program prints a comment is text like any other, and one that does not end would take the rest with it.
        verbatim(task, "red check", &body, MAX_DATA);
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
    comments(&input.issue.comments, task);
    for line in input.answered {
        data(task, "asked earlier; the issue answers it by now", line);
    }
}

fn comments(comments: &[PinnedComment], task: &mut String) {
    let mut left = MAX_COMMENTS;
    // The newest first: answers are among them.
    let mut rooms: Vec<usize> = comments
        .iter()
        .rev()
        .map(|comment| {
            let room = left.min(MAX_DATA);
            left -= room.min(comment.body.len());
            room
        })
        .collect();
    rooms.reverse();
    for (comment, room) in comments.iter().zip(rooms) {
        let title = format!("comment on the issue by {}", comment.author);
        verbatim(task, &title, &hidden::strip(&comment.body), room);
    }
}

/// Fences off what people or agents wrote, without what people do not see of it.
fn data(task: &mut String, title: &str, content: &str) {
    verbatim(task, title, &hidden::strip(content), MAX_DATA);
}

/// Fences content off, HTML comments and all. The mark is made of the content's own hash: who writes the content cannot know it, as
/// writing it changes it. The title is ours: it stands outside.
fn verbatim(task: &mut String, title: &str, content: &str, limit: usize) {
    let clean = apart(&content.chars().filter(|c| !hidden::is_hidden(*c)).collect::<String>());
    let clean = clean.trim_end();
    let kept = cut(clean, limit);
    let note = if kept.len() < clean.len() { format!("\n(cut: {} bytes in all)", clean.len()) } else { String::new() };
    let mut mark = digest::sha256_parts(&[b"hydra-data-1", title.as_bytes(), kept.as_bytes()]);
    mark.truncate(24);
    let _ = write!(task, "\n<<<DATA {mark} ({title})\n{kept}{note}\n>>>DATA {mark}\n");
}

/// The text with the wrapper's places taken apart; other double braces are left as they are.
fn apart(text: &str) -> String {
    PLACES.iter().fold(text.to_owned(), |text, place| text.replace(place, &place.replacen('{', "{ ", 1)))
}

/// A name on one line.
fn flat(text: &str) -> String {
    let line = hidden::strip(text).split_whitespace().collect::<Vec<_>>().join(" ");
    cut(&line, 2_000).to_owned()
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
