//! Scripts for the model: the demo's own, and what a story changes in them.

use hydra_core::Stage;
use hydra_sim::model::{Script, Session, Step, ToolCall, scenario};
use serde_json::{Value, json};

/// A scenario of the demo.
pub(crate) fn demo(name: &str) -> Script {
    scenario(name).expect("a script").expect("a scenario").script
}

/// The happy scenario with these sessions in place of its own.
pub(crate) fn happy_but(sessions: Vec<Session>) -> Script {
    but("happy", sessions)
}

/// A scenario with these sessions in place of its own.
pub(crate) fn but(name: &str, sessions: Vec<Session>) -> Script {
    Script { extends: Some(name.to_owned()), sessions, adjustments: Vec::new() }.resolve().expect("a script")
}

/// Every session of a stage.
pub(crate) fn always(stage: Stage, steps: Vec<Step>) -> Session {
    Session { stage, nth: None, when: None, steps }
}
/// The nth session of a stage.
pub(crate) fn nth(n: u32, stage: Stage, steps: Vec<Step>) -> Session {
    Session { nth: Some(n), ..always(stage, steps) }
}

pub(crate) fn say(text: &str) -> Step {
    Step { say: Some(text.to_owned()), ..Step::default() }
}
fn call(name: &str, input: &Value) -> ToolCall {
    ToolCall { name: name.to_owned(), input: input.as_object().expect("an object").clone() }
}
/// Runs a command.
pub(crate) fn bash(command: &str) -> Step {
    Step { tool: Some(call("Bash", &json!({ "command": command, "description": "story" }))), ..Step::default() }
}
/// Writes a file of the workspace.
pub(crate) fn write(path: &str, content: &str) -> Step {
    let path = format!("{{{{workspace}}}}/{path}");
    Step { tool: Some(call("Write", &json!({ "file_path": path, "content": content }))), ..Step::default() }
}
/// Writes a file of `/out`.
pub(crate) fn out(name: &str, content: &Value) -> Step {
    let path = format!("{{{{out}}}}/{name}");
    let content = content.to_string();
    Step { tool: Some(call("Write", &json!({ "file_path": path, "content": content }))), ..Step::default() }
}
/// Reads files of the workspace.
pub(crate) fn reads(paths: &[&str]) -> Step {
    let read = |path: &&str| call("Read", &json!({ "file_path": format!("{{{{workspace}}}}/{path}") }));
    Step { tools: paths.iter().map(read).collect(), ..Step::default() }
}
/// Waits before it answers.
pub(crate) fn slowly(millis: u64, step: Step) -> Step {
    Step { delay_ms: Some(millis), ..step }
}

/// A builder that writes one file and says that it is done.
pub(crate) fn writes(path: &str, content: &str) -> Vec<Step> {
    vec![write(path, content), say("Done.")]
}

/// What the happy builder touches.
pub(crate) const DIFF: [&str; 5] =
    ["lib/slug.sh", "bin/slug", "tests/test_words.sh", "README.md", "openspec/changes/add-word-limit/tasks.md"];

/// A reviewer that reads what the happy builder touched and judges.
pub(crate) fn judges(verdict: &Value) -> Vec<Step> {
    judges_after(0, verdict)
}
/// The same, after a while.
pub(crate) fn judges_after(millis: u64, verdict: &Value) -> Vec<Step> {
    vec![slowly(millis, reads(&DIFF)), out("verdict.json", verdict), say("I have judged.")]
}

/// A verdict that passes, with both requirements met.
pub(crate) fn passes() -> Value {
    json!({
        "pass": true, "blocking": [], "findings": [], "summary": "It does what it should.",
        "requirements": [
            { "requirement": "Word limit", "state": "met" },
            { "requirement": "Refused counts", "state": "met" },
        ],
    })
}
/// A verdict that blocks for this reason.
pub(crate) fn blocks(why: &str) -> Value {
    let mut verdict = passes();
    verdict["pass"] = false.into();
    verdict["blocking"] = json!([why]);
    verdict
}
