//! Joins environment, `secrets/.env` and `secrets/credentials.json`, in this order of precedence, and refuses what no role may hold.

use super::{Account, Files, Held, Registry, Secrets, token_kind};
use crate::config::{
    environment::Environment,
    file::Identities,
    problem::{Problem, Problems},
    variables::{self, Sets},
};
use hydra_core::{TokenRole, ports::AccountKind, verdict::envelope::Signer, view::TokenKind};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// What to do about a text that was damaged on its way here.
const AGAIN: &str = "copy it again from where it was made";

/// What the rules depend on.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// One identity for all?
    pub identities: Identities,
    /// Are classic tokens let in?
    pub allow_classic_pat: bool,
}

/// Joins them.
///
/// # Errors
/// Values that cannot be credentials, one token for two roles, classic tokens that are not allowed.
pub fn resolve(files: &Files, environment: &Environment, rules: Rules) -> Result<Secrets, Problems> {
    let mut join = Join { files, environment, out: Secrets::default(), problems: Vec::new() };
    for role in TokenRole::ALL {
        join.token(*role);
    }
    join.accounts();
    join.registries();
    join.signing_key();
    match rules.identities {
        Identities::Single => join.single(),
        Identities::PerPersona => join.no_two_alike(),
    }
    join.kinds(rules.allow_classic_pat);
    if join.problems.is_empty() { Ok(join.out) } else { Err(Problems(join.problems)) }
}

struct Join<'a> {
    files: &'a Files,
    environment: &'a Environment,
    out: Secrets,
    problems: Vec<Problem>,
}

impl Join<'_> {
    /// A variable's value: the environment's, or that of `secrets/.env`.
    fn variable(&mut self, name: &'static str) -> Option<Held> {
        match self.environment.text(name) {
            Err(message) => {
                self.problems.push(Problem::credential(message, AGAIN));
                return None;
            }
            Ok(Some(text)) => {
                let held = Held { value: SecretString::from(text), source: format!("environment ({name})") };
                return self.plausible(held);
            }
            Ok(None) => {}
        }
        let entry = self.files.dotenv.get(name)?;
        let source = format!("secrets/.env:{} ({name})", entry.line);
        self.filled(Held { value: entry.value.clone(), source })
    }

    fn filled(&mut self, held: Held) -> Option<Held> {
        if held.value.expose_secret().is_empty() {
            self.out.empty.push(held.source);
            return None;
        }
        self.plausible(held)
    }

    /// A credential has no white space or control characters, and is no bare number.
    fn plausible(&mut self, held: Held) -> Option<Held> {
        let text = held.value.expose_secret();
        let why = if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            Some("holds white space or control characters")
        } else if !text.is_ascii() {
            Some("holds characters that no token has")
        } else if text.len() < 32 && text.bytes().all(|b| b.is_ascii_digit()) {
            Some("is a bare number")
        } else {
            None
        };
        let Some(why) = why else { return Some(held) };
        self.problems
            .push(Problem::credential(format!("the credential in {} {why}, so it cannot be one", held.source), AGAIN));
        None
    }

    fn token(&mut self, role: TokenRole) {
        let by_variable = self.variable(role.variable());
        let by_file = self.files.credentials.git_tokens.get(&role).cloned().and_then(|value| {
            self.filled(Held { value, source: format!("secrets/credentials.json (git_tokens.{role})") })
        });
        if let (Some(first), Some(second)) = (&by_variable, &by_file)
            && first.value.expose_secret() != second.value.expose_secret()
        {
            self.out.warnings.push(format!(
                "{role} has two different tokens: the one in {} is used, the one in {} is not",
                first.source, second.source
            ));
        }
        if let Some(held) = by_variable.or(by_file) {
            self.out.tokens.insert(role, held);
        }
    }

    fn registries(&mut self) {
        for (name, entry) in &self.files.credentials.registries {
            let source = format!("secrets/credentials.json (registries.{name})");
            let Some(held) = self.filled(Held { value: entry.token.clone(), source }) else { continue };
            self.out.registries.insert(name.clone(), Registry { user: entry.user.clone(), held });
        }
    }

    fn accounts(&mut self) {
        for entry in &self.files.credentials.accounts {
            let source = format!("secrets/credentials.json (account {})", entry.name);
            let Some(held) = self.filled(Held { value: entry.token.clone(), source }) else { continue };
            self.out.accounts.push(Account {
                name: entry.name.clone(),
                kind: entry.kind,
                priority: entry.priority,
                held,
            });
        }
        let mut keys: Vec<Held> = Vec::new();
        for variable in variables::ALL {
            let kind = match variable.sets {
                Sets::OAuth => AccountKind::OAuth,
                Sets::ApiKey => AccountKind::Key,
                Sets::Text(_) | Sets::Number(_) | Sets::Token(_) | Sets::SigningKey => continue,
            };
            let Some(held) = self.variable(variable.name) else { continue };
            if kind == AccountKind::Key {
                if let Some(other) = keys.first() {
                    if other.value.expose_secret() != held.value.expose_secret() {
                        self.problems.push(Problem::credential(
                            format!("{} and {} hold two different keys", other.source, held.source),
                            "HYDRA_ANTHROPIC_KEY is the same as ANTHROPIC_API_KEY: set one of them",
                        ));
                    }
                    continue;
                }
                keys.push(held.clone());
            }
            let name = match kind {
                AccountKind::OAuth => "variable-oauth",
                AccountKind::Key => "variable-key",
            };
            // Both names parse; their priority puts them behind every named account.
            if let Ok(name) = name.parse() {
                self.out.accounts.push(Account { name, kind, priority: i32::MAX, held });
            }
        }
        self.out.accounts.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    }

    fn signing_key(&mut self) {
        let Some(held) = self.variable("HYDRA_SIGNING_KEY") else { return };
        match Signer::from_seed(&held.value) {
            Ok(_) => self.out.signing_key = Some(held),
            Err(_) => self.problems.push(Problem::credential(
                format!("{}: the key to sign verdicts with must be 32 bytes", held.source),
                "write 64 hexadecimal digits (`openssl rand -hex 32` makes them), or 32 bytes as base64",
            )),
        }
    }

    fn single(&mut self) {
        let order =
            [TokenRole::Orchestrator, TokenRole::Builder, TokenRole::Reviewer, TokenRole::Security, TokenRole::Applier];
        let Some(held) = order.iter().find_map(|role| self.out.tokens.get(role)).cloned() else { return };
        let others: Vec<TokenRole> = order
            .into_iter()
            .filter(|role| {
                self.out.tokens.get(role).is_some_and(|o| o.value.expose_secret() != held.value.expose_secret())
            })
            .collect();
        if !others.is_empty() {
            let roles = others.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
            self.out.warnings.push(format!(
                "identities = \"single\": the token in {} stands for every role; those of {roles} are not used",
                held.source
            ));
        }
        self.out.tokens = TokenRole::ALL.iter().map(|role| (*role, held.clone())).collect();
    }

    fn no_two_alike(&mut self) {
        let mut seen: BTreeMap<&str, &Held> = BTreeMap::new();
        for held in self.out.tokens.values() {
            if let Some(first) = seen.insert(held.value.expose_secret(), held) {
                self.problems.push(
                    Problem::credential(
                        format!("{} and {} hold the same token", first.source, held.source),
                        "each persona needs an identity of its own, or a review is worth nothing; to try Hydra alone, set identities = \"single\"",
                    ),
                );
            }
        }
    }

    fn kinds(&mut self, allow_classic: bool) {
        let mut told: Vec<String> = Vec::new();
        for held in self.out.tokens.values() {
            if token_kind(held.value.expose_secret()) != TokenKind::Classic || told.contains(&held.source) {
                continue;
            }
            told.push(held.source.clone());
            if allow_classic {
                self.out.warnings.push(format!(
                    "the token in {} is a classic one (ghp_): it can do more than its persona may, and is let in by github.allow_classic_pat",
                    held.source
                ));
            } else {
                self.problems.push(
                    Problem::credential(
                        format!(
                            "the token in {} is a classic one (ghp_), which can always do more than a persona may",
                            held.source
                        ),
                        "make a fine-grained token (github_pat_) with the permissions that docs/operations/secrets.md lists, or set github.allow_classic_pat = true",
                    ),
                );
            }
        }
    }
}
