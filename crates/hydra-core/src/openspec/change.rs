//! A change folder as a whole.

use super::{Manifest, RequirementName, SpecDelta, Tasks, manifest};
use crate::{ChangeName, RepoName, diagnostic::Diagnostic};
use std::collections::BTreeMap;

/// Files of a folder, at most.
pub const MAX_FILES: usize = 200;
/// Size of one file, in bytes, at most.
pub const MAX_FILE: usize = 512 * 1024;
/// Size of all files together, in bytes, at most.
pub const MAX_TOTAL: usize = 2 * 1024 * 1024;

/// A change folder. Rendering it gives back every byte that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeFolder {
    /// `proposal.md`: why and what.
    pub proposal: String,
    /// `design.md`: how; optional.
    pub design: Option<String>,
    /// `tasks.md`.
    pub tasks: Tasks,
    /// `specs/**/spec.md`, by path.
    pub specs: Vec<SpecDelta>,
    /// `hydra.json`; optional.
    pub manifest: Option<Manifest>,
    /// `hydra.json` as it was read.
    manifest_raw: Option<Vec<u8>>,
    /// Everything else, untouched.
    others: BTreeMap<String, Vec<u8>>,
}

impl ChangeFolder {
    /// Reads a folder; `files` are its files by path relative to it.
    ///
    /// # Errors
    /// Every fault of every file at once.
    pub fn parse(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Vec<Diagnostic>> {
        let mut faults = Vec::new();
        if files.is_empty() {
            return Err(vec![
                Diagnostic::file(".", "the change folder is missing or empty")
                    .hint("it needs proposal.md, tasks.md and specs/<capability>/spec.md"),
            ]);
        }
        limits(files, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let proposal = required(files, "proposal.md", "say why the change is made and what changes", &mut faults);
        let tasks_text = required(files, "tasks.md", "list the tasks as `- [ ] 1.1 …`", &mut faults);
        let design = files.get("design.md").and_then(|bytes| utf8("design.md", bytes, &mut faults));
        let tasks = tasks_text.and_then(|text| keep(Tasks::parse("tasks.md", text), &mut faults));
        let mut specs = Vec::new();
        let mut others = BTreeMap::new();
        for (path, bytes) in files {
            match path.as_str() {
                "proposal.md" | "design.md" | "tasks.md" | manifest::FILE => {}
                path if is_spec(path) => {
                    if let Some(text) = utf8(path, bytes, &mut faults) {
                        specs.extend(keep(SpecDelta::parse(path, text), &mut faults));
                    }
                }
                path => {
                    others.insert(path.to_owned(), bytes.clone());
                }
            }
        }
        if !files.keys().any(|path| is_spec(path)) {
            faults.push(
                Diagnostic::file("specs", "there is no spec delta")
                    .hint("add specs/<capability>/spec.md with `## ADDED Requirements`"),
            );
        }
        let manifest_raw = files.get(manifest::FILE).cloned();
        let manifest = manifest_raw.as_ref().and_then(|bytes| keep(Manifest::parse(bytes), &mut faults));
        match (proposal, tasks) {
            (Some(proposal), Some(tasks)) if faults.is_empty() => Ok(Self {
                proposal: proposal.to_owned(),
                design: design.map(str::to_owned),
                tasks,
                specs,
                manifest,
                manifest_raw,
                others,
            }),
            _ => Err(faults),
        }
    }

    /// The folder's files.
    #[must_use]
    pub fn render(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.others.clone();
        files.insert("proposal.md".to_owned(), self.proposal.clone().into_bytes());
        files.insert("tasks.md".to_owned(), self.tasks.render().into_bytes());
        if let Some(design) = &self.design {
            files.insert("design.md".to_owned(), design.clone().into_bytes());
        }
        for spec in &self.specs {
            files.insert(spec.path.clone(), spec.render().into_bytes());
        }
        if let Some(manifest) = &self.manifest {
            // As it was read, unless it was changed since.
            let raw = self.manifest_raw.as_ref().filter(|raw| Manifest::parse(raw).as_ref() == Ok(manifest));
            let bytes = raw.cloned().unwrap_or_else(|| manifest.render().into_bytes());
            files.insert(manifest::FILE.to_owned(), bytes);
        }
        files
    }

    /// The requirements and scenarios that a reviewer must judge, in the order of the files.
    #[must_use]
    pub fn requirements(&self) -> Vec<RequirementName> {
        self.specs.iter().flat_map(SpecDelta::names).collect()
    }

    /// What is no fault, and a reader may stumble over: scenarios without WHEN or THEN, steps that look misspelt, one requirement added
    /// to several specs.
    #[must_use]
    pub fn notes(&self) -> Vec<Diagnostic> {
        super::notes::of(&self.specs)
    }

    /// A title for people: the manifest's, the proposal's first heading where it is more than a section's name, or the folder's name in words.
    #[must_use]
    pub fn title(&self, name: &ChangeName) -> String {
        if let Some(title) = self.manifest.as_ref().and_then(|m| m.title.clone()) {
            return title;
        }
        let heading = super::lines::lines(&self.proposal)
            .iter()
            .find_map(|line| line.heading(1))
            .map(|title| title.trim_start_matches("Proposal:").trim_start_matches("Change:").trim().to_owned());
        heading.filter(|title| !title.is_empty()).unwrap_or_else(|| in_words(name.as_str()))
    }

    /// Holds the manifest against where the folder lies and which repository it is for.
    #[must_use]
    pub fn check_place(&self, name: &ChangeName, repo: &RepoName) -> Vec<Diagnostic> {
        let Some(manifest) = &self.manifest else { return Vec::new() };
        let mut faults = Vec::new();
        if let Some(named) = manifest.repo.as_ref().filter(|named| !same_repo(named, repo)) {
            faults.push(
                Diagnostic::file(manifest::FILE, format!("repo: it names {named}, but the issue is in {repo}"))
                    .hint("open the issue in the repository that the change is for, or correct `repo`"),
            );
        }
        if let Some(slug) = manifest.spec_slug.as_ref().filter(|slug| *slug != name) {
            faults.push(
                Diagnostic::file(manifest::FILE, format!("spec_slug: it is {slug}, but the folder is named {name}"))
                    .hint("both must be the change's name"),
            );
        }
        if manifest.depends_on.contains(name) {
            faults.push(Diagnostic::file(
                manifest::FILE,
                format!("depends_on: the change waits for itself: {name} -> {name}"),
            ));
        }
        faults
    }
}

fn same_repo(a: &RepoName, b: &RepoName) -> bool {
    a.to_string().eq_ignore_ascii_case(&b.to_string())
}

/// `2026-01-07-add-nix-flake` becomes `Add nix flake`.
fn in_words(name: &str) -> String {
    let dated = name.len() > 11 && name.is_char_boundary(11) && {
        let (date, rest) = name.split_at(11);
        !rest.is_empty()
            && date
                .bytes()
                .enumerate()
                .all(|(i, b)| if matches!(i, 4 | 7 | 10) { b == b'-' } else { b.is_ascii_digit() })
    };
    let words = name[if dated { 11 } else { 0 }..].replace(['-', '_'], " ");
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn is_spec(path: &str) -> bool {
    path.starts_with("specs/") && path.ends_with("/spec.md")
}

fn limits(files: &BTreeMap<String, Vec<u8>>, faults: &mut Vec<Diagnostic>) {
    if files.len() > MAX_FILES {
        faults.push(Diagnostic::file(
            ".",
            format!("the folder holds more than {MAX_FILES} files, which is the most that is read"),
        ));
    }
    for (path, _) in files.iter().filter(|(_, bytes)| bytes.len() > MAX_FILE) {
        // Who reads a file may have stopped just above the limit, so its size is not told.
        let message = format!("it has more than {MAX_FILE} bytes, which is the most that is read");
        faults.push(Diagnostic::file(path, message).hint("split the change"));
    }
    let total: usize = files.values().map(Vec::len).sum();
    if total > MAX_TOTAL {
        faults.push(
            Diagnostic::file(
                ".",
                format!("its files have more than {MAX_TOTAL} bytes together, which is the most that is read"),
            )
            .hint("split the change"),
        );
    }
}

fn required<'a>(
    files: &'a BTreeMap<String, Vec<u8>>,
    path: &str,
    hint: &str,
    faults: &mut Vec<Diagnostic>,
) -> Option<&'a str> {
    let Some(bytes) = files.get(path) else {
        faults.push(Diagnostic::file(path, "it is missing").hint(hint));
        return None;
    };
    let text = utf8(path, bytes, faults)?;
    if text.trim().is_empty() {
        faults.push(Diagnostic::file(path, "it is empty").hint(hint));
        return None;
    }
    Some(text)
}

fn utf8<'a>(path: &str, bytes: &'a [u8], faults: &mut Vec<Diagnostic>) -> Option<&'a str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let line = memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count() + 1;
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            faults.push(Diagnostic::line(path, line, "it is not UTF-8").hint("save the file as UTF-8"));
            None
        }
    }
}

fn keep<T>(result: Result<T, Vec<Diagnostic>>, faults: &mut Vec<Diagnostic>) -> Option<T> {
    result.map_err(|found| faults.extend(found)).ok()
}

/// The change that an issue's body names: the one line `Change: <name>`, which may be a list item, bold or code.
/// `Ok(None)` when there is no such line.
///
/// # Errors
/// When the line's name is no change's name, or several lines name different ones.
pub fn change_named_by(body: &str) -> Result<Option<ChangeName>, Diagnostic> {
    let text = crate::hidden::strip(body);
    let mut found: Option<ChangeName> = None;
    for line in super::lines::lines(&text).iter().filter(|line| !line.code) {
        let plain = line.text.replace(['*', '`'], "");
        let plain = plain.trim().trim_start_matches(['-', '+']).trim_start();
        let Some(rest) = plain.get(..7).filter(|head| head.eq_ignore_ascii_case("change:")).map(|_| plain[7..].trim())
        else {
            continue;
        };
        let name = rest.trim_end_matches('/').rsplit('/').next().unwrap_or(rest);
        let at = |message: String| Diagnostic::line("issue", line.number, message);
        let name: ChangeName = name.parse().map_err(|error| {
            at(format!("`Change:` {error}")).hint("write `Change: <name>`, the name of a folder below openspec/changes")
        })?;
        if let Some(other) = found.as_ref().filter(|other| **other != name) {
            return Err(at(format!("it names the changes {other} and {name}")).hint("one issue builds one change"));
        }
        found = Some(name);
    }
    Ok(found)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
