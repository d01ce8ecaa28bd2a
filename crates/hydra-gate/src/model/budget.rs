//! What is left of the budget, counted while it is spent: a warning near its end, and an end.

use hydra_core::{Tokens, contract_files::Allowance};
use serde_json::Value;
use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// The part of the budget at which the agent is warned, in hundredths.
const WARN: u64 = 80;

/// How far the budget is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is enough.
    Fine,
    /// Not much is left: said once.
    Warn,
    /// Nothing is left.
    Spent,
}

#[derive(Debug, Default)]
struct State {
    tokens: Tokens,
    warned: bool,
}

/// The budget of one job: what was left of the issue's when it began.
pub(crate) struct Budget {
    allowance: Option<Allowance>,
    /// Where the sum is kept, so that a gate that is started again goes on with it.
    kept: Option<PathBuf>,
    state: Mutex<State>,
}

impl Budget {
    /// What an earlier gate of the job has counted is gone on with; what cannot be read is no zero.
    pub(crate) fn new(allowance: Option<Allowance>, kept: Option<PathBuf>) -> Result<Self, String> {
        let wrong = |path: &PathBuf, why: String| format!("{}: {why}", path.display());
        let tokens = match kept.as_ref().map(|path| (path, std::fs::read(path))) {
            None => Tokens::default(),
            Some((_, Err(error))) if error.kind() == std::io::ErrorKind::NotFound => Tokens::default(),
            Some((path, Err(error))) => return Err(wrong(path, error.to_string())),
            Some((path, Ok(text))) => serde_json::from_slice(&text).map_err(|error| wrong(path, error.to_string()))?,
        };
        Ok(Self { allowance, kept, state: Mutex::new(State { tokens, warned: false }) })
    }
    /// Adds what a response used.
    pub(crate) fn add(&self, used: Tokens) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = |one: u64, other: u64| one.saturating_add(other);
        state.tokens = Tokens {
            input: sum(state.tokens.input, used.input),
            output: sum(state.tokens.output, used.output),
            cache_read: sum(state.tokens.cache_read, used.cache_read),
            cache_write: sum(state.tokens.cache_write, used.cache_write),
        };
        if let (Some(path), Ok(text)) = (&self.kept, serde_json::to_vec(&state.tokens)) {
            // Whole or not at all. Where it cannot be kept, the orchestrator's own count of the event stream still bounds the job.
            let fresh = path.with_extension("new");
            _ = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, path));
        }
    }
    /// The sum.
    pub(crate) fn used(&self) -> Tokens {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).tokens
    }
    /// How far it is; [`Standing::Warn`] once.
    pub(crate) fn standing(&self) -> Standing {
        let Some(allowance) = &self.allowance else { return Standing::Fine };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let cost = allowance.price.cost(state.tokens);
        let part = |used: u64, of: u64| if of == 0 { 100 } else { u128::from(used) * 100 / u128::from(of) };
        let money = allowance.usd.map(|usd| part(cost.0, usd.0));
        let tokens = allowance.tokens.map(|most| part(state.tokens.total(), most));
        let far = money.into_iter().chain(tokens).max().unwrap_or(0);
        if far >= 100 {
            Standing::Spent
        } else if far >= u128::from(WARN) && !state.warned {
            state.warned = true;
            Standing::Warn
        } else {
            Standing::Fine
        }
    }
}

/// A request that is larger is not taken apart for a warning.
const LARGE: usize = 8 * 1024 * 1024;

/// What the agent is told.
pub(crate) const WARNING: &str = "Note from the orchestrator: four fifths of this issue's budget are spent. Finish what you are doing, leave \
                                  the work in a state that passes its tests, and end.";

/// Puts the warning at the end of the last message of a Messages request; the request as it was where it has none.
pub(crate) fn warned(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() > LARGE {
        return None;
    }
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let last = request.get_mut("messages")?.as_array_mut()?.last_mut()?;
    if last["role"] != "user" {
        return None;
    }
    let note = serde_json::json!({ "type": "text", "text": WARNING });
    let content = last.get_mut("content")?;
    match content {
        Value::Array(blocks) => blocks.push(note),
        Value::String(text) => *content = serde_json::json!([{ "type": "text", "text": text.clone() }, note]),
        _ => return None,
    }
    serde_json::to_vec(&request).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydra_core::{Usd, prices::PriceTable};

    fn budget(tokens: u64) -> Budget {
        let price = PriceTable::default().price(&"claude-sonnet-4-6".parse().unwrap()).unwrap();
        Budget::new(Some(Allowance { usd: None, tokens: Some(tokens), price }), None).unwrap()
    }
    fn used(output: u64) -> Tokens {
        Tokens { output, ..Tokens::default() }
    }

    #[test]
    fn it_warns_once_and_ends() {
        let budget = budget(1_000);
        assert_eq!(budget.standing(), Standing::Fine);
        budget.add(used(799));
        assert_eq!(budget.standing(), Standing::Fine);
        budget.add(used(1));
        assert_eq!((budget.standing(), budget.standing()), (Standing::Warn, Standing::Fine));
        budget.add(used(200));
        assert_eq!((budget.standing(), budget.used().output), (Standing::Spent, 1_000));
        assert_eq!(Budget::new(None, None).unwrap().standing(), Standing::Fine);
    }

    #[test]
    fn money_counts_by_the_price_of_the_model() {
        let price = PriceTable::default().price(&"claude-sonnet-4-6".parse().unwrap()).unwrap();
        let allowance = Allowance { usd: Some(Usd::micros(1_000)), tokens: None, price };
        let budget = Budget::new(Some(allowance), None).unwrap();
        budget.add(used(1_000_000));
        assert_eq!(budget.standing(), Standing::Spent);
    }

    #[test]
    fn a_gate_that_is_started_again_goes_on_with_the_sum() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("used.json");
        Budget::new(None, Some(path.clone())).unwrap().add(used(5));
        let again = Budget::new(None, Some(path.clone())).unwrap();
        again.add(used(2));
        assert_eq!(again.used().output, 7);
        std::fs::write(&path, "{").unwrap();
        assert!(Budget::new(None, Some(path)).is_err());
    }

    #[test]
    fn the_warning_is_the_last_text_of_the_last_message() {
        let told = |body: &str| warned(body.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        let text = told(r#"{"messages":[{"role":"user","content":"hi"}]}"#).unwrap();
        assert!(text.contains(r#"{"text":"hi","type":"text"},{"text":"Note from"#), "{text}");
        let text = told(r#"{"messages":[{"role":"user","content":[{"type":"tool_result"}]}]}"#).unwrap();
        assert!(text.contains(r#"{"type":"tool_result"},{"text":"Note from"#), "{text}");
        for other in ["{}", "no", r#"{"messages":[]}"#, r#"{"messages":[{"role":"assistant","content":"x"}]}"#] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}
