//! OpenCode: `opencode run --format json`.

use super::{
    Driver, Finished, Launch, Session, StreamParser,
    codex::with_system,
    decode,
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
    let argv = ["opencode", "run", "--format", "json", "--model", session.model.as_str()].map(str::to_owned).to_vec();
    let mut env = session.variables(Driver::Opencode);
    env.insert("OPENCODE_DISABLE_AUTOUPDATE".into(), "1".into());
    env.insert("OPENCODE_PERMISSION".into(), r#"{"edit":"allow","bash":"allow","webfetch":"deny"}"#.into());
    Launch { argv, env, stdin: with_system(session) }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    part: Option<Part<'a>>,
    #[serde(borrow)]
    error: Option<Failure<'a>>,
}

#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow)]
    data: Option<FailureData<'a>>,
}

#[derive(Deserialize)]
struct FailureData<'a> {
    #[serde(borrow, default)]
    message: Text<'a>,
    #[serde(rename = "statusCode")]
    status: Option<u16>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow, default)]
    tool: Text<'a>,
    #[serde(borrow, default, rename = "callID")]
    call: Text<'a>,
    #[serde(borrow)]
    state: Option<State<'a>>,
    #[serde(borrow, default)]
    reason: Text<'a>,
    tokens: Option<Counts>,
}

#[derive(Deserialize)]
struct State<'a> {
    #[serde(borrow, default)]
    status: Text<'a>,
    #[serde(borrow)]
    input: Option<Input<'a>>,
    #[serde(default)]
    output: Size,
}

#[derive(Deserialize)]
struct Input<'a> {
    #[serde(borrow)]
    command: Option<Text<'a>>,
    #[serde(borrow, rename = "filePath")]
    file_path: Option<Text<'a>>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct Counts {
    input: u64,
    output: u64,
    reasoning: u64,
    cache: CacheCounts,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct CacheCounts {
    read: u64,
    write: u64,
}

/// Reads OpenCode's stream. It has no closing line: the last step's reason says whether the agent was done.
pub struct OpencodeParser {
    root: String,
    tally: Tally,
    started: bool,
    stopped: bool,
}

impl OpencodeParser {
    /// `root` is the checkout.
    #[must_use]
    pub fn new(root: String) -> Self {
        Self { root, tally: Tally::default(), started: false, stopped: false }
    }

    fn tool(&self, part: &Part<'_>, emit: &mut dyn FnMut(EventKind)) {
        let Some(state) = &part.state else { return };
        let id = cut(part.call.as_str(), 200);
        let input = state.input.as_ref();
        let path = input.and_then(|input| input.file_path.as_ref());
        emit(EventKind::Tool {
            id: id.clone(),
            tool: match part.tool.as_str() {
                "bash" => ToolKind::Shell,
                "read" => ToolKind::Read,
                "write" => ToolKind::Write,
                "edit" | "patch" | "multiedit" | "apply_patch" => ToolKind::Edit,
                "glob" | "grep" | "list" => ToolKind::Search,
                _ => ToolKind::Other,
            },
            name: cut(part.tool.as_str(), 200),
            path: path.map(|path| super::relative(&self.root, path.as_str())),
            command: input.and_then(|i| i.command.as_ref()).map(|command| cut(command.as_str(), MAX_COMMAND)),
        });
        emit(EventKind::ToolResult { id, ok: state.status.as_str() == "completed", bytes: state.output.0 });
    }

    fn read(&mut self, line: &Line<'_>, emit: &mut dyn FnMut(EventKind)) {
        if !self.started {
            self.started = true;
            emit(EventKind::Started { driver: "opencode".into(), version: None, model: None });
        }
        match (line.kind.as_str(), &line.part) {
            ("tool_use", Some(part)) => self.tool(part, emit),
            ("text", Some(part)) => self.tally.text(part.text.as_str(), emit),
            ("step_finish", Some(part)) => {
                let counts = part.tokens.unwrap_or_default();
                let tokens = Tokens {
                    input: counts.input,
                    output: counts.output.saturating_add(counts.reasoning),
                    cache_read: counts.cache.read,
                    cache_write: counts.cache.write,
                };
                self.stopped = part.reason.as_str() == "stop";
                self.tally.turn(tokens, None, emit);
            }
            ("error", _) => {
                let (name, data) = match &line.error {
                    Some(error) => (error.name.as_str(), error.data.as_ref()),
                    None => ("", None),
                };
                let said = data.map_or(name, |data| data.message.as_str());
                let kind = data.and_then(|data| data.status).and_then(trouble::of_status);
                let kind = kind.or_else(|| trouble::of_text(said)).unwrap_or(Trouble::Refused);
                self.stopped = false;
                self.tally.provider(kind, trouble::reset(said, Timestamp::now()), said, emit);
            }
            _ => {}
        }
    }
}

impl StreamParser for OpencodeParser {
    fn line(&mut self, line: &[u8], emit: &mut dyn FnMut(EventKind)) {
        let mut scratch = String::new();
        let _ = decode::decode::<Line<'_>, _>(line, &mut scratch, |line| self.read(&line, emit));
    }

    fn turns(&self) -> u32 {
        self.tally.turns
    }

    fn finish(&mut self, code: i32, stderr: &str, _: &mut dyn FnMut(EventKind)) -> Finished {
        let summary = std::mem::take(&mut self.tally.summary);
        let end = if self.stopped && code == 0 { AgentEnd::Completed } else { self.tally.without_result(code, stderr) };
        Finished { end, reported: None, summary }
    }
}
