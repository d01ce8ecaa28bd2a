//! Budgets per issue and per day: what may be spent, and what is to happen as the spend comes near it.

use crate::{Usd, money::Spend};
use serde::{Deserialize, Serialize};

/// How much may be spent. An absent bound does not bind; a bound of zero lets nothing start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Dollars.
    pub usd: Option<Usd>,
    /// Tokens of every kind together.
    pub tokens: Option<u64>,
}

/// Both budgets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budgets {
    /// Per issue, over all roles, rounds and generations.
    pub issue: Budget,
    /// Per day (UTC), over all issues.
    pub day: Budget,
}

/// Where a spend stands against its budget. The order is that of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Below four fifths.
    Ok,
    /// Four fifths are spent.
    Warn80,
    /// All of it is spent: stop.
    Stop,
}

/// Holds what was spent (`settled`) and what running jobs have spent so far (`live`) against a budget.
#[must_use]
pub fn judge(settled: Spend, live: Spend, limit: &Budget) -> Standing {
    let spent = settled + live;
    let usd = limit.usd.map_or(Standing::Ok, |usd| standing(spent.cost.0, usd.0));
    let tokens = limit.tokens.map_or(Standing::Ok, |tokens| standing(spent.tokens.total(), tokens));
    usd.max(tokens)
}

fn standing(spent: u64, limit: u64) -> Standing {
    if spent >= limit {
        Standing::Stop
    } else if u128::from(spent) * 5 >= u128::from(limit) * 4 {
        Standing::Warn80
    } else {
        Standing::Ok
    }
}

/// One sentence for people: what is spent of what. `whose` is `this issue`, `today` or the like.
#[must_use]
pub fn words(settled: Spend, live: Spend, limit: &Budget, whose: &str) -> String {
    let spent = settled + live;
    let usd = limit.usd.map(|usd| format!("{} of {usd}", spent.cost));
    let tokens = limit.tokens.map(|tokens| format!("{} of {tokens} tokens", spent.tokens.total()));
    match (usd, tokens) {
        (None, None) => format!("{whose}: {} spent, no budget set", spent.cost),
        (usd, tokens) => {
            format!("{whose}: {} spent", usd.into_iter().chain(tokens).collect::<Vec<_>>().join(" and "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tokens;

    fn spend(dollars: u64, tokens: u64) -> Spend {
        Spend { cost: Usd::dollars(dollars), tokens: Tokens { output: tokens, ..Tokens::default() }, turns: 1 }
    }

    #[test]
    fn the_warning_comes_at_four_fifths_and_the_stop_at_all() {
        let limit = Budget { usd: Some(Usd::dollars(10)), tokens: Some(1_000) };
        assert_eq!(judge(spend(5, 0), spend(2, 0), &limit), Standing::Ok);
        assert_eq!(judge(spend(5, 0), spend(3, 0), &limit), Standing::Warn80);
        assert_eq!(judge(spend(5, 0), spend(5, 0), &limit), Standing::Stop);
        assert_eq!(judge(spend(0, 0), spend(0, 800), &limit), Standing::Warn80);
        assert_eq!(judge(spend(0, 0), spend(0, 1_000), &limit), Standing::Stop);
    }

    #[test]
    fn no_bound_never_stops_and_a_zero_bound_always_does() {
        assert_eq!(judge(spend(1_000, 1), spend(0, 0), &Budget::default()), Standing::Ok);
        let none = Budget { usd: Some(Usd(0)), tokens: None };
        assert_eq!(judge(Spend::default(), Spend::default(), &none), Standing::Stop);
    }

    #[test]
    fn the_sentence_names_both() {
        let limit = Budget { usd: Some(Usd::dollars(10)), tokens: Some(1_000) };
        assert_eq!(
            words(spend(1, 20), Spend::default(), &limit, "this issue"),
            "this issue: $1.0000 of $10.0000 and 20 of 1000 tokens spent"
        );
    }
}
