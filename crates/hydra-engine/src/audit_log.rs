//! The audit log: JSON lines, each chained to the one before by SHA-256, redacted, on disk when `append` returns.

use crate::config::Scrub;
use hydra_core::ports::{AuditEntry, AuditError, AuditSink};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The hash before the first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    /// Version: 1.
    v: u32,
    /// Hash of the line before.
    prev: String,
    /// Hash of this one.
    hash: String,
    /// The entry as it is hashed.
    entry: serde_json::Value,
}

/// The file-backed log. Several processes may append to one file: each append takes the file's lock and reads the newest hash.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    scrub: Scrub,
    state: Mutex<Tail>,
}

#[derive(Debug)]
struct Tail {
    head: String,
    length: u64,
}

/// What a check of the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Entries in the chain.
    pub entries: u64,
    /// The newest hash.
    pub head: String,
}

impl AuditLog {
    /// Opens (or begins) the log. A last line that was cut by a crash is finished off, so that the chain goes on after it.
    ///
    /// # Errors
    /// When the file cannot be opened, locked or read.
    pub fn open(path: &Path, scrub: Scrub) -> Result<Self, AuditError> {
        let mut file = open(path)?;
        file.lock().map_err(broken)?;
        let (head, length) = tail(&mut file)?;
        Ok(Self { path: path.to_owned(), scrub, state: Mutex::new(Tail { head, length }) })
    }
}

impl AuditSink for AuditLog {
    fn append(&self, entry: &AuditEntry) -> Result<(), AuditError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let text = serde_json::to_string(entry).map_err(broken)?;
        let text = self.scrub.text(&text);
        // A secret that spans JSON syntax could break the line when it is masked: then the whole text is kept as one string.
        let value = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
        let text = value.to_string();
        let mut file = open(&self.path)?;
        file.lock().map_err(broken)?;
        if file.metadata().map_err(broken)?.len() != state.length {
            (state.head, state.length) = tail(&mut file)?;
        }
        let hash = chain(&state.head, &text);
        let line = Line { v: 1, prev: state.head.clone(), hash: hash.clone(), entry: value };
        let mut bytes = serde_json::to_vec(&line).map_err(broken)?;
        bytes.push(b'\n');
        file.write_all(&bytes).map_err(broken)?;
        file.sync_data().map_err(broken)?;
        state.length += bytes.len() as u64;
        state.head = hash;
        Ok(())
    }
    fn head(&self) -> String {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).head.clone()
    }
}

/// Checks the whole chain.
///
/// # Errors
/// Names the first line that is not what was written, or the file that cannot be read.
pub fn verify(path: &Path) -> Result<Verified, AuditError> {
    let file = File::open(path).map_err(broken)?;
    let mut head = GENESIS.to_owned();
    let mut entries = 0;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(broken)?;
        let at = |why: &str| AuditError(format!("{}:{}: {why}", path.display(), number + 1));
        if line.is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line).map_err(|_| at("not a line of this log"))?;
        if line.prev != head {
            return Err(at("a line before it was removed or changed"));
        }
        if chain(&head, &line.entry.to_string()) != line.hash {
            return Err(at("it was changed"));
        }
        head = line.hash;
        entries += 1;
    }
    Ok(Verified { entries, head })
}

fn chain(prev: &str, entry: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(prev.as_bytes());
    digest.update(b"\n");
    digest.update(entry.as_bytes());
    crate::hex(&digest.finalize())
}

fn open(path: &Path) -> Result<File, AuditError> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(broken)
}

/// The newest hash and the length; a cut last line (no line end) is dropped: it was never acknowledged.
fn tail(file: &mut File) -> Result<(String, u64), AuditError> {
    let length = file.metadata().map_err(broken)?.len();
    let mut end = length;
    let mut window: u64 = 64 * 1024;
    loop {
        let from = length.saturating_sub(window);
        file.seek(SeekFrom::Start(from)).map_err(broken)?;
        let mut bytes = Vec::new();
        file.take(length - from).read_to_end(&mut bytes).map_err(broken)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        end = end.min(from + whole as u64);
        let lines: Vec<&[u8]> = bytes[..whole].split(|b| *b == b'\n').filter(|line| !line.is_empty()).collect();
        // The first line of the window may be cut unless the window begins at the file's start.
        let usable = if from == 0 { &lines[..] } else { lines.get(1..).unwrap_or_default() };
        if let Some(last) = usable.last() {
            let line: Line = serde_json::from_slice(last).map_err(|_| AuditError("its last line is damaged".into()))?;
            if end < length {
                file.set_len(end).map_err(broken)?;
            }
            return Ok((line.hash, end));
        }
        if from == 0 {
            if whole == 0 && length > 0 {
                file.set_len(0).map_err(broken)?;
            }
            return Ok((GENESIS.to_owned(), end.min(whole as u64)));
        }
        window = window.saturating_mul(8);
    }
}

fn broken(error: impl ToString) -> AuditError {
    AuditError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u32) -> AuditEntry {
        AuditEntry {
            ts: hydra_core::Timestamp::UNIX_EPOCH,
            kind: "effect".into(),
            issue: None,
            job: None,
            facts: serde_json::json!({ "n": n, "secret": "hunter2" }),
        }
    }

    fn log(path: &Path) -> AuditLog {
        AuditLog::open(path, Scrub::by(|text| text.replace("hunter2", "***"))).unwrap()
    }

    #[test]
    fn two_processes_share_one_chain_and_no_secret_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let (one, two) = (log(&path), log(&path));
        for n in 0..3 {
            one.append(&entry(n)).unwrap();
            two.append(&entry(n)).unwrap();
        }
        assert_eq!(verify(&path).unwrap(), Verified { entries: 6, head: two.head() });
        assert!(!std::fs::read_to_string(&path).unwrap().contains("hunter2"));
    }

    #[test]
    fn a_rewritten_or_removed_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let one = log(&path);
        for n in 0..3 {
            one.append(&entry(n)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"n\":1", "\"n\":7")).unwrap();
        assert!(verify(&path).unwrap_err().0.ends_with(":2: it was changed"));
        let without: Vec<&str> = text.lines().enumerate().filter(|(n, _)| *n != 1).map(|(_, line)| line).collect();
        std::fs::write(&path, without.join("\n")).unwrap();
        assert!(verify(&path).unwrap_err().0.contains(":2: a line before it was removed"));
    }

    #[test]
    fn a_line_cut_by_a_crash_is_dropped_and_the_chain_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        log(&path).append(&entry(0)).unwrap();
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"v\":1,\"prev\":");
        std::fs::write(&path, text).unwrap();
        log(&path).append(&entry(1)).unwrap();
        assert_eq!(verify(&path).unwrap().entries, 2);
    }
}
