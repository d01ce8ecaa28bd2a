//! A review without any container: the reviewer is a function, its verdict counts as any other, and only with evidence.

use crate::{Desk, TaskRuntime};
use futures_util::{FutureExt, StreamExt};
use hydra_core::{
    ContainerType, Generation, IssueKey, IssueNumber, Stage,
    agent_event::{self, AgentEvent, EventKind, ToolKind},
    evidence::evidence,
    job::{ImageRef, JobKey, JobSpec, Network},
    money::Tokens,
    persona::Limits,
    ports::{Diff, FileChange, Runtime},
    verdict::{
        Outcome,
        judge::{Facts, judge},
        parse,
    },
};
use std::{collections::BTreeMap, error::Error};

/// What is to be judged.
const PATCH: &str = "diff --git a/run.sh b/run.sh\n--- a/run.sh\n+++ b/run.sh\n@@ -1 +1,2 @@\n set -e\n+eval \"$1\"\n";

/// The reviewer: reads the diff, says what it does as an agent would, and leaves its verdict.
async fn review(desk: Desk) -> i64 {
    let events = [
        EventKind::Tool {
            id: "1".into(),
            tool: ToolKind::Read,
            name: "read".into(),
            path: Some("run.sh".into()),
            command: None,
        },
        EventKind::ToolResult { id: "1".into(), ok: true, bytes: PATCH.len() as u64 },
        EventKind::Turn { turn: 1, tokens: Tokens { output: 40, ..Tokens::default() }, model: None },
    ];
    for kind in events {
        let event = AgentEvent { v: agent_event::SCHEMA, ts: jiff::Timestamp::now(), kind };
        desk.say(false, serde_json::to_string(&event).unwrap_or_default());
    }
    let line = PATCH.lines().position(|line| line.starts_with("+eval"));
    let findings: Vec<_> = line
        .into_iter()
        .map(|_| {
            serde_json::json!({"severity": "CRITICAL", "file": "run.sh", "line": 2, "rule": "eval",
                "message": "the first argument is run as a command", "remediation": "name the commands that may be run"})
        })
        .collect();
    let blocking: Vec<_> = findings.iter().map(|finding| finding["message"].clone()).collect();
    let verdict = serde_json::json!({"pass": findings.is_empty(), "blocking": blocking, "findings": findings});
    i64::from(desk.leave("verdict.json", verdict.to_string().as_bytes()).is_err())
}

fn job() -> Result<JobSpec, Box<dyn Error>> {
    let issue = IssueKey { repo: "acme/scripts".parse()?, number: IssueNumber(7) };
    Ok(JobSpec {
        key: JobKey { issue, generation: Generation(1), stage: Stage::CodeReview, round: 0, attempt: 0 },
        container: ContainerType::Reviewer,
        image: ImageRef { name: "none".into(), pin: String::new() },
        env: BTreeMap::new(),
        inputs: BTreeMap::new(),
        spec: BTreeMap::new(),
        limits: Limits { cpu_millis: 1_000, memory_mib: 64, pids: 1, minutes: 1, turns: 1 },
        tmp_mib: 1,
        workspace_mib: 1,
        network: Network::None,
        net_admin: false,
        hosts: BTreeMap::new(),
        credentials: Vec::new(),
    })
}

/// Has the patch reviewed; what blocks, and what came of it, line by line.
///
/// # Errors
/// When the job cannot be run or its output cannot be read.
pub async fn reviewed() -> Result<Vec<String>, Box<dyn Error>> {
    let runtime = TaskRuntime::new("example", |desk| review(desk).boxed());
    let spec = job()?;
    let id = spec.key.id();
    runtime.start(&spec).await?;
    let mut events: Vec<AgentEvent> = Vec::new();
    let mut lines = runtime.follow(&id).await?;
    while let Some(line) = lines.next().await {
        events.push(serde_json::from_str(&line?.text)?);
    }
    let left = runtime.collect(&id, 1 << 20).await?;
    runtime.remove(&id).await?;

    let file = FileChange {
        path: "run.sh".into(),
        from: None,
        status: 'M',
        mode: "100755".into(),
        link: None,
        bytes: 17,
        lines: Some((1, 0)),
        binary: false,
    };
    let diff = Diff { files: vec![file], patch: PATCH.to_owned(), truncated: false };
    let verdict = parse::parse(left.files.get("verdict.json").map_or(&[], Vec::as_slice));
    let judgement = judge(&Facts {
        stage: Stage::CodeReview,
        verdict: verdict.as_ref(),
        evidence: &evidence(&events, &diff),
        diff: &diff,
        requirements: &[],
        loosened: &[],
        instruction_changes: &[],
    });
    let blocks = judgement.open.iter();
    let mut said: Vec<String> = blocks
        .map(|finding| format!("{} {}: {}", finding.severity, finding.file.as_deref().unwrap_or("-"), finding.message))
        .collect();
    let outcome = match judgement.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Void => "void",
    };
    said.push(format!("{id}: {outcome}"));
    Ok(said)
}
