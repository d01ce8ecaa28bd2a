//! What all parsers keep: turns and their tokens, the last trouble, the closing text.

use super::trouble;
use crate::events::cut;
use hydra_core::{
    ModelName, Timestamp, Tokens,
    agent_event::{AgentEnd, EventKind, Trouble},
};

/// Longest text of an event, in characters.
pub const MAX_TEXT: usize = 4_000;
/// Longest command of an event, in characters.
pub const MAX_COMMAND: usize = 2_000;
/// Longest words of a provider, in characters.
pub const MAX_DETAIL: usize = 500;
/// Longest closing text, in characters.
pub const MAX_SUMMARY: usize = 8_000;

/// Counts and keeps.
#[derive(Debug, Default)]
pub struct Tally {
    /// Turns handed out.
    pub turns: u32,
    /// Their tokens.
    pub tokens: Tokens,
    /// The agent's last text.
    pub summary: String,
    /// The last trouble, until a turn succeeded after it.
    pub trouble: Option<(Trouble, Option<Timestamp>, String)>,
}

impl Tally {
    /// One model response ended.
    pub fn turn(&mut self, tokens: Tokens, model: Option<&str>, emit: &mut dyn FnMut(EventKind)) {
        self.turns = self.turns.saturating_add(1);
        self.tokens += tokens;
        self.trouble = None;
        emit(EventKind::Turn { turn: self.turns, tokens, model: model_name(model) });
    }

    /// Text of the agent.
    pub fn text(&mut self, text: &str, emit: &mut dyn FnMut(EventKind)) {
        if text.trim().is_empty() {
            return;
        }
        self.summary = cut(text, MAX_SUMMARY);
        emit(EventKind::Text { text: cut(text, MAX_TEXT) });
    }

    /// The provider refused or failed.
    pub fn provider(
        &mut self,
        trouble: Trouble,
        until: Option<Timestamp>,
        detail: &str,
        emit: &mut dyn FnMut(EventKind),
    ) {
        // A limit's end is often named by one line and missing from the next.
        let until = until.or(match &self.trouble {
            Some((last, until, _)) if *last == trouble => *until,
            Some(_) | None => None,
        });
        let detail = cut(detail, MAX_DETAIL);
        self.trouble = Some((trouble, until, detail.clone()));
        emit(EventKind::Provider { trouble, until, detail });
    }

    /// How a run ended that stated nothing: by its last trouble, else a crash.
    #[must_use]
    pub fn without_result(&self, code: i32, stderr: &str) -> AgentEnd {
        if let Some((trouble, until, detail)) = &self.trouble {
            return AgentEnd::Provider { trouble: *trouble, until: *until, detail: detail.clone() };
        }
        let said = stderr.trim();
        if let Some(trouble) = trouble::of_text(said).filter(|_| code != 0 && code < 128) {
            let until = trouble::reset(said, Timestamp::now());
            return AgentEnd::Provider { trouble, until, detail: crate::events::tail(said, MAX_DETAIL) };
        }
        let detail = if said.is_empty() {
            format!("it ended with code {code} and without a result")
        } else {
            crate::events::tail(said, MAX_DETAIL)
        };
        AgentEnd::Crashed { code, detail }
    }
}

/// A model's name, where it is one.
#[must_use]
pub fn model_name(text: Option<&str>) -> Option<ModelName> {
    text.and_then(|text| text.parse().ok())
}

/// Tokens `a` beyond `b`, kind by kind.
#[must_use]
pub const fn beyond(a: Tokens, b: Tokens) -> Tokens {
    Tokens {
        input: a.input.saturating_sub(b.input),
        output: a.output.saturating_sub(b.output),
        cache_read: a.cache_read.saturating_sub(b.cache_read),
        cache_write: a.cache_write.saturating_sub(b.cache_write),
    }
}
