//! Reads a file that holds secrets: only if nobody but its owner could have.

use crate::config::problem::{Place, Problem};
use std::{
    io::{ErrorKind, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// No file of secrets is longer.
const MAX_BYTES: u64 = 1 << 20;

/// The content, or `None` when there is no such file.
///
/// # Errors
/// When it is not a file, is empty, too long, not UTF-8, cannot be read, or can be read or written by others than its owner.
pub fn read(path: &Path) -> Result<Option<String>, Problem> {
    let problem = |message: &str, help: &str| Problem::credential(message, help).at(Place::file(path));
    let unreadable = |error: &std::io::Error| {
        let help = "hydra must run as the owner of the file, and every folder above it must be open to that user";
        problem(&format!("this file cannot be read: {}", crate::failure::in_words(error)), help)
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    };
    let meta = file.metadata().map_err(|error| unreadable(&error))?;
    if !meta.is_file() {
        return Err(problem("this is not a file", "put a file there, after its example beside it, or remove it"));
    }
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(problem(
            &format!("other users of this machine can get at the secrets in this file (its mode is {mode:04o})"),
            &format!("chmod 600 {}; then replace the tokens in it, for they may have been read", path.display()),
        ));
    }
    if meta.len() > MAX_BYTES {
        let message = "this file is longer than 1 MiB, which no file of secrets is";
        return Err(problem(message, "look what it holds, and write it again after its example beside it"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| problem("this file is not UTF-8 text", "write it again with a plain text editor"))?;
    if text.trim().is_empty() {
        return Err(problem("this file is empty", "fill it in after its example beside it, or remove it"));
    }
    Ok(Some(text))
}
