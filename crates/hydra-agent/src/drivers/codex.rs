//! Codex CLI: `codex exec --json`.

use super::{
    Driver, Finished, Launch, Session, StreamParser, decode,
    decode::{Size, Text},
    tally::{MAX_COMMAND, Tally},
    trouble,
};
use crate::events::cut;
use hydra_core::{
    Timestamp, Tokens,
    agent_event::{AgentEnd, EventKind, ToolKind, Trouble},
};
use serde::Deserialize;

pub(super) fn launch(session: &Session<'_>) -> Launch {
    let mut argv: Vec<String> =
        ["codex", "exec", "--json", "--skip-git-repo-check", "--ephemeral", "-C"].map(str::to_owned).to_vec();
    argv.extend([session.checkout.display().to_string(), "--model".into(), session.model.to_string()]);
    if session.read_only {
        argv.extend([
            "--sandbox".into(),
            "workspace-write".into(),
            "--add-dir".into(),
            session.out.display().to_string(),
        ]);
    } else {
        argv.push("--dangerously-bypass-approvals-and-sandbox".into());
    }
    argv.push("-".into());
    let mut env = session.variables(Driver::Codex);
    env.insert("CODEX_HOME".into(), session.home.join("codex").display().to_string());
    Launch { argv, env, stdin: with_system(session) }
}

/// CLIs without a flag for the persona get it before the task.
pub(super) fn with_system(session: &Session<'_>) -> String {
    if session.system.trim().is_empty() {
        return session.prompt.clone();
    }
    format!("{}\n\n---\n\n{}", session.system, session.prompt)
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    item: Option<Item<'a>>,
    usage: Option<Usage>,
    #[serde(borrow)]
    error: Option<Failure<'a>>,
    #[serde(borrow, default)]
    message: Text<'a>,
}

#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(borrow, default)]
    message: Text<'a>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow)]
    command: Option<Text<'a>>,
    #[serde(default)]
    aggregated_output: Size,
    exit_code: Option<i64>,
    #[serde(borrow, default)]
    status: Text<'a>,
    #[serde(borrow, default)]
    changes: Vec<Change<'a>>,
}

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow, default)]
    path: Text<'a>,
    #[serde(borrow, default)]
    kind: Text<'a>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct Usage {
    input_tokens: u64,
    cached_input_tokens: u64,
    cache_write_input_tokens: u64,
    output_tokens: u64,
}

/// Reads `codex exec --json`. Its `turn` is a whole exchange with many model calls, so the tool calls count as turns besides.
pub struct CodexParser {
    root: String,
    tally: Tally,
    calls: u32,
    running: Option<String>,
    done: bool,
    failed: Option<String>,
}

impl CodexParser {
    /// `root` is the checkout.
    #[must_use]
    pub fn new(root: String) -> Self {
        Self { root, tally: Tally::default(), calls: 0, running: None, done: false, failed: None }
    }

    fn item(&mut self, item: &Item<'_>, completed: bool, emit: &mut dyn FnMut(EventKind)) {
        let id = cut(item.id.as_str(), 200);
        let (tool, name) = match item.kind.as_str() {
            "agent_message" if completed => return self.tally.text(item.text.as_str(), emit),
            "command_execution" => (ToolKind::Shell, "shell"),
            "file_change" => (ToolKind::Edit, "apply_patch"),
            "mcp_tool_call" => (ToolKind::Other, "mcp"),
            "web_search" => (ToolKind::Other, "web_search"),
            _ => return,
        };
        if self.running.as_deref() != Some(id.as_str()) {
            self.calls = self.calls.saturating_add(1);
            self.running = Some(id.clone());
            let command = item.command.as_ref().map(|command| cut(command.as_str(), MAX_COMMAND));
            let base = EventKind::Tool { id: id.clone(), tool, name: name.into(), path: None, command };
            if item.changes.is_empty() {
                emit(base);
            }
            for change in &item.changes {
                let tool = if change.kind.as_str() == "add" { ToolKind::Write } else { tool };
                let path = Some(super::relative(&self.root, change.path.as_str()));
                emit(EventKind::Tool { id: id.clone(), tool, name: name.into(), path, command: None });
            }
        }
        if completed {
            self.running = None;
            let ok = item.exit_code.unwrap_or(0) == 0 && !matches!(item.status.as_str(), "failed" | "declined");
            emit(EventKind::ToolResult { id, ok, bytes: item.aggregated_output.0 });
        }
    }

    fn failure(&mut self, said: &str, emit: &mut dyn FnMut(EventKind)) {
        let kind = trouble::of_text(said).unwrap_or(Trouble::Refused);
        self.tally.provider(kind, trouble::reset(said, Timestamp::now()), said, emit);
    }
}

impl StreamParser for CodexParser {
    fn line(&mut self, line: &[u8], emit: &mut dyn FnMut(EventKind)) {
        let mut scratch = String::new();
        let _ = decode::decode::<Line<'_>, _>(line, &mut scratch, |line| match line.kind.as_str() {
            "thread.started" => emit(EventKind::Started { driver: "codex".into(), version: None, model: None }),
            "item.started" | "item.updated" | "item.completed" => {
                if let Some(item) = &line.item {
                    self.item(item, line.kind.as_str() == "item.completed", emit);
                }
            }
            "turn.completed" => {
                let usage = line.usage.unwrap_or_default();
                let tokens = Tokens {
                    // Its input counts what came from the cache as well.
                    input: usage.input_tokens.saturating_sub(usage.cached_input_tokens),
                    output: usage.output_tokens,
                    cache_read: usage.cached_input_tokens,
                    cache_write: usage.cache_write_input_tokens,
                };
                self.tally.turn(tokens, None, emit);
                self.done = true;
            }
            "turn.failed" => {
                let said = line.error.as_ref().map_or("", |error| error.message.as_str());
                self.failure(said, emit);
                self.failed = Some(said.to_owned());
            }
            "error" => self.failure(line.message.as_str(), emit),
            _ => {}
        });
    }

    fn turns(&self) -> u32 {
        self.tally.turns.max(self.calls)
    }

    fn finish(&mut self, code: i32, stderr: &str, _: &mut dyn FnMut(EventKind)) -> Finished {
        let summary = std::mem::take(&mut self.tally.summary);
        let reported = self.done.then_some(self.tally.tokens);
        let end = if self.done && code == 0 && self.failed.is_none() {
            AgentEnd::Completed
        } else {
            self.tally.without_result(code, stderr)
        };
        Finished { end, reported, summary }
    }
}
