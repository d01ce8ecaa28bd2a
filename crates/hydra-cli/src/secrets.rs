//! Everything secret that Hydra holds: GitHub tokens by role, model accounts, the signing key. Raw texts from their source to `SecretString`; nothing in between parses or prints them.

pub mod credentials_file;
pub mod dotenv;
pub mod file_mode;
mod resolve;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hydra_core::{AccountName, TokenRole, ports::AccountKind, view::TokenKind};
use secrecy::{ExposeSecret as _, SecretString};
use std::{collections::BTreeMap, path::Path};

pub use resolve::{Rules, resolve};

use crate::config::problem::Problems;

/// A secret and where it came from.
#[derive(Debug, Clone)]
pub struct Held {
    /// The value.
    pub value: SecretString,
    /// `environment (NAME)`, `secrets/.env:12 (NAME)`, `secrets/credentials.json (git_tokens.builder)`.
    pub source: String,
}

/// A model account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Name.
    pub name: AccountName,
    /// Which header carries it.
    pub kind: AccountKind,
    /// Lower is tried first.
    pub priority: i32,
    /// The credential.
    pub held: Held,
}

/// A private registry's credential.
#[derive(Debug, Clone)]
pub struct Registry {
    /// The user, where it is asked for one.
    pub user: Option<String>,
    /// The token.
    pub held: Held,
}

impl Registry {
    /// What goes into `Authorization`.
    #[must_use]
    pub fn authorization(&self) -> SecretString {
        let token = self.held.value.expose_secret();
        match &self.user {
            None => format!("Bearer {token}"),
            Some(user) => format!("Basic {}", STANDARD.encode(format!("{user}:{token}"))),
        }
        .into()
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Tokens by role. With `identities = "single"` each role has the one.
    pub tokens: BTreeMap<TokenRole, Held>,
    /// Model accounts by priority, then name; those of variables last.
    pub accounts: Vec<Account>,
    /// Credentials of private registries, by name.
    pub registries: BTreeMap<String, Registry>,
    /// The seed that verdicts and records are signed with.
    pub signing_key: Option<Held>,
    /// What is not wrong, and should be known.
    pub warnings: Vec<String>,
    /// Which credentials were found empty, by their place: named when they are missed.
    pub empty: Vec<String>,
}

/// The two files, read.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// `secrets/.env`.
    pub dotenv: dotenv::Entries,
    /// `secrets/credentials.json`.
    pub credentials: credentials_file::CredentialsFile,
}

/// Reads both files where they are there.
///
/// # Errors
/// Everything that is wrong with either.
pub fn read_files(folder: &Path) -> Result<Files, Problems> {
    let mut files = Files::default();
    let mut problems = Vec::new();
    let path = folder.join(".env");
    match file_mode::read(&path) {
        Ok(None) => {}
        Ok(Some(text)) => match dotenv::parse(&path, &text) {
            Ok(entries) => files.dotenv = entries,
            Err(more) => problems.extend(more.0),
        },
        Err(problem) => problems.push(problem),
    }
    let path = folder.join("credentials.json");
    match file_mode::read(&path) {
        Ok(None) => {}
        Ok(Some(text)) => match credentials_file::parse(&path, &text) {
            Ok(file) => files.credentials = file,
            Err(more) => problems.extend(more.0),
        },
        Err(problem) => problems.push(problem),
    }
    if problems.is_empty() { Ok(files) } else { Err(Problems(problems)) }
}

/// The kind of a GitHub token, by its prefix.
#[must_use]
pub fn token_kind(token: &str) -> TokenKind {
    if token.starts_with("github_pat_") {
        TokenKind::FineGrained
    } else if token.starts_with("ghp_") {
        TokenKind::Classic
    } else if token.starts_with("ghs_") {
        TokenKind::Installation
    } else {
        TokenKind::Other
    }
}
