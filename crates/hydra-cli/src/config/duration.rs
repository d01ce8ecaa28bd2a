//! A length of time as `hydra.toml` writes it: `"35m"`, `"1h 30m"`, `"90s"`, `"0"`. A bare number is refused, for nobody can tell its unit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A length of time, in whole seconds; at most 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(
    with = "String",
    inline,
    extend("pattern" = "^(0|([0-9]+(s|m|h|d)( ?[0-9]+(s|m|h|d))*))$", "examples" = ["35m", "1h 30m"])
)]
pub struct Duration(u64);

const LONGEST: u64 = 30 * 86_400;

impl Duration {
    /// From seconds.
    #[must_use]
    pub const fn secs(secs: u64) -> Self {
        Self(secs)
    }
    /// From minutes.
    #[must_use]
    pub const fn mins(mins: u64) -> Self {
        Self(mins * 60)
    }
    /// In seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }
    /// As the standard library has it.
    #[must_use]
    pub const fn std(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.0)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0");
        }
        let mut rest = self.0;
        let mut first = true;
        for (unit, secs) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
            let count = rest / secs;
            rest %= secs;
            if count > 0 {
                write!(f, "{}{count}{unit}", if first { "" } else { " " })?;
                first = false;
            }
        }
        Ok(())
    }
}

impl FromStr for Duration {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "it must be a number with its unit, such as \"35m\", \"90s\" or \"1h 30m\"".to_owned();
        if text == "0" {
            return Ok(Self(0));
        }
        let mut total: u64 = 0;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let number: u64 = number.parse().map_err(|_| wrong())?;
            let mut tail = tail.chars();
            let secs = match tail.next() {
                Some('s') => 1,
                Some('m') => 60,
                Some('h') => 3_600,
                Some('d') => 86_400,
                _ => return Err(wrong()),
            };
            total = number.checked_mul(secs).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
            rest = tail.as_str().trim_start();
        }
        if total > LONGEST { Err("it may not be longer than 30 days".to_owned()) } else { Ok(Self(total)) }
    }
}

impl TryFrom<String> for Duration {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}
impl From<Duration> for String {
    fn from(duration: Duration) -> String {
        duration.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_back_as_it_was_written() {
        for (text, secs) in
            [("0", 0), ("35m", 2_100), ("90s", 90), ("1h 30m", 5_400), ("1h30m", 5_400), ("2d", 172_800)]
        {
            let parsed: Duration = text.parse().unwrap();
            assert_eq!(parsed.as_secs(), secs, "{text}");
            assert_eq!(parsed.to_string().parse::<Duration>().unwrap(), parsed);
        }
        for text in ["", "35", "m", "1.5h", "-3m", "31d", "99999999999999999999s", "10 minutes"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
