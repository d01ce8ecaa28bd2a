//! Claude Code: `claude -p --output-format stream-json`.

mod line;
mod parser;

pub use parser::ClaudeParser;

use super::{Driver, Launch, Session};
use std::path::Path;

/// How often the CLI itself asks again after a failed request. Its default of ten takes minutes, during which a limited or
/// refused account looks like work.
const RETRIES: &str = "3";

pub(super) fn launch(session: &Session<'_>) -> Launch {
    let mut argv: Vec<String> = [
        "claude",
        "-p",
        "--output-format",
        "stream-json",
        "--verbose",
        // Whole responses repeat the usage of their beginning; the exact count is in the partial messages alone.
        "--include-partial-messages",
        "--no-session-persistence",
        // The repository's own settings are those of the base commit by now; hooks are commands, so they stay off all the same.
        "--setting-sources",
        "project",
        "--strict-mcp-config",
        "--settings",
        r#"{"disableAllHooks":true,"includeCoAuthoredBy":false}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    argv.extend(["--model".into(), session.model.to_string(), "--max-turns".into(), session.max_turns.to_string()]);
    if !session.system.trim().is_empty() {
        argv.extend(["--append-system-prompt-file".into(), session.system_file.display().to_string()]);
    }
    argv.extend(["--add-dir".into(), session.out.display().to_string()]);
    if session.read_only {
        // What is not allowed here is refused without a question. The shell stays: reviewers run searches and analysers, and
        // nothing of a reviewer's checkout is ever delivered.
        let below_out = rule(session.out);
        argv.extend(
            ["--permission-mode", "dontAsk", "--tools", "Bash,Read,Write", "--allowedTools"].map(str::to_owned),
        );
        argv.extend(["Bash".into(), "Read".into(), format!("Write({below_out})"), format!("Edit({below_out})")]);
    } else {
        argv.push("--dangerously-skip-permissions".into());
        argv.extend(["--tools", "Bash,Read,Write,Edit,NotebookEdit,TaskCreate,TaskUpdate,TaskList"].map(str::to_owned));
    }
    let mut env = session.variables(Driver::Claude);
    for (name, value) in [
        ("DISABLE_TELEMETRY", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
        ("DISABLE_ERROR_REPORTING", "1"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("CLAUDE_CODE_MAX_RETRIES", RETRIES),
        // The CLI refuses to skip permissions as uid 0 unless it is told that it is contained.
        ("IS_SANDBOX", "1"),
    ] {
        env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    // Its small tasks are done by the job's own model: the only one that it may ask.
    for name in ["ANTHROPIC_SMALL_FAST_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL"] {
        env.entry(name.to_owned()).or_insert_with(|| session.model.to_string());
    }
    Launch { argv, env, stdin: session.prompt.clone() }
}

/// A permission rule's pattern for everything below a folder: absolute paths begin with two slashes there.
fn rule(folder: &Path) -> String {
    format!("/{}/**", folder.display())
}
