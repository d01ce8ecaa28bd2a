//! A remote, a person's clone of it, and a workspace that knows nothing but the remote.

use hydra_core::{CommitSha, RepoName, ports::*};
use hydra_workspace::{GitWorkspace, RemoteTemplate};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) workspace: GitWorkspace,
}

pub(crate) fn repo() -> RepoName {
    "acme/shop".parse().unwrap()
}

/// Runs git as a person would, without this machine's configuration.
pub(crate) fn git(at: &Path, args: &[&str]) -> String {
    git_input(at, args, b"")
}

pub(crate) fn git_input(at: &Path, args: &[&str], input: &[u8]) -> String {
    use std::io::Write as _;
    let mut child = Command::new("git")
        .args(args)
        .current_dir(at)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([("GIT_AUTHOR_NAME", "Ann"), ("GIT_AUTHOR_EMAIL", "ann@example.org")])
        .envs([("GIT_COMMITTER_NAME", "Ann"), ("GIT_COMMITTER_EMAIL", "ann@example.org")])
        .envs([("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z"), ("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl World {
    /// A remote with one commit on `main`: `README.md`, `src/a.sh`, `src/b.sh`.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let template = format!("{}/remotes/{{repo}}.git", dir.path().display());
        let workspace = GitWorkspace::new(dir.path().join("state"), Arc::new(RemoteTemplate::open(template)));
        let world = Self { dir, workspace };
        std::fs::create_dir_all(world.remote()).unwrap();
        git(&world.remote(), &["init", "-q", "--bare", "-b", "main"]);
        git(world.dir.path(), &["clone", "-q", &world.remote().display().to_string(), "clone"]);
        world.write("README.md", "a shop\n");
        world.write("src/a.sh", "echo a\n");
        world.write("src/b.sh", "echo b\n");
        world.commit("first");
        git(&world.clone(), &["push", "-q", "origin", "HEAD:main"]);
        world
    }
    pub(crate) fn remote(&self) -> PathBuf {
        self.dir.path().join("remotes/acme/shop.git")
    }
    pub(crate) fn clone(&self) -> PathBuf {
        self.dir.path().join("clone")
    }
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.clone().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    pub(crate) fn commit(&self, message: &str) -> CommitSha {
        git(&self.clone(), &["add", "-A"]);
        git(&self.clone(), &["commit", "-q", "--allow-empty", "-m", message]);
        self.head()
    }
    pub(crate) fn head(&self) -> CommitSha {
        git(&self.clone(), &["rev-parse", "HEAD"]).parse().unwrap()
    }
    pub(crate) fn remote_tip(&self, branch: &str) -> Option<CommitSha> {
        let text = git(&self.remote(), &["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{branch}")]);
        text.parse().ok()
    }
    /// What a job would deliver: the clone's HEAD as `hydra-result`, without what `without` holds.
    pub(crate) fn delivery(&self, without: &CommitSha) -> Vec<u8> {
        git(&self.clone(), &["update-ref", "refs/heads/hydra-result", "HEAD"]);
        self.bundle(&["refs/heads/hydra-result", &format!("^{without}")])
    }
    pub(crate) fn bundle(&self, what: &[&str]) -> Vec<u8> {
        let path = self.dir.path().join("delivered.bundle");
        let name = path.display().to_string();
        git(&self.clone(), &[&["bundle", "create", "-q", &name], what].concat());
        std::fs::read(path).unwrap()
    }
    pub(crate) async fn tips(&self) -> Tips {
        self.workspace.tips(&repo(), &"main".parse().unwrap(), &"hydra/x".parse().unwrap()).await.unwrap()
    }
}
