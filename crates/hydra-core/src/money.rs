//! Money and tokens as exact integers.

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign},
};

/// United States dollars in millionths, so that sums are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Usd(pub u64);

impl Usd {
    /// From millionths of a dollar.
    #[must_use]
    pub const fn micros(micros: u64) -> Self {
        Self(micros)
    }
    /// From whole dollars.
    #[must_use]
    pub const fn dollars(dollars: u64) -> Self {
        Self(dollars * 1_000_000)
    }
    /// What is left after `other`, never below zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Four decimals, rounded half up: a cent is too coarse for one turn.
        let tenths_of_mills = (self.0 + 50) / 100;
        write!(f, "${}.{:04}", tenths_of_mills / 10_000, tenths_of_mills % 10_000)
    }
}
impl Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self(0), Add::add)
    }
}

/// Tokens of one or more model calls, by how they are billed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// Read, not from a cache.
    pub input: u64,
    /// Written by the model.
    pub output: u64,
    /// Read from the provider's cache.
    pub cache_read: u64,
    /// Written to the provider's cache.
    pub cache_write: u64,
}
impl Tokens {
    /// All of them.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output).saturating_add(self.cache_read).saturating_add(self.cache_write)
    }
}
impl Add for Tokens {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self {
            input: self.input.saturating_add(o.input),
            output: self.output.saturating_add(o.output),
            cache_read: self.cache_read.saturating_add(o.cache_read),
            cache_write: self.cache_write.saturating_add(o.cache_write),
        }
    }
}
impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), Add::add)
    }
}

/// What was spent on one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spend {
    /// Cost by the price table.
    pub cost: Usd,
    /// Tokens.
    pub tokens: Tokens,
    /// Model turns.
    pub turns: u32,
}
impl Add for Spend {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self { cost: self.cost + o.cost, tokens: self.tokens + o.tokens, turns: self.turns.saturating_add(o.turns) }
    }
}
impl AddAssign for Spend {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl Sum for Spend {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), Add::add)
    }
}
