//! What jobs do where no process plays them: core's fake runtime on real git, for faults that a process cannot show at will.

use crate::stories::script::{DIFF, passes};
use hydra_core::{
    Stage, Tokens,
    agent_event::{AgentEnd, AgentEvent, EventKind, SCHEMA as EVENTS, ToolKind},
    contract::fake::Play,
    contract_files::{CommandResult, JobInput, JobResult, SCHEMA},
    job::{InputFile, JobSpec},
    ports::LogLine,
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How long a played job takes.
const TAKES: Duration = Duration::from_millis(40);

/// `/in/job.json` of a specification.
pub(crate) fn input(spec: &JobSpec) -> JobInput {
    let Some(InputFile::Bytes(bytes)) = spec.inputs.get("job.json") else { panic!("no job.json") };
    serde_json::from_slice(bytes).expect("a job")
}

/// One event line.
pub(crate) fn event(kind: EventKind) -> String {
    serde_json::to_string(&AgentEvent { v: EVENTS, ts: hydra_core::Timestamp::now(), kind }).expect("a line")
}

/// One answer of the model.
pub(crate) fn turn(turn: u32, input: u64, output: u64) -> String {
    event(EventKind::Turn { turn, tokens: Tokens { input, output, ..Tokens::default() }, model: None })
}

/// What a good builder of this change touches.
fn touched(job: &JobInput) -> [String; 5] {
    let change = job.branch.as_str().trim_start_matches("hydra/");
    DIFF.map(|path| path.replace("add-word-limit", change))
}

/// What a well-behaved agent says: two answers, and every file of the diff read in between.
fn events(job: &JobInput, end: AgentEnd) -> Vec<String> {
    let mut lines =
        vec![event(EventKind::Started { driver: "demo".into(), version: None, model: None }), turn(1, 900, 90)];
    for (n, path) in touched(job).into_iter().enumerate() {
        let (id, name) = (format!("t{n}"), "Read".to_owned());
        let path = Some(path);
        lines.push(event(EventKind::Tool { id: id.clone(), tool: ToolKind::Read, name, path, command: None }));
        lines.push(event(EventKind::ToolResult { id, ok: true, bytes: 40 }));
    }
    lines.extend([turn(2, 900, 90), event(EventKind::Ended { end, reported: None })]);
    lines
}

/// Says these lines, and ends with this code after a while.
pub(crate) fn speaks(lines: Vec<String>, code: i64) -> Play {
    let mut play = Play::exits(code);
    play.after = TAKES;
    play.out.insert("events.jsonl".into(), lines.join("\n").into_bytes());
    play.lines = lines.into_iter().map(|text| LogLine { stderr: false, text }).collect();
    play
}

/// Did its work: `result.json`, and these files besides.
fn works(spec: &JobSpec, files: &[(&str, Vec<u8>)], head: Option<&str>) -> Play {
    let job = input(spec);
    let run = |c: &hydra_core::contract_files::QualityCommand| CommandResult {
        name: c.name.clone(),
        command: c.command.clone(),
        exit: 0,
        millis: 10,
        tail: String::new(),
    };
    let agent = job.stage.has_agent();
    let result = JobResult {
        schema: SCHEMA,
        commands: if job.stage == Stage::Quality { job.commands.iter().map(run).collect() } else { Vec::new() },
        job: job.job.clone(),
        stage: job.stage,
        end: agent.then_some(AgentEnd::Completed),
        head: head.map(|head| head.parse().expect("a commit")),
        summary: "It is done.".into(),
    };
    let mut play = speaks(if agent { events(&job, AgentEnd::Completed) } else { Vec::new() }, 0);
    play.out.insert("result.json".into(), serde_json::to_vec(&result).expect("a result"));
    play.out.extend(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())));
    play
}

/// A builder that delivers one commit on top of what it was given: a real bundle.
pub(crate) fn builds(spec: &JobSpec, files: &[(&str, &str)]) -> Play {
    delivers(spec, |bench| files.iter().for_each(|(path, text)| bench.write(path, text)))
}

/// A builder's check-out at the head that it was given.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
    pub(crate) job: JobInput,
}

impl Bench {
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }
    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(self.dir.path(), &self.job, args)
    }
    pub(crate) fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "Work"]);
    }
    /// The commits between the given head and this one, under these names.
    pub(crate) fn bundle(&self, refs: &[&str]) {
        for name in refs {
            self.git(&["update-ref", name, "HEAD"]);
        }
        let without = format!("^{}", self.job.head);
        let args = [["bundle", "create", "-q", "changes.bundle"].as_slice(), refs, &[without.as_str()]].concat();
        self.git(&args);
    }
}

/// A builder that works like this. What it has not committed is committed, what it has not bundled is bundled.
pub(crate) fn delivers(spec: &JobSpec, work: impl FnOnce(&Bench)) -> Play {
    let Some(InputFile::Path(bundle)) = spec.inputs.get("repo.bundle") else { panic!("no repo.bundle") };
    let bench = Bench { dir: tempfile::tempdir().expect("a folder"), job: input(spec) };
    bench.git(&["init", "-q"]);
    bench.git(&["fetch", "-q", &bundle.display().to_string(), "+refs/heads/*:refs/in/*"]);
    bench.git(&["checkout", "-q", "--detach", bench.job.head.as_str()]);
    work(&bench);
    let made = bench.path("changes.bundle");
    if !made.exists() {
        if !bench.git(&["status", "--porcelain"]).is_empty() {
            bench.commit();
        }
        bench.bundle(&[hydra_core::delivery::RESULT_REF]);
    }
    let head = bench.git(&["rev-parse", "HEAD"]);
    works(spec, &[("changes.bundle", std::fs::read(made).expect("a bundle"))], Some(&head))
}

fn git(dir: &Path, job: &JobInput, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), &job.author_name).env(format!("GIT_{who}_EMAIL"), &job.author_email);
    }
    let output = command.output().expect("git is there");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A reviewer with this verdict.
pub(crate) fn judges(spec: &JobSpec, verdict: &Value) -> Play {
    works(spec, &[("verdict.json", serde_json::to_vec(verdict).expect("a verdict"))], None)
}

/// Everybody does well.
pub(crate) fn well(spec: &JobSpec) -> Play {
    match spec.key.stage {
        Stage::Build => {
            let files = touched(&input(spec));
            builds(spec, &files.each_ref().map(|path| (path.as_str(), "# new\n")))
        }
        Stage::Fix | Stage::FixQuality => builds(spec, &[("README.md", &format!("mended: {}\n", spec.key.id()))]),
        Stage::Quality => works(spec, &[], None),
        Stage::CodeReview | Stage::SecurityReview | Stage::Apply => judges(spec, &passes()),
    }
}

/// A job that runs until it is stopped, having said these lines.
pub(crate) fn runs_on(lines: Vec<String>) -> Play {
    Play { end: hydra_core::contract::fake::End::Runs, ..speaks(lines, 0) }
}

/// What a job's agent is told.
pub(crate) fn prompt(spec: &JobSpec) -> String {
    let Some(InputFile::Bytes(bytes)) = spec.inputs.get("prompt.md") else { return String::new() };
    String::from_utf8(bytes.clone()).expect("text")
}

/// The first run of a stage goes wrong in this way; everything else goes well.
pub(crate) fn first(stage: Stage, wrong: impl Fn(&JobSpec) -> Play) -> impl Fn(&JobSpec) -> Play {
    move |spec| if (spec.key.stage, spec.key.attempt) == (stage, 0) { wrong(spec) } else { well(spec) }
}

/// Ends well and leaves nothing behind.
pub(crate) fn does_nothing(spec: &JobSpec) -> Play {
    works(spec, &[], None)
}

/// The wrapper gives up at one of its steps, with its exit code and its own words.
pub(crate) fn gives_up(step: &str, detail: &str, code: i32) -> Play {
    let (step, detail) = (step.to_owned(), detail.to_owned());
    speaks(vec![event(EventKind::Step { step, detail })], code.into())
}
