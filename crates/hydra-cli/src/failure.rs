//! Why a command did not do what was asked: one sentence, its causes, the next step, and the exit code.

use crate::{config::problem::Problems, exit::Exit};
use hydra_core::ports::{AccountsError, ForgeError, ForgeErrorKind, RuntimeError, WorkspaceError, WorkspaceErrorKind};
use std::{fmt, io};

/// A failure.
#[derive(Debug)]
pub enum Failure {
    /// The configuration or a credential is wrong.
    Configuration(Problems),
    /// Anything else.
    Other(Trouble),
    /// The reader of our output has gone away.
    BrokenPipe,
}

/// Anything else that went wrong.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Failure {
    /// A failure with its exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self::Other(Trouble { exit, message: message.into(), help: None })
    }
    /// A file or folder of this machine refused.
    pub fn local(what: impl fmt::Display, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        let failure = Self::new(Exit::Local, format!("{what}: {}", in_words(error)));
        match remedy(error.kind()) {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
    /// A wrong command line is explained by the help of its own command, where nothing better is known.
    #[must_use]
    pub fn of_command(self, command: &str) -> Self {
        match self {
            Self::Other(trouble) if trouble.exit == Exit::Usage && trouble.help.is_none() => {
                Self::Other(trouble).help(format!("`hydra help {command}`"))
            }
            other @ (Self::Other(_) | Self::Configuration(_) | Self::BrokenPipe) => other,
        }
    }
    /// Adds what to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        match self {
            Self::Other(trouble) => Self::Other(Trouble { help: Some(help.into()), ..trouble }),
            other @ (Self::Configuration(_) | Self::BrokenPipe) => other,
        }
    }
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Configuration(problems) => problems.exit(),
            Self::Other(trouble) => trouble.exit,
            Self::BrokenPipe => Exit::Ok,
        }
    }
    /// All of it in one line, for a report of several steps.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Configuration(problems) => problems.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            Self::Other(trouble) => match &trouble.help {
                Some(help) => format!("{} ({help})", trouble.message),
                None => trouble.message.clone(),
            },
            Self::BrokenPipe => "the output cannot be written".to_owned(),
        }
    }
    /// Whether nobody reads any more.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::BrokenPipe)
    }
}

/// What helps against it, where that is the same for every file and folder.
fn remedy(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::NotFound => Some("look at its spelling, and at the folder that it is looked for in"),
        io::ErrorKind::PermissionDenied => Some("give it to the user who runs hydra, or name another"),
        io::ErrorKind::StorageFull => Some("make room there, or name another place"),
        io::ErrorKind::ReadOnlyFilesystem => Some("name a place that can be written"),
        _ => None,
    }
}

/// What the system says, in fewer and plainer words.
#[must_use]
pub fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        kind => kind.to_string(),
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Configuration(problems)
    }
}

/// Only writes to our own output end here; everything else goes through [`Failure::local`], which names its path.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::local("the output cannot be written", &error)
    }
}

impl From<ForgeError> for Failure {
    fn from(error: ForgeError) -> Self {
        let exit = match error.kind {
            ForgeErrorKind::Auth | ForgeErrorKind::Permission => Exit::Credentials,
            ForgeErrorKind::Missing
            | ForgeErrorKind::Conflict
            | ForgeErrorKind::LimitedUntil(_)
            | ForgeErrorKind::Transient
            | ForgeErrorKind::Malformed => Exit::Forge,
        };
        Self::Other(Trouble { exit, message: error.message, help: error.hint })
    }
}

impl From<RuntimeError> for Failure {
    fn from(error: RuntimeError) -> Self {
        Self::Other(Trouble { exit: Exit::Runtime, message: error.message, help: error.hint })
    }
}

impl From<WorkspaceError> for Failure {
    fn from(error: WorkspaceError) -> Self {
        let exit = match error.kind {
            WorkspaceErrorKind::Auth => Exit::Credentials,
            WorkspaceErrorKind::Disk => Exit::Local,
            WorkspaceErrorKind::Missing
            | WorkspaceErrorKind::Transient
            | WorkspaceErrorKind::Refused
            | WorkspaceErrorKind::Failed => Exit::Forge,
        };
        Self::new(exit, error.message)
    }
}

impl From<AccountsError> for Failure {
    fn from(error: AccountsError) -> Self {
        let exit = match error {
            AccountsError::Unknown(_) => Exit::Credentials,
            AccountsError::State(_) => Exit::Local,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<hydra_engine::EngineError> for Failure {
    fn from(error: hydra_engine::EngineError) -> Self {
        use hydra_engine::EngineError as Error;
        let (exit, text, help) = match error {
            Error::State(_) => (
                Exit::Local,
                error.to_string(),
                "give the folder to the user who runs hydra, or name another with state.dir or --state-dir",
            ),
            Error::Runtime(text) => (Exit::Runtime, text, "`hydra doctor` says more; jobs that run are left alone"),
            Error::Forge(text) => (Exit::Forge, text, "`hydra doctor` says more; an outage passes by itself"),
            Error::NotPublished(_) => (
                Exit::Failed,
                error.to_string(),
                "`hydra explain ISSUE` says who works on it, and `git ls-remote` where its branch stands",
            ),
            Error::Failed { .. } => {
                (Exit::Local, error.to_string(), "the message names the file; `hydra doctor` says more")
            }
        };
        let (message, step) = parted(&text);
        Self::new(exit, message).help(step.unwrap_or(help))
    }
}

/// An error of a port as one line, `what (next step)`, in its two parts. Parentheses inside the step belong to it.
fn parted(text: &str) -> (&str, Option<&str>) {
    let Some(inside) = text.strip_suffix(')') else { return (text, None) };
    let mut open = 1;
    for (at, c) in inside.char_indices().rev() {
        match c {
            ')' => open += 1,
            '(' => open -= 1,
            _ => {}
        }
        if open == 0 {
            let (Some(message), Some(step)) = (text.get(..at), inside.get(at + 1..)) else { break };
            // `Connection refused (os error 111)` has no step.
            return if step.contains(' ') && !step.starts_with("os error") {
                (message.trim_end(), Some(step))
            } else {
                (text, None)
            };
        }
    }
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_of_a_port_is_told_from_what_it_says() {
        assert_eq!(
            parted("acme/a#1: 404 Not Found (it is gone (or not yours))"),
            ("acme/a#1: 404 Not Found", Some("it is gone (or not yours)"))
        );
        for whole in ["no step", "Connection refused (os error 111)", "f(x)", "half)"] {
            assert_eq!(parted(whole), (whole, None));
        }
        let failure = Failure::from(hydra_engine::EngineError::Runtime("no socket (start Docker)".to_owned()));
        assert_eq!(failure.exit(), Exit::Runtime);
        assert_eq!(failure.sentence(), "no socket (start Docker)");
    }
}
