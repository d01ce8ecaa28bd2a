//! One `specs/**/spec.md` of a change: which requirements are added, modified, removed or renamed.

use super::lines::{Line, lines};
use crate::diagnostic::Diagnostic;
use std::collections::BTreeMap;

crate::stage::closed!(
    /// What happens to the requirements of a section.
    Operation, "operation" {
    /// They are new.
    Added = "ADDED",
    /// They are replaced.
    Modified = "MODIFIED",
    /// They go.
    Removed = "REMOVED",
    /// They get another name.
    Renamed = "RENAMED",
});

/// A spec delta. The texts of its parts, one after the other, are the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecDelta {
    /// The path below the change folder: `specs/<capability>/spec.md`.
    pub path: String,
    /// What stands before the first section of the second level.
    pub preamble: String,
    /// Sections of the second level.
    pub sections: Vec<Section>,
}

/// A section of the second level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its line, from 1.
    pub line: u32,
    /// The heading with its line end.
    pub heading: String,
    /// What it does; absent for a section that is no delta (`## Purpose`).
    pub operation: Option<Operation>,
    /// What stands before the first requirement.
    pub body: String,
    /// Its requirements; in RENAMED none, see `renames`.
    pub requirements: Vec<Requirement>,
    /// Pairs of a RENAMED section, old name first.
    pub renames: Vec<(String, String)>,
}

/// A requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Its line, from 1.
    pub line: u32,
    /// The heading with its line end.
    pub heading: String,
    /// Its name.
    pub name: String,
    /// What stands before the first scenario.
    pub body: String,
    /// Its scenarios.
    pub scenarios: Vec<Scenario>,
}

/// A scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Its line, from 1.
    pub line: u32,
    /// The heading with its line end.
    pub heading: String,
    /// Its name.
    pub name: String,
    /// Everything below the heading.
    pub body: String,
}

/// A step of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `GIVEN`, `WHEN`, `THEN`, `AND` or `BUT`.
    pub keyword: &'static str,
    /// What follows.
    pub text: String,
}

/// What a step of a scenario begins with.
pub(super) const STEPS: &[&str] = &["GIVEN", "WHEN", "THEN", "AND", "BUT"];

impl Scenario {
    /// Its GIVEN, WHEN, THEN, AND and BUT bullets, in order.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        lines(&self.body).iter().filter(|l| !l.code).filter_map(|l| step(l.text)).collect()
    }
}

/// A requirement's name and those of its scenarios: what a reviewer must judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementName {
    /// The file, `specs/<capability>/spec.md`.
    pub file: String,
    /// What the change does with it.
    pub operation: Operation,
    /// The requirement.
    pub name: String,
    /// Its scenarios.
    pub scenarios: Vec<String>,
}

impl SpecDelta {
    /// Reads a delta.
    ///
    /// # Errors
    /// Every fault at once, each with its line.
    pub fn parse(path: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut faults = Vec::new();
        let mut delta = Self { path: path.to_owned(), preamble: String::new(), sections: Vec::new() };
        for line in lines(text) {
            delta.take(line, &mut faults);
        }
        for section in &mut delta.sections {
            section.check(path, &mut faults);
        }
        delta.conflicts(&mut faults);
        if !delta.sections.iter().any(|s| s.operation.is_some()) {
            faults.push(Diagnostic::file(path, "it holds no delta").hint("begin a section with `## ADDED Requirements`, `## MODIFIED Requirements`, `## REMOVED Requirements` or `## RENAMED Requirements`"));
        }
        if faults.is_empty() { Ok(delta) } else { Err(faults) }
    }

    /// The file's text, as it was read.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = self.preamble.clone();
        for section in &self.sections {
            text.push_str(&section.heading);
            text.push_str(&section.body);
            for requirement in &section.requirements {
                text.push_str(&requirement.heading);
                text.push_str(&requirement.body);
                for scenario in &requirement.scenarios {
                    text.push_str(&scenario.heading);
                    text.push_str(&scenario.body);
                }
            }
        }
        text
    }

    /// The names that a reviewer must judge: of added and modified requirements with their scenarios; of removed ones the name alone.
    #[must_use]
    pub fn names(&self) -> Vec<RequirementName> {
        let mut names = Vec::new();
        for section in &self.sections {
            let Some(operation) = section.operation else { continue };
            let name = |name: &str, scenarios| RequirementName {
                file: self.path.clone(),
                operation,
                name: name.to_owned(),
                scenarios,
            };
            match operation {
                Operation::Added | Operation::Modified => names.extend(
                    section
                        .requirements
                        .iter()
                        .map(|r| name(&r.name, r.scenarios.iter().map(|s| s.name.clone()).collect())),
                ),
                Operation::Removed => names.extend(section.requirements.iter().map(|r| name(&r.name, Vec::new()))),
                Operation::Renamed => names.extend(section.renames.iter().map(|(_, to)| name(to, Vec::new()))),
            }
        }
        names
    }

    /// A requirement stands in one section of a spec only: what is renamed is modified under its new name.
    fn conflicts(&self, faults: &mut Vec<Diagnostic>) {
        let mut seen: BTreeMap<&str, Vec<(Operation, usize)>> = BTreeMap::new();
        for (at, section) in self.sections.iter().enumerate() {
            let Some(operation) = section.operation else { continue };
            let own = section.requirements.iter().map(|r| (r.name.as_str(), r.line));
            let new = section.renames.iter().map(|(_, to)| (to.as_str(), section.line));
            for (name, line) in own.chain(new).filter(|(name, _)| !name.is_empty()) {
                let before = seen.entry(name).or_default();
                let clash = before.iter().filter(|(_, from)| *from != at).map(|(other, _)| *other).find(|other| {
                    let either = |wanted| [*other, operation].contains(&wanted);
                    !either(Operation::Renamed) || either(Operation::Added)
                });
                if let Some(other) = clash {
                    let both = if other == operation {
                        format!("in {operation} twice")
                    } else {
                        format!("in {other} and in {operation}")
                    };
                    let message = format!("the requirement \"{}\" stands {both}", short(name));
                    faults.push(Diagnostic::line(&self.path, line, message).hint("keep one of them"));
                }
                before.push((operation, at));
            }
        }
    }

    fn take(&mut self, line: Line<'_>, faults: &mut Vec<Diagnostic>) {
        if let Some(title) = line.heading(2) {
            let operation = operation(title, &self.path, line.number, faults);
            self.sections.push(Section {
                line: line.number,
                heading: line.raw.to_owned(),
                operation,
                body: String::new(),
                requirements: Vec::new(),
                renames: Vec::new(),
            });
            return;
        }
        let Some(section) = self.sections.last_mut() else {
            if let Some(title) = line.heading(3).filter(|title| named(title, "Requirement:").is_some()) {
                let message = format!("the requirement \"{}\" stands in no section", short(title));
                faults.push(
                    Diagnostic::line(&self.path, line.number, message).hint("put `## ADDED Requirements` above it"),
                );
            }
            self.preamble.push_str(line.raw);
            return;
        };
        if section.operation.is_some() {
            if let Some(name) = line.heading(3).and_then(|title| named(title, "Requirement:")) {
                section.requirements.push(Requirement {
                    line: line.number,
                    heading: line.raw.to_owned(),
                    name: name.to_owned(),
                    body: String::new(),
                    scenarios: Vec::new(),
                });
                return;
            }
            if let Some(name) = line.heading(4).and_then(|title| named(title, "Scenario:")) {
                match section.requirements.last_mut() {
                    Some(requirement) => {
                        requirement.scenarios.push(Scenario {
                            line: line.number,
                            heading: line.raw.to_owned(),
                            name: name.to_owned(),
                            body: String::new(),
                        });
                        return;
                    }
                    None => faults.push(
                        Diagnostic::line(
                            &self.path,
                            line.number,
                            format!("the scenario \"{}\" belongs to no requirement", short(name)),
                        )
                        .hint("put `### Requirement: <name>` above it"),
                    ),
                }
            }
        }
        let body = match section.requirements.last_mut() {
            Some(requirement) => match requirement.scenarios.last_mut() {
                Some(scenario) => &mut scenario.body,
                None => &mut requirement.body,
            },
            None => &mut section.body,
        };
        body.push_str(line.raw);
    }
}

impl Section {
    fn check(&mut self, path: &str, faults: &mut Vec<Diagnostic>) {
        let Some(operation) = self.operation else { return };
        if operation == Operation::Renamed {
            self.renames = renames(self, path, faults);
            return;
        }
        if self.requirements.is_empty() {
            let bullets = operation == Operation::Removed && self.body.contains("Requirement:");
            if !bullets {
                faults.push(
                    Diagnostic::line(
                        path,
                        self.line,
                        format!("the section {operation} Requirements holds no requirement"),
                    )
                    .hint("add `### Requirement: <name>` or take the section out"),
                );
            }
        }
        let mut seen: Vec<&str> = Vec::new();
        for requirement in &self.requirements {
            let at = |line, message: String| Diagnostic::line(path, line, message);
            if requirement.name.is_empty() {
                faults.push(
                    at(requirement.line, "the requirement has no name".to_owned())
                        .hint("write `### Requirement: <name>`"),
                );
            } else if seen.contains(&requirement.name.as_str()) {
                let message = format!("the requirement \"{}\" stands in {operation} twice", short(&requirement.name));
                faults.push(at(requirement.line, message));
            }
            seen.push(&requirement.name);
            if operation != Operation::Removed && requirement.scenarios.is_empty() && !requirement.name.is_empty() {
                let message = format!("the requirement \"{}\" has no scenario", short(&requirement.name));
                faults.push(at(requirement.line, message).hint("add `#### Scenario: <name>` with WHEN and THEN"));
            }
            for scenario in requirement.scenarios.iter().filter(|s| s.name.is_empty()) {
                faults.push(
                    at(scenario.line, "the scenario has no name".to_owned()).hint("write `#### Scenario: <name>`"),
                );
            }
        }
    }
}

fn renames(section: &Section, path: &str, faults: &mut Vec<Diagnostic>) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut from: Option<(u32, String)> = None;
    for line in lines(&section.body).iter().filter(|l| !l.code) {
        let at = section.line + line.number;
        let text = line.text.trim().trim_start_matches(['-', '*', ' ']).replace(['`', '*'], "");
        if let Some(name) = text.strip_prefix("FROM:").map(rename_name) {
            if let Some((line, _)) = from.replace((at, name)) {
                faults.push(Diagnostic::line(path, line, "FROM has no TO"));
            }
        } else if let Some(name) = text.strip_prefix("TO:").map(rename_name) {
            match from.take() {
                Some((_, old)) => pairs.push((old, name)),
                None => faults.push(Diagnostic::line(path, at, "TO has no FROM before it")),
            }
        }
    }
    if let Some((line, _)) = from {
        faults.push(Diagnostic::line(path, line, "FROM has no TO"));
    } else if pairs.is_empty() {
        faults.push(
            Diagnostic::line(path, section.line, "the section RENAMED Requirements holds no pair")
                .hint("write `- FROM: ### Requirement: <old>` and `- TO: ### Requirement: <new>`"),
        );
    }
    pairs
}

fn rename_name(text: &str) -> String {
    text.trim().trim_start_matches('#').trim_start().trim_start_matches("Requirement:").trim().to_owned()
}

/// What a section of this title does. A title that looks like a misspelt operation is a fault.
fn operation(title: &str, path: &str, line: u32, faults: &mut Vec<Diagnostic>) -> Option<Operation> {
    let (first, rest) = title.split_once(char::is_whitespace)?;
    if !matches!(rest.trim().to_lowercase().as_str(), "requirements" | "requirement") {
        return None;
    }
    if let Ok(operation) = first.to_uppercase().parse() {
        return Some(operation);
    }
    let known: Vec<&str> = Operation::ALL.iter().map(|o| o.as_str()).collect();
    let hint = crate::diagnostic::unknown_key_hint(first, &known);
    faults.push(Diagnostic::line(path, line, format!("`{}` is no operation of a delta", short(first))).hint(hint));
    None
}

fn named<'a>(title: &'a str, prefix: &str) -> Option<&'a str> {
    let head = title.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| title[prefix.len()..].trim())
}

fn step(text: &str) -> Option<Step> {
    let text = text.trim_start();
    let text = text.strip_prefix("- ").or_else(|| text.strip_prefix("* "))?.trim_start().trim_start_matches('*');
    let word: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    let keyword = STEPS.iter().copied().find(|k| word.eq_ignore_ascii_case(k))?;
    Some(Step { keyword, text: text[word.len()..].trim_start_matches('*').trim().to_owned() })
}

pub(super) fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
