//! The resolved configuration: plain values of core's types, checked against each other. What the commands and the composition root are given.

use super::file::{HydraToml, Identities};
use crate::secrets::{Held, Secrets};
use hydra_core::{
    Login, RepoName, Stage, TokenRole, egress::EgressPolicy, persona::Persona, prices::PriceTable,
    verdict::envelope::PublicKey,
};
use std::{collections::BTreeMap, path::PathBuf};

/// Everything that Hydra is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that paths of the configuration are relative to: that of `hydra.toml`, or the working folder.
    pub root: PathBuf,
    /// `hydra.toml`, where there is one.
    pub config_file: Option<PathBuf>,
    /// The state folder.
    pub state_dir: PathBuf,
    /// Values that need no more than their own type: `[pipeline]`, `[slots]`, `[budget]`, `[runtime]`, `[egress]`, `[credentials]`, `[accounts]`.
    pub values: HydraToml,
    /// Repositories to look at.
    pub repos: Vec<RepoName>,
    /// Expected login by role.
    pub logins: BTreeMap<TokenRole, Login>,
    /// Logins that may ask for `yolo`; none with a single identity.
    pub yolo_allowed: Vec<Login>,
    /// All personas, in the order of the pipeline.
    pub personas: Vec<Persona>,
    /// Prices.
    pub prices: PriceTable,
    /// What containers may reach.
    pub egress: EgressPolicy,
    /// Whom a gate believes when it asks the model API: PEM. Absent: the authorities of the web.
    pub model_authority: Option<String>,
    /// Public keys of `hydra.toml`, and the signing key's own.
    pub public_keys: Vec<PublicKey>,
    /// The engine's socket, where the configuration or `DOCKER_HOST` names one.
    pub docker_host: Option<String>,
    /// Secrets.
    pub secrets: Secrets,
    /// What is not wrong, and should be known.
    pub warnings: Vec<String>,
    /// Which values of `hydra.toml` a variable goes before: told where a person asks about the configuration, not on every run.
    pub notes: Vec<String>,
}

impl Settings {
    /// Whether one identity stands for all.
    #[must_use]
    pub fn single_identity(&self) -> bool {
        self.values.identities == Identities::Single
    }

    /// The token of a role; the applier borrows the reviewer's.
    #[must_use]
    pub fn token(&self, role: TokenRole) -> Option<&Held> {
        let tokens = &self.secrets.tokens;
        tokens.get(&role).or_else(|| if role == TokenRole::Applier { tokens.get(&TokenRole::Reviewer) } else { None })
    }

    /// The persona of a stage; quality has none.
    #[must_use]
    pub fn persona(&self, stage: Stage) -> Option<&Persona> {
        self.personas.iter().find(|persona| persona.stages.contains(&stage))
    }
}
