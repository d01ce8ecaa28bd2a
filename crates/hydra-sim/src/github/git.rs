//! A bare repository on disk, through the real git. Every call is short and blocks: callers are on blocking threads or in tests.

use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Git said no.
#[derive(Debug, Clone, thiserror::Error)]
#[error("git {command}: {message}")]
pub struct GitError {
    /// The subcommand.
    pub command: String,
    /// Its error output, trimmed.
    pub message: String,
}

/// 40 zeros: no object.
pub(crate) const ZERO: &str = "0000000000000000000000000000000000000000";

/// One changed file between two trees.
#[derive(Debug, Clone)]
pub(crate) struct ChangedFile {
    pub status: char,
    pub path: String,
    pub from: Option<String>,
    pub sha: String,
    pub additions: u64,
    pub deletions: u64,
    pub patch: Option<String>,
}

/// An entry of a tree: mode, kind, id, size of a blob, path.
pub(crate) type TreeEntry = (String, String, String, Option<u64>, String);

/// A commit's parts.
#[derive(Debug, Clone)]
pub(crate) struct CommitParts {
    pub sha: String,
    pub tree: String,
    pub parents: Vec<String>,
    pub author: (String, String, String),
    pub committer: (String, String, String),
    pub message: String,
}

/// A bare repository.
#[derive(Debug, Clone)]
pub(crate) struct GitDir {
    path: PathBuf,
}

/// A git process that sees no configuration but the repository's own.
pub(crate) fn command() -> Command {
    let mut git = Command::new("git");
    scrub(&mut git);
    git
}

pub(crate) fn scrub(git: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            git.env_remove(name);
        }
    }
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("LC_ALL", "C");
}

impl GitDir {
    pub(crate) fn init(path: &Path, default_branch: &str) -> Result<Self, GitError> {
        let mut git = command();
        git.args(["init", "--quiet", "--bare", "--template=", "-b", default_branch]).arg(path);
        run(git, "init", b"")?;
        let this = Self { path: path.to_owned() };
        let config = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[http]\n\treceivepack = true\n\
            [uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n[receive]\n\thideRefs = refs/pull\n\
            \tfsckObjects = false\n[gc]\n\tauto = 0\n[transfer]\n\tunpackLimit = 10000\n";
        std::fs::write(path.join("config"), config)
            .map_err(|e| GitError { command: "init".into(), message: e.to_string() })?;
        Ok(this)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S], stdin: &[u8]) -> Result<Vec<u8>, GitError> {
        let mut git = command();
        git.arg("--git-dir").arg(&self.path).args(args);
        let name = args.first().map(|a| a.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
        run(git, &name, stdin)
    }

    fn text<S: AsRef<OsStr>>(&self, args: &[S]) -> Result<String, GitError> {
        Ok(String::from_utf8_lossy(&self.run(args, b"")?).into_owned())
    }

    /// All refs and what they point at.
    pub(crate) fn refs(&self) -> Result<BTreeMap<String, String>, GitError> {
        let text = self.text(&["for-each-ref", "--format=%(objectname) %(refname)"])?;
        Ok(text.lines().filter_map(|l| l.split_once(' ')).map(|(o, r)| (r.to_owned(), o.to_owned())).collect())
    }

    /// Moves refs in one transaction: (name, new or zeros, old: `None` = whatever).
    pub(crate) fn update_refs(&self, updates: &[(String, String, Option<String>)]) -> Result<(), GitError> {
        let mut script = Vec::new();
        for (name, new, old) in updates {
            let old = old.as_deref();
            let line = match (new == ZERO, old) {
                (true, None) => format!("delete {name}\0\0"),
                (true, Some(old)) => format!("delete {name}\0{old}\0"),
                (false, None) => format!("update {name}\0{new}\0\0"),
                (false, Some(old)) => format!("update {name}\0{new}\0{old}\0"),
            };
            script.extend_from_slice(line.as_bytes());
        }
        self.run(&["update-ref", "-z", "--stdin"], &script).map(drop)
    }

    pub(crate) fn kind(&self, object: &str) -> Option<String> {
        if object.starts_with('-') {
            return None;
        }
        self.text(&["cat-file", "-t", object]).ok().map(|t| t.trim().to_owned())
    }

    pub(crate) fn resolve(&self, rev: &str) -> Option<String> {
        if rev.starts_with('-') {
            return None;
        }
        let spec = format!("{rev}^{{commit}}");
        self.text(&["rev-parse", "--verify", "--quiet", &spec]).ok().map(|t| t.trim().to_owned())
    }

    pub(crate) fn is_ancestor(&self, old: &str, new: &str) -> bool {
        self.run(&["merge-base", "--is-ancestor", old, new], b"").is_ok()
    }

    pub(crate) fn merge_base(&self, a: &str, b: &str) -> Option<String> {
        self.text(&["merge-base", a, b]).ok().map(|t| t.trim().to_owned())
    }

    /// The tree of merging `head` into `base`, or `None` when they conflict.
    pub(crate) fn merge_tree(&self, base: &str, head: &str) -> Option<String> {
        let text = self.text(&["merge-tree", "--write-tree", base, head]).ok()?;
        text.lines().next().map(str::to_owned)
    }

    pub(crate) fn count(&self, base: &str, head: &str) -> u64 {
        self.text(&["rev-list", "--count", &format!("{base}..{head}")])
            .ok()
            .and_then(|t| t.trim().parse().ok())
            .unwrap_or(0)
    }

    pub(crate) fn commit(&self, sha: &str) -> Option<CommitParts> {
        let format = "--format=%H%n%T%n%P%n%an%n%ae%n%aI%n%cn%n%ce%n%cI%n%B";
        let text = self.text(&["show", "--no-patch", "--no-notes", format, sha]).ok()?;
        let mut lines = text.splitn(10, '\n');
        let mut next = || lines.next().map(str::to_owned);
        let (sha, tree, parents) = (next()?, next()?, next()?);
        let author = (next()?, next()?, utc(&next()?));
        let committer = (next()?, next()?, utc(&next()?));
        let message = next()?.trim_end_matches('\n').to_owned();
        let parents = parents.split_whitespace().map(str::to_owned).collect();
        Some(CommitParts { sha, tree, parents, author, committer, message })
    }

    /// Writes a commit object for an existing tree.
    pub(crate) fn commit_tree(
        &self,
        tree: &str,
        parents: &[String],
        message: &str,
        author: (&str, &str, Timestamp),
    ) -> Result<String, GitError> {
        let mut git = command();
        git.arg("--git-dir").arg(&self.path).args(["commit-tree", tree]);
        for parent in parents {
            git.args(["-p", parent]);
        }
        let date = format!("{} +0000", author.2.as_second());
        git.env("GIT_AUTHOR_NAME", author.0).env("GIT_AUTHOR_EMAIL", author.1).env("GIT_AUTHOR_DATE", &date);
        git.env("GIT_COMMITTER_NAME", author.0).env("GIT_COMMITTER_EMAIL", author.1).env("GIT_COMMITTER_DATE", &date);
        Ok(String::from_utf8_lossy(&run(git, "commit-tree", message.as_bytes())?).trim().to_owned())
    }

    /// One commit on `branch` that writes (`Some`) or removes (`None`) files; `parent` absent makes a root commit.
    pub(crate) fn commit_files(
        &self,
        branch: &str,
        parent: Option<&str>,
        author: (&str, &str, Timestamp),
        message: &str,
        files: &[(String, Option<Vec<u8>>)],
    ) -> Result<String, GitError> {
        let reference = format!("refs/heads/{branch}");
        let (name, email, at) = author;
        let mut script = Vec::new();
        let mut put = |bytes: &[u8]| script.extend_from_slice(bytes);
        put(format!("commit {reference}\n").as_bytes());
        put(format!("author {name} <{email}> {} +0000\n", at.as_second()).as_bytes());
        put(format!("committer {name} <{email}> {} +0000\n", at.as_second()).as_bytes());
        put(format!("data {}\n{message}\n", message.len()).as_bytes());
        if let Some(parent) = parent {
            put(format!("from {parent}\n").as_bytes());
        }
        for (path, content) in files {
            match content {
                Some(bytes) => {
                    let mode = if bytes.starts_with(b"#!") { "100755" } else { "100644" };
                    put(format!("M {mode} inline {path}\ndata {}\n", bytes.len()).as_bytes());
                    put(bytes);
                    put(b"\n");
                }
                None => put(format!("D {path}\n").as_bytes()),
            }
        }
        put(b"\ndone\n");
        self.run(&["fast-import", "--quiet", "--done", "--force"], &script)?;
        self.resolve(&reference)
            .ok_or_else(|| GitError { command: "fast-import".into(), message: format!("no commit on {branch}") })
    }

    /// The content of a file at a commit.
    pub(crate) fn blob(&self, commit: &str, path: &str) -> Option<(String, Vec<u8>)> {
        let spec = format!("{commit}:{path}");
        let sha = self.text(&["rev-parse", "--verify", "--quiet", &spec]).ok()?.trim().to_owned();
        (self.kind(&sha)? == "blob").then_some(())?;
        Some((sha.clone(), self.run(&["cat-file", "blob", &sha], b"").ok()?))
    }

    /// Entries of a tree.
    pub(crate) fn tree(&self, tree: &str, recursive: bool) -> Option<Vec<TreeEntry>> {
        let mut args = vec!["ls-tree", "-z", "-l"];
        if recursive {
            args.extend(["-r", "-t"]);
        }
        args.push(tree);
        let text = self.text(&args).ok()?;
        let entry = |line: &str| {
            let (head, path) = line.split_once('\t')?;
            let mut parts = head.split_whitespace().map(str::to_owned);
            let (mode, kind, sha) = (parts.next()?, parts.next()?, parts.next()?);
            Some((mode, kind, sha, parts.next()?.parse().ok(), path.to_owned()))
        };
        text.split('\0').filter(|l| !l.is_empty()).map(entry).collect()
    }

    /// Writes a tree from `mode sha\tpath` lines, through an index file of its own.
    pub(crate) fn write_tree(&self, index: &Path, lines: &str) -> Result<String, GitError> {
        let mut git = command();
        git.arg("--git-dir").arg(&self.path).args(["update-index", "--index-info"]).env("GIT_INDEX_FILE", index);
        run(git, "update-index", lines.as_bytes())?;
        let mut git = command();
        git.arg("--git-dir").arg(&self.path).arg("write-tree").env("GIT_INDEX_FILE", index);
        Ok(String::from_utf8_lossy(&run(git, "write-tree", b"")?).trim().to_owned())
    }

    /// Files between the merge base of two commits and the second.
    pub(crate) fn changed(&self, base: &str, head: &str) -> Vec<ChangedFile> {
        let range = format!("{base}...{head}");
        let raw = self.text(&["diff", "--raw", "--no-abbrev", "-z", "-M", &range]).unwrap_or_default();
        let numbers = self.text(&["diff", "--numstat", "-z", "-M", &range]).unwrap_or_default();
        let patch = self.text(&["diff", "-M", &range]).unwrap_or_default();
        let mut patches: Vec<Option<String>> = Vec::new();
        for part in format!("\n{patch}").split("\ndiff --git ").skip(1) {
            patches.push(part.find("\n@@ ").map(|at| part[at + 1..].trim_end_matches('\n').to_owned()));
        }
        let mut counts = Vec::new();
        let mut fields = numbers.split('\0');
        while let Some(field) = fields.next() {
            let mut parts = field.splitn(3, '\t');
            let (Some(a), Some(d), Some(path)) = (parts.next(), parts.next(), parts.next()) else { break };
            if path.is_empty() {
                fields.next();
                fields.next();
            }
            counts.push((a.parse().unwrap_or(0), d.parse().unwrap_or(0)));
        }
        let mut files = Vec::new();
        let mut fields = raw.split('\0');
        while let Some(field) = fields.next() {
            let parts: Vec<&str> = field.split(' ').collect();
            let [_, _, _, sha, status] = parts.as_slice() else { break };
            let status = status.chars().next().unwrap_or('M');
            let first = fields.next().unwrap_or_default().to_owned();
            let (from, path) = match status {
                'R' | 'C' => (Some(first), fields.next().unwrap_or_default().to_owned()),
                _ => (None, first),
            };
            let (additions, deletions) = counts.get(files.len()).copied().unwrap_or((0, 0));
            let patch = patches.get(files.len()).cloned().flatten();
            files.push(ChangedFile { status, path, from, sha: (*sha).to_owned(), additions, deletions, patch });
        }
        files
    }
}

/// Git's `%aI` with any offset, as GitHub prints it: in UTC.
fn utc(text: &str) -> String {
    text.parse::<Timestamp>().map_or_else(|_| text.to_owned(), |t| t.to_string())
}

fn run(mut git: Command, name: &str, stdin: &[u8]) -> Result<Vec<u8>, GitError> {
    let fail = |message: String| GitError { command: name.to_owned(), message };
    git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = git.spawn().map_err(|e| fail(e.to_string()))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A process that has seen enough closes its end: its exit code tells, not the broken pipe.
        drop(pipe.write_all(stdin));
    }
    let output = child.wait_with_output().map_err(|e| fail(e.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(fail(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
