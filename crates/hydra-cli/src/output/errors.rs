//! Standard error for people (what, where, what to do next) or, with `--json`, one JSON line for programs. The last scrub happens here.

use super::{
    json::SCHEMA,
    mask::{scrub, tame},
};
use crate::{
    config::problem::Problem,
    failure::{Failure, Trouble},
};
use miette::{GraphicalReportHandler, GraphicalTheme};
use std::io::Write;

/// Shows a failure.
pub fn show(failure: &Failure, json: bool, color: bool) {
    let text = if json { self::json(failure) } else { self::text(failure, color) };
    // Nobody is left to tell when standard error itself cannot be written.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Problems that a person is shown: one mistake in a list of thousands is made thousands of times.
const SHOWN: usize = 50;

/// What a person reads.
#[must_use]
pub fn text(failure: &Failure, color: bool) -> String {
    match failure {
        Failure::BrokenPipe => String::new(),
        Failure::Other(trouble) => {
            let mut text = format!("{}: {}\n", paint("error", "31", color), tame(&scrub(&trouble.message)));
            text.push_str(&format!("  {}: {}\n", paint("help", "36", color), tame(&scrub(step(trouble)))));
            text
        }
        Failure::Configuration(problems) => {
            let mut text = String::new();
            for problem in problems.0.iter().take(SHOWN) {
                text.push_str(&problem_text(problem, color));
            }
            match problems.0.len() {
                0 | 1 => {}
                all if all > SHOWN => text.push_str(&format!("{all} problems; the first {SHOWN} are shown\n")),
                all => text.push_str(&format!("{all} problems\n")),
            }
            text
        }
    }
}

/// What to do: the failure's own word, or what its exit code asks for.
fn step(trouble: &Trouble) -> &str {
    trouble.help.as_deref().unwrap_or_else(|| trouble.exit.next_step())
}

/// A problem: its sentence on one line that tools can read (`file:line: …`), the excerpt, the next step.
fn problem_text(problem: &Problem, color: bool) -> String {
    let mut text = format!("{}: {}\n", paint("error", "31", color), tame(&scrub(&problem.to_string())));
    if problem.place.as_ref().is_some_and(|place| place.excerpt.is_some()) {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
        let mut excerpt = String::new();
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_context_lines(1);
        if handler.render_report(&mut excerpt, &Excerpt(problem)).is_ok() {
            for line in excerpt.lines().filter(|line| !matches!(line.trim(), "" | "x" | "×")) {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text.push_str(&format!("  {}: {}\n", paint("help", "36", color), tame(&scrub(&problem.help))));
    text
}

/// Only the excerpt of a problem: its sentence and help are written beside it.
#[derive(Debug)]
struct Excerpt<'a>(&'a Problem);
impl std::fmt::Display for Excerpt<'_> {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
impl std::error::Error for Excerpt<'_> {}
impl miette::Diagnostic for Excerpt<'_> {
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.0.source_code()
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        self.0.labels()
    }
}

/// What a program reads: one line.
#[must_use]
pub fn json(failure: &Failure) -> String {
    let one = |message: &str, file: Option<&str>, line: Option<u32>, help: Option<&str>| serde_json::json!({ "message": scrub(message), "file": file, "line": line, "help": help.map(scrub) });
    let problems: Vec<serde_json::Value> = match failure {
        Failure::BrokenPipe => return String::new(),
        Failure::Other(trouble) => vec![one(&trouble.message, None, None, Some(step(trouble)))],
        Failure::Configuration(problems) => problems
            .0
            .iter()
            .map(|problem| {
                let place = problem.place.as_ref();
                let file = place.map(|place| place.file.as_str());
                one(&problem.message, file, place.and_then(|place| place.line), Some(&problem.help))
            })
            .collect(),
    };
    let body = serde_json::json!({
        "schema": SCHEMA, "kind": "error", "exit": failure.exit().code(), "problems": problems,
    });
    format!("{body}\n")
}

fn paint(text: &str, code: &str, color: bool) -> String {
    if color { format!("\u{1b}[1;{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}
