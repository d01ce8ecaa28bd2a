//! What jobs do, by seed and name: mostly their work, at their own pace; sometimes everything else that jobs do.

use crate::world::{builds, event, input, judges, works};
use hydra_core::{
    JobId, Stage, Tokens, Usd,
    agent_event::{AgentEnd, EventKind, ToolKind, Trouble},
    contract::fake::{End, Play},
    contract_files::{JobResult, exit},
    job::JobSpec,
    ports::LogLine,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::time::Duration;

/// A response of the model.
const RESPONSE: Tokens = Tokens { input: 1000, output: 400, cache_read: 0, cache_write: 0 };
/// What it costs with the dearest model.
pub(super) const DEAREST: Usd = Usd::micros(15_000);

/// The same job always does the same, whoever starts it.
pub(super) fn of(seed: u64, spec: &JobSpec) -> Play {
    let mut dice = dice(seed, &spec.key.id());
    let turns = dice.random_range(2..=6);
    let stage = spec.key.stage;
    let mut play = match (stage, dice.random_range(0..100)) {
        (Stage::Build | Stage::Fix | Stage::FixQuality, 0..4) => works(spec, &[], None),
        (Stage::Build | Stage::Fix | Stage::FixQuality, _) => builds(spec),
        (Stage::Quality, 0..12) => red(spec),
        (Stage::Quality, _) => works(spec, &[], None),
        (Stage::CodeReview | Stage::SecurityReview | Stage::Apply, 0..20) => judges(spec, false, &["the tax is wrong"]),
        (Stage::CodeReview | Stage::SecurityReview | Stage::Apply, _) => judges(spec, true, &[]),
    };
    if stage.has_agent() {
        let says = match dice.random_range(0..100) {
            0..4 => provider(Trouble::Limit, &mut play),
            4..7 => provider(Trouble::Overload, &mut play),
            _ => AgentEnd::Completed,
        };
        says_in_turns(spec, &mut play, turns, &says);
        if stage.judges() && dice.random_bool(0.06) {
            // It says something, and nothing that would be work.
            play.lines.retain(|line| !line.text.contains("\"tool"));
        }
    }
    match dice.random_range(0..100) {
        0..4 => (play.end, play.out) = (End::Exits(1), Default::default()),
        4..7 => (play.end, play.out) = (End::OutOfMemory, Default::default()),
        7..10 => play.end = End::Vanishes("the engine forgot it".to_owned()),
        10..12 => (play.end, play.lines) = (End::Runs, Vec::new()),
        12..13 => play.end = End::RunsDeaf,
        _ => {}
    }
    play.pace = Duration::from_secs(dice.random_range(1..30));
    let said = u32::try_from(play.lines.len()).unwrap();
    play.after = play.pace * said + Duration::from_secs(dice.random_range(1..60));
    let lines: Vec<&str> = play.lines.iter().map(|line| line.text.as_str()).collect();
    play.out.insert("events.jsonl".into(), lines.join("\n").into_bytes());
    play
}

fn dice(seed: u64, job: &JobId) -> StdRng {
    let name = hydra_core::digest::sha256_parts(&[job.as_str().as_bytes(), &seed.to_le_bytes()]);
    StdRng::seed_from_u64(u64::from_str_radix(&name[..16], 16).unwrap())
}

fn red(spec: &JobSpec) -> Play {
    let mut play = works(spec, &[], None);
    let mut result: JobResult = serde_json::from_slice(&play.out["result.json"]).unwrap();
    for command in &mut result.commands {
        (command.exit, command.tail) = (1, "1 failed".into());
    }
    play.out.insert("result.json".into(), serde_json::to_vec(&result).unwrap());
    play
}

fn provider(trouble: Trouble, play: &mut Play) -> AgentEnd {
    play.end = End::Exits(exit::AGENT.into());
    AgentEnd::Provider { trouble, until: None, detail: "the provider says no".to_owned() }
}

/// Its events: so many responses, or fewer where its allowance is spent before, as the wrapper counts it.
fn says_in_turns(spec: &JobSpec, play: &mut Play, turns: u32, end: &AgentEnd) {
    let (allowed, mut spent, mut end) = (input(spec).allowance, Usd::default(), end.clone());
    let mut lines = vec![EventKind::Started { driver: "demo".into(), version: None, model: None }];
    for turn in 1..=turns {
        lines.push(EventKind::Turn { turn, tokens: RESPONSE, model: None });
        let id = format!("t{turn}");
        let path = Some("src/cart.py".to_owned());
        lines.push(EventKind::Tool { id: id.clone(), tool: ToolKind::Read, name: "Read".into(), path, command: None });
        lines.push(EventKind::ToolResult { id, ok: true, bytes: 40 });
        if let Some(allowance) = &allowed {
            spent += allowance.price.cost(RESPONSE);
            if allowance.usd.is_some_and(|usd| spent >= usd) {
                end = AgentEnd::Budget;
                play.end = End::Exits(exit::AGENT.into());
                break;
            }
        }
    }
    if end != AgentEnd::Completed {
        let mut result: JobResult = serde_json::from_slice(&play.out["result.json"]).unwrap();
        result.end = Some(end.clone());
        play.out.retain(|name, _| name == "result.json");
        play.out.insert("result.json".into(), serde_json::to_vec(&result).unwrap());
    }
    lines.push(EventKind::Ended { end, reported: None });
    play.lines = lines.into_iter().map(|kind| LogLine { stderr: false, text: event(kind) }).collect();
}
