//! Makes the checkout from the read-only bundle; what agents read as instructions is put back to the base's version.

use crate::git::{Git, fields};
use hydra_core::{contract_files::JobInput, instructions::is_instruction_file};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Left behind by tools and never meant to be delivered, unless it was tracked before.
pub(crate) const EXCLUDE: &str =
    "__pycache__/\n*.pyc\n.pytest_cache/\n.mypy_cache/\n.ruff_cache/\nnode_modules/\n.DS_Store\n";

/// A checkout, ready for an agent.
#[derive(Debug, Clone)]
pub(crate) struct Checkout {
    /// Where the files are.
    pub(crate) path: PathBuf,
    /// The wrapper's own folder beside it.
    pub(crate) own: PathBuf,
    /// Paths whose version in the work tree is the base's, not the head's.
    pub(crate) restored: Vec<String>,
}

/// Makes `<workspace>/repo` with the job's head on its branch.
pub(crate) fn prepare(workspace: &Path, bundle: &Path, job: &JobInput) -> Result<Checkout, String> {
    let path = workspace.join("repo");
    let own = workspace.join(".hydra");
    for folder in [&path, &own] {
        match fs::remove_dir_all(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{} cannot be emptied: {error}", folder.display())),
        }
    }
    make_folder(&path)?;
    make_folder(&own.join("home"))?;
    let git = Git::at(&path);
    git.run(["init", "--quiet", "--template="])?;
    fetch_bundle(&git, bundle, job)?;
    let exclude = path.join(".git/info");
    make_folder(&exclude)?;
    write(&exclude.join("exclude"), EXCLUDE.as_bytes())?;
    for (name, value) in [
        ("user.name", job.author_name.as_str()),
        ("user.email", job.author_email.as_str()),
        ("commit.gpgSign", "false"),
        ("gc.auto", "0"),
        ("advice.detachedHead", "false"),
    ] {
        git.run(["config", name, value])?;
    }
    // Reviewers compare with it by name.
    if job.branch.as_str() != "hydra-base" {
        git.run(["branch", "--quiet", "hydra-base", job.base.as_str()])?;
    }
    git.run(["checkout", "--quiet", "-b", job.branch.as_str(), job.head.as_str()])?;
    let restored = restore_instructions(&git, &path, job)?;
    Ok(Checkout { path, own, restored })
}

/// Fetches both refs of the bundle and checks that they are the commits that the job names.
pub(crate) fn fetch_bundle(git: &Git, bundle: &Path, job: &JobInput) -> Result<(), String> {
    let bundle = bundle.display().to_string();
    git.run([
        "fetch",
        "--quiet",
        "--no-tags",
        bundle.as_str(),
        "+refs/heads/hydra-base:refs/hydra/base",
        "+refs/heads/hydra-head:refs/hydra/head",
    ])?;
    for (name, expected) in [("refs/hydra/base", &job.base), ("refs/hydra/head", &job.head)] {
        let found = git.text(["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])?;
        if found != expected.as_str() {
            return Err(format!("the bundle's {name} is {found}, job.json names {expected}"));
        }
    }
    Ok(())
}

/// Puts instruction files back to the base's version. Git is told to take them for unchanged, so that the agent's own commits
/// leave them alone.
fn restore_instructions(git: &Git, root: &Path, job: &JobInput) -> Result<Vec<String>, String> {
    if job.base == job.head {
        return Ok(Vec::new());
    }
    let named = |path: &str| {
        job.instruction_files
            .iter()
            .map(|file| file.trim_matches('/'))
            .filter(|file| !file.is_empty())
            .any(|file| path.strip_prefix(file).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    let (base, head) = (job.base.as_str(), job.head.as_str());
    let differing = git.run(["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", base, head])?;
    let changed: Vec<String> =
        fields(&differing).into_iter().filter(|path| is_instruction_file(path) || named(path)).collect();
    for path in &changed {
        let in_head = exists(git, job.head.as_str(), path)?;
        if exists(git, job.base.as_str(), path)? {
            // Into the work tree alone: the index keeps the head's version.
            git.run(["restore", "--worktree", "--source", job.base.as_str(), "--", &format!(":(top,literal){path}")])?;
        } else {
            let file = root.join(path);
            fs::remove_file(&file).map_err(|error| format!("{} cannot be removed: {error}", file.display()))?;
        }
        if in_head {
            git.run(["update-index", "--skip-worktree", "--", path])?;
        }
    }
    Ok(changed)
}

/// Whether a commit holds a path.
pub(crate) fn exists(git: &Git, commit: &str, path: &str) -> Result<bool, String> {
    Ok(!git.run(["ls-tree", "-z", "--full-tree", commit, "--", path])?.is_empty())
}

pub(crate) fn make_folder(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| format!("{} cannot be made: {error}", path.display()))
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}
