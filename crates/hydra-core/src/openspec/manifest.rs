//! `hydra.json`: what Hydra itself keeps in a change folder. Optional; what it does not say is taken from the folder and the issue.

use crate::{
    ChangeName, IssueKey, IssueNumber, RepoName,
    diagnostic::{Diagnostic, unknown_key_hint},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Its file name.
pub const FILE: &str = "hydra.json";
const KEYS: &[&str] = &["spec_slug", "title", "app", "repo", "depends_on", "issue", "pipeline"];

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// The change's name; must be that of its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec_slug: Option<ChangeName>,
    /// A title for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The application, where a repository holds several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The target repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo: Option<RepoName>,
    /// Changes whose issues must be closed before this one is built.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<ChangeName>,
    /// The issue of this change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<IssueRef>,
    /// The running summary: verdicts, fixes, counts, turns, cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Map<String, Value>>,
}

/// An issue as a person writes it: its number, `owner/name#7`, or its page's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IssueRef {
    /// In the change's own repository.
    Number(IssueNumber),
    /// In any repository.
    Key(String),
}

impl IssueRef {
    /// The issue. `repo` is where a bare number points.
    #[must_use]
    pub fn key(&self, repo: &RepoName) -> Option<IssueKey> {
        let at = |repo: &RepoName, number| IssueKey { repo: repo.clone(), number: IssueNumber(number) };
        match self {
            Self::Number(number) => Some(at(repo, number.0)),
            Self::Key(text) => {
                let text = text.trim();
                if let Some(number) = text.strip_prefix('#').unwrap_or(text).parse().ok().filter(|n| *n > 0) {
                    return Some(at(repo, number));
                }
                if let Ok(key) = text.parse() {
                    return Some(key);
                }
                // https://host/owner/name/issues/7
                let mut parts = text.strip_prefix("https://")?.trim_end_matches('/').split('/').skip(1);
                let (owner, name, kind, number) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
                let repo = format!("{owner}/{name}").parse().ok()?;
                (kind == "issues" && parts.next().is_none()).then(|| number.parse().ok().map(|n| at(&repo, n)))?
            }
        }
    }
}

impl Manifest {
    /// Reads it.
    ///
    /// # Errors
    /// Every fault, with the nearest key for an unknown one.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Diagnostic>> {
        let one = |fault| Err(vec![fault]);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                return one(Diagnostic::file(FILE, format!("it is not UTF-8 (byte {})", error.valid_up_to())));
            }
        };
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => {
                let line = u32::try_from(error.line()).unwrap_or(1).max(1);
                return one(Diagnostic::line(FILE, line, format!("it is not JSON: {error}"))
                    .hint("`hydra change init` writes one"));
            }
        };
        let Value::Object(map) = value else { return one(Diagnostic::line(FILE, 1, "it must be an object")) };
        let mut faults = Vec::new();
        for key in map.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let message = format!("the key `{}` is unknown", key.chars().take(60).collect::<String>());
            faults.push(Diagnostic::line(FILE, key_line(text, key), message).hint(unknown_key_hint(key, KEYS)));
        }
        let at = |key: &str, message: String| Diagnostic::line(FILE, key_line(text, key), format!("{key}: {message}"));
        let mut manifest = Self::default();
        for (key, value) in &map {
            let result = match key.as_str() {
                "spec_slug" => read(value).map(|v| manifest.spec_slug = v),
                "title" => read(value).map(|v| manifest.title = v),
                "app" => read(value).map(|v| manifest.app = v),
                "repo" => read(value).map(|v| manifest.repo = v),
                "depends_on" => {
                    read(value).map(|v: Option<Vec<ChangeName>>| manifest.depends_on = v.unwrap_or_default())
                }
                "issue" => match read::<IssueRef>(value) {
                    Ok(issue) => {
                        manifest.issue = issue;
                        Ok(())
                    }
                    Err(_) => Err("it must be a number, OWNER/NAME#NUMBER or the address of its page".to_owned()),
                },
                "pipeline" => read(value).map(|v| manifest.pipeline = v),
                _ => Ok(()),
            };
            if let Err(message) = result {
                faults.push(at(key, message));
            }
        }
        let nowhere: Result<RepoName, _> = "owner/name".parse();
        if let (Some(issue), Ok(nowhere)) = (&manifest.issue, nowhere)
            && issue.key(&nowhere).is_none()
        {
            faults.push(at("issue", "it must be a number, OWNER/NAME#NUMBER or the address of its page".to_owned()));
        }
        if faults.is_empty() { Ok(manifest) } else { Err(faults) }
    }

    /// The file's text: indented JSON, keys in the order of the documentation, a line end.
    #[must_use]
    pub fn render(&self) -> String {
        // Texts, numbers and maps with text keys: it cannot fail.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<Option<T>, String> {
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}

/// The line that a key stands on: the first place where it is quoted and a colon follows.
fn key_line(text: &str, key: &str) -> u32 {
    let quoted = Value::String(key.to_owned()).to_string();
    let found = text
        .match_indices(&quoted)
        .find(|(at, _)| text[at + quoted.len()..].trim_start().starts_with(':'))
        .map_or(0, |(at, _)| at);
    crate::diagnostic::line_of(text, found)
}
