//! What a model's tokens cost: one dated table, so that a budget can be kept while a run goes on.
//! A model that is not in it is refused before anything is spent; `hydra.toml` may add or change prices.

use crate::{ModelName, Tokens, Usd};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The day the table was last held against its sources: the provider's public price page, and the cost that claude-code 2.1.197
/// itself reported for `claude-opus-4-8` in a recorded session.
pub const AS_OF: &str = "2026-11-23";

/// Prices per million tokens. Cache writes are those of the five-minute cache (1.25 times input; see [`hour_writes`]), reads a tenth of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Input that no cache held, per million tokens.
    pub input: Usd,
    /// Output, per million tokens.
    pub output: Usd,
    /// Input read from the provider's cache, per million tokens.
    pub cache_read: Usd,
    /// Input written to the provider's cache, per million tokens.
    pub cache_write: Usd,
}

impl Price {
    /// From input and output in thousandths of a dollar per million tokens; the cache's prices follow from the input's.
    #[must_use]
    pub const fn mills(input: u64, output: u64) -> Self {
        Self {
            input: Usd(input * 1_000),
            output: Usd(output * 1_000),
            cache_read: Usd(input * 100),
            cache_write: Usd(input * 1_250),
        }
    }

    /// What these tokens cost, rounded up to a millionth of a dollar: a budget is never undercounted.
    #[must_use]
    pub fn cost(self, tokens: Tokens) -> Usd {
        let part = |count: u64, price: Usd| u128::from(count) * u128::from(price.0);
        let sum = part(tokens.input, self.input)
            + part(tokens.output, self.output)
            + part(tokens.cache_read, self.cache_read)
            + part(tokens.cache_write, self.cache_write);
        Usd(u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

/// What is written to the cache that lasts an hour, as so many tokens of the five-minute cache: it costs twice the input, not 1.25 times.
#[must_use]
pub const fn hour_writes(tokens: u64) -> u64 {
    // Three fifths more, rounded up.
    tokens.saturating_add(tokens / 5 * 3).saturating_add((tokens % 5 * 3).div_ceil(5))
}

/// Names as the provider spells them, without date and context suffix; input and output in thousandths of a dollar.
const TABLE: &[(&str, u64, u64)] = &[
    ("claude-opus-4-8", 5_000, 25_000),
    ("claude-opus-4-7", 5_000, 25_000),
    ("claude-opus-4-6", 5_000, 25_000),
    ("claude-opus-4-5", 5_000, 25_000),
    ("claude-opus-4-1", 15_000, 75_000),
    ("claude-opus-4", 15_000, 75_000),
    ("claude-sonnet-4-6", 3_000, 15_000),
    ("claude-sonnet-4-5", 3_000, 15_000),
    ("claude-sonnet-4", 3_000, 15_000),
    ("claude-haiku-4-5", 1_000, 5_000),
    ("claude-3-5-haiku", 800, 4_000),
];

/// Every model of the compiled-in table with its price, in the table's order.
pub fn table() -> impl Iterator<Item = (&'static str, Price)> {
    TABLE.iter().map(|(name, input, output)| (*name, Price::mills(*input, *output)))
}

/// What claude-code's short names stand for.
pub const ALIASES: &[(&str, &str)] = &[
    ("opus", "claude-opus-4-8"),
    ("sonnet", "claude-sonnet-4-6"),
    ("haiku", "claude-haiku-4-5"),
    ("claude-opus-4-0", "claude-opus-4"),
    ("claude-sonnet-4-0", "claude-sonnet-4"),
];

/// Models whose million-token context costs more: twice the input, one and a half times the output. As a run's tokens do not say
/// how long each request was, the higher price is taken for all of them: too much is counted rather than too little.
const LONG_CONTEXT_COSTS_MORE: &[&str] = &["claude-sonnet-4-5", "claude-sonnet-4"];

/// How the name of a model that is asked for a million tokens of context ends.
pub const LONG_CONTEXT: &str = "[1m]";

/// A model without a price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model {model:?} has no price in the table of {AS_OF}: add [prices.\"{model}\"] with input, output, cache_read and cache_write (USD per million tokens) to hydra.toml{}", nearest.as_ref().map(|n| format!(", or use {n:?}")).unwrap_or_default())]
pub struct UnpricedModel {
    /// The model that was asked for.
    pub model: String,
    /// The nearest one with a price.
    pub nearest: Option<String>,
}

/// The prices in force: the compiled-in table and what the configuration adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriceTable {
    overrides: BTreeMap<String, Price>,
}

impl PriceTable {
    /// The table with the configuration's own prices, which win. They are looked up by the exact name first.
    #[must_use]
    pub fn with(overrides: BTreeMap<String, Price>) -> Self {
        Self { overrides }
    }

    /// A model's price. Understood are dated names (`-20251001`, `@20251001`, `-latest`), the suffix `[1m]`, and claude-code's short names.
    ///
    /// # Errors
    /// When neither the configuration nor the table has the model.
    pub fn price(&self, model: &ModelName) -> Result<Price, UnpricedModel> {
        self.find(model).ok_or_else(|| {
            let known: Vec<&str> = TABLE.iter().map(|(name, ..)| *name).collect();
            UnpricedModel {
                model: model.as_str().to_owned(),
                nearest: crate::diagnostic::nearest(parts(model).0, &known).map(str::to_owned),
            }
        })
    }

    /// A model's price, where it has one: for what asks again and again and only notes that there is none.
    #[must_use]
    pub fn find(&self, model: &ModelName) -> Option<Price> {
        let exact = model.as_str();
        let (name, base, long) = parts(model);
        let own = [exact, base, name].into_iter().find_map(|name| self.overrides.get(name));
        if let Some(price) = own {
            return Some(*price);
        }
        let (_, input, output) = TABLE.iter().find(|(known, ..)| *known == name)?;
        Some(if long && LONG_CONTEXT_COSTS_MORE.contains(&name) {
            Price::mills(input * 2, output * 3 / 2)
        } else {
            Price::mills(*input, *output)
        })
    }

    /// What tokens of a model cost.
    ///
    /// # Errors
    /// When the model has no price.
    pub fn cost(&self, model: &ModelName, tokens: Tokens) -> Result<Usd, UnpricedModel> {
        Ok(self.price(model)?.cost(tokens))
    }
}

/// The name that the table knows, the name without the long context's suffix, and whether it had that.
fn parts(model: &ModelName) -> (&str, &str, bool) {
    let exact = model.as_str();
    let (base, long) = exact.strip_suffix(LONG_CONTEXT).map_or((exact, false), |base| (base, true));
    let name = undated(base);
    (ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, full)| full), base, long)
}

fn undated(name: &str) -> &str {
    if let Some(base) = name.strip_suffix("-latest") {
        return base;
    }
    match name.rsplit_once(['-', '@']) {
        Some((base, date)) if date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) => base,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> ModelName {
        name.parse().unwrap()
    }

    #[test]
    fn the_table_agrees_with_what_the_real_cli_reported() {
        let tokens = Tokens { input: 10, output: 9, ..Tokens::default() };
        let cost = PriceTable::default().cost(&model("claude-opus-4-8[1m]"), tokens).unwrap();
        assert_eq!(cost, Usd(275));
    }

    #[test]
    fn every_name_of_the_table_has_its_price_dated_or_not() {
        let table = PriceTable::default();
        for (name, input, output) in TABLE {
            for spelt in
                [(*name).to_owned(), format!("{name}-20260101"), format!("{name}@20260101"), format!("{name}-latest")]
            {
                assert_eq!(table.price(&model(&spelt)), Ok(Price::mills(*input, *output)), "{spelt}");
            }
        }
        for (alias, full) in ALIASES {
            assert_eq!(table.price(&model(alias)), table.price(&model(full)));
        }
    }

    #[test]
    fn cached_tokens_have_prices_of_their_own_and_sums_round_up() {
        let tokens = Tokens { input: 0, output: 0, cache_read: 1_000_000, cache_write: 1_000_000 };
        assert_eq!(PriceTable::default().cost(&model("claude-sonnet-4-6"), tokens), Ok(Usd(300_000 + 3_750_000)));
        let one = Tokens { cache_read: 1, ..Tokens::default() };
        assert_eq!(PriceTable::default().cost(&model("claude-haiku-4-5"), one), Ok(Usd(1)));
    }

    #[test]
    fn what_is_kept_for_an_hour_costs_twice_the_input() {
        let price = PriceTable::default().price(&model("claude-opus-4-8")).unwrap();
        let written = Tokens { cache_write: hour_writes(1_000_000), ..Tokens::default() };
        assert_eq!(price.cost(written), price.cost(Tokens { input: 2_000_000, ..Tokens::default() }));
        assert_eq!([0, 1, 2, 5, u64::MAX].map(hour_writes), [0, 2, 4, 8, u64::MAX]);
    }

    #[test]
    fn a_long_context_is_counted_at_its_higher_price() {
        assert_eq!(PriceTable::default().price(&model("claude-sonnet-4-5[1m]")), Ok(Price::mills(6_000, 22_500)));
    }

    #[test]
    fn a_model_without_a_price_is_refused_and_the_configuration_can_give_it_one() {
        let error = PriceTable::default().price(&model("claude-opus-4-9")).unwrap_err();
        assert!(error.to_string().contains("hydra.toml"), "{error}");
        assert!(error.nearest.is_some());
        let own = PriceTable::with([("claude-opus-4-9".to_owned(), Price::mills(1, 2))].into());
        assert_eq!(own.price(&model("claude-opus-4-9[1m]")), Ok(Price::mills(1, 2)));
        assert_eq!(own.price(&model("claude-opus-4-9-20270101")), Ok(Price::mills(1, 2)));
    }
}
