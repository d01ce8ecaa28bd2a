//! What lies between two commits, as facts (paths, modes, links, sizes, lines) and as a patch.

use crate::{
    error::{failed, refused},
    git::Git,
    mirror::Mirror,
    objects,
    scratch::Scratch,
};
use hydra_core::{
    CommitSha,
    ports::{Diff, FileChange, WorkspaceError},
};
use std::{collections::BTreeMap, path::Path};

/// The patch is cut here, in bytes.
const MAX_PATCH: u64 = 2 * 1024 * 1024;
/// More changed files than this are refused: nobody could review them.
const MAX_FILES: usize = 5_000;
/// A link's target longer than this is cut, in bytes.
const MAX_LINK: usize = 4_096;

/// From the merge base of the two to `to`, and whether merging `to` into `from` conflicts.
pub(crate) async fn since_fork(
    mirror: &Mirror<'_>,
    state: &Path,
    from: &CommitSha,
    to: &CommitSha,
) -> Result<(Diff, bool), WorkspaceError> {
    mirror.need(from).await?;
    mirror.need(to).await?;
    // The trial merge writes objects: into a repository of its own, not into the mirror.
    let scratch = Scratch::new(mirror.git, state, &mirror.path).await?;
    let found = mirror.git.at(&scratch.path, &["merge-base", from.as_str(), to.as_str()]).output().await?;
    let fork: CommitSha = match found.code {
        0 => {
            String::from_utf8_lossy(&found.stdout).trim().parse().map_err(|e| failed(format!("git merge-base: {e}")))?
        }
        1 => return Err(refused(format!("{from} and {to} of {} have no common history", mirror.repo))),
        _ => return Err(found.error("git merge-base")),
    };
    let trial = mirror
        .git
        .at(&scratch.path, &["merge-tree", "--write-tree", "--no-messages", "--name-only", from.as_str(), to.as_str()])
        .output()
        .await?;
    let conflicts = match trial.code {
        0 => false,
        1 => true,
        _ => return Err(trial.error("git merge-tree")),
    };
    Ok((between(mirror.git, &scratch.path, &fork, to).await?, conflicts))
}

/// What lies between two commits that `repository` holds.
pub(crate) async fn between(
    git: &Git,
    repository: &Path,
    from: &CommitSha,
    to: &CommitSha,
) -> Result<Diff, WorkspaceError> {
    trees(git, repository, from.as_str(), to.as_str()).await
}

/// Everything that a commit holds, as added.
pub(crate) async fn from_nothing(git: &Git, repository: &Path, to: &CommitSha) -> Result<Diff, WorkspaceError> {
    let nothing = git.at(repository, &["hash-object", "-t", "tree", "-w", "/dev/null"]).text().await?;
    trees(git, repository, &nothing, to.as_str()).await
}

async fn trees(git: &Git, repository: &Path, from: &str, to: &str) -> Result<Diff, WorkspaceError> {
    let tree = ["diff-tree", "-r", "-M", "--full-index", "--no-ext-diff", "--no-textconv", "--no-color"];
    let facts = [&tree[..], &["--raw", "--numstat", "-z", from, to]].concat();
    let (mut files, ids) = parse(&git.at(repository, &facts).run().await?)?;
    let blobs: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !is_null(id)).collect();
    let mut sizes = objects::sizes(git, repository, &blobs).await?.into_iter();
    for (file, id) in files.iter_mut().zip(&ids) {
        if !is_null(id) {
            file.bytes = sizes.next().flatten().unwrap_or_default();
        }
    }
    let links: Vec<&str> =
        files.iter().zip(&ids).filter(|(f, _)| f.mode == "120000").map(|(_, id)| id.as_str()).collect();
    if files.iter().any(|f| f.mode == "120000" && f.bytes > 1024 * 1024) {
        return Err(refused("a link's target is longer than a megabyte"));
    }
    let mut targets = objects::contents(git, repository, &links).await?.into_iter();
    for file in files.iter_mut().filter(|f| f.mode == "120000") {
        let target = targets.next().unwrap_or_default();
        file.link = Some(String::from_utf8_lossy(&target[..target.len().min(MAX_LINK)]).into_owned());
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let patch = [&tree[..], &["-p", "--src-prefix=a/", "--dst-prefix=b/", from, to]].concat();
    let patch = git.at(repository, &patch).limit(MAX_PATCH).output().await?;
    if patch.code != 0 && !patch.cut {
        return Err(patch.error("git diff-tree"));
    }
    Ok(Diff { files, patch: text_of(patch.stdout), truncated: patch.cut })
}

fn is_null(id: &str) -> bool {
    id.bytes().all(|b| b == b'0')
}

/// Text, with a character that the cut went through left out.
fn text_of(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) if e.utf8_error().error_len().is_none() => {
            let end = e.utf8_error().valid_up_to();
            String::from_utf8_lossy(&e.as_bytes()[..end]).into_owned()
        }
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    }
}

/// Takes `--raw --numstat -z` apart: first all raw records, then all counts, both in git's order.
fn parse(bytes: &[u8]) -> Result<(Vec<FileChange>, Vec<String>), WorkspaceError> {
    let broken = || failed("git diff-tree wrote something that is no record");
    let mut fields = bytes.split(|b| *b == 0).peekable();
    let mut files: Vec<FileChange> = Vec::new();
    let mut ids = Vec::new();
    while let Some(record) = fields.next_if(|f| f.first() == Some(&b':')) {
        let text = std::str::from_utf8(record).map_err(|_| broken())?;
        let parts: Vec<&str> = text.trim_start_matches(':').split(' ').collect();
        let [_, mode, _, id, status] = parts[..] else { return Err(broken()) };
        let status = status.chars().next().ok_or_else(broken)?;
        let first = path_of(fields.next().ok_or_else(broken)?)?;
        let (path, from) = if matches!(status, 'R' | 'C') {
            (path_of(fields.next().ok_or_else(broken)?)?, Some(first))
        } else {
            (first, None)
        };
        let mode = mode.to_owned();
        files.push(FileChange { path, from, status, mode, link: None, bytes: 0, lines: None, binary: false });
        ids.push(id.to_owned());
        if files.len() > MAX_FILES {
            return Err(refused(format!("more than {MAX_FILES} files are changed")));
        }
    }
    let mut counts: BTreeMap<String, Option<(u32, u32)>> = BTreeMap::new();
    while let Some(record) = fields.next() {
        if record.is_empty() {
            continue;
        }
        let mut parts = record.splitn(3, |b| *b == b'\t');
        let mut next = || parts.next().ok_or_else(broken);
        let (added, removed, name) = (next()?, next()?, next()?);
        let name = if name.is_empty() {
            // A rename: the old and the new path follow.
            fields.next().ok_or_else(broken)?;
            path_of(fields.next().ok_or_else(broken)?)?
        } else {
            path_of(name)?
        };
        counts.insert(name, number(added).zip(number(removed)));
    }
    for file in &mut files {
        let lines = counts.get(&file.path).copied().flatten();
        file.binary = lines.is_none() && file.mode != "160000";
        file.lines = lines;
    }
    Ok((files, ids))
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn path_of(bytes: &[u8]) -> Result<String, WorkspaceError> {
    // A path that had to be approximated could pass for another one.
    String::from_utf8(bytes.to_vec()).map_err(|e| {
        refused(format!("a changed file has a name that is not UTF-8: {:?}", String::from_utf8_lossy(e.as_bytes())))
    })
}
