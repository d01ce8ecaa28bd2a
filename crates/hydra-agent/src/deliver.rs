//! Makes the bundle that a job delivers: the agent's commits and what it left uncommitted, in the persona's name.
//!
//! All of it happens in a repository that the agent never had in its hands; of the agent's own, only objects and the tip are read.
//! So neither its configuration nor its hooks nor its index has any say.

use crate::{
    git::{Git, fields},
    workspace::{Checkout, fetch_bundle, make_folder, write},
};
use hydra_core::{CommitSha, contract_files::JobInput, publish::commit_message};
use std::{fs, path::Path};

/// More commits than this are delivered as one.
const MAX_COMMITS: usize = 100;

/// What was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Delivered {
    /// The new head, when there is one.
    pub(crate) head: Option<CommitSha>,
    /// What a person should know.
    pub(crate) notes: Vec<String>,
}

/// Commits, and writes `<out>/changes.bundle` when there is anything beyond the head.
pub(crate) fn deliver(
    checkout: &Checkout,
    bundle: &Path,
    job: &JobInput,
    summary: &str,
    out: &Path,
) -> Result<Delivered, String> {
    let mut notes = Vec::new();
    let dir = checkout.own.join("deliver.git");
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(|error| format!("{} cannot be emptied: {error}", dir.display()))?;
    }
    make_folder(&dir)?;
    let git = Git::at(&dir)
        .with("GIT_AUTHOR_NAME", &job.author_name)
        .with("GIT_AUTHOR_EMAIL", &job.author_email)
        .with("GIT_COMMITTER_NAME", &job.author_name)
        .with("GIT_COMMITTER_EMAIL", &job.author_email);
    git.run(["init", "--quiet", "--bare", "--template="])?;
    fetch_bundle(&git, bundle, job)?;
    let head = job.head.to_string();
    let mut tip = head.clone();
    match agent_commits(&git, checkout, &head) {
        Ok(commits) => {
            for commit in commits {
                tip = rewrite(&git, &commit, &tip)?;
            }
        }
        Err(why) => notes.push(format!("the agent's own commits are delivered as one: {why}")),
    }
    let tree = work_tree(&git, checkout, job, &tip, &mut notes)?;
    if tree != git.text(["rev-parse", &format!("{tip}^{{tree}}")])? {
        let message = message(job, summary);
        tip = git.text(["commit-tree", &tree, "-p", &tip, "-m", &message])?;
    }
    let same =
        git.text(["rev-parse", &format!("{tip}^{{tree}}")])? == git.text(["rev-parse", &format!("{head}^{{tree}}")])?;
    if tip == head || same {
        return Ok(Delivered { head: None, notes });
    }
    git.run(["update-ref", "refs/heads/hydra-result", &tip])?;
    let target = out.join("changes.bundle");
    let partial = out.join("changes.bundle.tmp");
    let (path, range) = (partial.display().to_string(), format!("^{head}"));
    git.run(["bundle", "create", "--quiet", &path, "refs/heads/hydra-result", &range])?;
    fs::rename(&partial, &target).map_err(|error| format!("{} cannot be written: {error}", target.display()))?;
    let head = tip.parse().map_err(|error| format!("git named no commit: {error}"))?;
    Ok(Delivered { head: Some(head), notes })
}

/// The agent's commits, oldest first, when they are a straight line from the head.
fn agent_commits(git: &Git, checkout: &Checkout, head: &str) -> Result<Vec<String>, String> {
    let from = checkout.path.display().to_string();
    git.run(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", &from, "+HEAD:refs/hydra/agent"])?;
    let listed =
        git.text(["rev-list", "--reverse", "--topo-order", "--parents", &format!("{head}..refs/hydra/agent")])?;
    let mut parent = head.to_owned();
    let mut commits = Vec::new();
    for line in listed.lines() {
        let mut ids = line.split(' ');
        let (commit, first, more) = (ids.next().unwrap_or_default(), ids.next(), ids.next());
        if first != Some(parent.as_str()) || more.is_some() {
            return Err("they do not follow in a straight line from the commit that the job was given".into());
        }
        parent = commit.to_owned();
        commits.push(commit.to_owned());
    }
    if commits.len() > MAX_COMMITS {
        return Err(format!("there are {} of them", commits.len()));
    }
    let at = git.text(["rev-parse", "refs/hydra/agent^{commit}"])?;
    if at != parent {
        return Err("its branch does not descend from the commit that the job was given".into());
    }
    Ok(commits)
}

/// The same tree on another parent, in the persona's name and with a harmless message.
fn rewrite(git: &Git, commit: &str, parent: &str) -> Result<String, String> {
    let tree = git.text(["rev-parse", &format!("{commit}^{{tree}}")])?;
    let said = commit_message(&git.text(["log", "-1", "--no-show-signature", "--format=%B", commit])?);
    git.text(["commit-tree", &tree, "-p", parent, "-m", &said])
}

/// The work tree as a tree object, on top of `tip`.
fn work_tree(
    git: &Git,
    checkout: &Checkout,
    job: &JobInput,
    tip: &str,
    notes: &mut Vec<String>,
) -> Result<String, String> {
    let git = git
        .clone()
        .with("GIT_DIR", checkout.own.join("deliver.git").display().to_string())
        .with("GIT_WORK_TREE", checkout.path.display().to_string())
        .with("GIT_INDEX_FILE", checkout.own.join("deliver.index").display().to_string());
    let info = checkout.own.join("deliver.git/info");
    make_folder(&info)?;
    write(&info.join("exclude"), crate::workspace::EXCLUDE.as_bytes())?;
    git.run(["read-tree", tip])?;
    let here = git.in_work_tree(&checkout.path);
    let mut add: Vec<String> = ["add", "--all", "--", "."].map(str::to_owned).to_vec();
    let nested = nested_repositories(&checkout.path);
    for path in &nested {
        notes.push(format!("{path} is a repository of its own and was left out"));
        add.push(format!(":(exclude,top,literal){path}"));
    }
    here.run(&add)?;
    // An instruction file that still is the base's was put there by the wrapper: the head's version is delivered.
    for path in &checkout.restored {
        let now = fields(&here.run(["ls-files", "-z", "--stage", "--", &format!(":(top,literal){path}")])?);
        let now = now.first().and_then(|line| line.split('\t').next().map(str::to_owned));
        let base = entry(&here, job.base.as_str(), path)?;
        let unchanged = match (&now, &base) {
            (None, None) => true,
            (Some(now), Some((mode, id))) => now.starts_with(&format!("{mode} {id}")),
            (Some(_), None) | (None, Some(_)) => false,
        };
        if unchanged {
            match entry(&here, job.head.as_str(), path)? {
                Some((mode, id)) => {
                    here.run(["update-index", "--add", "--cacheinfo", &format!("{mode},{id},{path}")])?
                }
                None => here.run(["update-index", "--force-remove", "--", path])?,
            };
        }
    }
    here.text(["write-tree"])
}

/// Mode and object of a path in a commit.
fn entry(git: &Git, commit: &str, path: &str) -> Result<Option<(String, String)>, String> {
    let listed = git.run(["ls-tree", "-z", "--full-tree", commit, "--", path])?;
    Ok(fields(&listed).first().and_then(|line| {
        let mut words = line.split(['\t', ' ']);
        let (mode, _, id) = (words.next()?, words.next()?, words.next()?);
        Some((mode.to_owned(), id.to_owned()))
    }))
}

/// Folders below the root that hold a `.git` of their own: git would deliver them as a submodule that nobody has.
fn nested_repositories(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_folder || entry.file_name() == ".git" || entry.file_name() == "node_modules" {
                continue;
            }
            if fs::symlink_metadata(path.join(".git")).is_ok() {
                found.extend(path.strip_prefix(root).ok().map(|inside| inside.display().to_string()));
            } else {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The message for what the agent left uncommitted: the first line of its closing text.
fn message(job: &JobInput, summary: &str) -> String {
    let summary = commit_message(summary);
    let first = summary.lines().map(|line| line.trim_matches(['#', '*', ' '])).find(|line| !line.is_empty());
    let first = first.map(|line| crate::events::cut(line, 72)).unwrap_or_else(|| "work of the agent".to_owned());
    commit_message(&format!("{first}\n\nStage: {}\nJob: {}", job.stage, job.job))
}
