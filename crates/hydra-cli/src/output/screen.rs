//! Standard output: plain lines for a pipe, colours only for a terminal, one JSON document where that is asked for.

use crate::{args::Color, failure::Failure};
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// How to print.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// JSON was asked for.
    pub json: bool,
    /// Colours on standard output.
    pub color: bool,
    /// Colours on standard error.
    pub color_on_stderr: bool,
    /// Standard output is a terminal: lines may be drawn over.
    pub terminal: bool,
}

/// A colour by its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tint {
    /// Well.
    Good,
    /// To be looked at.
    Warn,
    /// Bad.
    Bad,
    /// Beside the point.
    Dim,
    /// A heading.
    Bold,
}

impl Screen {
    /// By flags, environment and what the streams are.
    #[must_use]
    pub fn new(json: bool, color: Color, no_color: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let choose = |is_terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && !no_color,
        };
        Self { json, color: choose(terminal), color_on_stderr: choose(std::io::stderr().is_terminal()), terminal }
    }

    /// Prints a line.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn line(&self, text: impl AsRef<str>) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", text.as_ref())?;
        Ok(())
    }

    /// Prints a text as it is.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn text(&self, text: &[u8]) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        out.write_all(text)?;
        out.flush()?;
        Ok(())
    }

    /// Prints one JSON document, `{"schema": 1, "kind": …, …}`.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn json<T: Serialize>(&self, kind: &str, body: &T) -> Result<(), Failure> {
        self.line(super::json::document(kind, body)?)
    }

    /// Says on standard error what is not wrong, and should be known. It never ends the work.
    pub fn warn(&self, text: &str) {
        let line = super::mask::scrub(text);
        let word = if self.color_on_stderr { "\u{1b}[1;33mwarning\u{1b}[0m" } else { "warning" };
        let _ = writeln!(std::io::stderr().lock(), "{word}: {line}");
    }

    /// The text in a colour, where there are colours.
    #[must_use]
    pub fn tint(&self, tint: Tint, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match tint {
            Tint::Good => "32",
            Tint::Warn => "33",
            Tint::Bad => "31",
            Tint::Dim => "2",
            Tint::Bold => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
