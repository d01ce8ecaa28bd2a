//! The wrapper's few arguments: where the folders of the contract lie.

use std::{ffi::OsString, path::PathBuf};

/// Where the folders lie. In an image they are the ones of the contract; under the `process` runtime they are the job's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentArgs {
    /// `job.json`, `repo.bundle`, `prompt.md`, `system.md`; read only.
    pub input: PathBuf,
    /// Results.
    pub out: PathBuf,
    /// The checkout lies at `repo` below it.
    pub workspace: PathBuf,
    /// The change folder; read only.
    pub spec: PathBuf,
    /// This process is the first of a container: what is taken from it is missing nowhere else.
    pub contained: bool,
}

impl Default for AgentArgs {
    fn default() -> Self {
        Self {
            input: "/in".into(),
            out: "/out".into(),
            workspace: "/workspace".into(),
            spec: "/spec".into(),
            contained: true,
        }
    }
}

/// An argument that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; usage: hydra-agent [--in DIR] [--out DIR] [--workspace DIR] [--spec DIR]")]
pub struct ArgsError(String);

impl AgentArgs {
    /// Reads `--in DIR --out DIR --workspace DIR --spec DIR`, each optional, in any order.
    ///
    /// # Errors
    /// An unknown argument, or one without its folder.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, ArgsError> {
        let mut parsed = Self::default();
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            let slot = match name.to_str() {
                Some("--in") => &mut parsed.input,
                Some("--out") => &mut parsed.out,
                Some("--workspace") => &mut parsed.workspace,
                Some("--spec") => &mut parsed.spec,
                Some(_) | None => return Err(ArgsError(format!("there is no argument {name:?}"))),
            };
            match args.next() {
                Some(folder) => *slot = folder.into(),
                None => return Err(ArgsError(format!("{name:?} wants a folder"))),
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_in_any_order_and_unknown_arguments_are_named() {
        let args = AgentArgs::parse(["--out", "/o", "--in", "/i"].map(OsString::from)).unwrap();
        assert_eq!(args, AgentArgs { input: "/i".into(), out: "/o".into(), ..AgentArgs::default() });
        let error = AgentArgs::parse(["--inn", "/i"].map(OsString::from)).unwrap_err();
        assert!(error.to_string().contains("\"--inn\""), "{error}");
        assert!(AgentArgs::parse(["--in"].map(OsString::from)).is_err());
    }
}
