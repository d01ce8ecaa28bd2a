//! `hydra change check DIR…` and `hydra change init DIR`.

use crate::{args::ChangeCommand, context::Context, exit::Exit, failure::Failure, output::screen::Tint};
use hydra_core::{
    ChangeName,
    diagnostic::Diagnostic,
    openspec::{ChangeFolder, Manifest, change, dependencies, manifest},
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

pub(super) fn run(context: &Context, command: &ChangeCommand) -> Result<Exit, Failure> {
    match command {
        ChangeCommand::Check { dirs } => check(context, dirs),
        ChangeCommand::Init { dir } => init(context, dir),
    }
}

/// What was found in one folder.
#[derive(Serialize)]
struct Checked {
    change: String,
    folder: String,
    requirements: usize,
    scenarios: usize,
    tasks: usize,
    tasks_done: usize,
    has_manifest: bool,
    problems: Vec<Diagnostic>,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    changes: Vec<Checked>,
    /// Cycles and unknown dependencies among the folders.
    problems: Vec<String>,
}

fn check(context: &Context, dirs: &[PathBuf]) -> Result<Exit, Failure> {
    let mut folders = Vec::new();
    for dir in dirs {
        folders.extend(changes_below(&context.cwd.join(dir), dir)?);
    }
    let mut changes = Vec::new();
    let mut graph: BTreeMap<ChangeName, Vec<ChangeName>> = BTreeMap::new();
    for (folder, shown) in folders {
        changes.push(check_one(&folder, &shown, &mut graph)?);
    }
    let problems = among(&graph);
    let ok = problems.is_empty() && changes.iter().all(|change| change.problems.is_empty());
    let report = Report { ok, changes, problems };
    if context.screen.json {
        context.screen.json("change-check", &report)?;
    } else {
        print(context, &report)?;
    }
    Ok(if ok { Exit::Ok } else { Exit::Failed })
}

fn check_one(
    folder: &Path,
    shown: &Path,
    graph: &mut BTreeMap<ChangeName, Vec<ChangeName>>,
) -> Result<Checked, Failure> {
    let text = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut checked = Checked {
        change: text.clone(),
        folder: shown.display().to_string(),
        requirements: 0,
        scenarios: 0,
        tasks: 0,
        tasks_done: 0,
        has_manifest: false,
        problems: Vec::new(),
    };
    let name = match text.parse::<ChangeName>() {
        Ok(name) => Some(name),
        Err(error) => {
            checked.problems.push(Diagnostic::file(".", error.to_string()));
            None
        }
    };
    match ChangeFolder::parse(&files_below(folder)?) {
        Err(problems) => checked.problems.extend(problems),
        Ok(change) => {
            let names = change.requirements();
            checked.scenarios = names.iter().map(|name| name.scenarios.len()).sum();
            checked.requirements = names.len();
            let tasks = change.tasks.all();
            checked.tasks = tasks.len();
            checked.tasks_done = tasks.iter().filter(|task| task.done).count();
            checked.has_manifest = change.manifest.is_some();
            if let Some(name) = name {
                if let Some(slug) =
                    change.manifest.as_ref().and_then(|m| m.spec_slug.as_ref()).filter(|slug| **slug != name)
                {
                    let message = format!("spec_slug: it is {slug}, but the folder is named {name}");
                    checked
                        .problems
                        .push(Diagnostic::file(manifest::FILE, message).hint("both must be the change's name"));
                }
                graph.insert(name, change.manifest.map(|manifest| manifest.depends_on).unwrap_or_default());
            }
        }
    }
    Ok(checked)
}

/// Cycles among the folders that were given. A dependency outside them may lie elsewhere and is no fault here.
fn among(graph: &BTreeMap<ChangeName, Vec<ChangeName>>) -> Vec<String> {
    let inside: BTreeMap<ChangeName, Vec<ChangeName>> = graph
        .iter()
        .map(|(name, needs)| (name.clone(), needs.iter().filter(|need| graph.contains_key(need)).cloned().collect()))
        .collect();
    dependencies::order(&inside).err().map(|error| error.to_string()).into_iter().collect()
}

fn print(context: &Context, report: &Report) -> Result<(), Failure> {
    let screen = &context.screen;
    for change in &report.changes {
        let word =
            if change.problems.is_empty() { screen.tint(Tint::Good, "ok") } else { screen.tint(Tint::Bad, "fail") };
        screen.line(format!(
            "{word}  {}: {}, {}, {} of {} tasks done{}",
            change.folder,
            count(change.requirements, "requirement"),
            count(change.scenarios, "scenario"),
            change.tasks_done,
            change.tasks,
            if change.has_manifest { "" } else { ", no hydra.json (optional)" },
        ))?;
        for problem in &change.problems {
            screen.line(format!("  {}/{problem}", change.folder))?;
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

/// The folder itself where it is a change, else the changes right below it.
fn changes_below(folder: &Path, shown: &Path) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let unreadable = |error: &std::io::Error| Failure::local(format_args!("{} cannot be read", shown.display()), error);
    let meta = std::fs::metadata(folder).map_err(|error| unreadable(&error))?;
    if !meta.is_dir() {
        return Err(Failure::new(Exit::Usage, format!("{} is not a folder", shown.display())));
    }
    let is_change =
        |path: &Path| ["proposal.md", "tasks.md", "specs", manifest::FILE].iter().any(|name| path.join(name).exists());
    if is_change(folder) {
        return Ok(vec![(folder.to_owned(), shown.to_owned())]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(&error))? {
        let entry = entry.map_err(|error| unreadable(&error))?;
        if entry.path().is_dir() && is_change(&entry.path()) {
            found.push((entry.path(), shown.join(entry.file_name())));
        }
    }
    found.sort();
    // An empty folder is checked as the change that it was meant to be.
    if found.is_empty() {
        found.push((folder.to_owned(), shown.to_owned()));
    }
    Ok(found)
}

/// The folder's files by relative path. Links are not followed; what exceeds core's limits is cut just above them, so that core says so.
pub(crate) fn files_below(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut files = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(at) = todo.pop() {
        let unreadable =
            |error: &std::io::Error| Failure::local(format_args!("{} cannot be read", at.display()), error);
        for entry in std::fs::read_dir(&at).map_err(|error| unreadable(&error))? {
            let entry = entry.map_err(|error| unreadable(&error))?;
            let kind = entry.file_type().map_err(|error| unreadable(&error))?;
            let path = entry.path();
            if kind.is_dir() {
                todo.push(path);
                continue;
            }
            if !kind.is_file() || files.len() > change::MAX_FILES {
                continue;
            }
            let Ok(relative) = path.strip_prefix(folder) else { continue };
            let bytes = read_limited(&path, change::MAX_FILE + 1)
                .map_err(|error| Failure::local(format_args!("{} cannot be read", path.display()), &error))?;
            files.insert(relative.to_string_lossy().into_owned(), bytes);
        }
    }
    Ok(files)
}

fn read_limited(path: &Path, limit: usize) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn init(context: &Context, dir: &Path) -> Result<Exit, Failure> {
    let folder = context.cwd.join(dir);
    let text = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name: ChangeName =
        text.parse().map_err(|error: hydra_core::IdError| Failure::new(Exit::Usage, error.to_string()))?;
    let change = ChangeFolder::parse(&files_below(&folder)?).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Failed, format!("{} is not a change folder yet: {}", dir.display(), lines.join("; ")))
            .help("`hydra change check` lists what is wrong")
    })?;
    let manifest = Manifest { title: Some(change.title(&name)), spec_slug: Some(name), ..Manifest::default() };
    let path = folder.join(manifest::FILE);
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::new(
                Exit::Failed,
                format!("{} is there already, and was left as it is", path.display()),
            )
            .help("edit it, or remove it first"));
        }
        Err(error) => return Err(Failure::local(format_args!("{} cannot be written", path.display()), &error)),
    };
    file.write_all(manifest.render().as_bytes())
        .map_err(|error| Failure::local(format_args!("{} cannot be written", path.display()), &error))?;
    if context.screen.json {
        context.screen.json("change-init", &manifest)?;
    } else {
        context
            .screen
            .line(format!("wrote {}; add `repo`, `issue` and `depends_on` where they apply", path.display()))?;
    }
    Ok(Exit::Ok)
}
