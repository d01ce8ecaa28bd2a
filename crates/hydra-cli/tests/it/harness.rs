//! A folder of its own, an empty environment, and the real program in it.

use hydra_sim::github::RECORDS;
use std::{
    ffi::OsStr,
    os::unix::fs::{MetadataExt, PermissionsExt, lchown},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A world for one test.
pub(crate) struct Sandbox {
    dir: TempDir,
    env: Vec<(String, String)>,
    under: Vec<String>,
}

/// How a run ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Code and both streams as one text, for a snapshot.
    pub(crate) fn all(&self) -> String {
        format!("exit {}\n--- out\n{}--- err\n{}", self.code, self.out, self.err)
    }
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Self { dir, env: Vec::new(), under: Vec::new() };
        std::fs::create_dir(sandbox.path("home")).unwrap();
        std::fs::create_dir(sandbox.path("work")).unwrap();
        sandbox
    }
    /// With everything a pipeline needs.
    pub(crate) fn complete() -> Self {
        let sandbox = Self::new();
        sandbox.write("hydra.toml", "[github]\nrepos = [\"acme/widgets\"]\n");
        sandbox.secret("secrets/.env", format!("GITHUB_ORG=acme\nHYDRA_SIGNING_KEY={}\n", "7".repeat(64)));
        sandbox.secret("secrets/credentials.json", CREDENTIALS.replace("TOKEN", "github_pat_11AAAAAAA0"));
        sandbox
    }
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    /// A path in the working folder.
    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.path("work").join(name)
    }
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.work(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    /// Writes a file that its owner alone can read.
    pub(crate) fn secret(&self, name: &str, text: impl AsRef<[u8]>) {
        self.write(name, text);
        self.mode(name, 0o600);
    }
    pub(crate) fn mode(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.work(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.work(name)).unwrap()
    }
    #[must_use]
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }
    /// Every run is started by this program with these arguments before its own.
    pub(crate) fn under(&mut self, program: &[&str]) {
        self.under = program.iter().map(|&word| word.to_owned()).collect();
    }
    /// Every run is made by a user to whom file modes apply: root, as whom tests may run, reads everything. The sandbox is that user's.
    pub(crate) fn as_somebody(&mut self) {
        if self.dir.path().metadata().unwrap().uid() == 0 {
            own(self.dir.path(), NOBODY);
            let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
            self.under(&["setpriv", &ids[0], &ids[1], "--clear-groups"]);
        }
    }
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let words: Vec<&str> = self.under.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_hydra")]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(args);
        command.current_dir(self.path("work")).env_clear();
        command.env("HOME", self.path("home")).env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        // What the demo's own GitHub is asked counts as well.
        command.envs(std::env::var_os(RECORDS).map(|folder| (RECORDS, folder)));
        command.envs(self.env.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value))));
        command
    }
    /// Runs hydra; paths of the sandbox are shown as `[work]`.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let shown = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).expect("output is UTF-8");
            text.replace(&*self.path("work").to_string_lossy(), "[work]")
        };
        Ran { code: status.code().expect("it was not killed"), out: shown(stdout), err: shown(stderr) }
    }
}

/// The user and group that own nothing.
pub(crate) const NOBODY: u32 = 65534;

/// Gives a folder and what is in it to this user.
pub(crate) fn own(path: &Path, user: u32) {
    lchown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        for entry in std::fs::read_dir(path).unwrap() {
            own(&entry.unwrap().path(), user);
        }
    }
}

/// Tokens of a shape that GitHub's have, one for each role.
pub(crate) const CREDENTIALS: &str = r#"{
  "claude_accounts": [{ "name": "main", "token": "sk-ant-oat01-TOKENmain", "priority": 1 }],
  "git_tokens": {
    "builder": "TOKENbuilder", "reviewer": "TOKENreviewer", "security": "TOKENsecurity",
    "applier": "TOKENapplier", "orchestrator": "TOKENorchestrator"
  }
}"#;
