//! `.hydra.toml`: what a target repository says about itself. Read from the base commit only, so that a change cannot loosen
//! the checks that judge it.

use crate::{
    ContainerType,
    contract_files::QualityCommand,
    diagnostic::{Diagnostic, line_of, unknown_key_hint},
    egress::{EgressPolicy, HostPattern, PolicyError},
};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

mod glob;
pub use glob::matches;

/// Its file name, at the top of the repository.
pub const FILE: &str = ".hydra.toml";
/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// Opening braces and brackets of the file, at most: far more than anybody nests.
const MAX_OPENED: usize = 500;

const KEYS: &[&str] = &["commands", "toolchain", "services", "egress", "protected", "scope", "focus"];
const COMMANDS: &[&str] = &["setup", "lint", "test", "build"];
const TOOLCHAIN: &[&str] = &["image", "setup"];

/// The entry of `[egress]` that is no container type.
const ONLY: &str = "only";

/// A host pattern as the file has it, and its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostLine<'t> {
    /// The text.
    pub text: &'t str,
    /// The line, 1 for the first.
    pub line: u32,
}

/// What the repository says. Absent is the same as empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Target {
    /// What to run to judge the work.
    pub commands: Commands,
    /// What to run it in.
    pub toolchain: Toolchain,
    /// Side services, by names from the organisation's list; builder and quality reach them on loopback.
    pub services: Vec<String>,
    /// Extra host names per container type, only what the organisation's floor allows; and, as `only`, what is left of all of it.
    pub egress: BTreeMap<String, Vec<String>>,
    /// The line of each of them.
    #[serde(skip)]
    egress_lines: BTreeMap<String, Vec<u32>>,
    /// Paths that no agent may change: exact, a folder with `/` at the end, or with `*`, `**` and `?`.
    pub protected: Vec<String>,
    /// Where an agent's changes may lie, in the same form; empty: anywhere. The change's own folder is always among them.
    pub scope: Vec<String>,
    /// What the reviewers should look at above all.
    pub focus: String,
}

/// Commands, each run by `sh -c` at the top of the checkout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Commands {
    /// Gets what the others need.
    pub setup: Option<String>,
    /// Looks for faults without running.
    pub lint: Option<String>,
    /// Runs the tests.
    pub test: Option<String>,
    /// Builds.
    pub build: Option<String>,
}

/// The toolchain: the same for builder and quality.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Toolchain {
    /// A name from the organisation's list of images.
    pub image: Option<String>,
    /// Run before `commands.setup`.
    pub setup: Option<String>,
}

impl Target {
    /// Reads the file.
    ///
    /// # Errors
    /// Every fault with its line; an unknown key with the nearest known one.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Diagnostic>> {
        if bytes.len() > MAX_BYTES {
            return Err(vec![Diagnostic::file(
                FILE,
                format!("it has {} bytes; at most {MAX_BYTES} are read", bytes.len()),
            )]);
        }
        // The parser goes one call deeper for each of them, and has no bound of its own where they are braces: the stack would end it.
        let opened = memchr::memchr2_iter(b'{', b'[', bytes).count();
        if opened > MAX_OPENED {
            return Err(vec![Diagnostic::file(
                FILE,
                format!("it has {opened} opening braces and brackets; at most {MAX_OPENED} are read"),
            )]);
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count() + 1;
            vec![Diagnostic::line(FILE, u32::try_from(line).unwrap_or(1), "it is not UTF-8")]
        })?;
        let broken = |error: &toml::de::Error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            vec![Diagnostic::line(FILE, line, error.message().to_owned())]
        };
        let table = DeTable::parse(text).map_err(|error| broken(&error))?;
        let mut faults = Vec::new();
        unknown_keys(text, table.get_ref(), &mut faults);
        let egress_lines = hosts(text, table.get_ref(), &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let target: Self = toml::from_str(text).map_err(|error| broken(&error))?;
        let target = Self { egress_lines, ..target };
        target.check(text, &mut faults);
        if faults.is_empty() { Ok(target) } else { Err(faults) }
    }

    /// The commands of the quality stage, in the order they are run: set-up, lint, test, build.
    #[must_use]
    pub fn quality(&self) -> Vec<QualityCommand> {
        let commands = &self.commands;
        [
            ("setup", &self.toolchain.setup),
            ("setup", &commands.setup),
            ("lint", &commands.lint),
            ("test", &commands.test),
            ("build", &commands.build),
        ]
        .into_iter()
        .filter_map(|(name, command)| Some(QualityCommand { name: name.to_owned(), command: command.clone()? }))
        .collect()
    }

    /// Whether anything but set-up is run to judge the work.
    #[must_use]
    pub const fn checks_anything(&self) -> bool {
        self.commands.lint.is_some() || self.commands.test.is_some() || self.commands.build.is_some()
    }

    /// The extra hosts of a container type.
    #[must_use]
    pub fn hosts(&self, container: ContainerType) -> Vec<HostLine<'_>> {
        self.listed(container.as_str()).unwrap_or_default()
    }

    /// All that any of its containers may reach of what the organisation allows, where it says so.
    #[must_use]
    pub fn only(&self) -> Option<Vec<HostLine<'_>>> {
        self.listed(ONLY)
    }

    /// The organisation's policy with what the repository adds for one container type within its floor, and less what it can do without.
    ///
    /// # Errors
    /// The first line that is no pattern, or that asks for more than the organisation allows.
    pub fn egress(&self, policy: &EgressPolicy, container: ContainerType) -> Result<EgressPolicy, PolicyError> {
        let wider = policy.with_repository(container, &self.hosts(container), FILE)?;
        match self.only() {
            Some(lines) => wider.tightened(&lines, FILE),
            None => Ok(wider),
        }
    }

    fn listed(&self, name: &str) -> Option<Vec<HostLine<'_>>> {
        let lines = self.egress_lines.get(name).map_or(&[][..], Vec::as_slice);
        let at = |index: usize| lines.get(index).copied().unwrap_or(1);
        let texts = self.egress.get(name)?.iter().enumerate();
        Some(texts.map(|(index, text)| HostLine { text, line: at(index) }).collect())
    }

    fn check(&self, text: &str, faults: &mut Vec<Diagnostic>) {
        let at = |needle: &str, message: String| {
            Diagnostic::line(FILE, line_of(text, text.find(needle).unwrap_or(0)), message)
        };
        let commands = &self.commands;
        let all = [
            ("toolchain", "setup", &self.toolchain.setup),
            ("commands", "setup", &commands.setup),
            ("commands", "lint", &commands.lint),
            ("commands", "test", &commands.test),
            ("commands", "build", &commands.build),
        ];
        for (table, key, command) in all {
            if command.as_ref().is_some_and(|command| command.trim().is_empty()) {
                faults.push(at(key, format!("{table}.{key} is empty")).hint("leave it out to run nothing"));
            }
        }
        for path in self.protected.iter().chain(&self.scope) {
            let bad = path.is_empty()
                || path.starts_with('/')
                || path.starts_with('~')
                || path.split('/').any(|part| part == "..");
            if bad {
                let quoted = format!("{path:?}");
                faults.push(
                    at(&quoted, format!("the path {quoted} must lie in the repository"))
                        .hint("write it relative to the repository's top"),
                );
            }
        }
    }
}

fn unknown_keys(text: &str, table: &DeTable<'_>, faults: &mut Vec<Diagnostic>) {
    let containers: Vec<&str> = ContainerType::ALL.iter().map(|kind| kind.as_str()).chain([ONLY]).collect();
    for (key, value) in table {
        let inner = match key.get_ref().as_ref() {
            "commands" => COMMANDS,
            "toolchain" => TOOLCHAIN,
            "egress" => containers.as_slice(),
            "services" | "protected" | "scope" | "focus" => continue,
            other => {
                let line = line_of(text, key.span().start);
                faults.push(
                    Diagnostic::line(FILE, line, format!("the key `{other}` is unknown"))
                        .hint(unknown_key_hint(other, KEYS)),
                );
                continue;
            }
        };
        let DeValue::Table(table) = value.get_ref() else { continue };
        for name in table.keys().filter(|name| !inner.contains(&name.get_ref().as_ref())) {
            let line = line_of(text, name.span().start);
            let message = format!("the key `{}.{}` is unknown", key.get_ref(), name.get_ref());
            faults.push(Diagnostic::line(FILE, line, message).hint(unknown_key_hint(name.get_ref(), inner)));
        }
    }
}

/// The line of every entry of `[egress]`; those that are no pattern are faults. Whether the organisation allows a pattern is seen when a job is
/// ordered.
fn hosts(text: &str, table: &DeTable<'_>, faults: &mut Vec<Diagnostic>) -> BTreeMap<String, Vec<u32>> {
    let mut lines = BTreeMap::new();
    let Some(DeValue::Table(types)) = table.get("egress").map(Spanned::get_ref) else { return lines };
    for (name, list) in types {
        let entries = list.get_ref().as_array().into_iter().flatten();
        let at = entries.clone().map(|entry| line_of(text, entry.span().start)).collect();
        lines.insert(name.get_ref().to_string(), at);
        for entry in entries {
            let DeValue::String(line) = entry.get_ref() else { continue };
            let Err(error) = line.parse::<HostPattern>() else { continue };
            let fault = Diagnostic::line(FILE, line_of(text, entry.span().start), error.to_string());
            faults.push(match HostPattern::suggestion(line) {
                Some(help) => fault.hint(help),
                None => fault,
            });
        }
    }
    lines
}

#[cfg(test)]
mod tests;
