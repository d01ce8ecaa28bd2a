//! Gemini CLI: `gemini --output-format stream-json`.

use super::{
    Driver, Finished, Launch, Session, StreamParser,
    codex::with_system,
    decode,
    decode::{Size, Text},
    tally::{MAX_COMMAND, Tally, model_name},
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
        ["gemini", "--output-format", "stream-json", "--approval-mode", "yolo", "--include-directories"]
            .map(str::to_owned)
            .to_vec();
    argv.extend([session.out.display().to_string(), "--model".into(), session.model.to_string()]);
    let mut env = session.variables(Driver::Gemini);
    env.insert("GEMINI_CLI_TRUST_WORKSPACE".into(), "true".into());
    Launch { argv, env, stdin: with_system(session) }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default)]
    role: Text<'a>,
    #[serde(borrow, default)]
    content: Text<'a>,
    #[serde(borrow, default)]
    tool_name: Text<'a>,
    #[serde(borrow, default)]
    tool_id: Text<'a>,
    #[serde(borrow)]
    parameters: Option<Parameters<'a>>,
    #[serde(borrow, default)]
    status: Text<'a>,
    #[serde(default)]
    output: Size,
    #[serde(borrow, default)]
    message: Text<'a>,
    #[serde(borrow)]
    error: Option<Failure<'a>>,
    stats: Option<Stats>,
}

#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(borrow, default)]
    message: Text<'a>,
}

#[derive(Deserialize)]
struct Parameters<'a> {
    #[serde(borrow)]
    command: Option<Text<'a>>,
    #[serde(borrow)]
    file_path: Option<Text<'a>>,
    #[serde(borrow)]
    absolute_path: Option<Text<'a>>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct Stats {
    input_tokens: u64,
    output_tokens: u64,
    cached: u64,
}

/// Reads Gemini's stream. It states tokens once, at the end; until then the tool calls count as turns.
pub struct GeminiParser {
    root: String,
    tally: Tally,
    calls: u32,
    said: String,
    model: Option<String>,
    succeeded: Option<bool>,
}

impl GeminiParser {
    /// `root` is the checkout.
    #[must_use]
    pub fn new(root: String) -> Self {
        Self { root, tally: Tally::default(), calls: 0, said: String::new(), model: None, succeeded: None }
    }

    /// Its text comes in pieces; a tool call or the end closes them.
    fn close_text(&mut self, emit: &mut dyn FnMut(EventKind)) {
        let said = std::mem::take(&mut self.said);
        self.tally.text(&said, emit);
    }

    fn tool(&mut self, line: &Line<'_>, emit: &mut dyn FnMut(EventKind)) {
        self.calls = self.calls.saturating_add(1);
        let input = line.parameters.as_ref();
        let path = input.and_then(|input| input.file_path.as_ref().or(input.absolute_path.as_ref()));
        emit(EventKind::Tool {
            id: cut(line.tool_id.as_str(), 200),
            tool: match line.tool_name.as_str() {
                "run_shell_command" => ToolKind::Shell,
                "read_file" | "read_many_files" => ToolKind::Read,
                "write_file" => ToolKind::Write,
                "replace" | "edit" => ToolKind::Edit,
                "glob" | "search_file_content" | "grep_search" | "list_directory" => ToolKind::Search,
                _ => ToolKind::Other,
            },
            name: cut(line.tool_name.as_str(), 200),
            path: path.map(|path| super::relative(&self.root, path.as_str())),
            command: input.and_then(|i| i.command.as_ref()).map(|command| cut(command.as_str(), MAX_COMMAND)),
        });
    }

    fn read(&mut self, line: &Line<'_>, emit: &mut dyn FnMut(EventKind)) {
        match line.kind.as_str() {
            "init" => {
                self.model = Some(line.model.as_str().to_owned());
                let model = model_name(Some(line.model.as_str()));
                emit(EventKind::Started { driver: "gemini".into(), version: None, model });
            }
            "message" if line.role.as_str() == "assistant" && self.said.len() < 64 * 1024 => {
                self.said.push_str(line.content.as_str());
            }
            "tool_use" => {
                self.close_text(emit);
                self.tool(line, emit);
            }
            "tool_result" => emit(EventKind::ToolResult {
                id: cut(line.tool_id.as_str(), 200),
                ok: line.status.as_str() == "success",
                bytes: line.output.0,
            }),
            "error" => self.failure(line.message.as_str(), emit),
            "result" => {
                self.close_text(emit);
                let stats = line.stats.unwrap_or_default();
                let tokens = Tokens {
                    input: stats.input_tokens.saturating_sub(stats.cached),
                    output: stats.output_tokens,
                    cache_read: stats.cached,
                    cache_write: 0,
                };
                let ok = line.status.as_str() == "success";
                if tokens.total() > 0 || ok {
                    let model = self.model.clone();
                    self.tally.turn(tokens, model.as_deref(), emit);
                }
                if !ok {
                    self.failure(line.error.as_ref().map_or("", |error| error.message.as_str()), emit);
                }
                self.succeeded = Some(ok);
            }
            _ => {}
        }
    }

    fn failure(&mut self, said: &str, emit: &mut dyn FnMut(EventKind)) {
        let kind = trouble::of_text(said).unwrap_or(Trouble::Refused);
        self.tally.provider(kind, trouble::reset(said, Timestamp::now()), said, emit);
    }
}

impl StreamParser for GeminiParser {
    fn line(&mut self, line: &[u8], emit: &mut dyn FnMut(EventKind)) {
        let mut scratch = String::new();
        let _ = decode::decode::<Line<'_>, _>(line, &mut scratch, |line| self.read(&line, emit));
    }

    fn turns(&self) -> u32 {
        self.tally.turns.max(self.calls)
    }

    fn finish(&mut self, code: i32, stderr: &str, emit: &mut dyn FnMut(EventKind)) -> Finished {
        self.close_text(emit);
        let summary = std::mem::take(&mut self.tally.summary);
        let end = match self.succeeded {
            Some(true) if code == 0 => AgentEnd::Completed,
            // Its documented exit code for a turn limit.
            _ if code == 53 => AgentEnd::TurnLimit,
            Some(_) | None => self.tally.without_result(code, stderr),
        };
        Finished { end, reported: self.succeeded.map(|_| self.tally.tokens), summary }
    }
}
