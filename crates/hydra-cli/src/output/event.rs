//! An agent's event as one line for people.

use hydra_core::agent_event::{AgentEnd, AgentEvent, EventKind};

/// One line, cut to 200 characters.
#[must_use]
pub fn sentence(event: &AgentEvent) -> String {
    let text = match &event.kind {
        EventKind::Step { step, detail } => format!("{step}: {detail}"),
        EventKind::Started { driver, model, .. } => match model {
            Some(model) => format!("{driver} began, model {model}"),
            None => format!("{driver} began"),
        },
        EventKind::Turn { turn, tokens, .. } => {
            format!(
                "turn {turn}: {} tokens in, {} out",
                tokens.input + tokens.cache_read + tokens.cache_write,
                tokens.output
            )
        }
        EventKind::Text { text } => text.clone(),
        EventKind::Tool { name, path, command, .. } => {
            let what = path.as_deref().or(command.as_deref()).unwrap_or_default();
            format!("{name} {what}")
        }
        EventKind::ToolResult { ok, bytes, .. } => {
            format!("  {}, {bytes} bytes", if *ok { "ok" } else { "refused or failed" })
        }
        EventKind::Provider { trouble, detail, .. } => format!("provider: {trouble:?}: {detail}"),
        EventKind::Command { name, exit, millis, .. } => format!("{name}: exit {exit} after {millis} ms"),
        EventKind::Denied { host, reason, hint } => format!("refused: {host} ({reason}); {hint}"),
        EventKind::Ended { end, .. } => end_sentence(end),
    };
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    format!("{}  {}", event.ts.strftime("%H:%M:%S"), flat.trim_end())
}

/// How an agent ended, in words.
#[must_use]
pub fn end_sentence(end: &AgentEnd) -> String {
    match end {
        AgentEnd::Completed => "ended: done".to_owned(),
        AgentEnd::TurnLimit => "ended: the turn limit was reached".to_owned(),
        AgentEnd::Budget => "ended: its budget is spent".to_owned(),
        AgentEnd::Deadline => "ended: the time limit was reached".to_owned(),
        AgentEnd::Provider { trouble, detail, .. } => format!("ended by the provider: {trouble:?}: {detail}"),
        AgentEnd::Interrupted => "ended: it was told to stop".to_owned(),
        AgentEnd::Crashed { code, detail } => format!("ended: the agent crashed with {code}: {detail}"),
        AgentEnd::Refused { step, detail } => format!("refused to begin, at {step}: {detail}"),
    }
}
