//! One session: ask, carry out, ask again, until the model ends it or something else does.

use super::{
    client,
    message::{Failure, Message},
    options::Options,
    printer::{Ending, Printer},
    tools::{self, Tools},
};
use hydra_core::Tokens;
use serde_json::{Value, json};
use std::{
    hash::{BuildHasher as _, RandomState},
    io::{self, Write},
    time::Duration,
};

/// A provider that asks to be left alone for longer is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// How a session came to its end.
enum End {
    Answered(String),
    TurnLimit,
    Failed(Failure),
}

/// What has happened so far; kept outside of the loop, so that an interruption can still tell it.
#[derive(Default)]
struct Progress {
    turns: u32,
    tokens: Tokens,
}

/// Runs a session and prints its events. `interrupted` ends it with a result, as SIGINT ends claude-code.
///
/// Returns the exit code: 0 when the model ended it, else 1.
///
/// # Errors
/// When events cannot be printed.
pub async fn run_session(
    options: &Options,
    prompt: &str,
    out: &mut impl Write,
    interrupted: impl Future<Output = ()>,
) -> io::Result<i32> {
    let mut printer = Printer::new(out, session_id());
    let mut progress = Progress::default();
    printer.init(options)?;
    let end = {
        let work = converse(options, prompt, &mut printer, &mut progress);
        tokio::pin!(work, interrupted);
        tokio::select! {
            end = &mut work => Some(end?),
            () = &mut interrupted => None,
        }
    };
    let ending = |subtype, is_error, status, result| Ending {
        subtype,
        is_error,
        status,
        result,
        turns: progress.turns,
        tokens: progress.tokens,
        model: &options.model,
    };
    match end {
        Some(End::Answered(text)) => {
            printer.result(&ending("success", false, None, &text))?;
            return Ok(0);
        }
        Some(End::TurnLimit) => {
            let why = format!("Reached maximum number of turns ({})", options.max_turns);
            printer.result(&ending("error_max_turns", true, None, &why))?;
        }
        Some(End::Failed(failure)) => {
            let text = words(&failure);
            if let Some(resets_at) = failure.resets_at {
                printer.limited(resets_at)?;
            }
            printer.synthetic(&text, &failure)?;
            // As the CLI has it: the subtype is `success`, only `is_error` and the exit code tell.
            printer.result(&ending("success", true, failure.status, &text))?;
        }
        None => printer.result(&ending("error_during_execution", true, None, "Interrupted"))?,
    }
    Ok(1)
}

async fn converse<W: Write>(
    options: &Options,
    prompt: &str,
    printer: &mut Printer<'_, W>,
    progress: &mut Progress,
) -> io::Result<End> {
    let tools = Tools { folder: options.folder.clone(), read_only: options.read_only, out: options.out.clone() };
    let mut messages = vec![json!({"role": "user", "content": prompt})];
    loop {
        if progress.turns >= options.max_turns {
            return Ok(End::TurnLimit);
        }
        let answer = match ask(options, &messages, printer).await? {
            Ok(answer) => answer.json,
            Err(failure) => return Ok(End::Failed(failure)),
        };
        progress.turns += 1;
        progress.tokens += tokens(&answer["usage"]);
        printer.answer(&answer)?;
        let blocks = answer["content"].as_array().cloned().unwrap_or_default();
        let mut results = Vec::new();
        for call in blocks.iter().filter(|b| b["type"] == "tool_use") {
            let outcome = tools.call(call["name"].as_str().unwrap_or_default(), &call["input"]).await;
            let block = json!({
                "type": "tool_result", "tool_use_id": call["id"], "content": outcome.text, "is_error": !outcome.ok,
            });
            printer.tool_result(&block)?;
            results.push(block);
        }
        if results.is_empty() {
            return Ok(End::Answered(blocks.iter().filter_map(|b| b["text"].as_str()).collect()));
        }
        messages.push(json!({"role": "assistant", "content": blocks}));
        messages.push(json!({"role": "user", "content": results}));
    }
}

/// Sends the conversation, again where that may help.
async fn ask<W: Write>(
    options: &Options,
    messages: &[Value],
    printer: &mut Printer<'_, W>,
) -> io::Result<Result<Message, Failure>> {
    let tools: Vec<_> = tools::NAMES
        .iter()
        .map(|name| json!({"name": name, "description": "", "input_schema": {"type": "object"}}))
        .collect();
    let body = json!({
        "model": options.model, "max_tokens": 32_000, "stream": true, "system": options.system, "tools": tools,
        "messages": messages,
    });
    let mut attempt = 0;
    loop {
        let failure = match client::send(options, &body).await {
            Ok(message) => return Ok(Ok(message)),
            Err(failure) => failure,
        };
        let wait = failure.retry_after.map_or_else(|| backoff(attempt), Duration::from_secs);
        let refused = matches!(failure.status, Some(400 | 403 | 404 | 413 | 422));
        if attempt >= options.retries || refused || failure.final_word || wait > LONGEST_WAIT {
            return Ok(Err(failure));
        }
        attempt += 1;
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        printer.retry(attempt, options.retries, millis, &failure)?;
        tokio::time::sleep(wait).await;
    }
}

/// A quarter of a second, doubled each time.
fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(250) * 2_u32.saturating_pow(attempt.min(8))
}

fn words(failure: &Failure) -> String {
    match failure.status {
        Some(429) => format!("API Error: Request rejected (429) · {}", failure.message),
        Some(status) => format!("API Error: {status} {} · {}", failure.kind, failure.message),
        None if failure.kind == "connection" => format!("API Error: Connection error · {}", failure.message),
        None => format!("API Error: {} · {}", failure.kind, failure.message),
    }
}

fn tokens(usage: &Value) -> Tokens {
    let count = |name: &str| usage[name].as_u64().unwrap_or_default();
    Tokens {
        input: count("input_tokens"),
        output: count("output_tokens"),
        cache_read: count("cache_read_input_tokens"),
        cache_write: count("cache_creation_input_tokens"),
    }
}

/// An id in the shape of a UUID; the keys of a hash map are random enough for it.
fn session_id() -> String {
    let random = || format!("{:016x}", RandomState::new().hash_one(0));
    let hex = random() + &random();
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
