//! How the benches measure and report. A figure is compared with a peer or a limit of the same run, so that it means something on any machine.
#![expect(clippy::print_stdout, reason = "a bench speaks on its standard output")]

use serde::Serialize;
use std::{fs::OpenOptions, io::Write as _, time::Duration};

mod measure;

pub use measure::{best, median, middle, timed};

/// The variable that names the file that figures are appended to, one JSON object a line. `cargo xtask bench` sets it.
pub const OUT: &str = "HYDRA_BENCH_OUT";

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "bound")]
pub enum Aim {
    /// So much or more.
    AtLeast(f64),
    /// So much or less.
    AtMost(f64),
    /// Only told: it explains another figure.
    Told,
}

/// One line of the table in `docs/performance.md`.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// What it is held against: a peer, a limit, or what was counted.
    pub against: String,
    /// The value that the aim is about: a ratio, a rate, a count.
    pub value: f64,
    /// Its unit; empty for a ratio.
    pub unit: String,
    /// What it should be.
    pub aim: Aim,
    /// How it came about: both sides of a ratio, sizes, counts.
    pub detail: String,
}

impl Figure {
    /// A figure without a bound.
    #[must_use]
    pub fn new(what: &str, against: &str, value: f64, unit: &str) -> Self {
        Self {
            what: what.to_owned(),
            against: against.to_owned(),
            value,
            unit: unit.to_owned(),
            aim: Aim::Told,
            detail: String::new(),
        }
    }

    /// With a bound.
    #[must_use]
    pub fn aim(mut self, aim: Aim) -> Self {
        self.aim = aim;
        self
    }

    /// With how it came about.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Whether it is what it should be.
    #[must_use]
    pub fn is_met(&self) -> bool {
        match self.aim {
            Aim::AtLeast(bound) => self.value >= bound,
            Aim::AtMost(bound) => self.value <= bound,
            Aim::Told => true,
        }
    }

    /// The value with its unit.
    #[must_use]
    pub fn shown(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        format!("{}{unit}", number(self.value))
    }

    /// The aim, `>= 0.50`; empty where there is none.
    #[must_use]
    pub fn aimed(&self) -> String {
        match self.aim {
            Aim::AtLeast(bound) => format!(">= {}", number(bound)),
            Aim::AtMost(bound) => format!("<= {}", number(bound)),
            Aim::Told => String::new(),
        }
    }

    /// One line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let aim = match self.aim {
            Aim::AtLeast(_) | Aim::AtMost(_) => format!(" (aim: {})", self.aimed()),
            Aim::Told => String::new(),
        };
        let mark = if self.is_met() { "  " } else { "! " };
        format!("{mark}{}, against {}: {}{aim}; {}", self.what, self.against, self.shown(), self.detail)
    }

    /// One line for programs: the figure, and how it reads.
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "what": self.what,
            "against": self.against,
            "value": self.value,
            "unit": self.unit,
            "aim": self.aim,
            "detail": self.detail,
            "shown": self.shown(),
            "aimed": self.aimed(),
            "met": self.is_met(),
        })
    }

    /// Says it: on standard output, and in the file of [`OUT`] where that is set.
    ///
    /// # Panics
    /// When the file cannot be written: a figure that is lost must not look like one that was kept.
    pub fn say(&self) {
        println!("{}", self.line());
        let Some(path) = std::env::var_os(OUT) else { return };
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(format!("{}\n", self.json()).as_bytes()));
        if let Err(error) = written {
            panic!("{}: {error}", path.display())
        }
    }
}

/// A number as the table shows it: as many digits as matter.
#[must_use]
pub fn number(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        // Whole numbers in groups of three.
        let digits = format!("{value:.0}");
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        return format!("{sign}{text}");
    }
    match value.abs() {
        size if size >= 100.0 => number(value.round()),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Gigabytes a second.
#[must_use]
pub fn gb_per_s(bytes: usize, took: Duration) -> f64 {
    bytes as f64 / took.as_secs_f64() / 1e9
}

/// How many times as long as `peer` this took.
#[must_use]
pub fn ratio(took: Duration, peer: Duration) -> f64 {
    took.as_secs_f64() / peer.as_secs_f64()
}

/// Says that a figure is left out, and what it needs.
pub fn left_out(what: &str, needs: &str) {
    println!("left out: {what} (needs {needs})");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let shown = [0.0, 7.0, 1_234.0, 100_000.0, 1_234.5, 12.34, 0.789, 0.012_34, -1_000.0].map(number);
        assert_eq!(shown, ["0", "7", "1,234", "100,000", "1,235", "12.3", "0.79", "0.0123", "-1,000"]);
    }

    #[test]
    fn an_aim_can_be_missed() {
        let figure = Figure::new("a", "b", 0.9, "").aim(Aim::AtMost(0.8)).detail("9 ms against 10 ms");
        assert!(!figure.is_met());
        assert_eq!(figure.line(), "! a, against b: 0.90 (aim: <= 0.80); 9 ms against 10 ms");
        assert!(figure.clone().aim(Aim::AtLeast(0.5)).is_met());
        assert!(figure.aim(Aim::Told).is_met());
    }
}
