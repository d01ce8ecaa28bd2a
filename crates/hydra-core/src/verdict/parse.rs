//! Reads `/out/verdict.json`: an agent wrote it, so nothing about it is believed.

use super::{Finding, RequirementJudgement, RequirementState, Severity, Verdict};
use serde_json::{Map, Value};

/// The largest verdict that is looked at, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Entries of a list, at most.
pub const MAX_ENTRIES: usize = 1_000;
/// Characters of a text, at most; the rest is cut.
pub const MAX_TEXT: usize = 8_000;

const KEYS: &[&str] = &["pass", "blocking", "findings", "summary", "requirements"];
const FINDING_KEYS: &[&str] = &["severity", "file", "line", "rule", "message", "remediation"];
const REQUIREMENT_KEYS: &[&str] = &["requirement", "scenario", "state"];

/// Why there is no valid verdict. Each names its cause; the review is void and runs again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerdictError {
    /// The file is not there.
    #[error("the agent wrote no verdict.json")]
    Missing,
    /// It is too large.
    #[error("verdict.json has {0} bytes; at most {MAX_BYTES} are read")]
    TooLarge(u64),
    /// It is not UTF-8.
    #[error("verdict.json is not UTF-8 (byte {0})")]
    NotUtf8(usize),
    /// It is not JSON.
    #[error("verdict.json is not JSON: {0}")]
    NotJson(String),
    /// It has another shape.
    #[error("verdict.json: {at}: {message}")]
    Shape {
        /// Where: `findings[2].severity`.
        at: String,
        /// What is wrong, and what is expected.
        message: String,
    },
    /// It contradicts itself.
    #[error("verdict.json contradicts itself: {0}")]
    Contradiction(String),
}

fn shape(at: impl Into<String>, message: impl Into<String>) -> VerdictError {
    VerdictError::Shape { at: at.into(), message: message.into() }
}

/// Reads a verdict. Control and hidden characters are taken out of its texts; longer texts are cut at [`MAX_TEXT`] characters.
///
/// # Errors
/// When it is too large, not UTF-8, not JSON, of another shape, or contradicts itself (`pass` with something that blocks;
/// no pass and nothing said).
pub fn parse(bytes: &[u8]) -> Result<Verdict, VerdictError> {
    if bytes.len() > MAX_BYTES {
        return Err(VerdictError::TooLarge(bytes.len() as u64));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| VerdictError::NotUtf8(error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: Value = serde_json::from_str(text).map_err(|error| VerdictError::NotJson(error.to_string()))?;
    let Value::Object(map) = value else {
        return Err(shape("the file", "it must be an object with pass and blocking"));
    };
    known_keys("the file", &map, KEYS)?;
    let verdict = Verdict {
        pass: match map.get("pass") {
            Some(Value::Bool(pass)) => *pass,
            Some(_) => return Err(shape("pass", "it must be true or false")),
            None => return Err(shape("pass", "it is missing; it must be true or false")),
        },
        blocking: list(&map, "blocking", true)?.iter().enumerate().map(blocking).collect::<Result<_, _>>()?,
        findings: list(&map, "findings", false)?.iter().enumerate().map(finding).collect::<Result<_, _>>()?,
        summary: string(&map, "summary", "summary")?.unwrap_or_default(),
        requirements: list(&map, "requirements", false)?
            .iter()
            .enumerate()
            .map(requirement)
            .collect::<Result<_, _>>()?,
    };
    consistent(&verdict)?;
    Ok(verdict)
}

fn consistent(verdict: &Verdict) -> Result<(), VerdictError> {
    let critical = verdict.findings.iter().filter(|f| f.severity == Severity::Critical).count();
    let contradiction = |text: String| Err(VerdictError::Contradiction(text));
    if verdict.pass && critical > 0 {
        return contradiction(format!("pass is true with {critical} CRITICAL finding(s)"));
    }
    if verdict.pass && !verdict.blocking.is_empty() {
        return contradiction(format!("pass is true with {} blocking sentence(s)", verdict.blocking.len()));
    }
    let unmet = verdict.requirements.iter().any(|r| r.state == RequirementState::Unmet);
    if !verdict.pass && critical == 0 && verdict.blocking.is_empty() && !unmet && verdict.summary.trim().is_empty() {
        return contradiction("pass is false and it does not say why".to_owned());
    }
    Ok(())
}

fn known_keys(at: &str, map: &Map<String, Value>, known: &[&str]) -> Result<(), VerdictError> {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => {
            let hint = crate::diagnostic::unknown_key_hint(key, known);
            Err(shape(at, format!("the key `{}` is unknown; {hint}", clean(key, 60))))
        }
        None => Ok(()),
    }
}

fn list<'a>(map: &'a Map<String, Value>, key: &str, required: bool) -> Result<&'a [Value], VerdictError> {
    match map.get(key) {
        Some(Value::Array(list)) if list.len() > MAX_ENTRIES => {
            Err(shape(key, format!("it has {} entries; at most {MAX_ENTRIES} are read", list.len())))
        }
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(shape(key, "it must be a list")),
        None if required => Err(shape(key, "it is missing; it must be a list, [] where nothing blocks")),
        None => Ok(&[]),
    }
}

fn string(map: &Map<String, Value>, key: &str, at: &str) -> Result<Option<String>, VerdictError> {
    match map.get(key) {
        Some(Value::String(text)) => Ok(Some(clean(text, MAX_TEXT))),
        Some(Value::Null) | None => Ok(None),
        Some(_) => Err(shape(at, "it must be a text")),
    }
}

fn blocking((index, value): (usize, &Value)) -> Result<String, VerdictError> {
    let at = format!("blocking[{index}]");
    match value {
        Value::String(text) => {
            let text = clean(text, MAX_TEXT);
            if text.trim().is_empty() { Err(shape(at, "it is empty")) } else { Ok(text) }
        }
        Value::Object(_) => {
            Err(shape(at, "it must be a sentence; objects with severity, file and line belong in findings"))
        }
        _ => Err(shape(at, "it must be a sentence")),
    }
}

fn finding((index, value): (usize, &Value)) -> Result<Finding, VerdictError> {
    let at = format!("findings[{index}]");
    let Value::Object(map) = value else { return Err(shape(at, "it must be an object with severity and message")) };
    known_keys(&at, map, FINDING_KEYS)?;
    let field = |key: &str| string(map, key, &format!("{at}.{key}"));
    let severity = field("severity")?.ok_or_else(|| shape(format!("{at}.severity"), "it is missing"))?;
    let severity: Severity = severity
        .trim()
        .to_ascii_uppercase()
        .parse()
        .map_err(|error: crate::stage::UnknownName| shape(format!("{at}.severity"), error.to_string()))?;
    let message = field("message")?.unwrap_or_default();
    if message.trim().is_empty() {
        return Err(shape(format!("{at}.message"), "it is missing or empty"));
    }
    let line = match map.get("line") {
        None | Some(Value::Null) => None,
        Some(value) => match value.as_u64().map(u32::try_from) {
            Some(Ok(0)) => None,
            Some(Ok(line)) => Some(line),
            _ => return Err(shape(format!("{at}.line"), "it must be a line number from 1")),
        },
    };
    let file = field("file")?.map(|file| plain_path(&file)).filter(|file| !file.is_empty());
    Ok(Finding {
        severity,
        line: line.filter(|_| file.is_some()),
        file,
        rule: clean(&field("rule")?.unwrap_or_default(), 100),
        message,
        remediation: field("remediation")?.unwrap_or_default(),
    })
}

fn requirement((index, value): (usize, &Value)) -> Result<RequirementJudgement, VerdictError> {
    let at = format!("requirements[{index}]");
    let Value::Object(map) = value else { return Err(shape(at, "it must be an object with requirement and state")) };
    known_keys(&at, map, REQUIREMENT_KEYS)?;
    let field = |key: &str| string(map, key, &format!("{at}.{key}"));
    let name = field("requirement")?.filter(|name| !name.trim().is_empty());
    let state = field("state")?.ok_or_else(|| shape(format!("{at}.state"), "it is missing"))?;
    Ok(RequirementJudgement {
        requirement: name.ok_or_else(|| shape(format!("{at}.requirement"), "it is missing or empty"))?,
        scenario: field("scenario")?.filter(|name| !name.trim().is_empty()),
        state: state
            .trim()
            .to_ascii_lowercase()
            .parse()
            .map_err(|error: crate::stage::UnknownName| shape(format!("{at}.state"), error.to_string()))?,
    })
}

/// A path as the diff spells it, where the agent wrote `./x` or the place of its checkout before it.
fn plain_path(path: &str) -> String {
    let path = path.trim().replace('\\', "/");
    let path = path.strip_prefix("/workspace/repo/").unwrap_or(&path);
    path.trim_start_matches("./").chars().take(500).collect()
}

/// Without control characters (line ends and tabs stay) and hidden ones; cut.
fn clean(text: &str, limit: usize) -> String {
    crate::hidden::strip(text).chars().take(limit).collect()
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
