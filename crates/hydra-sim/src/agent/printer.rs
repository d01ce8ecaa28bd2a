//! claude-code's event stream, line by line.

use super::{
    message::{Failure, no_usage},
    options::{Credential, Options},
    tools,
};
use hydra_core::Tokens;
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    time::Instant,
};

/// Prints events of one session.
pub(crate) struct Printer<'a, W> {
    out: &'a mut W,
    session: String,
    begun: Instant,
}

/// How a session ended.
pub(crate) struct Ending<'a> {
    /// `success`, `error_max_turns` or `error_during_execution`.
    pub(crate) subtype: &'static str,
    pub(crate) is_error: bool,
    pub(crate) status: Option<u16>,
    pub(crate) result: &'a str,
    pub(crate) turns: u32,
    pub(crate) tokens: Tokens,
    pub(crate) model: &'a str,
}

impl<'a, W: Write> Printer<'a, W> {
    pub(crate) fn new(out: &'a mut W, session: String) -> Self {
        Self { out, session, begun: Instant::now() }
    }

    fn line(&mut self, mut event: Value) -> io::Result<()> {
        event["session_id"] = Value::String(self.session.clone());
        self.out.write_all(format!("{event}\n").as_bytes())?;
        self.out.flush()
    }

    pub(crate) fn init(&mut self, options: &Options) -> io::Result<()> {
        let source = match options.credential {
            Credential::OAuth(_) => "none",
            Credential::Key(_) => "ANTHROPIC_API_KEY",
        };
        self.line(json!({
            "type": "system", "subtype": "init", "cwd": options.folder, "tools": tools::NAMES, "mcp_servers": [],
            "model": options.model, "permissionMode": if options.read_only { "dontAsk" } else { "bypassPermissions" },
            "apiKeySource": source, "claude_code_version": concat!("hydra-sim-", env!("CARGO_PKG_VERSION")),
        }))
    }

    /// An answer: one line per block, as the CLI does. Unlike the CLI's, the usage on each is the final one.
    pub(crate) fn answer(&mut self, message: &Value) -> io::Result<()> {
        for block in message["content"].as_array().into_iter().flatten() {
            let mut part = message.clone();
            part["content"] = json!([block]);
            self.line(json!({"type": "assistant", "message": part, "parent_tool_use_id": null}))?;
        }
        Ok(())
    }

    pub(crate) fn tool_result(&mut self, block: &Value) -> io::Result<()> {
        self.line(json!({
            "type": "user", "message": {"role": "user", "content": [block]}, "parent_tool_use_id": null,
        }))
    }

    pub(crate) fn retry(&mut self, attempt: u32, of: u32, delay_ms: u64, failure: &Failure) -> io::Result<()> {
        self.line(json!({
            "type": "system", "subtype": "api_retry", "attempt": attempt, "max_retries": of, "retry_delay_ms": delay_ms,
            "error_status": failure.status, "error": name(failure),
        }))
    }

    /// The account is limited until a time that the provider named.
    pub(crate) fn limited(&mut self, resets_at: i64) -> io::Result<()> {
        let limit = json!({"status": "rejected", "resetsAt": resets_at, "rateLimitType": "five_hour"});
        self.line(json!({"type": "rate_limit_event", "rate_limit_info": limit}))
    }

    /// The CLI's own words about a failure.
    pub(crate) fn synthetic(&mut self, text: &str, failure: &Failure) -> io::Result<()> {
        self.line(json!({
            "type": "assistant", "parent_tool_use_id": null, "error": name(failure),
            "message": {
                "id": "synthetic", "type": "message", "role": "assistant", "model": "<synthetic>", "usage": no_usage(),
                "content": [{"type": "text", "text": text}], "stop_reason": "stop_sequence", "stop_sequence": "",
            },
        }))
    }

    pub(crate) fn result(&mut self, ending: &Ending<'_>) -> io::Result<()> {
        let Tokens { input, output, cache_read, cache_write } = ending.tokens;
        let mut models = serde_json::Map::new();
        if ending.tokens != Tokens::default() {
            models.insert(
                ending.model.to_owned(),
                json!({
                    "inputTokens": input, "outputTokens": output, "cacheReadInputTokens": cache_read,
                    "cacheCreationInputTokens": cache_write,
                }),
            );
        }
        let mut event = json!({
            "type": "result", "subtype": ending.subtype, "is_error": ending.is_error, "api_error_status": ending.status,
            "duration_ms": u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "num_turns": ending.turns, "permission_denials": [], "modelUsage": models,
            "usage": {
                "input_tokens": input, "output_tokens": output, "cache_read_input_tokens": cache_read,
                "cache_creation_input_tokens": cache_write,
            },
        });
        let key = if ending.subtype == "success" { "result" } else { "errors" };
        event[key] = if key == "result" { json!(ending.result) } else { json!([ending.result]) };
        self.line(event)
    }
}

/// The CLI's short name for a failure.
fn name(failure: &Failure) -> &'static str {
    match (failure.status, failure.kind.as_str()) {
        (Some(429), _) => "rate_limit",
        (Some(401 | 403), _) => "authentication_failed",
        (_, "overloaded_error") => "overloaded",
        (Some(400 | 404), _) => "invalid_request",
        (Some(500..), _) => "server_error",
        _ => "unknown",
    }
}
