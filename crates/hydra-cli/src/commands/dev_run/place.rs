//! Where a stage by hand works: a repository in a folder of this machine, or one at GitHub; its base and its head as commits.

use super::no_forge::NoForge;
use crate::{args::DevRunArgs, compose, config::Settings, context::Context, exit::Exit, failure::Failure};
use async_trait::async_trait;
use hydra_core::{
    BranchName, ChangeName, CommitSha, IssueKey, RepoName, TokenRole,
    digest::sha256_hex,
    ports::{Forge, ForgeWriter, Leases, PullQuery, Workspace, WorkspaceError},
    target::{FILE, Target},
    view::{IssueView, PullView, RepoView},
};
use hydra_github::GitHub;
use hydra_workspace::{GitWorkspace, Remotes};
use secrecy::SecretString;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

/// How a repository says what is run to check the work.
const COMMANDS: &str = "commit a .hydra.toml to the base with, say, a section [commands] and in it test = \"make test\"; docs/repository.md says what it may hold";

/// A place.
pub(super) struct Place {
    pub(super) view: RepoView,
    pub(super) base: CommitSha,
    pub(super) head: CommitSha,
    /// The folder, where it is one.
    pub(super) folder: Option<PathBuf>,
    github: Option<Arc<GitHub>>,
    workspace: Arc<GitWorkspace>,
}

impl Place {
    /// Finds the repository that was named, and the commits.
    pub(super) async fn find(context: &Context, settings: &Settings, args: &DevRunArgs) -> Result<Self, Failure> {
        let folder = context.cwd.join(&args.repo);
        if folder.is_dir() {
            return Self::here(settings, args, &folder);
        }
        let repo: RepoName = args.repo.parse().map_err(|_| {
            Failure::new(
                Exit::Usage,
                format!("--repo {}: there is no such folder, and it is not OWNER/NAME", args.repo),
            )
        })?;
        Self::there(settings, args, super::super::spelled(repo, settings)).await
    }

    fn here(settings: &Settings, args: &DevRunArgs, folder: &Path) -> Result<Self, Failure> {
        if args.publish || args.issue.is_some() {
            return Err(Failure::new(
                Exit::Usage,
                "--publish and --issue are for a repository at GitHub: --repo names a folder",
            )
            .help("name the repository as OWNER/NAME"));
        }
        let top = git(folder, &["rev-parse", "--show-toplevel"])?.map(PathBuf::from);
        let bare = git(folder, &["rev-parse", "--absolute-git-dir"])?.map(PathBuf::from);
        let root = top.filter(|top| !top.as_os_str().is_empty()).or(bare).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("{} is no git repository", folder.display()))
                .help("`git init` and commit something")
        })?;
        let base = commit(&root, args.base.as_deref().unwrap_or("HEAD"))?;
        let head = args.head.as_deref().map_or(Ok(base.clone()), |head| commit(&root, head))?;
        let branch = git(&root, &["symbolic-ref", "--short", "HEAD"])?.unwrap_or_else(|| "main".to_owned());
        let name = local_name(&root)?;
        let default_branch: BranchName =
            branch.parse().map_err(|error: hydra_core::IdError| Failure::new(Exit::Usage, error.to_string()))?;
        let clone_url = root.display().to_string();
        let workspace = GitWorkspace::new(&settings.state_dir, Arc::new(Here(clone_url.clone())));
        Ok(Self {
            view: RepoView { name, default_branch, private: true, archived: false, clone_url, labels: Vec::new() },
            base,
            head,
            folder: Some(root),
            github: None,
            workspace: Arc::new(workspace),
        })
    }

    async fn there(settings: &Settings, args: &DevRunArgs, repo: RepoName) -> Result<Self, Failure> {
        if let Some(other) = args.issue.as_ref().filter(|issue| issue.repo != repo) {
            return Err(Failure::new(Exit::Usage, format!("--issue {other} is of another repository than {repo}")));
        }
        let github = Arc::new(compose::github(settings)?);
        let workspace = Arc::new(compose::workspace(settings)?);
        let view = github.repository(&repo).await?;
        let base = match &args.base {
            Some(text) => at(&workspace, &repo, text).await?,
            None => tip(&workspace, &repo, &view.default_branch).await?,
        };
        let head = match &args.head {
            Some(text) => at(&workspace, &repo, text).await?,
            None => base.clone(),
        };
        Ok(Self { view, base, head, folder: None, github: Some(github), workspace })
    }

    pub(super) fn workspace(&self) -> Arc<dyn Workspace> {
        self.workspace.clone()
    }
    pub(super) fn forge(&self) -> Arc<dyn Forge> {
        self.github.clone().map_or_else(|| Arc::new(NoForge) as _, |github| github as _)
    }
    pub(super) fn writer(&self) -> Arc<dyn ForgeWriter> {
        self.github.clone().map_or_else(|| Arc::new(NoForge) as _, |github| github as _)
    }
    pub(super) fn leases(&self) -> Arc<dyn Leases> {
        self.github.clone().map_or_else(|| Arc::new(NoForge) as _, |github| github as _)
    }
    /// What is not committed, as a warning: no stage sees it. Files below `seen` (the state folder, a change that is taken as it lies) are no news.
    pub(super) fn uncommitted(&self, seen: &[&Path]) -> Result<Option<String>, Failure> {
        let Some(root) = &self.folder else { return Ok(None) };
        let mut args = vec!["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", "."];
        let whole = |path: &&Path| {
            path.canonicalize().ok()?.strip_prefix(root.canonicalize().ok()?).ok()?.to_str().map(str::to_owned)
        };
        let inside = seen.iter().filter_map(whole).filter(|path| !path.is_empty());
        let left_out: Vec<String> = inside.map(|path| format!(":(exclude,literal){path}")).collect();
        args.extend(left_out.iter().map(String::as_str));
        // A bare repository has nothing that is not committed, and says so by refusing.
        let files = git(root, &args)?.map_or(0, |files| files.split('\0').filter(|file| !file.is_empty()).count());
        Ok(match files {
            0 => None,
            1 => Some("1 uncommitted file is not seen: a stage works on what is committed".to_owned()),
            many => Some(format!("{many} uncommitted files are not seen: a stage works on what is committed")),
        })
    }
    /// That the head holds something that the base does not.
    pub(super) async fn something_to_judge(&self, args: &DevRunArgs) -> Result<(), Failure> {
        let (diff, _) = self.workspace.diff(&self.view.name, &self.base, &self.head).await?;
        if !diff.files.is_empty() {
            return Ok(());
        }
        let head = args.head.as_deref().unwrap_or_default();
        let base = args.base.as_deref().map_or_else(|| self.view.default_branch.to_string(), str::to_owned);
        Err(Failure::new(Exit::Usage, format!("--head {head}: nothing in it differs from the base {base}, there is nothing to judge"))
            .help("give with --head the commit or branch that holds the change, and with --base the commit that it began from"))
    }
    /// That the base names commands to check the work with.
    pub(super) async fn something_to_run(&self) -> Result<(), Failure> {
        let files = self.workspace.read(&self.view.name, &self.base, FILE).await?;
        let place = self.folder.as_ref().map_or_else(|| self.view.name.to_string(), |root| root.display().to_string());
        let at: String = self.base.as_str().chars().take(12).collect();
        let failed = |why: String| Failure::new(Exit::Failed, format!("{place} at {at}: {why}"));
        let target = match files.get(FILE) {
            None => {
                return Err(failed(format!("there is no {FILE}, so a quality run has nothing to run")).help(COMMANDS));
            }
            Some(bytes) => Target::parse(bytes).map_err(|faults| {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                failed(faults.join("; ")).help("docs/repository.md says what the file may hold")
            })?,
        };
        if target.checks_anything() {
            return Ok(());
        }
        Err(failed(format!("{FILE} names no command, so a quality run has nothing to run")).help(COMMANDS))
    }
    /// The issue, as it is now.
    pub(super) async fn issue(&self, key: &IssueKey) -> Result<IssueView, Failure> {
        Ok(self.forge().issue(key).await?)
    }
    /// Pull requests of the change's branch; none where there is no GitHub.
    pub(super) async fn pulls(&self, change: &ChangeName) -> Result<Vec<PullView>, Failure> {
        let Some(github) = &self.github else { return Ok(Vec::new()) };
        let branch: BranchName = format!("hydra/{change}")
            .parse()
            .map_err(|error: hydra_core::IdError| Failure::new(Exit::Usage, error.to_string()))?;
        Ok(github.pulls(&self.view.name, &PullQuery::Head(branch)).await?)
    }
}

/// The remote of a repository in a folder: the folder.
struct Here(String);

#[async_trait]
impl Remotes for Here {
    fn url(&self, _: &RepoName) -> String {
        self.0.clone()
    }
    async fn token(&self, _: &RepoName, _: TokenRole) -> Result<Option<SecretString>, WorkspaceError> {
        Ok(None)
    }
}

/// `local/<folder>-<digits>`: two folders of one name have mirrors of their own.
fn local_name(root: &Path) -> Result<RepoName, Failure> {
    let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).take(40).collect();
    let name = name.trim_matches('-');
    let digest = sha256_hex(root.to_string_lossy().as_bytes());
    let digits = digest.get(..8).unwrap_or_default();
    format!("local/{}-{digits}", if name.is_empty() { "repo" } else { name })
        .parse()
        .map_err(|error: hydra_core::IdError| Failure::new(Exit::Internal, error.to_string()))
}

/// A commit of a folder's repository; or one that an earlier stage by hand delivered, which only Hydra's mirror holds.
fn commit(root: &Path, text: &str) -> Result<CommitSha, Failure> {
    let wanted = format!("{text}^{{commit}}");
    if let Some(found) = git(root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted])? {
        return found.parse().map_err(|error: hydra_core::IdError| Failure::new(Exit::Internal, error.to_string()));
    }
    text.parse().map_err(|_| {
        Failure::new(Exit::Usage, format!("{} has no commit or branch {text:?}", root.display()))
            .help("`git log` and `git branch` list them; an empty repository has none yet")
    })
}

/// A commit or branch of a repository at GitHub.
async fn at(workspace: &GitWorkspace, repo: &RepoName, text: &str) -> Result<CommitSha, Failure> {
    if let Ok(commit) = text.parse() {
        return Ok(commit);
    }
    let branch: BranchName = text.parse().map_err(|error: hydra_core::IdError| {
        Failure::new(Exit::Usage, error.to_string()).help("give a branch, or a commit with all of its 40 digits")
    })?;
    tip(workspace, repo, &branch).await
}

async fn tip(workspace: &GitWorkspace, repo: &RepoName, branch: &BranchName) -> Result<CommitSha, Failure> {
    Ok(workspace.tips(repo, branch, branch).await?.base)
}

/// What git says, without its line end; `None` when it refuses.
fn git(folder: &Path, args: &[&str]) -> Result<Option<String>, Failure> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(args);
    // A hook's environment names another repository than the one that is meant.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"] {
        command.env_remove(variable);
    }
    let output = command
        .output()
        .map_err(|error| Failure::local("git cannot be started", &error).help("install git 2.38 or newer"))?;
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    Ok(output.status.success().then_some(text))
}
