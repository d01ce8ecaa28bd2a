//! Takes what a job delivered apart, in a quarantine: objects are checked strictly, nothing is checked out, and the mirror
//! learns of them only when they are sound and build on the head that the job was given.

use crate::{
    bundle_file::{self, short},
    diff,
    error::{disk, failed, refused},
    git::Git,
    mirror::Mirror,
    scratch::Scratch,
};
use hydra_core::{
    CommitSha,
    ports::{DeliveredCommit, Delivery, Diff, WorkspaceError, WorkspaceErrorKind},
};
use std::path::Path;

/// The one ref that a delivery brings.
const RESULT: &str = "refs/heads/hydra-result";
/// A bundle may be this large, in bytes.
const MAX_BUNDLE: usize = 100 * 1024 * 1024;
/// Commits beyond the given head, at most.
const MAX_COMMITS: usize = 200;

/// Takes a delivered bundle apart. What descends from `parent` is kept in the mirror under `refs/hydra/delivered/<id>`, so that it can be pushed.
pub(crate) async fn inspect(
    mirror: &Mirror<'_>,
    state: &Path,
    parent: &CommitSha,
    bundle: &[u8],
) -> Result<Delivery, WorkspaceError> {
    if bundle.len() > MAX_BUNDLE {
        return Err(refused(format!("the bundle has {} bytes; at most 100 MB are taken", bundle.len())));
    }
    let file = bundle_file::parse(bundle)?;
    let head = file.refs.get(RESULT).cloned().ok_or_else(|| refused(format!("the bundle does not hold {RESULT}")))?;
    if let Some(other) = file.refs.keys().find(|name| *name != RESULT) {
        return Err(refused(format!("the bundle holds another ref than {RESULT}: {:?}", short(other))));
    }
    mirror.need(parent).await?;
    for need in &file.needs {
        if !mirror.holds(need).await? || !is_ancestor(mirror.git, &mirror.path, need, parent).await? {
            return Err(refused(format!("the bundle builds on {need}, which is not in the history of {parent}")));
        }
    }
    let scratch = Scratch::new(mirror.git, state, &mirror.path).await?;
    let quarantine = scratch.path.as_path();
    let limit = format!("--max-input-size={MAX_BUNDLE}");
    let args = ["index-pack", "--stdin", "--fix-thin", "--strict", "--threads=1", &limit];
    mirror.git.at(quarantine, &args).input(file.pack).run().await.map_err(|e| unsound(&e))?;
    connected(mirror.git, quarantine, parent, &head).await?;
    let diff = diff::between(mirror.git, quarantine, parent, &head).await?;
    let mut commits = commits(mirror.git, quarantine, parent, &head).await?;
    let alone = commits.len() == 1;
    for commit in &mut commits {
        commit.diff = match commit.parents.first() {
            Some(first) if alone && first == parent => diff.clone(),
            Some(first) => diff::between(mirror.git, quarantine, first, &commit.sha).await?,
            // A history of its own: told below as one that does not descend, or brought in by a merge.
            None => diff::from_nothing(mirror.git, quarantine, &commit.sha).await?,
        };
    }
    let delivery = Delivery {
        commits,
        descends: is_ancestor(mirror.git, quarantine, parent, &head).await?,
        diff,
        refs: file.refs,
        bytes: u64::try_from(bundle.len()).unwrap_or(u64::MAX),
        head,
    };
    if delivery.descends {
        adopt(mirror, quarantine, &delivery.head).await?;
    }
    Ok(delivery)
}

/// Whatever makes git refuse the objects is the delivery's fault, except this machine's own trouble.
fn unsound(error: &WorkspaceError) -> WorkspaceError {
    match error.kind {
        WorkspaceErrorKind::Disk => error.clone(),
        _ => refused(format!("the bundle's objects are not sound: {}", error.message)),
    }
}

/// Every object that the head needs is there.
async fn connected(git: &Git, quarantine: &Path, parent: &CommitSha, head: &CommitSha) -> Result<(), WorkspaceError> {
    let kind = git.at(quarantine, &["cat-file", "-t", head.as_str()]).text().await.map_err(|e| unsound(&e))?;
    if kind != "commit" {
        return Err(refused(format!("the bundle's head is a {kind}, not a commit")));
    }
    let not_parent = format!("^{parent}");
    git.at(quarantine, &["rev-list", "--objects", "--quiet", head.as_str(), &not_parent])
        .run()
        .await
        .map_err(|e| unsound(&e))
        .map(drop)
}

/// Whether `old` is in the history of `new`.
async fn is_ancestor(git: &Git, repository: &Path, old: &CommitSha, new: &CommitSha) -> Result<bool, WorkspaceError> {
    let output = git.at(repository, &["merge-base", "--is-ancestor", old.as_str(), new.as_str()]).output().await?;
    match output.code {
        0 => Ok(true),
        1 => Ok(false),
        _ => Err(output.error("git merge-base")),
    }
}

/// The commits from `parent` (excluded) to `head`, oldest first.
async fn commits(
    git: &Git,
    quarantine: &Path,
    parent: &CommitSha,
    head: &CommitSha,
) -> Result<Vec<DeliveredCommit>, WorkspaceError> {
    let most = format!("--max-count={}", MAX_COMMITS + 1);
    let range = format!("{parent}..{head}");
    let args =
        ["log", "-z", "--topo-order", "--format=%H%x1f%P%x1f%an <%ae>%x1f%B", "--no-show-signature", "--no-mailmap"];
    let args = [&args[..], &[&most, &range, "--"]].concat();
    let bytes = git.at(quarantine, &args).limit(32 * 1024 * 1024).run().await.map_err(|e| unsound(&e))?;
    let mut found = Vec::new();
    for record in bytes.split(|b| *b == 0).filter(|r| !r.is_empty()) {
        let text = String::from_utf8_lossy(record);
        let mut parts = text.splitn(4, '\u{1f}');
        let mut next = || parts.next().ok_or_else(|| failed("git log wrote something that is no record"));
        let (sha, parents, author, message) = (next()?, next()?, next()?, next()?);
        let id = |text: &str| text.parse::<CommitSha>().map_err(|e| failed(format!("git log: {e}")));
        found.push(DeliveredCommit {
            sha: id(sha)?,
            parents: parents.split_ascii_whitespace().map(id).collect::<Result<_, _>>()?,
            author: author.to_owned(),
            message: message.trim_end().to_owned(),
            diff: Diff::default(),
        });
    }
    if found.len() > MAX_COMMITS {
        return Err(refused(format!("the bundle brings more than {MAX_COMMITS} commits")));
    }
    found.reverse();
    Ok(found)
}

/// Moves the checked packs into the mirror: the pack before its index, so that no reader sees half of one.
async fn adopt(mirror: &Mirror<'_>, quarantine: &Path, head: &CommitSha) -> Result<(), WorkspaceError> {
    let _writing = mirror.lock().await?;
    let (from, to) = (quarantine.join("objects/pack"), mirror.path.join("objects/pack"));
    tokio::fs::create_dir_all(&to).await.map_err(|e| disk(&to, &e))?;
    let mut names = Vec::new();
    let mut entries = tokio::fs::read_dir(&from).await.map_err(|e| disk(&from, &e))?;
    while let Some(entry) = entries.next_entry().await.map_err(|e| disk(&from, &e))? {
        names.push(entry.file_name());
    }
    let rank = |name: &std::ffi::OsString| std::path::Path::new(name).extension().is_some_and(|e| e == "idx");
    names.sort_by_key(|name| rank(name));
    for name in names {
        let target = to.join(&name);
        if !target.exists() {
            tokio::fs::rename(from.join(&name), &target).await.map_err(|e| disk(&target, &e))?;
        }
    }
    let reference = format!("refs/hydra/delivered/{head}");
    mirror.git.at(&mirror.path, &["update-ref", &reference, head.as_str()]).run().await.map(drop)
}
