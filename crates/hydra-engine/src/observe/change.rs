//! The change folder and the target's own commands, read at one commit; its dependencies and their issues.

use super::Unseen;
use crate::watch::Shared;
use hydra_core::{
    ChangeName, CommitSha, RepoName,
    diagnostic::Diagnostic,
    openspec::{ChangeFolder, Manifest, change_named_by, dependencies, manifest},
    plan::ChangeRead,
    ports::{ForgeErrorKind, WorkspaceErrorKind},
    target::Target,
    view::IssueState,
};
use std::collections::{BTreeMap, BTreeSet};

/// Where change folders lie.
pub(crate) const CHANGES: &str = "openspec/changes";
/// Changes of a dependency graph that are read, at most.
const GRAPH: usize = 100;

/// Finds the open issue that builds a change, by what the loop knows of other issues.
pub(super) type OpenIssueOf<'f> = dyn Fn(&ChangeName) -> Option<hydra_core::IssueNumber> + Send + Sync + 'f;

/// Reads the change that `body` names.
pub(super) async fn read(
    shared: &Shared,
    repo: &RepoName,
    base: &CommitSha,
    body: &str,
    open_issue_of: &OpenIssueOf<'_>,
) -> Result<ChangeRead, Unseen> {
    let name = match change_named_by(body) {
        Ok(None) => return Ok(ChangeRead::Unnamed),
        Ok(Some(name)) => name,
        Err(fault) => return Ok(ChangeRead::Broken { name: None, faults: vec![fault.to_string()] }),
    };
    let broken = |faults: Vec<Diagnostic>| {
        Ok(ChangeRead::Broken { name: Some(name.clone()), faults: faults.iter().map(ToString::to_string).collect() })
    };
    let read = shared.ports.workspace.read(repo, base, &format!("{CHANGES}/{name}")).await;
    let files = match read {
        Ok(files) => files,
        Err(error) if error.kind == WorkspaceErrorKind::Refused => {
            return broken(vec![Diagnostic::file(".", error.message)]);
        }
        Err(error) => return Err(Unseen::new(format!("the change {name}"), error)),
    };
    let folder = match ChangeFolder::parse(&files) {
        Ok(folder) => folder,
        Err(faults) => return broken(faults),
    };
    let faults = folder.check_place(&name, repo);
    if !faults.is_empty() {
        return broken(faults);
    }
    let title = folder.title(&name);
    let needs = folder.manifest.as_ref().map(|manifest| manifest.depends_on.clone()).unwrap_or_default();
    if needs.is_empty() {
        return Ok(ChangeRead::Found { name, title, open_dependencies: Vec::new(), cycle: None });
    }
    let mut graph: BTreeMap<ChangeName, Vec<ChangeName>> = BTreeMap::from([(name.clone(), needs.clone())]);
    let mut manifests: BTreeMap<ChangeName, Option<Manifest>> = BTreeMap::new();
    let mut queue = needs.clone();
    while let Some(next) = queue.pop() {
        if graph.contains_key(&next) || graph.len() > GRAPH {
            continue;
        }
        let manifest = match present(shared, repo, base, &next).await? {
            Present::No => return broken(vec![missing(&name, &next)]),
            Present::Archived => None,
            Present::Here(manifest) => manifest,
        };
        let needs = manifest.as_ref().map(|manifest| manifest.depends_on.clone()).unwrap_or_default();
        queue.extend(needs.iter().cloned());
        graph.insert(next.clone(), needs);
        manifests.insert(next, manifest);
    }
    let cycle = match dependencies::order(&graph) {
        Err(dependencies::DependencyError::Cycle(path)) => {
            Some(path.iter().map(ChangeName::as_str).collect::<Vec<_>>().join(" -> "))
        }
        Ok(_) | Err(dependencies::DependencyError::Unknown { .. }) => None,
    };
    let mut open_dependencies = Vec::new();
    for dependency in needs.iter().collect::<BTreeSet<_>>() {
        let manifest = manifests.get(dependency).and_then(Option::as_ref);
        let archived = matches!(present(shared, repo, base, dependency).await?, Present::Archived);
        if !archived && let Some(open) = open(shared, repo, dependency, manifest, open_issue_of).await? {
            open_dependencies.push(open);
        }
    }
    Ok(ChangeRead::Found { name, title, open_dependencies, cycle })
}

enum Present {
    No,
    /// Moved to the archive: it was built.
    Archived,
    Here(Option<Manifest>),
}

async fn present(shared: &Shared, repo: &RepoName, base: &CommitSha, name: &ChangeName) -> Result<Present, Unseen> {
    let what = || format!("the change {name}");
    let file = format!("{CHANGES}/{name}/{}", manifest::FILE);
    let read = shared.ports.workspace.read(repo, base, &file).await.map_err(|error| Unseen::new(what(), error))?;
    if let Some(bytes) = read.values().next() {
        // A broken manifest of another change is that change's own trouble: it says nothing about its dependencies here.
        return Ok(Present::Here(Manifest::parse(bytes).ok()));
    }
    let folder = shared.ports.workspace.read(repo, base, &format!("{CHANGES}/{name}")).await;
    if !folder.map_err(|error| Unseen::new(what(), error))?.is_empty() {
        return Ok(Present::Here(None));
    }
    let archive = match shared.ports.workspace.read(repo, base, &format!("{CHANGES}/archive")).await {
        Ok(files) => files,
        // An archive that is too large to be read holds everything that was ever built.
        Err(error) if error.kind == WorkspaceErrorKind::Refused => return Ok(Present::Archived),
        Err(error) => return Err(Unseen::new("the archive of changes", error)),
    };
    let is_it = |path: &String| {
        let folder = path.split('/').next().unwrap_or_default();
        folder == name.as_str() || folder.strip_suffix(name.as_str()).is_some_and(|date| date.ends_with('-'))
    };
    Ok(if archive.keys().any(is_it) { Present::Archived } else { Present::No })
}

fn missing(change: &ChangeName, dependency: &ChangeName) -> Diagnostic {
    Diagnostic::file(manifest::FILE, format!("depends_on: {change} depends on {dependency}, which is not there"))
        .hint("correct the name, or add the change")
}

/// In words, when a dependency's issue is not closed; an unknown issue counts as open.
async fn open(
    shared: &Shared,
    repo: &RepoName,
    name: &ChangeName,
    manifest: Option<&Manifest>,
    open_issue_of: &OpenIssueOf<'_>,
) -> Result<Option<String>, Unseen> {
    let named = manifest.and_then(|manifest| manifest.issue.as_ref()).and_then(|issue| issue.key(repo));
    let known = open_issue_of(name).map(|number| hydra_core::IssueKey { repo: repo.clone(), number });
    let Some(key) = named.or(known) else {
        return Ok(Some(format!("the change `{name}` (no issue is known for it: add `issue` to its hydra.json)")));
    };
    match shared.ports.forge.issue(&key).await {
        Ok(issue) if issue.state == IssueState::Closed => Ok(None),
        Ok(_) => Ok(Some(format!("the change `{name}` (issue {key})"))),
        Err(error) if error.kind == ForgeErrorKind::Missing => {
            Ok(Some(format!("the change `{name}` (issue {key}, which is not there)")))
        }
        Err(error) => Err(Unseen::forge(format!("the issue {key}"), &error)),
    }
}

/// `.hydra.toml` at a commit; the outer error is a failed read, the inner one a fault of the file.
pub(crate) async fn read_target(
    shared: &Shared,
    repo: &RepoName,
    base: &CommitSha,
) -> Result<Result<Target, String>, Unseen> {
    let read = shared.ports.workspace.read(repo, base, ".hydra.toml").await;
    let files = read.map_err(|error| Unseen::new(".hydra.toml", error))?;
    let Some(bytes) = files.values().next() else { return Ok(Ok(Target::default())) };
    Ok(Target::parse(bytes).map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}
