//! What the agent is told, by arguments or by the environment that `hydra-agent` starts it with.

use std::path::PathBuf;

/// The credential; its kind decides the header.
#[derive(Clone)]
pub enum Credential {
    /// `CLAUDE_CODE_OAUTH_TOKEN`: `Authorization: Bearer`.
    OAuth(String),
    /// `ANTHROPIC_API_KEY`: `x-api-key`.
    Key(String),
}

/// Everything that a session needs.
#[derive(Clone)]
pub struct Options {
    /// The model.
    pub model: String,
    /// Model turns, at most.
    pub max_turns: u32,
    /// The persona.
    pub system: String,
    /// Files may be written below `out` only.
    pub read_only: bool,
    /// Where outputs go.
    pub out: Option<PathBuf>,
    /// `http://…` or `https://…`.
    pub base_url: url::Url,
    /// The credential.
    pub credential: Credential,
    /// How often a failed request is sent again.
    pub retries: u32,
    /// Files with certificates that are trusted, PEM.
    pub authorities: Vec<PathBuf>,
    /// Where it works.
    pub folder: PathBuf,
}

/// Why the agent cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OptionsError(String);

impl Options {
    /// Reads arguments, then the environment.
    ///
    /// # Errors
    /// When something is missing or makes no sense; the message names it.
    pub fn read(args: &[String], environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, OptionsError> {
        let mut given = Given::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let mut value = || rest.next().cloned().ok_or_else(|| OptionsError(format!("{arg} needs a value")));
            match arg.as_str() {
                "--model" => given.model = Some(value()?),
                "--max-turns" => given.max_turns = Some(value()?),
                "--system-prompt-file" => {
                    let path = value()?;
                    let text = std::fs::read_to_string(&path).map_err(|e| OptionsError(format!("{path}: {e}")))?;
                    given.system = Some(text);
                }
                "--read-only" => given.read_only = true,
                other => return Err(OptionsError(format!("there is no argument {other:?}"))),
            }
        }
        let var = |name: &str| environment(name).filter(|v| !v.is_empty());
        let number = |name: &str, text: Option<String>, default: u32| match text {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| OptionsError(format!("{name} must be a number, not {text:?}"))),
        };
        let credential = match (var("CLAUDE_CODE_OAUTH_TOKEN"), var("ANTHROPIC_API_KEY")) {
            (Some(token), _) => Credential::OAuth(token),
            (None, Some(key)) => Credential::Key(key),
            (None, None) => {
                return Err(OptionsError("neither CLAUDE_CODE_OAUTH_TOKEN nor ANTHROPIC_API_KEY is set".into()));
            }
        };
        let base = var("ANTHROPIC_BASE_URL").ok_or_else(|| {
            OptionsError("ANTHROPIC_BASE_URL is not set: this agent speaks to a scripted model only".into())
        })?;
        let base_url = url::Url::parse(&base)
            .ok()
            .filter(|u| matches!(u.scheme(), "http" | "https") && u.host_str().is_some())
            .ok_or_else(|| OptionsError(format!("ANTHROPIC_BASE_URL is no http or https address: {base:?}")))?;
        let authorities = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"].into_iter().filter_map(var).map(PathBuf::from);
        Ok(Self {
            model: given.model.or_else(|| var("HYDRA_MODEL")).unwrap_or_else(|| "claude-sonnet-4-6".into()),
            max_turns: number("the turn limit", given.max_turns.or_else(|| var("HYDRA_MAX_TURNS")), 200)?,
            system: given.system.or_else(|| var("HYDRA_SYSTEM_PROMPT")).unwrap_or_default(),
            read_only: given.read_only || var("HYDRA_READ_ONLY").is_some_and(|v| v == "1" || v == "true"),
            out: var("HYDRA_OUT").map(PathBuf::from),
            base_url,
            credential,
            retries: number("CLAUDE_CODE_MAX_RETRIES", var("CLAUDE_CODE_MAX_RETRIES"), 3)?,
            authorities: authorities.collect(),
            folder: std::env::current_dir().map_err(|e| OptionsError(format!("there is no working folder: {e}")))?,
        })
    }
}

#[derive(Default)]
struct Given {
    model: Option<String>,
    max_turns: Option<String>,
    system: Option<String>,
    read_only: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str], env: &[(&str, &str)]) -> Result<Options, OptionsError> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        Options::read(&args, &|name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    const ENV: &[(&str, &str)] = &[("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")];

    #[test]
    fn arguments_count_before_the_environment() {
        let env = [ENV, &[("HYDRA_MODEL", "from-env"), ("HYDRA_MAX_TURNS", "7"), ("HYDRA_OUT", "/out")]].concat();
        let options = read(&["--model", "m", "--read-only"], &env).unwrap();
        assert_eq!((options.model.as_str(), options.max_turns, options.read_only), ("m", 7, true));
        assert_eq!(read(&[], &env).unwrap().model, "from-env");
    }

    #[test]
    fn what_is_missing_is_named() {
        for (args, env, word) in [
            (&[][..], &[][..], "ANTHROPIC_API_KEY"),
            (&[], &ENV[..1], "ANTHROPIC_BASE_URL"),
            (&["--model"], ENV, "needs a value"),
            (&["--modle", "x"], ENV, "--modle"),
            (&["--max-turns", "many"], ENV, "many"),
            (&["--system-prompt-file", "/nowhere"], ENV, "/nowhere"),
        ] {
            let error = read(args, env).err().unwrap().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
