//! Coding agents: how each CLI is started, and how its event stream becomes Hydra's.

pub mod claude;
pub mod codex;
pub mod decode;
pub mod demo;
pub mod gemini;
pub mod opencode;
pub mod tally;
pub mod trouble;

use crate::{
    environment::Environment,
    lines::{Line, LineSplitter},
};
use hydra_core::{
    ModelName, Tokens,
    agent_event::{AgentEnd, EventKind},
    redact::Redactor,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A coding agent that Hydra can drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Driver {
    /// Claude Code.
    Claude,
    /// Codex CLI.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// OpenCode.
    Opencode,
    /// The simulator's small agent.
    Demo,
}

/// A program, ready to be started in the checkout.
#[derive(Clone, PartialEq, Eq)]
pub struct Launch {
    /// Program and arguments. No secret is among them.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// What it reads on standard input.
    pub stdin: String,
}

impl std::fmt::Debug for Launch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Launch").field("argv", &self.argv).field("env", &self.env.keys()).finish_non_exhaustive()
    }
}

/// What a session is about, whichever CLI carries it out.
#[derive(Debug, Clone)]
pub struct Session<'a> {
    /// Where the agent works.
    pub checkout: &'a Path,
    /// Where it writes `verdict.json` or `rfi.json`.
    pub out: &'a Path,
    /// A writable folder that becomes `HOME`.
    pub home: PathBuf,
    /// The model.
    pub model: &'a ModelName,
    /// Model turns, at most; the wrapper counts them too.
    pub max_turns: u32,
    /// Whether file tools may write below `out` alone.
    pub read_only: bool,
    /// The task.
    pub prompt: String,
    /// The persona.
    pub system: String,
    /// A file with the same text: an argument holds 128 KiB at most.
    pub system_file: PathBuf,
    /// Variables; each driver takes what it may see.
    pub env: &'a Environment,
}

impl Session<'_> {
    /// The variables every agent gets: what is no secret, its own model credential, and a home of its own.
    fn variables(&self, driver: Driver) -> BTreeMap<String, String> {
        let mut env = self.env.for_driver(driver.name());
        let home = self.home.display().to_string();
        for (name, value) in [
            ("HOME", home.as_str()),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_EDITOR", "true"),
            ("PAGER", "cat"),
            ("CI", "1"),
        ] {
            env.insert(name.to_owned(), value.to_owned());
        }
        env.remove("XDG_CONFIG_HOME");
        env.remove("CLAUDE_CONFIG_DIR");
        env
    }
}

/// How a CLI's run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How.
    pub end: AgentEnd,
    /// The total that the CLI itself states.
    pub reported: Option<Tokens>,
    /// Its closing text, cut to 8,000 characters.
    pub summary: String,
}

/// Reads one CLI's stream, a line at a time. Never fails: what it cannot read it leaves out or notes.
pub trait StreamParser: Send {
    /// The next line, without its end. Events are handed to `emit` in order.
    fn line(&mut self, line: &[u8], emit: &mut dyn FnMut(EventKind));
    /// Whether a line is certain to say nothing, by its beginning alone: most of a long stream is.
    fn ignores(&self, line: &[u8]) -> bool {
        line.is_empty()
    }
    /// Model turns so far, as far as the stream shows them.
    fn turns(&self) -> u32;
    /// The process ended with this code (128 + signal where a signal ended it).
    fn finish(&mut self, code: i32, stderr: &str, emit: &mut dyn FnMut(EventKind)) -> Finished;
}

/// There is no driver of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no driver {0:?}: it is one of claude, codex, gemini, opencode, demo")]
pub struct UnknownDriver(String);

impl std::str::FromStr for Driver {
    type Err = UnknownDriver;
    fn from_str(text: &str) -> Result<Self, UnknownDriver> {
        Self::ALL.into_iter().find(|driver| driver.name() == text).ok_or_else(|| UnknownDriver(text.to_owned()))
    }
}

impl Driver {
    /// Every driver.
    pub const ALL: [Self; 5] = [Self::Claude, Self::Codex, Self::Gemini, Self::Opencode, Self::Demo];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
            Self::Demo => "demo",
        }
    }

    /// The variables of which one must hold the credential; empty where none is needed.
    #[must_use]
    pub const fn credentials(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &["CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY"],
            Self::Codex => &["CODEX_API_KEY", "OPENAI_API_KEY"],
            Self::Gemini => &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
            Self::Opencode | Self::Demo => &[],
        }
    }

    /// How to start it.
    ///
    /// # Errors
    /// The session cannot be put into this CLI's terms; the text says why.
    pub fn launch(self, session: &Session<'_>) -> Result<Launch, String> {
        match self {
            Self::Claude => Ok(claude::launch(session)),
            Self::Codex => Ok(codex::launch(session)),
            Self::Gemini => Ok(gemini::launch(session)),
            Self::Opencode => Ok(opencode::launch(session)),
            Self::Demo => demo::launch(session),
        }
    }

    /// A reader of its stream. Paths below `checkout` are given relative to it.
    #[must_use]
    pub fn parser(self, checkout: &Path) -> Box<dyn StreamParser> {
        let root = checkout.display().to_string();
        match self {
            Self::Claude => Box::new(claude::ClaudeParser::new("claude", root)),
            Self::Demo => Box::new(claude::ClaudeParser::new("demo", root)),
            Self::Codex => Box::new(codex::CodexParser::new(root)),
            Self::Gemini => Box::new(gemini::GeminiParser::new(root)),
            Self::Opencode => Box::new(opencode::OpencodeParser::new(root)),
        }
    }
}

/// Feeds a chunk of a CLI's standard output to its parser. Secrets are taken out of a line before any of it is read, so that no
/// cut can leave the half of one. Over-long lines become a note.
pub fn feed(
    splitter: &mut LineSplitter,
    parser: &mut dyn StreamParser,
    redactor: &Redactor,
    chunk: &[u8],
    emit: &mut dyn FnMut(EventKind),
) {
    splitter.feed(chunk, |line| take(parser, redactor, &line, emit));
}

/// The stream ended: hands on a last line that was cut short.
pub fn feed_end(
    splitter: &mut LineSplitter,
    parser: &mut dyn StreamParser,
    redactor: &Redactor,
    emit: &mut dyn FnMut(EventKind),
) {
    splitter.finish(|line| take(parser, redactor, &line, emit));
}

fn take(parser: &mut dyn StreamParser, redactor: &Redactor, line: &Line<'_>, emit: &mut dyn FnMut(EventKind)) {
    match line {
        Line::Whole(bytes) if parser.ignores(bytes) => {}
        Line::Whole(bytes) => parser.line(redactor.redact_line(&String::from_utf8_lossy(bytes)).as_bytes(), emit),
        Line::TooLong(bytes) => emit(EventKind::Step {
            step: "driver".into(),
            detail: format!("a line of {bytes} bytes in the agent's stream was skipped"),
        }),
    }
}

/// A path as events carry it: relative to the checkout where it lies in it.
pub(crate) fn relative(root: &str, path: &str) -> String {
    let inside = path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
    crate::events::cut(inside.unwrap_or(path), 1_000)
}
