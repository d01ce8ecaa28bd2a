//! `hydra change check`: what is wrong with each folder, with file and line; what is not wrong, and should be known; what lies between them.

use super::read::{self, Folder};
use crate::{
    context::Context,
    exit::Exit,
    failure::Failure,
    output::screen::{Screen, Tint},
};
use hydra_core::{
    ChangeName,
    diagnostic::{Diagnostic, nearest},
    openspec::{
        ChangeFolder, Manifest,
        dependencies::{DependencyError, cycles},
        manifest,
    },
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

type Graph = BTreeMap<ChangeName, Vec<ChangeName>>;

/// What was found in one folder.
#[derive(Serialize)]
struct Checked {
    change: String,
    folder: String,
    /// What it holds; absent where the folder could not be read as a change.
    #[serde(flatten)]
    counts: Counts,
    has_manifest: bool,
    problems: Vec<Diagnostic>,
    /// What is not wrong, and should be known.
    notes: Vec<Diagnostic>,
}

#[derive(Default, Serialize)]
struct Counts {
    requirements: Option<usize>,
    scenarios: Option<usize>,
    tasks: Option<usize>,
    tasks_done: Option<usize>,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    changes: Vec<Checked>,
    /// Cycles among the folders.
    problems: Vec<String>,
}

pub(super) fn run(context: &Context, dirs: &[PathBuf]) -> Result<Exit, Failure> {
    let mut folders = Vec::new();
    for dir in dirs {
        folders.extend(read::changes_below(&context.cwd.join(dir), dir)?);
    }
    let names: BTreeSet<&str> =
        folders.iter().filter_map(|(folder, _)| folder.file_name()).filter_map(|name| name.to_str()).collect();
    let mut graph = Graph::new();
    let mut changes = Vec::new();
    for (folder, shown) in &folders {
        let (checked, manifest) = one(folder, shown)?;
        changes.push(checked);
        let needs = manifest.map(|manifest| manifest.depends_on).unwrap_or_default();
        if let (Some(checked), Ok(name)) = (changes.last_mut(), name_of(folder).parse::<ChangeName>()) {
            checked.notes.extend(needs.iter().filter_map(|need| elsewhere(folder, need, &names)));
            graph.insert(name, needs);
        }
    }
    let problems: Vec<String> =
        cycles(&graph).into_iter().map(|cycle| DependencyError::Cycle(cycle).to_string()).collect();
    let ok = problems.is_empty() && changes.iter().all(|change| change.problems.is_empty());
    let report = Report { ok, changes, problems };
    if context.screen.json {
        context.screen.json("change-check", &report)?;
    } else {
        print(&context.screen, &report)?;
    }
    Ok(if ok { Exit::Ok } else { Exit::Failed })
}

fn name_of(folder: &Path) -> String {
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn one(folder: &Path, shown: &Path) -> Result<(Checked, Option<Manifest>), Failure> {
    let text = name_of(folder);
    let name = text.parse::<ChangeName>();
    let Folder { files, problems, notes } = read::folder(folder)?;
    let mut checked = Checked {
        change: text,
        folder: shown.display().to_string(),
        counts: Counts::default(),
        has_manifest: files.contains_key(manifest::FILE),
        problems,
        notes,
    };
    if let Err(error) = &name {
        checked.problems.push(Diagnostic::file(".", error.to_string()));
    }
    let manifest = match ChangeFolder::parse(&files) {
        Err(problems) => {
            // What is not followed is not missing.
            let told: Vec<String> = checked.problems.iter().map(|problem| problem.file.clone()).collect();
            checked.problems.extend(problems.into_iter().filter(|problem| !told.contains(&problem.file)));
            files.get(manifest::FILE).and_then(|bytes| Manifest::parse(bytes).ok())
        }
        Ok(change) => {
            let names = change.requirements();
            let tasks = change.tasks.all();
            checked.counts = Counts {
                requirements: Some(names.len()),
                scenarios: Some(names.iter().map(|name| name.scenarios.len()).sum()),
                tasks: Some(tasks.len()),
                tasks_done: Some(tasks.iter().filter(|task| task.done).count()),
            };
            checked.notes.extend(change.notes());
            change.manifest
        }
    };
    if let (Ok(name), Some(slug)) = (&name, manifest.as_ref().and_then(|manifest| manifest.spec_slug.as_ref()))
        && slug != name
    {
        let message = format!("spec_slug: it is {slug}, but the folder is named {name}");
        checked.problems.push(Diagnostic::file(manifest::FILE, message).hint("both must be the change's name"));
    }
    Ok((checked, manifest))
}

/// A dependency that is neither checked here nor lies beside the folder, nor in the archive there. It may lie in the target repository, so it is
/// no fault.
fn elsewhere(folder: &Path, need: &ChangeName, names: &BTreeSet<&str>) -> Option<Diagnostic> {
    let beside = folder.parent()?;
    let archived = || {
        let entries = std::fs::read_dir(beside.join("archive")).into_iter().flatten().flatten();
        let ending = format!("-{need}");
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).any(|name| name.ends_with(&ending))
    };
    if names.contains(need.as_str()) || beside.join(need.as_str()).is_dir() || archived() {
        return None;
    }
    let known: Vec<&str> = names.iter().copied().collect();
    let hint = match nearest(need.as_str(), &known) {
        Some(near) => format!("did you mean {near}?"),
        None => "an issue that names this change waits until there is one".to_owned(),
    };
    let message = format!("depends_on: {need} is neither among the folders checked nor beside this one");
    Some(Diagnostic::file(manifest::FILE, message).hint(hint))
}

fn print(screen: &Screen, report: &Report) -> Result<(), Failure> {
    for change in &report.changes {
        let bad = change.problems.len();
        let word = if bad == 0 { screen.tint(Tint::Good, "ok") } else { screen.tint(Tint::Bad, "fail") };
        let mut parts = Vec::new();
        if let Counts {
            requirements: Some(requirements),
            scenarios: Some(scenarios),
            tasks: Some(tasks),
            tasks_done: Some(done),
        } = change.counts
        {
            parts.push(count(requirements, "requirement"));
            parts.push(count(scenarios, "scenario"));
            parts.push(format!("{done} of {tasks} tasks done"));
        }
        if bad > 0 {
            parts.push(count(bad, "problem"));
        }
        if !change.has_manifest {
            parts.push("no hydra.json (optional)".to_owned());
        }
        screen.line(format!("{word}  {}: {}", change.folder, parts.join(", ")))?;
        for problem in &change.problems {
            screen.line(format!("  {}/{problem}", change.folder))?;
        }
        for note in &change.notes {
            screen.line(format!("  {} {}/{note}", screen.tint(Tint::Warn, "note:"), change.folder))?;
        }
    }
    for problem in &report.problems {
        screen.line(format!("{}  {problem}", screen.tint(Tint::Bad, "fail")))?;
    }
    Ok(())
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
