//! The `Accounts` port on a file: which model accounts are set aside, kept by a fingerprint of the credential, so that a rotated token starts with a clean state.

use crate::secrets::Account;
use async_trait::async_trait;
use hydra_core::{
    AccountName, Timestamp,
    digest::sha256_hex,
    ports::{AccountView, Accounts, AccountsError},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Version of the file; a reader takes this one.
const SCHEMA: u32 = 1;

/// Model accounts, with their state in `<state>/accounts.json`. Several processes may use one file.
#[derive(Debug, Clone)]
pub struct FileAccounts {
    accounts: Vec<Account>,
    folder: PathBuf,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    schema: u32,
    /// By fingerprint.
    aside: BTreeMap<String, Aside>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Aside {
    until: Timestamp,
    why: String,
}

impl FileAccounts {
    /// Accounts, in the order in which they are tried, and the state folder.
    #[must_use]
    pub fn new(accounts: Vec<Account>, folder: &Path) -> Self {
        Self { accounts, folder: folder.to_owned() }
    }

    fn find(&self, name: &AccountName) -> Result<&Account, AccountsError> {
        let found = self.accounts.iter().find(|account| account.name == *name);
        found.ok_or_else(|| AccountsError::Unknown(name.to_string()))
    }

    fn path(&self) -> PathBuf {
        self.folder.join("accounts.json")
    }

    fn read(&self) -> Result<State, AccountsError> {
        let path = self.path();
        match std::fs::read(&path) {
            Ok(bytes) => {
                let state: State = serde_json::from_slice(&bytes)
                    .map_err(|error| trouble(&path, format_args!("line {}: not as Hydra writes it", error.line())))?;
                if state.schema == SCHEMA {
                    Ok(state)
                } else {
                    Err(trouble(&path, format_args!("it has version {}, and this Hydra reads {SCHEMA}", state.schema)))
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(State { schema: SCHEMA, ..State::default() }),
            Err(error) => Err(trouble(&path, error)),
        }
    }

    fn write(&self, state: &State) -> Result<(), AccountsError> {
        let path = self.path();
        let beside = self.folder.join(format!("accounts.json.{}", std::process::id()));
        let text = serde_json::to_vec_pretty(state).map_err(|error| trouble(&path, error))?;
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&beside, &path))
            .and_then(|()| File::open(&self.folder)?.sync_all());
        written.map_err(|error| trouble(&path, error))
    }

    /// Reads, changes and writes under a lock of all processes.
    fn change(&self, what: impl FnOnce(&mut State)) -> Result<(), AccountsError> {
        std::fs::create_dir_all(&self.folder).map_err(|error| trouble(&self.folder, error))?;
        let path = self.folder.join("accounts.lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = lock.and_then(|file| file.lock().map(|()| file)).map_err(|error| trouble(&path, error))?;
        let mut state = self.read()?;
        what(&mut state);
        let written = self.write(&state);
        drop(lock);
        written
    }
}

#[async_trait]
impl Accounts for FileAccounts {
    async fn list(&self, now: Timestamp) -> Result<Vec<AccountView>, AccountsError> {
        let state = self.read()?;
        let view = |account: &Account| AccountView {
            name: account.name.clone(),
            kind: account.kind,
            priority: account.priority,
            aside: state
                .aside
                .get(&fingerprint(&account.held.value))
                .filter(|aside| aside.until > now)
                .map(|aside| (aside.until, aside.why.clone())),
        };
        Ok(self.accounts.iter().map(view).collect())
    }

    async fn credential(&self, name: &AccountName) -> Result<SecretString, AccountsError> {
        Ok(self.find(name)?.held.value.clone())
    }

    async fn set_aside(&self, name: &AccountName, until: Timestamp, why: &str) -> Result<(), AccountsError> {
        let key = fingerprint(&self.find(name)?.held.value);
        let known: Vec<String> = self.accounts.iter().map(|account| fingerprint(&account.held.value)).collect();
        let why = crate::output::mask::scrub(why);
        let this = self.clone();
        let work = move || {
            this.change(|state| {
                // What belongs to credentials that are gone is forgotten.
                state.aside.retain(|key, _| known.contains(key));
                let later = state.aside.get(&key).is_none_or(|aside| aside.until < until);
                if later {
                    state.aside.insert(key, Aside { until, why });
                }
            })
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => Err(AccountsError::State(error.to_string())),
        }
    }
}

/// Names a credential without giving anything of it away: 128 bits of SHA-256, with a prefix of our own.
fn fingerprint(credential: &SecretString) -> String {
    let mut digest = sha256_hex(format!("hydra-account\n{}", credential.expose_secret()).as_bytes());
    digest.truncate(32);
    digest
}

fn trouble(path: &Path, what: impl std::fmt::Display) -> AccountsError {
    AccountsError::State(format!("{}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Held;
    use hydra_core::ports::AccountKind;

    fn account(name: &str, priority: i32, token: &str) -> Account {
        let held = Held { value: SecretString::from(token), source: "test".to_owned() };
        Account { name: name.parse().unwrap(), kind: AccountKind::OAuth, priority, held }
    }

    #[tokio::test]
    async fn an_account_is_set_aside_until_its_reset_and_a_rotated_token_starts_clean() {
        let folder = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-11-24T05:00:00Z".parse().unwrap();
        let accounts = FileAccounts::new(vec![account("main", 1, "one"), account("spare", 2, "two")], folder.path());
        let main: AccountName = "main".parse().unwrap();
        accounts.set_aside(&main, later, "usage limit of sk-ant-oat01-abcdefghijklm").await.unwrap();
        // An earlier time does not win.
        accounts.set_aside(&main, now, "again").await.unwrap();
        let listed = accounts.list(now).await.unwrap();
        assert_eq!(listed[0].aside, Some((later, "usage limit of ********".to_owned())));
        assert_eq!(listed[1].aside, None);
        assert_eq!(accounts.list(later).await.unwrap()[0].aside, None, "the reset is over");

        let text = std::fs::read_to_string(folder.path().join("accounts.json")).unwrap();
        assert!(!text.contains("one") && !text.contains("sk-ant"), "{text}");
        let rotated = FileAccounts::new(vec![account("main", 1, "three")], folder.path());
        assert_eq!(rotated.list(now).await.unwrap()[0].aside, None);
    }

    #[tokio::test]
    async fn a_broken_file_is_an_error_and_not_an_empty_list() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("accounts.json"), "{").unwrap();
        let accounts = FileAccounts::new(vec![account("main", 1, "one")], folder.path());
        assert!(matches!(accounts.list(Timestamp::UNIX_EPOCH).await, Err(AccountsError::State(_))));
        let other: AccountName = "other".parse().unwrap();
        assert_eq!(accounts.credential(&other).await.unwrap_err(), AccountsError::Unknown("other".to_owned()));
    }
}
