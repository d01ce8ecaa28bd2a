//! The `git` command, hermetic: no system or user configuration, no hooks, no prompts, no credential in its environment.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Runs git in one place.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    dir: PathBuf,
    vars: Vec<(String, String)>,
}

impl Git {
    /// Git in the folder `dir`.
    pub(crate) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), vars: Vec::new() }
    }
    /// With a variable besides.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.vars.push((name.to_owned(), value.into()));
        self
    }

    /// The same repository, with commands run in its work tree.
    pub(crate) fn in_work_tree(&self, path: &Path) -> Self {
        Self { dir: path.to_owned(), vars: self.vars.clone() }
    }

    fn command<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Command {
        let mut command = Command::new("git");
        command.env_clear();
        for name in ["PATH", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", "/nonexistent")
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            // The bundle and its folder belong to whoever made them; this process is the only one here.
            .args(["-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
            .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "advice.detachedHead=false"])
            .args([
                "-c",
                "submodule.recurse=false",
                "-c",
                "fetch.recurseSubmodules=false",
                "-c",
                "commit.gpgSign=false",
            ])
            .args(["-c", "init.defaultBranch=main", "-c", "core.quotePath=false"])
            .envs(self.vars.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.dir)
            .args(args)
            .stdin(Stdio::null());
        command
    }

    /// Runs it and returns its standard output; its words in the error.
    pub(crate) fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Result<Vec<u8>, String> {
        let mut command = self.command(args);
        let own = |arg: &&OsStr| arg.to_str().is_some_and(|arg| arg != "-c" && !arg.contains('='));
        let shown = command.get_args().find(own).map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
        let output = command.output().map_err(|error| format!("git cannot be started: {error}"))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code().map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
        Err(format!("git {shown} ended with {code}: {}", crate::events::tail(said.trim(), 1_000)))
    }

    /// As [`Self::run`], as text without the closing newline.
    pub(crate) fn text<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Result<String, String> {
        let out = self.run(args)?;
        Ok(String::from_utf8_lossy(&out).trim_end_matches('\n').to_owned())
    }
}

/// The NUL-separated fields of an output.
pub(crate) fn fields(output: &[u8]) -> Vec<String> {
    output
        .split(|byte| *byte == 0)
        .filter(|field| !field.is_empty())
        .map(|field| String::from_utf8_lossy(field).into_owned())
        .collect()
}
