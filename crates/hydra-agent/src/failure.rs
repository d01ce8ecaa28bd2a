//! Why the wrapper itself ended a job, with the exit code that stands for it.

use hydra_core::contract_files::exit;

/// A step of the wrapper that could not be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The input contract is not met.
    #[error("the input contract is not met: {0}")]
    Contract(String),
    /// The fence could not be made or proved.
    #[error("the fence could not be made: {0}")]
    Fence(#[from] crate::fence::FenceError),
    /// The workspace could not be made.
    #[error("the workspace could not be made: {0}")]
    Workspace(String),
    /// Events or results could not be written.
    #[error("the outputs could not be written: {0}")]
    Outputs(String),
    /// The coding agent could not be started.
    #[error("the coding agent could not be started: {0}")]
    Driver(String),
}

impl Failure {
    /// The step's name, as events spell it.
    pub(crate) const fn step(&self) -> &'static str {
        match self {
            Self::Contract(_) => "contract",
            Self::Fence(_) => "fence",
            Self::Workspace(_) => "workspace",
            Self::Outputs(_) => "outputs",
            Self::Driver(_) => "driver",
        }
    }
    /// The exit code.
    pub(crate) const fn code(&self) -> i32 {
        match self {
            Self::Contract(_) => exit::CONTRACT,
            Self::Fence(_) => exit::FENCE,
            Self::Workspace(_) => exit::WORKSPACE,
            Self::Outputs(_) => exit::OUTPUTS,
            Self::Driver(_) => exit::AGENT,
        }
    }
}

impl From<crate::events::WriteError> for Failure {
    fn from(error: crate::events::WriteError) -> Self {
        Self::Outputs(error.to_string())
    }
}
