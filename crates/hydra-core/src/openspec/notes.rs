//! What OpenSpec allows and a reviewer will stumble over. None of it keeps a change from being built.

use super::{
    Operation, SpecDelta,
    delta::{STEPS, Scenario, short},
    lines::lines,
};
use crate::diagnostic::{Diagnostic, nearest};
use std::collections::BTreeMap;

pub(super) fn of(specs: &[SpecDelta]) -> Vec<Diagnostic> {
    let mut notes = Vec::new();
    let mut added: BTreeMap<&str, (&str, u32)> = BTreeMap::new();
    for spec in specs {
        for section in &spec.sections {
            let Some(operation) = section.operation else { continue };
            for requirement in &section.requirements {
                if operation == Operation::Added
                    && let Some((file, line)) = added.insert(&requirement.name, (&spec.path, requirement.line))
                {
                    let message =
                        format!("the requirement \"{}\" is added in {file}:{line} too", short(&requirement.name));
                    notes.push(
                        Diagnostic::line(&spec.path, requirement.line, message)
                            .hint("if both mean the same, take one out"),
                    );
                }
                if operation != Operation::Removed {
                    requirement.scenarios.iter().for_each(|scenario| steps(&spec.path, scenario, &mut notes));
                }
            }
        }
    }
    notes
}

/// A step that is missing, or that looks like one misspelt: named once.
fn steps(path: &str, scenario: &Scenario, notes: &mut Vec<Diagnostic>) {
    let known = scenario.steps();
    let mut missing: Vec<&str> =
        ["WHEN", "THEN"].into_iter().filter(|wanted| !known.iter().any(|step| step.keyword == *wanted)).collect();
    for line in lines(&scenario.body).iter().filter(|line| !line.code) {
        let Some((word, loud)) = first_word(line.text) else { continue };
        let Some(near) = nearest(word, STEPS) else { continue };
        // A plain word that is near to AND or BUT is a plain word; a bold or a capital one, or one where a step is missing, is not.
        if STEPS.iter().any(|step| step.eq_ignore_ascii_case(word)) || !(loud || missing.contains(&near)) {
            continue;
        }
        missing.retain(|step| *step != near);
        let at = scenario.line.saturating_add(line.number);
        notes.push(
            Diagnostic::line(path, at, format!("`{}` is no step of a scenario", short(word)))
                .hint(format!("did you mean {near}?")),
        );
    }
    if !missing.is_empty() && !scenario.name.is_empty() {
        let message = format!("the scenario \"{}\" has no {}", short(&scenario.name), missing.join(" and no "));
        notes.push(
            Diagnostic::line(path, scenario.line, message).hint("write the steps as `- **WHEN** …` and `- **THEN** …`"),
        );
    }
}

/// The word that a bullet begins with, of at least three letters, and whether it is in capitals.
fn first_word(text: &str) -> Option<(&str, bool)> {
    let text = text.trim_start();
    let text = text.strip_prefix("- ").or_else(|| text.strip_prefix("* "))?.trim_start().trim_start_matches('*');
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let word = text.get(..end).filter(|word| (3..=8).contains(&word.len()))?;
    Some((word, word.bytes().all(|b| b.is_ascii_uppercase())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(specs: &[(&str, &str)]) -> Vec<String> {
        let parsed: Vec<SpecDelta> = specs.iter().map(|(path, text)| SpecDelta::parse(path, text).unwrap()).collect();
        of(&parsed).iter().map(ToString::to_string).collect()
    }

    fn scenario(steps: &str) -> Vec<String> {
        notes(&[("specs/a/spec.md", &format!("## ADDED Requirements\n### Requirement: A\n#### Scenario: S\n{steps}"))])
    }

    #[test]
    fn a_step_that_is_misspelt_or_missing_is_named_with_its_line() {
        assert_eq!(scenario("- **WHEN** x\n- **THEN** y\n- **AND** z\n- Ant hills\n"), [""; 0]);
        assert_eq!(
            scenario("- **WEHN** x\n- **THNE** y\n"),
            [
                "specs/a/spec.md:4: `WEHN` is no step of a scenario (did you mean WHEN?)",
                "specs/a/spec.md:5: `THNE` is no step of a scenario (did you mean THEN?)"
            ]
        );
        assert_eq!(
            scenario("- When x\n- Thenn y\n"),
            ["specs/a/spec.md:5: `Thenn` is no step of a scenario (did you mean THEN?)"]
        );
        let none = "the scenario \"S\" has no WHEN and no THEN (write the steps as `- **WHEN** …` and `- **THEN** …`)";
        assert_eq!(scenario("It works.\n```\n- WHEN x\n```\n"), [format!("specs/a/spec.md:3: {none}")]);
    }

    #[test]
    fn a_requirement_that_two_specs_add_is_named_in_the_second() {
        let text = "## ADDED Requirements\n### Requirement: A\n#### Scenario: S\n- WHEN x\n- THEN y\n";
        assert_eq!(
            notes(&[("specs/a/spec.md", text), ("specs/b/spec.md", text)]),
            [
                "specs/b/spec.md:2: the requirement \"A\" is added in specs/a/spec.md:2 too (if both mean the same, take one out)"
            ]
        );
    }
}
