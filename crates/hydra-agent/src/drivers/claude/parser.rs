//! Reads claude-code's stream. Its traps: a message's usage is repeated on each of its blocks and counts only the beginning of
//! the answer; an API failure ends with subtype `success`; the total in `usage` may leave turns out, the one in `modelUsage` not.

use super::line::{Block, Line, Message, StreamEvent};
use crate::drivers::{
    Finished, StreamParser, decode,
    tally::{MAX_COMMAND, MAX_DETAIL, MAX_SUMMARY, Tally, beyond, model_name},
    trouble,
};
use crate::events::cut;
use hydra_core::{
    Timestamp, Tokens,
    agent_event::{AgentEnd, EventKind, ToolKind, Trouble},
};

/// The beginning of the lines that carry the pieces of an answer: most of a long stream, and nothing that is read.
const PIECE: &[u8] = br#"{"type":"stream_event","event":{"type":"content_block_"#;

/// A response that has begun.
struct Response {
    id: String,
    model: Option<String>,
    tokens: Tokens,
}

/// Reads the stream of claude-code, and of the simulator's agent, which prints the same.
pub struct ClaudeParser {
    driver: &'static str,
    root: String,
    tally: Tally,
    open: Option<Response>,
    closed: String,
    result: Option<(AgentEnd, Option<Tokens>)>,
    /// Whether the result counts as one only with exit code 0.
    claims_success: bool,
}

impl ClaudeParser {
    /// A parser for `claude` or `demo`; `root` is the checkout.
    #[must_use]
    pub fn new(driver: &'static str, root: String) -> Self {
        let (tally, open, closed) = (Tally::default(), None, String::new());
        Self { driver, root, tally, open, closed, result: None, claims_success: false }
    }

    fn close(&mut self, emit: &mut dyn FnMut(EventKind)) {
        if let Some(response) = self.open.take() {
            self.tally.turn(response.tokens, response.model.as_deref(), emit);
            self.closed = response.id;
        }
    }

    /// A message was seen, whole or in part.
    fn seen(&mut self, message: &Message<'_>, emit: &mut dyn FnMut(EventKind)) {
        let id = message.id.as_str();
        if message.model.as_str() == "<synthetic>" || id.is_empty() || id == self.closed {
            return;
        }
        if self.open.as_ref().is_none_or(|open| open.id != id) {
            self.close(emit);
            let model = (!message.model.as_str().is_empty()).then(|| message.model.as_str().to_owned());
            self.open = Some(Response { id: id.to_owned(), model, tokens: Tokens::default() });
        }
        if let (Some(open), Some(usage)) = (&mut self.open, message.usage) {
            open.tokens = usage.over(open.tokens);
        }
    }

    fn partial(&mut self, event: &StreamEvent<'_>, emit: &mut dyn FnMut(EventKind)) {
        if let Some(message) = &event.message {
            self.seen(message, emit);
        }
        if let (Some(open), Some(usage)) = (&mut self.open, event.usage) {
            open.tokens = usage.over(open.tokens);
        }
        if event.kind.as_str() == "message_stop" {
            self.close(emit);
        }
    }

    fn block(&mut self, block: &Block<'_>, emit: &mut dyn FnMut(EventKind)) {
        match block.kind.as_str() {
            "text" => self.tally.text(block.text.as_str(), emit),
            "tool_use" => {
                let input = block.input.as_ref();
                let path = input.and_then(|input| {
                    input.file_path.as_ref().or(input.notebook_path.as_ref()).or(input.path.as_ref())
                });
                emit(EventKind::Tool {
                    id: cut(block.id.as_str(), 200),
                    tool: tool_kind(block.name.as_str()),
                    name: cut(block.name.as_str(), 200),
                    path: path.map(|path| crate::drivers::relative(&self.root, path.as_str())),
                    command: input.and_then(|i| i.command.as_ref()).map(|text| cut(text.as_str(), MAX_COMMAND)),
                });
            }
            "tool_result" => emit(EventKind::ToolResult {
                id: cut(block.tool_use_id.as_str(), 200),
                ok: block.is_error != Some(true),
                bytes: block.content.0,
            }),
            _ => {}
        }
    }

    fn read(&mut self, line: &Line<'_>, emit: &mut dyn FnMut(EventKind)) {
        match line.kind.as_str() {
            "system" if line.subtype.as_str() == "init" => emit(EventKind::Started {
                driver: self.driver.to_owned(),
                version: Some(cut(line.claude_code_version.as_str(), 100)).filter(|version| !version.is_empty()),
                model: model_name(Some(line.model.as_str())),
            }),
            "system" if line.subtype.as_str() == "api_retry" => {
                let kind = line.error_status.and_then(trouble::of_status);
                let kind = kind.or_else(|| trouble::of_text(line.error.as_str())).unwrap_or(Trouble::Network);
                let status = line.error_status.map(|status| format!(" {status}")).unwrap_or_default();
                self.tally.provider(kind, None, &format!("asked again after:{status} {}", line.error.as_str()), emit);
            }
            "rate_limit_event" => {
                if let Some(limit) = line.rate_limit_info.as_ref().filter(|limit| limit.status == "rejected") {
                    let until = limit.resets_at.and_then(trouble::of_epoch);
                    let detail = format!("the {} limit is reached", limit.rate_limit_type.replace('_', " "));
                    self.tally.provider(Trouble::Limit, until, &detail, emit);
                }
            }
            "stream_event" => {
                if let Some(event) = &line.event {
                    self.partial(event, emit);
                }
            }
            "assistant" | "user" => self.message(line, emit),
            "result" => self.ended(line, emit),
            _ => {}
        }
    }

    fn message(&mut self, line: &Line<'_>, emit: &mut dyn FnMut(EventKind)) {
        let Some(message) = &line.message else { return };
        let assistant = line.kind.as_str() == "assistant";
        if assistant {
            self.seen(message, emit);
        } else if line.parent_tool_use_id.as_ref().is_none_or(|id| id.as_str().is_empty()) {
            // What follows is the next request: the answer before it is complete.
            self.close(emit);
        }
        let blocks = &message.content.0;
        if assistant && message.model.as_str() == "<synthetic>" {
            // The CLI's own words about a failure.
            for block in blocks.iter().filter(|block| block.kind.as_str() == "text") {
                let said = block.text.as_str();
                if let Some(kind) = trouble::of_text(line.error.as_str()).or_else(|| trouble::of_text(said)) {
                    self.tally.provider(kind, trouble::reset(said, Timestamp::now()), said, emit);
                }
            }
            return;
        }
        for block in blocks {
            if assistant || block.kind.as_str() == "tool_result" {
                self.block(block, emit);
            }
        }
    }

    fn ended(&mut self, line: &Line<'_>, emit: &mut dyn FnMut(EventKind)) {
        for denial in &line.permission_denials {
            let detail = format!("the agent was refused the tool {:?}", cut(denial.tool_name.as_str(), 200));
            emit(EventKind::Step { step: "driver".into(), detail });
        }
        let reported = reported(line);
        // What the stream did not show (the rest of an answer whose usage was that of its beginning) belongs to the last turn.
        if let (Some(total), Some(open)) = (reported, &mut self.open) {
            open.tokens += beyond(total, self.tally.tokens + open.tokens);
        }
        self.close(emit);
        if let Some(total) = reported {
            let rest = beyond(total, self.tally.tokens);
            if rest.total() > 0 && self.tally.turns > 0 {
                self.tally.tokens += rest;
                emit(EventKind::Turn { turn: self.tally.turns, tokens: rest, model: None });
            }
        }
        let said = line.result.as_str();
        if !said.is_empty() && !line.is_error {
            self.tally.summary = cut(said, MAX_SUMMARY);
        }
        self.claims_success = !line.is_error && line.subtype.as_str() == "success";
        self.result = Some((self.judge(line, said), reported));
    }

    fn judge(&self, line: &Line<'_>, said: &str) -> AgentEnd {
        let because = line.errors.first().map_or(said, String::as_str);
        match line.subtype.as_str() {
            "error_max_turns" => return AgentEnd::TurnLimit,
            // Hydra sets no such budget: whoever did (the repository's settings, say) ended the run.
            "error_max_budget_usd" => {
                return AgentEnd::Crashed {
                    code: 0,
                    detail: cut(&format!("the CLI's own budget: {because}"), MAX_DETAIL),
                };
            }
            _ => {}
        }
        if line.stop_reason.as_str() == "refusal" {
            let said = if said.is_empty() { "the model refused" } else { said };
            return AgentEnd::Provider { trouble: Trouble::Refused, until: None, detail: cut(said, MAX_DETAIL) };
        }
        if !line.is_error {
            return AgentEnd::Completed;
        }
        let by_status = line.api_error_status.and_then(trouble::of_status);
        let kind = by_status.or_else(|| self.tally.trouble.as_ref().map(|(kind, _, _)| *kind));
        match kind.or_else(|| trouble::of_text(because)) {
            Some(kind) => {
                let named = trouble::reset(because, Timestamp::now());
                let before =
                    self.tally.trouble.as_ref().filter(|(last, _, _)| *last == kind).and_then(|(_, at, _)| *at);
                AgentEnd::Provider { trouble: kind, until: before.or(named), detail: cut(because, MAX_DETAIL) }
            }
            None => AgentEnd::Crashed { code: 1, detail: cut(because, MAX_DETAIL) },
        }
    }
}

/// The total that the result states: the sum over models, else `usage`.
fn reported(line: &Line<'_>) -> Option<Tokens> {
    let by_model: Option<Tokens> = line.model_usage.as_ref().filter(|usage| !usage.is_empty()).map(|usage| {
        usage
            .values()
            .map(|usage| Tokens {
                input: usage.input_tokens,
                output: usage.output_tokens,
                cache_read: usage.cache_read_input_tokens,
                cache_write: usage.cache_creation_input_tokens,
            })
            .sum()
    });
    by_model.or_else(|| line.usage.map(|usage| usage.over(Tokens::default())))
}

/// Which kind of tool a name stands for.
fn tool_kind(name: &str) -> ToolKind {
    match name {
        "Read" => ToolKind::Read,
        "Write" => ToolKind::Write,
        "Edit" | "MultiEdit" | "NotebookEdit" => ToolKind::Edit,
        "Glob" | "Grep" | "LS" => ToolKind::Search,
        "Bash" | "BashOutput" => ToolKind::Shell,
        _ => ToolKind::Other,
    }
}

impl StreamParser for ClaudeParser {
    fn ignores(&self, line: &[u8]) -> bool {
        line.starts_with(PIECE) || line.is_empty()
    }

    fn line(&mut self, line: &[u8], emit: &mut dyn FnMut(EventKind)) {
        let mut scratch = String::new();
        // What is no event (a warning printed among the lines, a line cut by a kill) says nothing that is acted on.
        let _ = decode::decode::<Line<'_>, _>(line, &mut scratch, |line| self.read(&line, emit));
    }

    fn turns(&self) -> u32 {
        self.tally.turns.saturating_add(u32::from(self.open.is_some()))
    }

    fn finish(&mut self, code: i32, stderr: &str, emit: &mut dyn FnMut(EventKind)) -> Finished {
        self.close(emit);
        let summary = std::mem::take(&mut self.tally.summary);
        let (end, reported) = match self.result.take() {
            Some((_, reported)) if self.claims_success && code != 0 => {
                (self.tally.without_result(code, stderr), reported)
            }
            Some((AgentEnd::Crashed { detail, .. }, reported)) => (AgentEnd::Crashed { code, detail }, reported),
            Some((end, reported)) => (end, reported),
            None => (self.tally.without_result(code, stderr), None),
        };
        Finished { end, reported, summary }
    }
}
