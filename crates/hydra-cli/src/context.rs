//! What every command is given: where it runs, what it was told, how it prints.

use crate::{
    args::Global,
    config::{self, Loaded, Settings, Sources, environment::Environment, layers::Flag},
    exit::Exit,
    failure::Failure,
    output::screen::Screen,
};
use std::path::PathBuf;

/// The surroundings of a command.
#[derive(Debug)]
pub struct Context {
    /// The working folder.
    pub cwd: PathBuf,
    /// The environment.
    pub environment: Environment,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
    /// How to print.
    pub screen: Screen,
}

impl Context {
    /// The process's own. Starts logging.
    ///
    /// # Errors
    /// When the working folder is gone.
    pub fn of_process(global: &Global) -> Result<Self, Failure> {
        let environment = Environment::of_process();
        let screen = Screen::new(global.json, global.color, environment.raw("NO_COLOR").is_some());
        let filter = environment.text("RUST_LOG").ok().flatten().map(str::to_owned);
        crate::output::log::start(global.verbose, filter.as_deref(), global.json, screen.color_on_stderr);
        let cwd = std::env::current_dir().map_err(|error| {
            Failure::local("the working folder cannot be found", &error).help("change to a folder that exists")
        })?;
        Ok(Self { cwd, environment, config: global.config.clone(), state_dir: global.state_dir.clone(), screen })
    }

    /// The configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(&self) -> Result<Loaded, Failure> {
        let mut flags = Vec::new();
        if let Some(folder) = &self.state_dir {
            let whole = self.cwd.join(folder);
            let value = whole
                .into_os_string()
                .into_string()
                .map_err(|_| Failure::new(Exit::Usage, "--state-dir must be a path in UTF-8"))?;
            flags.push(Flag { name: "--state-dir", key: "state.dir", value });
        }
        let sources = Sources { cwd: &self.cwd, file: self.config.as_deref(), flags, environment: &self.environment };
        let loaded = config::load(&sources)?;
        let Settings { config_file, state_dir, repos, values, .. } = &loaded.settings;
        let repos = repos.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let (github, runtime) = (&values.github.api_url, values.runtime.kind);
        tracing::info!(file = ?config_file, state = %state_dir.display(), github, ?runtime, repos, "configuration");
        Ok(loaded)
    }
}
