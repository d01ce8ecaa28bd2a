//! Arguments of the commands that look at what runs, and stop it.

use clap::Args;
use hydra_core::IssueKey;

/// `hydra doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Only what can be checked on this machine
    #[arg(long)]
    pub offline: bool,
}

/// `hydra status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Show it again and again until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// `hydra explain`
#[derive(Debug, Args)]
pub struct IssueArgs {
    /// The issue; a bare number where one repository is configured
    #[arg(value_name = "OWNER/NAME#N")]
    pub issue: String,
}

/// `hydra logs`
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The job's name, as `hydra status` prints it
    pub job: String,
    /// Go on until the job ends
    #[arg(long, short)]
    pub follow: bool,
}

/// `hydra cancel`
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The issue; a bare number where one repository is configured
    #[arg(value_name = "OWNER/NAME#N")]
    pub issue: String,
    /// Why, for those who ask
    #[arg(long, value_name = "TEXT", default_value = "cancelled by an operator", value_parser = reason)]
    pub reason: String,
}

/// `hydra pause`
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// An issue or a repository; otherwise everything
    #[arg(value_name = "OWNER/NAME[#N]")]
    pub target: Option<String>,
    /// Why, for those who ask
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    /// Until when: 2026-12-01T08:00:00Z, or a length of time such as 2h
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// `hydra resume`
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// An issue or a repository; otherwise the pause of everything
    #[arg(value_name = "OWNER/NAME[#N]")]
    pub target: Option<String>,
}

/// `hydra stop`
#[derive(Debug, Args)]
pub struct StopArgs {
    /// `account:NAME`, `git:ROLE`, or just the name
    #[arg(long, value_name = "NAME")]
    pub credential: String,
}

/// `hydra prune`
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Print what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

/// A reason is read by people: it says something.
fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("say why in a few words".to_owned()) } else { Ok(text.to_owned()) }
}

/// An issue's key, from `OWNER/NAME#N`, its address on the web, or a bare number of the only repository.
///
/// # Errors
/// A sentence when it is neither.
pub fn issue_key(text: &str, repos: &[hydra_core::RepoName]) -> Result<IssueKey, String> {
    let bare = text.strip_prefix('#').unwrap_or(text);
    if let Ok(number) = bare.parse::<u64>() {
        return match repos {
            [repo] => Ok(IssueKey { repo: repo.clone(), number: hydra_core::IssueNumber(number) }),
            [] => Err(format!("{text} says no repository, and none is configured: write OWNER/NAME#{number}")),
            _ => Err(format!("{text} could be of any of {} repositories: write OWNER/NAME#{number}", repos.len())),
        };
    }
    let named = from_address(text).unwrap_or_else(|| text.to_owned());
    named.parse().map_err(|error: hydra_core::IdError| error.to_string())
}

/// The name of an issue whose address on the web was given.
fn from_address(text: &str) -> Option<String> {
    let address = url::Url::parse(text).ok()?;
    let parts: Vec<&str> = address.path_segments()?.collect();
    let [owner, name, "issues", number] = parts[..] else { return None };
    Some(format!("{owner}/{name}#{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_is_named_by_its_number_its_name_or_its_address() {
        let one = ["acme/shop".parse().unwrap()];
        for text in [
            "7",
            "#7",
            "acme/shop#7",
            "https://github.com/acme/shop/issues/7#issuecomment-1",
            "https://ghe.example/acme/shop/issues/7?x=1",
        ] {
            assert_eq!(issue_key(text, &one).unwrap().to_string(), "acme/shop#7", "{text}");
        }
        for text in [
            "https://github.com/acme/shop/pull/7",
            "https://github.com/acme/shop/issues",
            "https://github.com/acme/shop/issues/x",
            "shop",
        ] {
            issue_key(text, &one).unwrap_err();
        }
    }
}
