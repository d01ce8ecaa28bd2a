//! The process environment, read once; and what of it a coding agent or a target repository's command may see.

use hydra_core::redact::MIN_SECRET;
use secrecy::SecretString;
use std::collections::BTreeMap;

/// Names and values, as they were at the start. Never printed: values may be secrets.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Variables that carry a model credential, and the driver that reads each.
pub const MODEL_CREDENTIALS: [(&str, &str); 7] = [
    ("ANTHROPIC_API_KEY", "claude"),
    ("CLAUDE_CODE_OAUTH_TOKEN", "claude"),
    ("ANTHROPIC_AUTH_TOKEN", "claude"),
    ("OPENAI_API_KEY", "codex"),
    ("CODEX_API_KEY", "codex"),
    ("GEMINI_API_KEY", "gemini"),
    ("GOOGLE_API_KEY", "gemini"),
];

impl Environment {
    /// What this process was started with; entries that are not UTF-8 are left out.
    #[must_use]
    pub fn of_this_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }
    /// A value; an empty one counts as absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
    /// With `name` set to the value of `alias`, where only that one is there.
    #[must_use]
    pub fn aliased(&self, name: &str, alias: &str) -> Self {
        let mut all = self.clone();
        if let (None, Some(value)) = (self.get(name), self.get(alias)) {
            all.0.insert(name.to_owned(), value.to_owned());
        }
        all
    }
    /// With a variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }
    /// Whether the variable is there at all, empty or not.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
    /// Every value that must never be printed.
    #[must_use]
    pub fn secrets(&self) -> Vec<(String, SecretString)> {
        let secret = |(name, value): (&String, &String)| {
            (is_secret(name) && value.len() >= MIN_SECRET).then(|| (name.clone(), SecretString::from(value.clone())))
        };
        self.0.iter().filter_map(secret).collect()
    }
    /// What a command may see that gets no credential.
    #[must_use]
    pub fn without_secrets(&self) -> BTreeMap<String, String> {
        self.0.iter().filter(|(name, _)| !is_secret(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }
    /// What a coding agent may see: everything that is no secret, and the model credentials of its driver.
    #[must_use]
    pub fn for_driver(&self, driver: &str) -> BTreeMap<String, String> {
        let mut seen = self.without_secrets();
        for (name, reader) in MODEL_CREDENTIALS {
            // OpenCode and the demo agent speak whichever protocol they are configured for.
            if (reader == driver || matches!(driver, "demo" | "opencode"))
                && let Some(value) = self.get(name)
            {
                seen.insert(name.to_owned(), value.to_owned());
            }
        }
        seen
    }
}

/// Whether a variable of this name is taken for a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "PRIVATE"].iter().any(|part| name.contains(part))
        || name.ends_with("_KEY")
        || name.ends_with("APIKEY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_the_target_sees_no_credential_and_a_driver_only_its_own() {
        let env: Environment = [
            ("PATH", "/bin"),
            ("GIT_TOKEN", "github_pat_1"),
            ("ANTHROPIC_API_KEY", "sk-ant-1"),
            ("OPENAI_API_KEY", "sk-2"),
            ("HYDRA_SIGNING_KEY", "0123456789"),
        ]
        .into_iter()
        .collect();
        assert_eq!(env.without_secrets().keys().collect::<Vec<_>>(), ["PATH"]);
        assert_eq!(env.for_driver("claude").keys().collect::<Vec<_>>(), ["ANTHROPIC_API_KEY", "PATH"]);
        assert_eq!(env.secrets().len(), 4);
        assert!(!format!("{env:?}").contains("sk-ant-1"));
    }
}
