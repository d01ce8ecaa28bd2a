//! Takes secrets out of what the wrapper prints or keeps: those that it holds itself, and whatever is shaped like one.

use hydra_core::{
    agent_event::{AgentEnd, EventKind},
    redact::Redactor,
};
use secrecy::SecretString;
use std::{borrow::Cow, sync::Arc};

/// The secrets of this process.
#[derive(Clone, Default)]
pub(crate) struct Scrub {
    redactor: Arc<Redactor>,
}

impl Scrub {
    pub(crate) fn new(secrets: &[(String, SecretString)]) -> Self {
        Self { redactor: Arc::new(Redactor::new(secrets.iter().map(|(name, secret)| (name.as_str(), secret)))) }
    }
    /// For lines of a stream, before anything of them is cut off.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }
    pub(crate) fn text(&self, text: &mut String) {
        if let Cow::Owned(clean) = self.redactor.redact(text) {
            *text = clean;
        }
    }
    /// Every field that a coding agent, a provider or a command had a hand in.
    pub(crate) fn event(&self, kind: &mut EventKind) {
        match kind {
            EventKind::Step { detail, .. } | EventKind::Provider { detail, .. } => self.text(detail),
            EventKind::Started { version, .. } => version.iter_mut().for_each(|text| self.text(text)),
            EventKind::Turn { .. } => {}
            EventKind::Text { text } => self.text(text),
            EventKind::Tool { id, name, path, command, .. } => {
                self.text(id);
                self.text(name);
                path.iter_mut().for_each(|text| self.text(text));
                command.iter_mut().for_each(|text| self.text(text));
            }
            EventKind::ToolResult { id, .. } => self.text(id),
            EventKind::Command { command, tail, .. } => {
                self.text(command);
                self.text(tail);
            }
            EventKind::Denied { host, reason, hint } => {
                self.text(host);
                self.text(reason);
                self.text(hint);
            }
            EventKind::Ended { end, .. } => self.end(end),
        }
    }
    pub(crate) fn end(&self, end: &mut AgentEnd) {
        match end {
            AgentEnd::Provider { detail, .. } | AgentEnd::Crashed { detail, .. } | AgentEnd::Refused { detail, .. } => {
                self.text(detail);
            }
            AgentEnd::Completed
            | AgentEnd::TurnLimit
            | AgentEnd::Deadline
            | AgentEnd::Budget
            | AgentEnd::Interrupted => {}
        }
    }
}
