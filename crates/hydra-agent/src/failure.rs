//! Why the wrapper itself ended a job, with the exit code that stands for it.

use crate::free_space;
use hydra_core::contract_files::exit;
use std::path::Path;

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
    /// The reason alone, where the step and the exit code say the rest.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Contract(why) | Self::Workspace(why) | Self::Outputs(why) => why.clone(),
            Self::Fence(error) => error.to_string(),
            Self::Driver(_) => self.to_string(),
        }
    }
    /// With the word that one of these places is full, where that is so.
    pub(crate) fn for_want_of_room(mut self, places: &[&Path]) -> Self {
        if let Self::Workspace(why) | Self::Outputs(why) = &mut self
            && let Some(lacking) = places.iter().find_map(|place| free_space::lacking(place))
        {
            // In front: what follows may be cut.
            *why = format!("{lacking}; {why}");
        }
        self
    }
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
