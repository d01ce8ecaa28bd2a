//! What this machine has that some tests need.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Something that tests may need; the text is what stands in `#[ignore = "needs …"]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// A Docker Engine that answers.
    Docker,
    /// The images that `cargo xtask images` builds.
    Images,
    /// The published packages that `cargo xtask targets` fetches.
    Targets,
    /// Mount and network namespaces that a test may make.
    Namespaces,
    /// Real inputs beside the checkout.
    SharedData,
    /// GitHub's published contracts in target/contracts.
    Contracts,
    /// The real claude-code CLI: see [`claude`].
    ClaudeCode,
}

impl Need {
    pub(crate) const ALL: [Self; 7] = [
        Self::Docker,
        Self::Images,
        Self::Targets,
        Self::Namespaces,
        Self::SharedData,
        Self::Contracts,
        Self::ClaudeCode,
    ];

    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Images => "images",
            Self::Targets => "targets",
            Self::Namespaces => "namespaces",
            Self::SharedData => "shared-data",
            Self::Contracts => "contracts",
            Self::ClaudeCode => "claude-code",
        }
    }

    /// The reason that a test's `#[ignore]` gives.
    pub(crate) fn reason(self) -> String {
        format!("needs {}", self.name().replace('-', " ").replace("claude code", "claude-code"))
    }

    /// What the reason of a test's `#[ignore]` asks for.
    pub(crate) fn of(reason: &str) -> Vec<Self> {
        let asked = |need: &Self| reason.contains(need.reason().trim_start_matches("needs "));
        Self::ALL.into_iter().filter(asked).collect()
    }

    /// Whether it is here.
    pub(crate) fn is_here(self, root: &Path) -> bool {
        match self {
            Self::Docker => quiet("docker", &["version", "--format", "{{.Server.Version}}"]),
            Self::Images => images_are_here(root),
            Self::Targets => crate::targets::are_here(root),
            Self::Namespaces => quiet("unshare", &["--mount", "--net", "true"]),
            Self::SharedData => shared_data(root).is_some(),
            Self::Contracts => root.join("target/contracts/schema.graphql").is_file(),
            Self::ClaudeCode => claude(root).is_some(),
        }
    }
}

/// The program that tests start as claude-code: what `HYDRA_CLAUDE` names, else the CLI inside the builder's image, else the one on `PATH`.
pub(crate) fn claude(root: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("HYDRA_CLAUDE").map(PathBuf::from).filter(|path| path.exists());
    let in_image = || images_are_here(root).then(|| root.join("images/claude/run-in-image"));
    named.or_else(in_image).or_else(|| quiet("claude", &["--version"]).then(|| "claude".into()))
}

/// Whether the engine has every image that the lock file names, by ID.
fn images_are_here(root: &Path) -> bool {
    let ids = crate::images::ids(root);
    let mut args = vec!["image", "inspect", "--format", "{{.Id}}"];
    args.extend(ids.iter().map(String::as_str));
    !ids.is_empty() && quiet("docker", &args)
}

/// The folder with real inputs, if it is there.
pub(crate) fn shared_data(root: &Path) -> Option<PathBuf> {
    let given = std::env::var_os("HYDRA_SHARED_DATA").map(PathBuf::from);
    let found = given.or_else(|| Some(root.parent()?.join("shared/data")))?;
    found.join("openspec").is_dir().then_some(found)
}

fn quiet(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
