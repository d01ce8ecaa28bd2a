//! An amount of money as `hydra.toml` writes it: `20`, `0.5`. Kept exactly, in millionths of a dollar.

use hydra_core::Usd;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// USD, at least 0, at most a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "f64", inline, extend("minimum" = 0, "maximum" = 1_000_000))]
pub struct Dollars(Usd);

impl Dollars {
    /// Whole dollars.
    #[must_use]
    pub const fn whole(dollars: u64) -> Self {
        Self(Usd::dollars(dollars))
    }
    /// Millionths of a dollar.
    #[must_use]
    pub const fn micros(micros: u64) -> Self {
        Self(Usd::micros(micros))
    }
    /// As core has it.
    #[must_use]
    pub const fn usd(self) -> Usd {
        self.0
    }
}

impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let micros = self.0.0;
        if micros.is_multiple_of(1_000_000) {
            serializer.serialize_u64(micros / 1_000_000)
        } else {
            serializer.serialize_f64(micros as f64 / 1e6)
        }
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;
        impl de::Visitor<'_> for Amount {
            type Value = Dollars;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount in USD, from 0 to 1000000")
            }
            fn visit_u64<E: de::Error>(self, dollars: u64) -> Result<Dollars, E> {
                if dollars > 1_000_000 {
                    return Err(E::custom("it must be an amount in USD, from 0 to 1000000"));
                }
                Ok(Dollars::whole(dollars))
            }
            fn visit_i64<E: de::Error>(self, dollars: i64) -> Result<Dollars, E> {
                let dollars = u64::try_from(dollars).map_err(|_| E::custom("it may not be below zero"))?;
                self.visit_u64(dollars)
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was just checked")]
            fn visit_f64<E: de::Error>(self, dollars: f64) -> Result<Dollars, E> {
                if !(0.0..=1_000_000.0).contains(&dollars) {
                    return Err(E::custom("it must be an amount in USD, from 0 to 1000000"));
                }
                Ok(Dollars::micros((dollars * 1e6).round() as u64))
            }
        }
        deserializer.deserialize_any(Amount)
    }
}
