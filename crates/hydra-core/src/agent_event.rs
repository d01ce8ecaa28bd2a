//! The normalised event stream of a coding agent: what every driver translates its CLI's stream into.
//! One JSON object a line, on the container's standard output and in `/out/events.jsonl`.

use crate::{ModelName, Timestamp, Tokens};
use serde::{Deserialize, Serialize};

mod read;

/// Version of the line format; a reader takes this one and the one before.
pub const SCHEMA: u32 = 1;
/// A longer line is cut by the writer and refused by the reader, in bytes.
pub const MAX_LINE: usize = 256 * 1024;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentEvent {
    /// Always [`SCHEMA`] when written.
    pub v: u32,
    /// When the agent's wrapper saw it.
    pub ts: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A step of the wrapper itself: `contract`, `fence`, `workspace`, `driver`, `outputs`.
    Step {
        /// Its name.
        step: String,
        /// One line for people.
        detail: String,
    },
    /// The coding agent began its session.
    Started {
        /// `claude`, `codex`, `gemini`, `opencode` or `demo`.
        driver: String,
        /// The CLI's own version, where it says one.
        version: Option<String>,
        /// The model it says it uses.
        model: Option<ModelName>,
    },
    /// One model response ended. Tokens are this response's alone, counted once (a CLI repeats a message's usage on each of its blocks).
    Turn {
        /// 1 for the first.
        turn: u32,
        /// This response's tokens.
        tokens: Tokens,
        /// The model that answered, where the stream says it.
        model: Option<ModelName>,
    },
    /// Text of the agent, cut to 4,000 characters.
    Text {
        /// The text.
        text: String,
    },
    /// A tool call.
    Tool {
        /// Joins it with its result.
        id: String,
        /// Which kind of tool.
        tool: ToolKind,
        /// The tool's name as the CLI spells it.
        name: String,
        /// The file it names, relative to the workspace where it lies in it.
        path: Option<String>,
        /// The command, for a shell; cut to 2,000 characters.
        command: Option<String>,
    },
    /// A tool's result.
    ToolResult {
        /// The call's id.
        id: String,
        /// False when the tool refused or failed.
        ok: bool,
        /// Size of what it returned, in bytes.
        bytes: u64,
    },
    /// The provider refused or failed; the CLI may go on trying.
    Provider {
        /// Which kind of trouble.
        trouble: Trouble,
        /// When it ends, where the provider names a time.
        until: Option<Timestamp>,
        /// The provider's words, cut to 500 characters.
        detail: String,
    },
    /// One command of the quality stage.
    Command {
        /// `setup`, `lint`, `test` or `build`.
        name: String,
        /// What was run.
        command: String,
        /// Its exit code; 124 when its time ran out.
        exit: i32,
        /// How long, in milliseconds.
        millis: u64,
        /// The end of its output, cut to 8,000 characters.
        tail: String,
    },
    /// A host was refused by the fence.
    Denied {
        /// The host or address.
        host: String,
        /// The reason from the closed list.
        reason: String,
        /// The line to add to the policy.
        hint: String,
    },
    /// The end, always the last line.
    Ended {
        /// How it ended.
        end: AgentEnd,
        /// The total that the CLI itself states, for comparison with the sum of the turns.
        reported: Option<Tokens>,
    },
}

/// Which kind of tool a call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolKind {
    /// Reads a file.
    Read,
    /// Writes a whole file.
    Write,
    /// Changes a part of a file.
    Edit,
    /// Searches names or content.
    Search,
    /// Runs a command.
    Shell,
    /// Anything else.
    Other,
}

/// Which kind of trouble a provider reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The account's usage limit: 429 with a reset, or the provider's usage-limit text.
    Limit,
    /// 401 or 403: the credential is wrong.
    Auth,
    /// 529, 503 or `overloaded_error`: not this account's fault.
    Overload,
    /// 400 or 404: the request itself was refused (an unknown model, say).
    Refused,
    /// No connection, or it broke.
    Network,
}

/// How an agent's run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum AgentEnd {
    /// It says that it is done.
    Completed,
    /// The turn limit was reached.
    TurnLimit,
    /// The wrapper's own deadline passed.
    Deadline,
    /// What it was allowed to spend is spent.
    Budget,
    /// The provider's trouble ended it.
    Provider {
        /// Which.
        trouble: Trouble,
        /// Until when, where the provider named a time.
        until: Option<Timestamp>,
        /// Its words.
        detail: String,
    },
    /// It was told to stop (SIGINT, SIGTERM).
    Interrupted,
    /// The CLI crashed or ended without a result.
    Crashed {
        /// Exit code, or 128 + signal.
        code: i32,
        /// The end of its error output.
        detail: String,
    },
    /// The wrapper refused to begin: contract or fence.
    Refused {
        /// Which step.
        step: String,
        /// Why.
        detail: String,
    },
}
