//! What comes from the forge, from jobs and from logs, made fit to be shown: known secrets and what looks like one are masked, and no
//! control character reaches a terminal.

use super::{mask::scrub, screen::Screen};
use crate::failure::Failure;
use hydra_core::redact::Redactor;
use serde::Serialize;
use serde_json::Value;

/// Masks by what the configuration holds.
pub struct Clean(Redactor);

impl Clean {
    /// With everything that must not be seen.
    #[must_use]
    pub const fn new(redactor: Redactor) -> Self {
        Self(redactor)
    }

    /// One line.
    #[must_use]
    pub fn line(&self, text: &str) -> String {
        let text = scrub(&self.0.redact(text));
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }

    /// Every text of a document.
    #[must_use]
    pub fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(scrub(&self.0.redact(&text))),
            Value::Array(all) => Value::Array(all.into_iter().map(|value| self.value(value)).collect()),
            Value::Object(all) => all.into_iter().map(|(key, value)| (key, self.value(value))).collect(),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
        }
    }

    /// Prints a document of this kind.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn json<T: Serialize>(&self, screen: &Screen, kind: &str, body: &T) -> Result<(), Failure> {
        let value = serde_json::to_value(body).map_err(|error| {
            Failure::new(crate::exit::Exit::Internal, format!("{kind} cannot be written as JSON: {error}"))
        })?;
        screen.json(kind, &self.value(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_control_characters_do_not_get_through() {
        let token = secrecy::SecretString::from("not-of-any-known-shape");
        let clean = Clean::new(Redactor::new([("git:builder", &token)]));
        let shown = clean.line("a\u{1b}[2Jtitle with not-of-any-known-shape in it");
        assert!(!shown.contains('\u{1b}') && !shown.contains("known-shape"), "{shown}");
        let value = clean.value(serde_json::json!({ "a": ["not-of-any-known-shape"], "n": 1 }));
        assert!(!value.to_string().contains("known-shape") && value["n"] == 1, "{value}");
    }
}
