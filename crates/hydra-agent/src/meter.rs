//! What a run has spent of its allowance, counted response by response as the agent's stream tells it: the wrapper sees a response before
//! anybody else does, and ends the agent at once.

use hydra_core::{Tokens, Usd, agent_event::EventKind, contract_files::Allowance};

/// Counts.
#[derive(Debug)]
pub(crate) struct Meter {
    allowance: Option<Allowance>,
    cost: Usd,
    tokens: Tokens,
}

impl Meter {
    pub(crate) fn new(allowance: Option<Allowance>) -> Self {
        Self { allowance, cost: Usd::default(), tokens: Tokens::default() }
    }
    /// Adds an event's tokens, where it has any.
    pub(crate) fn see(&mut self, event: &EventKind) {
        if let (EventKind::Turn { tokens, .. }, Some(allowance)) = (event, &self.allowance) {
            self.cost += allowance.price.cost(*tokens);
            self.tokens += *tokens;
        }
    }
    /// Whether nothing is left.
    pub(crate) fn is_spent(&self) -> bool {
        self.allowance.is_some_and(|allowance| {
            allowance.usd.is_some_and(|usd| self.cost >= usd)
                || allowance.tokens.is_some_and(|tokens| self.tokens.total() >= tokens)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydra_core::prices::Price;

    fn turn(output: u64) -> EventKind {
        EventKind::Turn { turn: 1, tokens: Tokens { output, ..Tokens::default() }, model: None }
    }

    #[test]
    fn the_response_that_reaches_the_allowance_is_the_last_one() {
        let allowance = |usd: Option<u64>, tokens| {
            Some(Allowance { usd: usd.map(Usd::dollars), tokens, price: Price::mills(5_000, 25_000) })
        };
        let mut money = Meter::new(allowance(Some(1), None));
        money.see(&turn(39_999));
        assert!(!money.is_spent(), "25 dollars a million: 40,000 tokens are one dollar");
        money.see(&turn(1));
        assert!(money.is_spent());
        let mut tokens = Meter::new(allowance(None, Some(100)));
        tokens.see(&turn(99));
        assert!(!tokens.is_spent());
        tokens.see(&turn(1));
        assert!(tokens.is_spent());
        assert!(Meter::new(allowance(Some(0), None)).is_spent());
        let mut none = Meter::new(None);
        none.see(&turn(u64::MAX));
        assert!(!none.is_spent());
    }
}
