//! Git in memory: commits are names, a bundle is a delivery written as JSON.

use crate::{
    forge::State,
    trouble::{Call, Trouble, Whom},
};
use async_trait::async_trait;
use hydra_core::{
    BranchName, CommitSha, RepoName, TokenRole,
    ports::{Delivery, Diff, FileChange, Pushed, Tips, Workspace, WorkspaceError, WorkspaceErrorKind},
};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

pub(crate) struct FakeGit {
    pub(crate) state: Arc<Mutex<State>>,
    /// Files of the base commit.
    pub(crate) files: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(crate) conflicts: Arc<Mutex<bool>>,
    pub(crate) trouble: Trouble,
}

pub(crate) fn diff() -> Diff {
    let patch = "diff --git a/src/cart.py b/src/cart.py\n--- a/src/cart.py\n+++ b/src/cart.py\n@@ -1,1 +1,2 @@\n total = 0\n+tax = 1\n";
    Diff {
        files: vec![FileChange {
            path: "src/cart.py".into(),
            from: None,
            status: 'M',
            mode: "100644".into(),
            link: None,
            bytes: 20,
            lines: Some((1, 0)),
            binary: false,
        }],
        patch: patch.into(),
        truncated: false,
    }
}

#[async_trait]
impl Workspace for FakeGit {
    async fn tips(&self, _: &RepoName, base: &BranchName, head: &BranchName) -> Result<Tips, WorkspaceError> {
        let look = async || {
            let state = self.state.lock().unwrap();
            Ok(Tips { base: state.branches[base].clone(), head: state.branches.get(head).cloned() })
        };
        self.trouble.call(Call::read(Whom::Git, "tips"), look).await
    }
    async fn read(&self, _: &RepoName, _: &CommitSha, path: &str) -> Result<BTreeMap<String, Vec<u8>>, WorkspaceError> {
        let look = async || {
            let files = self.files.lock().unwrap();
            if let Some(bytes) = files.get(path) {
                return Ok(BTreeMap::from([(path.rsplit('/').next().unwrap().to_owned(), bytes.clone())]));
            }
            let below =
                |name: &String| name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned);
            Ok(files.iter().filter_map(|(name, bytes)| Some((below(name)?, bytes.clone()))).collect())
        };
        self.trouble.call(Call::read(Whom::Git, "read"), look).await
    }
    async fn bundle(&self, _: &RepoName, _: &CommitSha, _: &CommitSha) -> Result<PathBuf, WorkspaceError> {
        Ok(PathBuf::from("/nowhere/repo.bundle"))
    }
    async fn inspect(&self, _: &RepoName, _: &CommitSha, bundle: &[u8]) -> Result<Delivery, WorkspaceError> {
        serde_json::from_slice(bundle)
            .map_err(|_| WorkspaceError { kind: WorkspaceErrorKind::Refused, message: "it is not a bundle".into() })
    }
    async fn push(
        &self,
        _: &RepoName,
        branch: &BranchName,
        expected: Option<&CommitSha>,
        to: Option<&CommitSha>,
        _: TokenRole,
    ) -> Result<Pushed, WorkspaceError> {
        let work = async || {
            let mut state = self.state.lock().unwrap();
            let stands = state.branches.get(branch).cloned();
            if stands.as_ref() == to {
                return Ok(Pushed::AlreadyThere);
            }
            if stands.as_ref() != expected {
                return Ok(Pushed::Moved(stands));
            }
            match to {
                Some(to) => _ = state.branches.insert(branch.clone(), to.clone()),
                None => _ = state.branches.remove(branch),
            }
            state.writes.push("git push".into());
            Ok(Pushed::Done)
        };
        self.trouble.call(Call::write(Whom::Git, "push"), work).await
    }
    async fn diff(&self, _: &RepoName, from: &CommitSha, to: &CommitSha) -> Result<(Diff, bool), WorkspaceError> {
        let look = async || {
            if from == to {
                return Ok((Diff::default(), false));
            }
            Ok((diff(), *self.conflicts.lock().unwrap()))
        };
        self.trouble.call(Call::read(Whom::Git, "diff"), look).await
    }
}
