//! A desk to work at: a checkout of the demo's repository, folders for input and output, a model, and an agent at it.

use hydra_core::{Stage, Tokens};
use hydra_sim::{
    agent::{Credential, Options, run_session},
    model::{ModelConfig, ModelSim, Script, demo_repo},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) struct Desk {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) model: ModelSim,
    pub(crate) options: Options,
}

/// What a session left behind.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) events: Vec<Value>,
    pub(crate) verdict: Option<Value>,
}

pub(crate) fn write_files(root: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for (path, bytes) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

pub(crate) fn sh(folder: &Path, script: &str) -> (bool, String) {
    let output = Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

impl Desk {
    pub(crate) async fn new(script: Script) -> Self {
        Self::with(ModelConfig { script, ..ModelConfig::default() }).await
    }

    pub(crate) async fn with(config: ModelConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let repo = dir.path().join("workspace/repo");
        write_files(&repo, &demo_repo());
        let change = repo.join("openspec/changes/add-word-limit");
        let (ok, text) = sh(
            dir.path(),
            &format!(
                "cp -r {} spec && cd workspace/repo && git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -qm seed",
                change.display()
            ),
        );
        assert!(ok, "{text}");
        let model = ModelSim::start(config).await.unwrap();
        let options = Options {
            model: "claude-opus-4-8".into(),
            max_turns: 50,
            system: "You build.".into(),
            read_only: false,
            out: None,
            base_url: model.url().parse().unwrap(),
            credential: Credential::Key("key-one".into()),
            retries: 2,
            authorities: Vec::new(),
            folder: repo,
        };
        Self { dir, model, options }
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.dir.path().join("workspace/repo")
    }

    pub(crate) fn prompt(&self, stage: Stage, job: &str) -> (String, PathBuf) {
        let out = self.dir.path().join("out").join(job);
        std::fs::create_dir_all(&out).unwrap();
        let prompt = format!(
            "Hydra-Stage: {stage}\nHydra-Job: {job}\nHydra-Workspace: {}\nHydra-Out: {}\nHydra-Spec: {}\n\nDo your part.\n",
            self.repo().display(),
            out.display(),
            self.dir.path().join("spec").display()
        );
        (prompt, out)
    }

    /// One job of a stage, by the simulator's own agent.
    pub(crate) async fn play(&self, stage: Stage, job: &str) -> Ended {
        let (prompt, out) = self.prompt(stage, job);
        let mut options = self.options.clone();
        options.read_only = stage.judges();
        options.out = Some(out.clone());
        let mut printed = Vec::new();
        let code = run_session(&options, &prompt, &mut printed, std::future::pending()).await.unwrap();
        let events = String::from_utf8(printed).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let verdict = std::fs::read(out.join("verdict.json")).ok().map(|b| serde_json::from_slice(&b).unwrap());
        Ended { code, events, verdict }
    }

    /// Lint, test and build of the target repository.
    pub(crate) fn quality(&self) -> bool {
        let text = std::fs::read_to_string(self.repo().join(".hydra.toml")).unwrap();
        let config: toml::Table = text.parse().unwrap();
        let commands = config["commands"].as_table().unwrap();
        assert_eq!(commands.len(), 3);
        commands.values().all(|command| sh(&self.repo(), command.as_str().unwrap()).0)
    }
}

impl Ended {
    pub(crate) fn result(&self) -> &Value {
        let last = self.events.last().unwrap();
        assert_eq!(last["type"], "result");
        last
    }
    /// Sum over the answers that were printed, each counted once.
    pub(crate) fn tokens(&self) -> Tokens {
        tokens(&self.result()["usage"])
    }
    /// Tool calls that failed.
    pub(crate) fn failed_tools(&self) -> Vec<String> {
        let results = self.events.iter().filter(|e| e["type"] == "user").map(|e| &e["message"]["content"][0]);
        results.filter(|b| b["is_error"] == true).map(|b| b["content"].to_string()).collect()
    }
}

pub(crate) fn tokens(usage: &Value) -> Tokens {
    Tokens {
        input: usage["input_tokens"].as_u64().unwrap(),
        output: usage["output_tokens"].as_u64().unwrap(),
        cache_read: usage["cache_read_input_tokens"].as_u64().unwrap(),
        cache_write: usage["cache_creation_input_tokens"].as_u64().unwrap(),
    }
}
