//! What the engine's refusals mean: one place that turns bollard's errors into the port's kinds.

use crate::error::{error, hinted};
use bollard::errors::Error;
use hydra_core::ports::{RuntimeError, RuntimeErrorKind};
use std::{error::Error as _, io};

/// What to do when the engine is not there.
const START_IT: &str = "start Docker (`systemctl start docker`), or name its socket with runtime.socket or DOCKER_HOST";
/// What to do when the engine may not be asked.
const MAY_NOT: &str =
    "the user who runs hydra must be in the group `docker`, or runtime.socket must name a socket that is theirs";

/// The engine's status code, where it answered at all.
pub(super) fn status(cause: &Error) -> Option<u16> {
    match cause {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Whether the engine says that it has no such thing.
pub(super) fn is_missing(cause: &Error) -> bool {
    status(cause) == Some(404)
}

/// An engine's refusal or silence as an error of the port. `what` is what was tried, as in "cannot list containers".
pub(super) fn explain(what: &str, cause: &Error) -> RuntimeError {
    if let Error::DockerResponseServerError { status_code, message } = cause {
        return answered(what, *status_code, message);
    }
    if let Some(cause) = io_cause(cause) {
        return silent(what, cause);
    }
    match cause {
        Error::RequestTimeoutError => hinted(
            RuntimeErrorKind::Unavailable,
            format!("{what}: the engine did not answer in time"),
            "look whether Docker hangs: `docker info`",
        ),
        Error::HyperLegacyError { .. } | Error::HyperResponseError { .. } | Error::IOError { .. } => hinted(
            RuntimeErrorKind::Unavailable,
            format!("{what}: the connection to the engine broke off: {}", chain(cause)),
            START_IT,
        ),
        other => error(RuntimeErrorKind::Failed, format!("{what}: {}", chain(other))),
    }
}

fn answered(what: &str, status: u16, message: &str) -> RuntimeError {
    let message = message.trim();
    let lower = message.to_ascii_lowercase();
    let said = format!("{what}: {message}");
    let full = ["no space left", "disk quota exceeded", "cannot allocate memory", "too many open files"];
    if full.iter().any(|words| lower.contains(words)) {
        return hinted(RuntimeErrorKind::Exhausted, said, "make room where Docker keeps its data: `docker system df`");
    }
    // A pool of networks that is used up is no fault of the job's either.
    if lower.contains("address pool") {
        return hinted(RuntimeErrorKind::Exhausted, said, "remove networks that nobody uses: `docker network prune`");
    }
    match status {
        400 | 403 => error(RuntimeErrorKind::Refused, said),
        404 => error(RuntimeErrorKind::NotFound, said),
        409 => error(RuntimeErrorKind::Conflict, said),
        502..=504 => hinted(RuntimeErrorKind::Unavailable, said, "look at Docker: `docker info`"),
        _ => error(RuntimeErrorKind::Failed, said),
    }
}

fn silent(what: &str, cause: &io::Error) -> RuntimeError {
    match cause.kind() {
        io::ErrorKind::NotFound => {
            let message = format!("{what}: there is no Docker socket");
            hinted(RuntimeErrorKind::Unavailable, message, START_IT)
        }
        io::ErrorKind::ConnectionRefused => {
            let message = format!("{what}: nobody listens on the Docker socket");
            hinted(RuntimeErrorKind::Unavailable, message, START_IT)
        }
        io::ErrorKind::PermissionDenied => {
            let message = format!("{what}: this user may not use the Docker socket");
            hinted(RuntimeErrorKind::Unavailable, message, MAY_NOT)
        }
        _ => hinted(RuntimeErrorKind::Unavailable, format!("{what}: the engine cannot be reached: {cause}"), START_IT),
    }
}

fn io_cause(cause: &Error) -> Option<&io::Error> {
    if let Error::IOError { err } = cause {
        return Some(err);
    }
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(cause);
    while let Some(at) = next {
        if let Some(found) = at.downcast_ref::<io::Error>() {
            return Some(found);
        }
        next = at.source();
    }
    None
}

/// An error with its causes, in one line.
fn chain(cause: &Error) -> String {
    let mut said = cause.to_string();
    let mut next = cause.source();
    while let Some(at) = next {
        let more = at.to_string();
        if !said.contains(&more) {
            said = format!("{said}: {more}");
        }
        next = at.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status_code: u16, message: &str) -> RuntimeErrorKind {
        explain("cannot", &Error::DockerResponseServerError { status_code, message: message.to_owned() }).kind
    }

    #[test]
    fn what_the_engine_says_has_a_kind() {
        assert_eq!(kind(400, "invalid mount path"), RuntimeErrorKind::Refused);
        assert_eq!(kind(404, "No such container"), RuntimeErrorKind::NotFound);
        assert_eq!(kind(409, "name is already in use"), RuntimeErrorKind::Conflict);
        assert_eq!(kind(500, "write /x: no space left on device"), RuntimeErrorKind::Exhausted);
        assert_eq!(
            kind(500, "could not find an available, non-overlapping IPv4 address pool"),
            RuntimeErrorKind::Exhausted
        );
        assert_eq!(kind(503, "shutting down"), RuntimeErrorKind::Unavailable);
        assert_eq!(kind(500, "OCI runtime create failed"), RuntimeErrorKind::Failed);
    }

    #[test]
    fn an_engine_that_is_not_there_is_an_outage_with_a_next_step() {
        for (kind, step) in [
            (io::ErrorKind::NotFound, "systemctl start docker"),
            (io::ErrorKind::ConnectionRefused, "systemctl start docker"),
            (io::ErrorKind::PermissionDenied, "group `docker`"),
        ] {
            let error = explain("cannot ask", &Error::IOError { err: kind.into() });
            assert_eq!(error.kind, RuntimeErrorKind::Unavailable);
            assert!(error.to_string().contains(step), "{error}");
        }
        assert_eq!(explain("x", &Error::RequestTimeoutError).kind, RuntimeErrorKind::Unavailable);
    }
}
