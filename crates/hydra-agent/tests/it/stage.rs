//! A repository, a bundle of it and the folders of a job, in a temporary place.

use hydra_core::{
    agent_event::{AgentEvent, EventKind},
    contract_files::{JobInput, JobResult},
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A job's folders and what it is started with.
pub(crate) struct Stage {
    root: tempfile::TempDir,
    pub(crate) job: Value,
    pub(crate) env: Vec<(String, String)>,
}

pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .args(["-c", "user.name=T", "-c", "user.email=t@example.test", "-c", "init.defaultBranch=main"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

impl Stage {
    /// A build job on a repository with one file; `agent` is a shell script in the coding agent's place.
    pub(crate) fn new(stage: &str, agent: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["origin", "in", "out", "workspace", "spec"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        let origin = root.path().join("origin");
        git(&origin, &["init", "-q"]);
        std::fs::write(origin.join("a.txt"), "one\n").unwrap();
        std::fs::write(origin.join("CLAUDE.md"), "of the base\n").unwrap();
        git(&origin, &["add", "-A"]);
        git(&origin, &["commit", "-qm", "base"]);
        let base = git(&origin, &["rev-parse", "HEAD"]);
        let script = root.path().join("agent.sh");
        std::fs::write(&script, agent).unwrap();
        let job = json!({
            "schema": 1, "job": "hydra-app-7-g1-x-r0-a0-00000000", "stage": stage, "issue": {"repo": "acme/app", "number": 7},
            "base": base, "head": base, "branch": "hydra/x", "author_name": "Al Gorithm", "author_email": "al@example.test",
            "driver": if stage == "quality" { Value::Null } else { json!("demo") },
            "model": if stage == "quality" { Value::Null } else { json!("claude-sonnet-4-5") },
            "max_turns": 5, "deadline_secs": 60, "commands": [], "instruction_files": ["CLAUDE.md"],
            "fence": "none", "allow_hosts": [], "model_endpoint": null, "read_only": false,
        });
        let agent = json!(["sh", script.to_str().unwrap()]).to_string();
        let env = [
            ("REPO_URL", "https://github.com/acme/app"),
            ("ISSUE_URL", "https://github.com/acme/app/issues/7"),
            ("SPEC_PATH", "/spec"),
            ("HYDRA_MODE", stage),
            ("HYDRA_JOB", "hydra-app-7-g1-x-r0-a0-00000000"),
            ("GITHUB_ORG", "acme"),
            ("HYDRA_DEMO_AGENT", &agent),
            ("GIT_TOKEN", "github_pat_THESECRET"),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let stage = Self { root, job, env };
        std::fs::write(stage.path("in/prompt.md"), "Write to {{OUT}}.").unwrap();
        std::fs::write(stage.path("in/system.md"), "You are a test.").unwrap();
        stage
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.path().join(inside)
    }

    /// A commit on the work branch, from which the job starts.
    pub(crate) fn head(&mut self, change: impl FnOnce(&Path)) {
        let origin = self.path("origin");
        change(&origin);
        git(&origin, &["add", "-A"]);
        git(&origin, &["commit", "-qm", "head"]);
        self.job["head"] = json!(git(&origin, &["rev-parse", "HEAD"]));
    }

    fn prepare(&self) -> Command {
        let origin = self.path("origin");
        let (base, head) = (self.job["base"].as_str().unwrap(), self.job["head"].as_str().unwrap());
        git(&origin, &["branch", "-f", "hydra-base", base]);
        git(&origin, &["branch", "-f", "hydra-head", head]);
        let bundle = self.path("in/repo.bundle");
        git(&origin, &["bundle", "create", "-q", bundle.to_str().unwrap(), "hydra-base", "hydra-head"]);
        serde_json::from_value::<JobInput>(self.job.clone()).expect("the test's job follows the contract");
        std::fs::write(self.path("in/job.json"), self.job.to_string()).unwrap();
        self.command()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hydra-agent"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        for (flag, folder) in [("--in", "in"), ("--out", "out"), ("--workspace", "workspace"), ("--spec", "spec")] {
            command.arg(flag).arg(self.path(folder));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self) -> Ended {
        let output = self.prepare().output().unwrap();
        self.ended(output)
    }

    /// Once more, with `/in` as it lies there and a fresh `/out`.
    pub(crate) fn again(&self) -> Ended {
        std::fs::remove_dir_all(self.path("out")).unwrap();
        self.ended(self.command().output().unwrap())
    }

    pub(crate) fn start(&self) -> std::process::Child {
        self.prepare().spawn().unwrap()
    }

    pub(crate) fn ended(&self, output: Output) -> Ended {
        let stdout = String::from_utf8(output.stdout).unwrap();
        let kept = std::fs::read_to_string(self.path("out/events.jsonl")).unwrap_or_default();
        assert_eq!(stdout, kept, "the same lines go to both places");
        let events = stdout.lines().map(|line| serde_json::from_str::<AgentEvent>(line).unwrap().kind).collect();
        let result = std::fs::read(self.path("out/result.json")).ok();
        Ended {
            code: output.status.code().unwrap_or(-1),
            events,
            stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            result: result.map(|bytes| serde_json::from_slice(&bytes).unwrap()),
        }
    }

    /// Files of the delivered head by `git ls-tree`, and its log.
    pub(crate) fn delivered(&self) -> (String, String) {
        let origin = self.path("origin");
        let bundle = self.path("out/changes.bundle");
        git(&origin, &["fetch", "-q", bundle.to_str().unwrap(), "+refs/heads/hydra-result:refs/heads/result"]);
        let head = self.job["head"].as_str().unwrap();
        let names = git(&origin, &["diff", "--name-status", "--no-renames", head, "result"]);
        let log = git(&origin, &["log", "--format=%an <%ae> %s", &format!("{head}..result")]);
        (names, log)
    }
}

/// What came of it.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) events: Vec<EventKind>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) result: Option<JobResult>,
}
