//! Exit codes: one table. `docs/operations/exit-codes.md` is held against it by a test.

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// It did what was asked.
    Ok = 0,
    /// What was checked is not as it should be, or a pipeline did not come to a good end.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration is missing or wrong.
    Configuration = 3,
    /// A credential is missing, wrong, readable by others, or may do too much or too little.
    Credentials = 4,
    /// GitHub refused or did not answer.
    Forge = 5,
    /// The container engine refused or did not answer.
    Runtime = 6,
    /// A local file or folder cannot be read or written, or a program is missing.
    Local = 7,
    /// Stopped by a signal; what was under way was left in a state from which the next start goes on.
    Interrupted = 8,
    /// A mistake in Hydra itself.
    Internal = 70,
}

impl Exit {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::Configuration,
        Self::Credentials,
        Self::Forge,
        Self::Runtime,
        Self::Local,
        Self::Interrupted,
        Self::Internal,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, for the table.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "it did what was asked",
            Self::Failed => "what was checked is not as it should be, or a pipeline did not come to a good end",
            Self::Usage => "the command line is wrong",
            Self::Configuration => "the configuration is missing or wrong",
            Self::Credentials => "a credential is missing, wrong, readable by others, or may do too much or too little",
            Self::Forge => "GitHub refused or did not answer",
            Self::Runtime => "the container engine refused or did not answer",
            Self::Local => "a local file or folder cannot be read or written, or a program is missing",
            Self::Interrupted => "stopped by a signal; the next start goes on from where this one was",
            Self::Internal => "a mistake in Hydra itself: please report it",
        }
    }

    /// What to do about it, for the table.
    #[must_use]
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::Ok => "nothing",
            Self::Failed => "read what was printed; `hydra explain ISSUE` says more about a pipeline",
            Self::Usage => "`hydra help COMMAND`",
            Self::Configuration => "`hydra config check` names file, line and key",
            Self::Credentials => "`hydra doctor`, and docs/operations/secrets.md",
            Self::Forge => "`hydra doctor`; an outage passes by itself",
            Self::Runtime => "`hydra doctor`; is Docker running?",
            Self::Local => {
                "the message names the path: make room there, let this user read and write it, or name another"
            }
            Self::Interrupted => "start it again",
            Self::Internal => "run it again with `-vv` and report the output",
        }
    }
}

/// The table as `docs/operations/exit-codes.md` has it.
#[must_use]
pub fn table() -> String {
    let mut out = String::from("| code | means | next step |\n|---|---|---|\n");
    for exit in Exit::ALL {
        out.push_str(&format!("| {} | {} | {} |\n", exit.code(), exit.meaning(), exit.next_step()));
    }
    out
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
