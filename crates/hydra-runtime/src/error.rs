//! Builds the port's errors, so that each one says its kind and, where there is one, the next step.

use hydra_core::ports::{RuntimeError, RuntimeErrorKind};
use std::{fmt::Display, io, path::Path};

/// An error without a hint.
pub(crate) fn error(kind: RuntimeErrorKind, message: impl Into<String>) -> RuntimeError {
    RuntimeError { kind, message: message.into(), hint: None }
}

/// An error with the next step.
pub(crate) fn hinted(kind: RuntimeErrorKind, message: impl Into<String>, hint: impl Into<String>) -> RuntimeError {
    RuntimeError { kind, message: message.into(), hint: Some(hint.into()) }
}

/// What an I/O error of this machine means for a job.
pub(crate) fn io_error(what: impl Display, path: &Path, cause: &io::Error) -> RuntimeError {
    let message = format!("{what} {}: {cause}", path.display());
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            hinted(RuntimeErrorKind::Exhausted, message, "make room on the disk")
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            hinted(RuntimeErrorKind::Failed, message, "the state folder must be writable for this user")
        }
        _ => error(RuntimeErrorKind::Failed, message),
    }
}

/// A blocking piece of work that could not be carried to its end (it panicked, or the program is shutting down).
pub(crate) fn join_error(cause: &tokio::task::JoinError) -> RuntimeError {
    error(RuntimeErrorKind::Failed, format!("the runtime's own work broke off: {cause}"))
}
