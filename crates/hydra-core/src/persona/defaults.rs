//! The personas that are compiled in. `hydra.toml` adds to them, renames and re-limits them.

use super::{Limits, Persona};
use crate::Stage;

/// The limits of the quality stage, which has no persona: the builder's container, no model, 20 minutes.
pub const QUALITY_LIMITS: Limits = Limits { cpu_millis: 4_000, memory_mib: 8_192, pids: 1_024, minutes: 20, turns: 0 };

const BUILDER: Limits = Limits { cpu_millis: 4_000, memory_mib: 8_192, pids: 1_024, minutes: 35, turns: 200 };
const REVIEWER: Limits = Limits { cpu_millis: 2_000, memory_mib: 4_096, pids: 512, minutes: 20, turns: 30 };
const SECURITY: Limits = Limits { turns: 20, ..REVIEWER };
const APPLIER: Limits = Limits { minutes: 10, turns: 20, ..REVIEWER };

struct Row {
    id: &'static str,
    name: &'static str,
    stages: &'static [Stage],
    model: &'static str,
    limits: Limits,
    prompt: &'static str,
}

/// The strongest model builds, a middle one judges.
const STRONGEST: &str = "claude-opus-4-8";
const MIDDLE: &str = "claude-sonnet-4-6";

const TABLE: &[Row] = &[
    Row {
        id: "al-gorithm",
        name: "Al Gorithm",
        stages: &[Stage::Build, Stage::FixQuality, Stage::Fix],
        model: STRONGEST,
        limits: BUILDER,
        prompt: include_str!("../../prompts/al-gorithm.md"),
    },
    Row {
        id: "juan-claude-van-damme",
        name: "Juan Claude van Damme",
        stages: &[Stage::CodeReview],
        model: MIDDLE,
        limits: REVIEWER,
        prompt: include_str!("../../prompts/juan-claude-van-damme.md"),
    },
    Row {
        id: "clyde-barcode",
        name: "Clyde Barcode",
        stages: &[Stage::SecurityReview],
        model: MIDDLE,
        limits: SECURITY,
        prompt: include_str!("../../prompts/clyde-barcode.md"),
    },
    Row {
        id: "axel-plier",
        name: "Axel Plier",
        stages: &[Stage::Apply],
        model: MIDDLE,
        limits: APPLIER,
        prompt: include_str!("../../prompts/axel-plier.md"),
    },
];

/// The compiled-in personas, in the order of the pipeline. Their e-mail addresses lie under `.invalid`, which nobody can own.
#[must_use]
pub fn defaults() -> Vec<Persona> {
    TABLE
        .iter()
        .filter_map(|row| {
            // Both parse, which a test holds for every row.
            let (id, model) = (row.id.parse().ok()?, row.model.parse().ok()?);
            Some(Persona {
                id,
                name: row.name.to_owned(),
                email: format!("{}@hydra.invalid", row.id),
                stages: row.stages.to_vec(),
                driver: "claude".to_owned(),
                model,
                limits: row.limits,
                prompt: row.prompt.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::PriceTable;

    #[test]
    fn every_row_makes_a_persona_with_a_price_and_a_prompt() {
        let personas = defaults();
        assert_eq!(personas.len(), TABLE.len());
        for persona in &personas {
            assert!(PriceTable::default().price(&persona.model).is_ok(), "{}", persona.id);
            assert!(persona.prompt.len() > 200, "{}", persona.id);
            assert!(persona.email.ends_with(".invalid"));
        }
    }

    #[test]
    fn every_stage_with_an_agent_has_exactly_one_persona() {
        let personas = defaults();
        for stage in Stage::ALL {
            let count = personas.iter().filter(|p| p.stages.contains(stage)).count();
            assert_eq!(count, usize::from(stage.has_agent()), "{stage}");
        }
    }

    #[test]
    fn the_documented_limits() {
        let minutes: Vec<u32> = defaults().iter().map(|p| p.limits.minutes).collect();
        let turns: Vec<u32> = defaults().iter().map(|p| p.limits.turns).collect();
        assert_eq!((minutes, turns), (vec![35, 20, 20, 10], vec![200, 30, 20, 20]));
    }
}
