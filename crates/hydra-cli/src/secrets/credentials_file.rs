//! `secrets/credentials.json`: model accounts in priority order, and GitHub tokens by role. Taken apart by hand, for serde's errors repeat the values they complain about.

mod registries;

use crate::config::problem::{Place, Problem, Problems};
use hydra_core::{AccountName, TokenRole, diagnostic::nearest, ports::AccountKind};
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, path::Path};

/// One entry of `claude_accounts`.
#[derive(Debug, Clone)]
pub struct AccountEntry {
    /// Name.
    pub name: AccountName,
    /// The credential; it may be empty.
    pub token: SecretString,
    /// Lower is tried first.
    pub priority: i32,
    /// Its kind, from `kind` or from the token's prefix.
    pub kind: AccountKind,
}

/// The file.
#[derive(Debug, Clone, Default)]
pub struct CredentialsFile {
    /// Model accounts, as they stand in the file.
    pub accounts: Vec<AccountEntry>,
    /// Tokens by role; they may be empty.
    pub git_tokens: BTreeMap<TokenRole, SecretString>,
    /// Private registries by name; their tokens may be empty.
    pub registries: BTreeMap<String, RegistryEntry>,
}

/// One entry of `registries`.
#[derive(Debug, Clone)]
pub struct RegistryEntry {
    /// The user, where it is asked for one: then both are sent as `Basic`, else the token alone as `Bearer`.
    pub user: Option<String>,
    /// The token.
    pub token: SecretString,
}

/// Reads the text of the file.
///
/// # Errors
/// Everything in it that is not as `secrets/credentials.example.json` has it, by path; never a value.
pub fn parse(path: &Path, text: &str) -> Result<CredentialsFile, Problems> {
    let root: Value = serde_json::from_str(text).map_err(|error| {
        let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
        Problem::credential(
            format!("this is not valid JSON (at column {})", error.column()),
            "compare it with secrets/credentials.example.json; a comma after the last entry is a common mistake",
        )
        .at(Place::line(path, line))
    })?;
    let mut reader = Reader { path, problems: Vec::new() };
    let file = reader.file(&root);
    if reader.problems.is_empty() { Ok(file) } else { Err(Problems(reader.problems)) }
}

/// The kind that a token's prefix shows.
#[must_use]
pub fn kind_of(token: &str) -> Option<AccountKind> {
    if token.starts_with("sk-ant-oat") {
        Some(AccountKind::OAuth)
    } else if token.starts_with("sk-ant-api") {
        Some(AccountKind::Key)
    } else {
        None
    }
}

/// What to do about a file of another shape.
const EXAMPLE: &str = "compare it with secrets/credentials.example.json";
/// What to do about a token that is no text.
const TEXT: &str = "put the token in double quotes, or \"\" where there is none yet";

struct Reader<'a> {
    path: &'a Path,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn report(&mut self, message: String, help: impl Into<String>) {
        self.problems.push(Problem::credential(message, help).at(Place::file(self.path)));
    }

    fn keys(&mut self, map: &Map<String, Value>, at: &str, known: &[&str]) {
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let shown =
                if key.len() <= 40 { crate::output::mask::scrub(key) } else { crate::output::mask::MASK.to_owned() };
            let help = match nearest(key, known) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("known are: {}", known.join(", ")),
            };
            self.report(format!("{at} has no key \"{shown}\""), help);
        }
    }

    fn file(&mut self, root: &Value) -> CredentialsFile {
        let Some(map) = root.as_object() else {
            self.report("the file must hold one JSON object".to_owned(), EXAMPLE);
            return CredentialsFile::default();
        };
        self.keys(map, "the file", &["claude_accounts", "git_tokens", "registries"]);
        let mut accounts: Vec<AccountEntry> = Vec::new();
        match map.get("claude_accounts") {
            None => {}
            Some(Value::Array(list)) => {
                for (index, value) in list.iter().enumerate() {
                    let Some(account) = self.account(value, &format!("claude_accounts[{index}]")) else { continue };
                    if accounts.iter().any(|other| other.name == account.name) {
                        let name = crate::output::mask::scrub(account.name.as_str());
                        self.report(
                            format!("two entries of claude_accounts have the name {name:?}"),
                            "give each its own",
                        );
                    }
                    accounts.push(account);
                }
            }
            Some(_) => self
                .report("claude_accounts must be a list of objects with name, token and priority".to_owned(), EXAMPLE),
        }
        let git_tokens = self.git_tokens(map.get("git_tokens"));
        let registries = registries::read(self, map.get("registries"));
        CredentialsFile { accounts, git_tokens, registries }
    }

    fn git_tokens(&mut self, value: Option<&Value>) -> BTreeMap<TokenRole, SecretString> {
        let mut tokens = BTreeMap::new();
        let Some(value) = value else { return tokens };
        let Some(map) = value.as_object() else {
            self.report("git_tokens must be an object with one token for each role".to_owned(), EXAMPLE);
            return tokens;
        };
        let roles: Vec<&str> = TokenRole::ALL.iter().map(|role| role.as_str()).collect();
        self.keys(map, "git_tokens", &roles);
        for role in TokenRole::ALL {
            match map.get(role.as_str()) {
                None | Some(Value::Null) => {}
                Some(Value::String(token)) => {
                    tokens.insert(*role, SecretString::from(token.clone()));
                }
                Some(_) => self.report(format!("git_tokens.{role} must be a text in quotes"), TEXT),
            }
        }
        tokens
    }

    fn account(&mut self, value: &Value, at: &str) -> Option<AccountEntry> {
        let Some(map) = value.as_object() else {
            self.report(format!("{at} must be an object with name, token and priority"), EXAMPLE);
            return None;
        };
        self.keys(map, at, &["name", "token", "priority", "kind"]);
        let name = match map.get("name") {
            Some(Value::String(name)) => match name.parse::<AccountName>() {
                // A name is shown in comments, labels and logs.
                Ok(name) if crate::output::mask::scrub(name.as_str()) != name.as_str() => {
                    let help =
                        "give the account a name of its own, such as main; the token stands beside it, in `token`";
                    self.report(format!("{at}.name looks like a token"), help);
                    None
                }
                Ok(name) => Some(name),
                Err(error) => {
                    self.report(format!("{at}.name: {}", error.why), "give the account a short name, such as main");
                    None
                }
            },
            _ => {
                self.report(
                    format!("{at}.name must be a text in quotes"),
                    "give the account a short name, such as main",
                );
                None
            }
        };
        let Some(Value::String(token)) = map.get("token") else {
            self.report(format!("{at}.token must be a text in quotes"), TEXT);
            return None;
        };
        let priority = match map.get("priority") {
            None => Some(0),
            Some(number) => number.as_i64().and_then(|number| i32::try_from(number).ok()),
        };
        if priority.is_none() {
            let help = "write it in digits without quotes, such as 1: lower is tried first";
            self.report(format!("{at}.priority must be a whole number"), help);
        }
        let kind = match map.get("kind") {
            None => Some(kind_of(token).unwrap_or(AccountKind::OAuth)),
            Some(Value::String(kind)) if kind == "oauth" => Some(AccountKind::OAuth),
            Some(Value::String(kind)) if kind == "key" => Some(AccountKind::Key),
            Some(_) => {
                let help = "leave it out where the token begins with sk-ant-, which says it";
                self.report(format!("{at}.kind must be \"oauth\" or \"key\""), help);
                None
            }
        };
        Some(AccountEntry { name: name?, token: SecretString::from(token.clone()), priority: priority?, kind: kind? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> String {
        let said = parse(Path::new("credentials.json"), text).unwrap_err().to_string();
        assert!(!said.contains("s3cret"), "{said}");
        said
    }

    #[test]
    fn accounts_and_tokens_are_read() {
        let file = parse(
            Path::new("c"),
            r#"{"claude_accounts":[{"name":"main","token":"sk-ant-api03-x","priority":1},{"name":"spare","token":"t"}],"git_tokens":{"builder":"b","applier":""}}"#,
        )
        .unwrap();
        assert_eq!(file.accounts.len(), 2);
        assert_eq!((file.accounts[0].kind, file.accounts[0].priority), (AccountKind::Key, 1));
        assert_eq!(file.accounts[1].kind, AccountKind::OAuth);
        assert_eq!(file.git_tokens.keys().copied().collect::<Vec<_>>(), [TokenRole::Builder, TokenRole::Applier]);
    }

    #[test]
    fn what_is_wrong_is_named_by_path_and_never_by_value() {
        for (text, words) in [
            (r#"{"git_tokens":{"builder":"s3cret",}}"#, "credentials.json:1: this is not valid JSON"),
            (r#""s3cret""#, "one JSON object"),
            (r#"{"git_tokens":"s3cret"}"#, "git_tokens must be an object"),
            (r#"{"git_tokens":{"bilder":"s3cret"}}"#, "git_tokens has no key \"bilder\""),
            (r#"{"git_tokens":{"builder":12345}}"#, "git_tokens.builder must be a text in quotes"),
            (r#"{"claude_accounts":{"token":"s3cret"}}"#, "claude_accounts must be a list"),
            (r#"{"claude_accounts":["s3cret"]}"#, "claude_accounts[0] must be an object"),
            (r#"{"claude_accounts":[{"token":"s3cret"}]}"#, "claude_accounts[0].name"),
            (r#"{"claude_accounts":[{"name":"a","token":7}]}"#, "claude_accounts[0].token"),
            (
                r#"{"claude_accounts":[{"name":"sk-ant-oat01-s3cret00","token":"t"}]}"#,
                "claude_accounts[0].name looks like a token",
            ),
            (
                r#"{"claude_accounts":[{"name":"a","token":"s3cret","priority":"1"}]}"#,
                "priority must be a whole number",
            ),
            (r#"{"claude_accounts":[{"name":"a","token":"s3cret","kind":"s3cret"}]}"#, "kind must be"),
            (r#"{"claude_accounts":[{"name":"a","token":"s3cret"},{"name":"a","token":"s3cret"}]}"#, "two entries"),
        ] {
            assert!(complaints(text).contains(words), "{text}: {}", complaints(text));
        }
    }
}
