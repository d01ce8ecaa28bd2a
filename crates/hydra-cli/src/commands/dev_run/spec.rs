//! The change of a stage by hand: a name at the base commit, or a folder of this machine, which the stage then sees in its place.

use super::place::Place;
use crate::{args::DevRunArgs, commands::change::files_below, context::Context, exit::Exit, failure::Failure};
use async_trait::async_trait;
use hydra_core::{
    BranchName, ChangeName, CommitSha, RepoName, TokenRole,
    openspec::ChangeFolder,
    ports::{Delivery, Diff, Pushed, Tips, Workspace, WorkspaceError},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where change folders lie in a repository.
const CHANGES: &str = "openspec/changes";

type Files = BTreeMap<String, Vec<u8>>;

/// A change.
pub(super) struct Change {
    pub(super) name: ChangeName,
    pub(super) title: String,
    pub(super) warnings: Vec<String>,
    /// The folder that it is taken from, where that is not the base commit's.
    pub(super) folder: Option<PathBuf>,
    /// Its files, where they are not those of the base commit.
    instead: Option<Files>,
}

impl Change {
    /// Finds what was named, and checks it.
    pub(super) async fn find(context: &Context, args: &DevRunArgs, place: &Place) -> Result<Self, Failure> {
        let given = context.cwd.join(&args.change);
        // A bare name means the repository's, even where a folder of that name happens to lie here.
        let is_path = args.change.contains('/') || args.change.starts_with('.');
        if is_path {
            if !given.is_dir() {
                return Err(Failure::new(Exit::Usage, format!("--change {}: there is no such folder", args.change)));
            }
            return Self::of_folder(&given, place, Vec::new());
        }
        let name: ChangeName =
            args.change.parse().map_err(|error: hydra_core::IdError| Failure::new(Exit::Usage, error.to_string()))?;
        let files = place.workspace().read(&place.view.name, &place.base, &format!("{CHANGES}/{name}")).await?;
        if !files.is_empty() {
            return Self::checked(name, &files, place, Vec::new(), None);
        }
        let beside: Option<PathBuf> = place.folder.as_ref().map(|root| root.join(CHANGES).join(name.as_str()));
        match beside.filter(|folder| folder.is_dir()) {
            Some(folder) => {
                let warning =
                    format!("{CHANGES}/{name} is not committed at {}: it is taken from the folder", place.base);
                Self::of_folder(&folder, place, vec![warning])
            }
            None => Err(Failure::new(
                Exit::Failed,
                format!("{CHANGES}/{name} is not in {} at {}", place.view.name, place.base),
            )
            .help("commit it there, or give its folder: --change ./path/to/it")),
        }
    }

    fn of_folder(folder: &Path, place: &Place, warnings: Vec<String>) -> Result<Self, Failure> {
        let whole = folder
            .canonicalize()
            .map_err(|error| Failure::local(format_args!("{} cannot be read", folder.display()), &error))?;
        let text = whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name: ChangeName =
            text.parse().map_err(|error: hydra_core::IdError| Failure::new(Exit::Usage, error.to_string()))?;
        let files = files_below(&whole)?;
        let change = Self::checked(name, &files.clone(), place, warnings, Some(files))?;
        Ok(Self { folder: Some(whole), ..change })
    }

    fn checked(
        name: ChangeName,
        files: &Files,
        place: &Place,
        warnings: Vec<String>,
        instead: Option<Files>,
    ) -> Result<Self, Failure> {
        let broken = |faults: Vec<hydra_core::diagnostic::Diagnostic>| {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Failure::new(Exit::Failed, format!("the change {name} cannot be used: {}", lines.join("; ")))
                .help("`hydra change check` shows the same, with its folder")
        };
        let folder = ChangeFolder::parse(files).map_err(broken)?;
        // A folder's repository has no name of its own that `repo` could be held against.
        let faults = if place.folder.is_some() { Vec::new() } else { folder.check_place(&name, &place.view.name) };
        if !faults.is_empty() {
            return Err(broken(faults));
        }
        Ok(Self { title: folder.title(&name), name, warnings, folder: None, instead })
    }

    /// The workspace as the stage sees it.
    pub(super) fn workspace(&self, inner: Arc<dyn Workspace>) -> Arc<dyn Workspace> {
        match &self.instead {
            None => inner,
            Some(files) => {
                Arc::new(WithChange { inner, path: format!("{CHANGES}/{}", self.name), files: files.clone() })
            }
        }
    }
}

/// A workspace in which one change folder is another one than that of the commit.
struct WithChange {
    inner: Arc<dyn Workspace>,
    path: String,
    files: Files,
}

#[async_trait]
impl Workspace for WithChange {
    async fn tips(&self, repo: &RepoName, base: &BranchName, head: &BranchName) -> Result<Tips, WorkspaceError> {
        self.inner.tips(repo, base, head).await
    }
    async fn read(&self, repo: &RepoName, at: &CommitSha, path: &str) -> Result<Files, WorkspaceError> {
        if path == self.path {
            return Ok(self.files.clone());
        }
        self.inner.read(repo, at, path).await
    }
    async fn bundle(&self, repo: &RepoName, base: &CommitSha, head: &CommitSha) -> Result<PathBuf, WorkspaceError> {
        self.inner.bundle(repo, base, head).await
    }
    async fn inspect(&self, repo: &RepoName, parent: &CommitSha, bundle: &[u8]) -> Result<Delivery, WorkspaceError> {
        self.inner.inspect(repo, parent, bundle).await
    }
    async fn push(
        &self,
        repo: &RepoName,
        branch: &BranchName,
        expected: Option<&CommitSha>,
        to: Option<&CommitSha>,
        role: TokenRole,
    ) -> Result<Pushed, WorkspaceError> {
        self.inner.push(repo, branch, expected, to, role).await
    }
    async fn diff(&self, repo: &RepoName, from: &CommitSha, to: &CommitSha) -> Result<(Diff, bool), WorkspaceError> {
        self.inner.diff(repo, from, to).await
    }
}
