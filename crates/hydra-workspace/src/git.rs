//! One git command: argv, a scrubbed environment, a deadline, limits on what is read, and what its failure means.

use crate::{
    error::{disk, failed, kind_of, says_no_reason, scrub},
    remote::Credential,
};
use hydra_core::ports::{WorkspaceError, WorkspaceErrorKind};
use secrecy::ExposeSecret;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};

/// Standard error that is kept of a command, in bytes.
const STDERR_LIMIT: u64 = 64 * 1024;
/// A command on this machine's own files must end within this.
const LOCAL_DEADLINE: Duration = Duration::from_secs(300);
/// A command that speaks to a remote must end within this; a stalled transfer is ended after a minute by `http.lowSpeedTime`.
const REMOTE_DEADLINE: Duration = Duration::from_secs(1_200);

/// Configuration of every command: nothing of it is taken from a file that a person or a repository could have written.
const CONFIG: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.quotePath", "false"),
    ("core.bigFileThreshold", "32m"),
    ("credential.helper", ""),
    ("credential.interactive", "false"),
    ("protocol.ext.allow", "never"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "60"),
    ("transfer.fsckObjects", "true"),
    // Blemishes that old and honest histories have; what a job delivers is held to the strict rule.
    ("fetch.fsck.zeroPaddedFilemode", "ignore"),
    ("fetch.fsck.badTimezone", "ignore"),
    ("fetch.fsck.missingSpaceBeforeDate", "ignore"),
    ("fetch.fsck.missingSpaceBeforeEmail", "ignore"),
    ("fetch.fsck.missingEmail", "ignore"),
    ("fetch.fsck.badEmail", "ignore"),
    ("fetch.fsck.badDate", "ignore"),
    ("fetch.fsck.gitmodulesUrl", "ignore"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("push.gpgSign", "false"),
    ("push.recurseSubmodules", "no"),
    ("commit.gpgSign", "false"),
    ("diff.external", ""),
    ("diff.renameLimit", "2000"),
    ("filter.lfs.smudge", ""),
    ("filter.lfs.clean", ""),
    ("filter.lfs.process", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("pack.threads", "1"),
];

/// How git is called here.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    program: PathBuf,
    home: PathBuf,
    environment: Vec<(OsString, OsString)>,
}

/// One command, not yet run.
pub(crate) struct Call<'a> {
    git: &'a Git,
    args: Vec<OsString>,
    credential: Option<&'a Credential>,
    protocol: Option<&'static str>,
    input: Option<&'a [u8]>,
    limit: u64,
}

/// How a command ended.
pub(crate) struct Output {
    /// Exit code; 128 + signal where a signal ended it.
    pub(crate) code: i32,
    /// Standard output, at most the limit.
    pub(crate) stdout: Vec<u8>,
    /// Whether standard output went on beyond the limit (the command was ended then).
    pub(crate) cut: bool,
    /// Standard error, scrubbed.
    pub(crate) stderr: String,
}

/// Bytes of a trial.
const PROBE: usize = 64 * 1024;

impl Git {
    pub(crate) fn new(program: PathBuf, home: PathBuf, environment: Vec<(OsString, OsString)>) -> Self {
        Self { program, home, environment }
    }

    /// Whether so much as git writes at once can be written beside its repositories.
    async fn writes(&self) -> std::io::Result<()> {
        let probe = self.home.join(format!("probe-{}", std::process::id()));
        let written = tokio::fs::write(&probe, vec![0; PROBE]).await;
        match tokio::fs::remove_file(&probe).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => written.and(Err(error)),
            Ok(()) | Err(_) => written,
        }
    }

    /// A command on a bare repository.
    pub(crate) fn at<'a>(&'a self, repository: &Path, args: &[&str]) -> Call<'a> {
        let mut all = vec![OsString::from(format!("--git-dir={}", repository.display()))];
        all.extend(args.iter().map(OsString::from));
        Call { git: self, args: all, credential: None, protocol: None, input: None, limit: 256 * 1024 * 1024 }
    }
}

impl<'a> Call<'a> {
    /// Bytes for its standard input.
    pub(crate) fn input(mut self, bytes: &'a [u8]) -> Self {
        self.input = Some(bytes);
        self
    }
    /// At most so many bytes of its output are read; it is ended when there are more.
    pub(crate) fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }
    /// Lets it speak to a remote. Without this no protocol at all is allowed.
    pub(crate) fn remote(mut self, remote: &'a crate::remote::Remote) -> Self {
        self.credential = remote.credential.as_ref();
        self.protocol = Some(remote.protocol);
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.git.program);
        command.args(&self.args).env_clear().envs(self.git.environment.iter().map(|(k, v)| (k, v)));
        for (key, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_LFS_SKIP_SMUDGE", "1"),
            ("GIT_PAGER", "cat"),
            ("LC_ALL", "C"),
        ] {
            command.env(key, value);
        }
        command.env("HOME", &self.git.home).env("GIT_ALLOW_PROTOCOL", self.protocol.unwrap_or("none"));
        let secret = self.credential.map(|c| (c.key.as_str(), c.header.expose_secret()));
        let config = CONFIG.iter().copied().chain(secret);
        let mut count = 0_usize;
        for (key, value) in config {
            command.env(format!("GIT_CONFIG_KEY_{count}"), key).env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
        command
            .stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .current_dir(&self.git.home)
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    fn name(&self) -> String {
        let word = self.args.get(1).map(|a| a.to_string_lossy().into_owned()).unwrap_or_default();
        format!("git {word}")
    }

    /// Runs it to its end, whatever its exit code.
    pub(crate) async fn output(self) -> Result<Output, WorkspaceError> {
        tokio::fs::create_dir_all(&self.git.home).await.map_err(|e| disk(&self.git.home, &e))?;
        let mut child = self.command().spawn().map_err(|e| self.not_started(&e))?;
        let group = Group::of(&child);
        let deadline = if self.protocol.is_some() { REMOTE_DEADLINE } else { LOCAL_DEADLINE };
        let ended = tokio::time::timeout(deadline, self.pump(&mut child, &group)).await;
        let (code, stdout, cut, stderr) = match ended {
            Ok(ended) => ended.map_err(|e| failed(format!("{}: {e}", self.name())))?,
            Err(_) => {
                group.kill();
                return Err(WorkspaceError {
                    kind: if self.protocol.is_some() {
                        WorkspaceErrorKind::Transient
                    } else {
                        WorkspaceErrorKind::Failed
                    },
                    message: format!("{} did not end within {} s", self.name(), deadline.as_secs()),
                });
            }
        };
        group.reaped();
        let secrets: Vec<&str> =
            self.credential.iter().flat_map(|c| c.secrets.iter()).map(ExposeSecret::expose_secret).collect();
        let mut stderr = scrub(&String::from_utf8_lossy(&stderr), &secrets);
        if code != 0 && says_no_reason(&stderr) {
            // Git names its own file there, not what kept it from being written: that is found out and said.
            if let Err(cause) = self.git.writes().await {
                stderr.push_str(&format!("; {}: {cause}", self.git.home.display()));
            }
        }
        Ok(Output { code, stdout, cut, stderr })
    }

    /// Runs it and takes any exit code but 0 as an error, whose kind is read from git's words.
    pub(crate) async fn run(self) -> Result<Vec<u8>, WorkspaceError> {
        let (name, limit) = (self.name(), self.limit);
        let output = self.output().await?;
        if output.cut {
            return Err(failed(format!("{name} wrote more than {limit} bytes")));
        }
        if output.code == 0 { Ok(output.stdout) } else { Err(output.error(&name)) }
    }

    /// As [`Self::run`], with the output as trimmed text.
    pub(crate) async fn text(self) -> Result<String, WorkspaceError> {
        Ok(String::from_utf8_lossy(&self.run().await?).trim().to_owned())
    }

    async fn pump(&self, child: &mut Child, group: &Group) -> std::io::Result<(i32, Vec<u8>, bool, Vec<u8>)> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let (Some(mut pipe), Some(bytes)) = (stdin, self.input) {
                // A command that stops reading says why by its exit code.
                let _ = pipe.write_all(bytes).await;
                let _ = pipe.shutdown().await;
            }
        };
        let out = async {
            let (bytes, cut) = read_limited(stdout, self.limit).await?;
            if cut {
                group.kill();
            }
            Ok::<_, std::io::Error>((bytes, cut))
        };
        let ((), out, err) = tokio::join!(feed, out, read_limited(stderr, STDERR_LIMIT));
        let status = child.wait().await?;
        let (stdout, cut) = out?;
        use std::os::unix::process::ExitStatusExt as _;
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        Ok((code, stdout, cut, err?.0))
    }

    fn not_started(&self, error: &std::io::Error) -> WorkspaceError {
        let hint = if error.kind() == std::io::ErrorKind::NotFound { "; install git 2.38 or newer" } else { "" };
        failed(format!("{} cannot be started: {error}{hint}", self.git.program.display()))
    }
}

impl Output {
    /// The error that this ending stands for.
    pub(crate) fn error(&self, name: &str) -> WorkspaceError {
        WorkspaceError {
            kind: kind_of(&self.stderr),
            message: format!("{name} ended with {}: {}", self.code, self.stderr),
        }
    }
}

/// Reads up to `limit` bytes and says whether there was more; what is beyond is read and dropped only by ending the command.
async fn read_limited(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> std::io::Result<(Vec<u8>, bool)> {
    let Some(mut pipe) = pipe else { return Ok((Vec::new(), false)) };
    let mut bytes = Vec::new();
    (&mut pipe).take(limit).read_to_end(&mut bytes).await?;
    let mut more = [0_u8; 8192];
    let cut = pipe.read(&mut more).await? > 0;
    Ok((bytes, cut))
}

/// The process group of a command: git starts helpers, and they must not outlive it.
struct Group {
    id: Option<nix::unistd::Pid>,
    alive: std::sync::atomic::AtomicBool,
}

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).map(nix::unistd::Pid::from_raw);
        Self { id, alive: true.into() }
    }
    fn kill(&self) {
        if let Some(id) = self.id
            && self.alive.load(std::sync::atomic::Ordering::Relaxed)
        {
            let _ = nix::sys::signal::killpg(id, nix::sys::signal::Signal::SIGKILL);
        }
    }
    fn reaped(&self) {
        self.alive.store(false, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::{Remote, RemoteTemplate};
    use hydra_core::TokenRole;

    #[tokio::test]
    async fn the_token_is_in_no_argument_and_its_header_is_bound_to_one_origin() {
        let remotes = RemoteTemplate::new("https://github.com/{repo}.git", |_| Ok(Some("tok-3n".into())));
        let repo = "acme/shop".parse().unwrap();
        let remote = Remote::resolve(&remotes, &repo, TokenRole::Builder).await.unwrap();
        let git = Git::new("git".into(), "/nowhere".into(), Vec::new());
        let command = git.at(Path::new("/m"), &["fetch", "--", &remote.url]).remote(&remote).command();
        let std = command.as_std();
        let args: Vec<_> = std.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        assert_eq!(args, ["--git-dir=/m", "fetch", "--", "https://github.com/acme/shop.git"]);
        let env: std::collections::BTreeMap<_, _> = std
            .get_envs()
            .filter_map(|(k, v)| Some((k.to_string_lossy().into_owned(), v?.to_string_lossy().into_owned())))
            .collect();
        let last = CONFIG.len();
        assert_eq!(env[&format!("GIT_CONFIG_KEY_{last}")], "http.https://github.com/.extraHeader");
        assert!(env[&format!("GIT_CONFIG_VALUE_{last}")].starts_with("Authorization: Basic "));
        assert_eq!(env["GIT_CONFIG_COUNT"], (last + 1).to_string());
        assert_eq!(env["GIT_ALLOW_PROTOCOL"], "https");
    }

    #[tokio::test]
    async fn a_token_never_goes_over_plain_http_to_another_machine() {
        let repo = "acme/shop".parse().unwrap();
        for (url, word) in [
            ("http://example.org/{repo}.git", "plain http"),
            ("ssh://git@example.org/{repo}.git", "credential"),
            ("ext::sh -c id", "speaks"),
            ("--upload-pack=id", "begins with '-'"),
            ("https://user:pw@example.org/{repo}", "credential"),
        ] {
            let remotes = RemoteTemplate::new(url, |_| Ok(Some("tok".into())));
            let error = Remote::resolve(&remotes, &repo, TokenRole::Builder).await.err().unwrap();
            assert!(error.message.contains(word), "{url}: {error}");
            assert!(!error.message.contains("pw@"));
        }
    }
}
