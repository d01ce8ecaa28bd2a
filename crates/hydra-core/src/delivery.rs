//! What may leave a job: every rule that a delivered bundle must keep before anything of it is pushed.
//! A change to a file that agents take instructions from is a finding of the reviews, not a refusal here.

use crate::{
    ChangeName,
    patch::{self, Side},
    ports::{DeliveredCommit, Delivery, Diff, FileChange},
    publish,
    redact::Redactor,
    target::matches,
};
use std::fmt;

/// The ref that a bundle must hold, and no other.
pub const RESULT_REF: &str = "refs/heads/hydra-result";

/// Paths that no agent may change, whatever the configuration says. Hydra's own files are among them.
pub const ALWAYS_PROTECTED: &[&str] = &[
    ".hydra.toml",
    ".github/workflows/",
    ".github/actions/",
    ".github/CODEOWNERS",
    "CODEOWNERS",
    "docs/CODEOWNERS",
    ".gitmodules",
    "**/.gitattributes",
    ".github/dependabot.yml",
];

/// The rules.
#[derive(Debug, Clone)]
pub struct DeliveryRules<'a> {
    /// The change that is built: its `hydra.json` is Hydra's own; its other files may change (ticked tasks).
    pub change: Option<&'a ChangeName>,
    /// Protected besides [`ALWAYS_PROTECTED`]: of the configuration and of `.hydra.toml`.
    pub protected: &'a [String],
    /// Where changes may lie; empty: anywhere.
    pub scope: &'a [String],
    /// The author that every commit must have, `Name <email>`; absent: any.
    pub author: Option<&'a str>,
    /// Changed files, at most.
    pub max_files: usize,
    /// Size of the bundle in bytes, at most.
    pub max_bytes: u64,
    /// Size of one file in bytes, at most.
    pub max_file_bytes: u64,
    /// Finds secrets in what is added.
    pub redactor: &'a Redactor,
}

impl<'a> DeliveryRules<'a> {
    /// The documented limits: 1,000 files, a bundle of 50 MB, 5 MB a file.
    #[must_use]
    pub const fn new(redactor: &'a Redactor) -> Self {
        Self {
            change: None,
            protected: &[],
            scope: &[],
            author: None,
            max_files: 1_000,
            max_bytes: 50 * 1024 * 1024,
            max_file_bytes: 5 * 1024 * 1024,
            redactor,
        }
    }
}

crate::stage::closed!(
    /// Which rule was broken.
    Rule, "delivery rule" {
    /// Not a fast-forward of what the job was given.
    History = "history",
    /// Other refs than the one that is expected.
    Refs = "refs",
    /// Too many files, a file or the whole too large, or more than can be looked through.
    Size = "size",
    /// A path outside the scope.
    Scope = "scope",
    /// A protected path.
    Protected = "protected",
    /// A path that git, an operating system or a check-out takes for something else.
    Path = "path",
    /// A link that leaves the repository.
    Link = "link",
    /// A submodule.
    Submodule = "submodule",
    /// A secret in what is added.
    Secret = "secret",
    /// A commit in somebody else's name.
    Author = "author",
    /// A message that GitHub acts on.
    Message = "message",
});

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which rule.
    pub rule: Rule,
    /// The file, where one is meant.
    pub file: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub next: String,
}
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.escape_debug())?;
        }
        write!(f, "{}; {}", self.message, self.next)
    }
}

/// Holds a delivery against the rules. Empty: it may be pushed.
#[must_use]
pub fn judge(delivery: &Delivery, rules: &DeliveryRules<'_>) -> Vec<Refusal> {
    let mut found = Vec::new();
    whole(delivery, rules, &mut found);
    diff(&delivery.diff, rules, &mut found);
    for commit in &delivery.commits {
        let mut of_commit = Vec::new();
        diff(&commit.diff, rules, &mut of_commit);
        message(commit, rules, &mut of_commit);
        // What stands in the whole is said once; what a later commit took back is said of its commit.
        for refusal in of_commit {
            if !found.iter().any(|known| known.rule == refusal.rule && known.file == refusal.file) {
                let message = format!("{} (in the commit {})", refusal.message, short(commit));
                found.push(Refusal { message, ..refusal });
            }
        }
    }
    found
}

fn short(commit: &DeliveredCommit) -> String {
    commit.sha.as_str().chars().take(12).collect()
}

fn diff(diff: &Diff, rules: &DeliveryRules<'_>, found: &mut Vec<Refusal>) {
    if diff.truncated {
        let next = "it cannot be searched for secrets as a whole: split the change";
        refuse(found, Rule::Size, None, "the diff is larger than 2 MB", next);
    }
    for file in &diff.files {
        one(file, rules, found);
    }
    secrets(diff, rules, found);
}

/// A message is public, and GitHub acts on some words.
fn message(commit: &DeliveredCommit, rules: &DeliveryRules<'_>, found: &mut Vec<Refusal>) {
    if let Some(kind) = rules.redactor.find(&commit.message) {
        refuse(found, Rule::Secret, None, format!("its message holds what looks like a secret ({kind})"), TAKEN);
    }
    if publish::commit_message(&commit.message) != commit.message.trim_end() {
        let why = "its message closes issues, calls people or skips checks, or is longer than 10,000 bytes";
        refuse(found, Rule::Message, None, why, "set `retry:queued` to run the stage again");
    }
}

fn refuse(found: &mut Vec<Refusal>, rule: Rule, file: Option<&str>, message: impl Into<String>, next: &str) {
    found.push(Refusal { rule, file: file.map(str::to_owned), message: message.into(), next: next.to_owned() });
}

fn whole(delivery: &Delivery, rules: &DeliveryRules<'_>, found: &mut Vec<Refusal>) {
    if !delivery.descends {
        let message = format!("{} does not descend from the commit that the job was given", delivery.head);
        refuse(
            found,
            Rule::History,
            None,
            message,
            "an agent may add commits, never rewrite them: set `rebuild:queued` to start over",
        );
    }
    let expected = delivery.refs.len() == 1 && delivery.refs.get(RESULT_REF) == Some(&delivery.head);
    if !expected {
        let names: Vec<&str> = delivery.refs.keys().map(String::as_str).take(5).collect();
        let message = format!(
            "the bundle holds {} instead of {RESULT_REF} alone",
            if names.is_empty() { "no ref".to_owned() } else { names.join(", ") }
        );
        refuse(found, Rule::Refs, None, message, "set `retry:queued` to run the stage again");
    }
    if delivery.bytes > rules.max_bytes {
        let message = format!("the bundle has {} bytes; at most {} are taken", delivery.bytes, rules.max_bytes);
        refuse(found, Rule::Size, None, message, "split the change, or raise `pipeline.max_delivery_mib`");
    }
    if delivery.diff.files.len() > rules.max_files {
        let message = format!("{} files are changed; at most {} may be", delivery.diff.files.len(), rules.max_files);
        refuse(found, Rule::Size, None, message, "split the change");
    }
    if let Some(author) = rules.author {
        for commit in delivery.commits.iter().filter(|commit| commit.author != author) {
            let short = short(commit);
            let message = format!("the commit {short} is written as {}, not as {author}", cut(&commit.author));
            refuse(found, Rule::Author, None, message, "set `retry:queued` to run the stage again");
        }
    }
}

fn one(file: &FileChange, rules: &DeliveryRules<'_>, found: &mut Vec<Refusal>) {
    for path in std::iter::once(file.path.as_str()).chain(file.from.as_deref()) {
        if let Some(why) = odd_path(path) {
            refuse(found, Rule::Path, Some(path), why, "the agent must not make such a path");
        }
        if let Some(pattern) = protected_by(path, rules) {
            let message = format!("it is protected by `{pattern}` and may not be changed by an agent");
            refuse(
                found,
                Rule::Protected,
                Some(path),
                message,
                "a person makes this change, or takes it out of the change folder's tasks",
            );
        }
        let own = rules.change.is_some_and(|change| matches(&format!("openspec/changes/{change}/"), path));
        if !rules.scope.is_empty() && !own && !rules.scope.iter().any(|scope| matches(scope, path)) {
            let message = format!("it lies outside the scope ({})", rules.scope.join(", "));
            refuse(
                found,
                Rule::Scope,
                Some(path),
                message,
                "widen `scope` in .hydra.toml, or take the file out of the change",
            );
        }
    }
    match file.mode.as_str() {
        "160000" => refuse(
            found,
            Rule::Submodule,
            Some(&file.path),
            "it is a submodule",
            "an agent may not add or move submodules",
        ),
        "120000" => {
            let target = file.link.as_deref();
            if target.is_none_or(|target| escapes(&file.path, target)) {
                let message = format!(
                    "it is a link to {}, outside the repository or into .git",
                    cut(target.unwrap_or("an unknown place"))
                );
                refuse(found, Rule::Link, Some(&file.path), message, "links must stay inside the repository");
            }
        }
        "100644" | "100755" | "000000" => {}
        other => {
            let message = format!("its mode is {}", cut(other));
            refuse(found, Rule::Path, Some(&file.path), message, "only plain files, programs and links are taken");
        }
    }
    if file.bytes > rules.max_file_bytes {
        let message = format!("it has {} bytes; at most {} are taken", file.bytes, rules.max_file_bytes);
        refuse(found, Rule::Size, Some(&file.path), message, "keep it out of the repository");
    }
}

fn protected_by(path: &str, rules: &DeliveryRules<'_>) -> Option<String> {
    let own = ALWAYS_PROTECTED.iter().copied().chain(rules.protected.iter().map(String::as_str));
    if let Some(pattern) = own.into_iter().find(|pattern| matches(pattern, path)) {
        return Some(pattern.to_owned());
    }
    // Hydra's own file in this change folder and in every other one.
    if matches("openspec/changes/**/hydra.json", path) {
        return Some("openspec/changes/**/hydra.json".to_owned());
    }
    // Another change's folder is somebody else's work.
    let change = rules.change?;
    let inside = format!("openspec/changes/{change}/");
    let foreign = matches("openspec/changes/", path) && !matches(&inside, path);
    foreign.then(|| "openspec/changes/".to_owned())
}

/// Why a path is not one that a check-out can be trusted with.
fn odd_path(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.starts_with('/') {
        return Some("it is not relative to the repository");
    }
    if path.len() > 1_000 {
        return Some("its path is longer than 1,000 bytes");
    }
    if path.chars().any(|c| c.is_control() || crate::hidden::is_hidden(c)) {
        return Some("its path holds control or hidden characters");
    }
    if path.contains('\\') {
        return Some("its path holds a backslash, which some systems take for a folder's end");
    }
    for part in path.split('/') {
        // What NTFS and HFS+ take for `.git`.
        let plain: String = part.chars().filter(|c| !crate::hidden::is_hidden(*c)).collect::<String>().to_lowercase();
        let plain = plain.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
        match plain {
            "" => return Some("its path holds an empty part, `.` or `..`"),
            ".git" | "git~1" => return Some("it lies in a .git folder, where git keeps programs that it runs"),
            _ => {}
        }
    }
    None
}

/// Whether a link at `path` leads out of the repository or into `.git`. Text alone decides; nothing is followed.
fn escapes(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains(['\\', '\0']) || target.get(1..2) == Some(":") {
        return true;
    }
    let mut at: Vec<&str> = path.split('/').collect();
    at.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if at.pop().is_none() {
                    return true;
                }
            }
            name => at.push(name),
        }
    }
    at.iter().any(|part| part.eq_ignore_ascii_case(".git"))
}

/// What to do about a secret that got so far.
const TAKEN: &str = "the value must be taken as known: replace it, then set `rebuild:queued`";

fn secrets(diff: &Diff, rules: &DeliveryRules<'_>, found: &mut Vec<Refusal>) {
    for file in patch::parse(&diff.patch) {
        let mut lines = rules.redactor.lines();
        // Every added line runs through in order, so that a key of several lines is seen.
        let hit = file.lines.iter().filter(|line| line.side == Side::Added).find_map(|line| {
            let kind = lines.find(line.text)?;
            Some((line.line, kind))
        });
        if let Some((line, kind)) = hit {
            let message = format!("line {line} adds what looks like a secret ({kind})");
            refuse(found, Rule::Secret, Some(&file.path), message, TAKEN);
        }
        if let Some(kind) = rules.redactor.find(&file.path) {
            refuse(found, Rule::Secret, None, format!("a file's name holds what looks like a secret ({kind})"), TAKEN);
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(120).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
