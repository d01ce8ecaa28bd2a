//! What git says on standard error, turned into the port's error kinds. Kept in one place, so that "failed" never passes for "absent".

use hydra_core::ports::{WorkspaceError, WorkspaceErrorKind};

/// A refusal of what a job delivered.
pub(crate) fn refused(message: impl Into<String>) -> WorkspaceError {
    WorkspaceError { kind: WorkspaceErrorKind::Refused, message: message.into() }
}

/// Anything that has no kind of its own.
pub(crate) fn failed(message: impl Into<String>) -> WorkspaceError {
    WorkspaceError { kind: WorkspaceErrorKind::Failed, message: message.into() }
}

/// Something that is certainly not there.
pub(crate) fn missing(message: impl Into<String>) -> WorkspaceError {
    WorkspaceError { kind: WorkspaceErrorKind::Missing, message: message.into() }
}

/// The state folder could not be read or written.
pub(crate) fn disk(what: &std::path::Path, error: &std::io::Error) -> WorkspaceError {
    WorkspaceError {
        kind: WorkspaceErrorKind::Disk,
        message: format!(
            "{}: {error}; make room there, or give Hydra a state folder that it may write",
            what.display()
        ),
    }
}

/// Texts of git (LC_ALL=C), of curl and of GitHub, the more specific first: a broken connection is often reported *after* its cause.
const SIGNS: &[(&str, WorkspaceErrorKind)] = &[
    ("no space left on device", WorkspaceErrorKind::Disk),
    ("disk quota exceeded", WorkspaceErrorKind::Disk),
    ("read-only file system", WorkspaceErrorKind::Disk),
    ("unable to create temporary file", WorkspaceErrorKind::Disk),
    ("insufficient permission for adding an object", WorkspaceErrorKind::Disk),
    ("authentication failed", WorkspaceErrorKind::Auth),
    ("terminal prompts disabled", WorkspaceErrorKind::Auth),
    ("could not read username", WorkspaceErrorKind::Auth),
    ("could not read password", WorkspaceErrorKind::Auth),
    ("invalid username or password", WorkspaceErrorKind::Auth),
    ("invalid username or token", WorkspaceErrorKind::Auth),
    ("returned error: 401", WorkspaceErrorKind::Auth),
    ("returned error: 403", WorkspaceErrorKind::Auth),
    ("permission to ", WorkspaceErrorKind::Auth),
    ("write access to repository not granted", WorkspaceErrorKind::Auth),
    ("refusing to allow", WorkspaceErrorKind::Auth),
    ("repository not found", WorkspaceErrorKind::Missing),
    ("returned error: 404", WorkspaceErrorKind::Missing),
    ("returned error: 410", WorkspaceErrorKind::Missing),
    ("' not found", WorkspaceErrorKind::Missing),
    ("does not appear to be a git repository", WorkspaceErrorKind::Missing),
    ("does not exist", WorkspaceErrorKind::Missing),
    ("couldn't find remote ref", WorkspaceErrorKind::Missing),
    ("not our ref", WorkspaceErrorKind::Missing),
    ("unadvertised object", WorkspaceErrorKind::Missing),
    ("returned error: 429", WorkspaceErrorKind::Transient),
    ("returned error: 5", WorkspaceErrorKind::Transient),
    ("could not resolve host", WorkspaceErrorKind::Transient),
    ("failed to connect", WorkspaceErrorKind::Transient),
    ("couldn't connect", WorkspaceErrorKind::Transient),
    ("connection refused", WorkspaceErrorKind::Transient),
    ("connection reset", WorkspaceErrorKind::Transient),
    ("connection timed out", WorkspaceErrorKind::Transient),
    ("operation timed out", WorkspaceErrorKind::Transient),
    ("operation too slow", WorkspaceErrorKind::Transient),
    ("empty reply from server", WorkspaceErrorKind::Transient),
    ("early eof", WorkspaceErrorKind::Transient),
    ("rpc failed", WorkspaceErrorKind::Transient),
    ("unexpected disconnect", WorkspaceErrorKind::Transient),
    ("hung up unexpectedly", WorkspaceErrorKind::Transient),
    ("recv failure", WorkspaceErrorKind::Transient),
    ("tls connection", WorkspaceErrorKind::Transient),
    ("not valid: is this a git repository", WorkspaceErrorKind::Transient),
];

/// The kind that git's words stand for.
pub(crate) fn kind_of(stderr: &str) -> WorkspaceErrorKind {
    let text = stderr.to_lowercase();
    SIGNS.iter().find(|(sign, _)| text.contains(sign)).map_or(WorkspaceErrorKind::Failed, |(_, kind)| *kind)
}

/// Whether git says that it could not write a file of its own, and not why.
pub(crate) fn says_no_reason(stderr: &str) -> bool {
    let text = stderr.to_lowercase();
    let writes =
        ["unable to write", "failed to write", "could not write", "couldn't write", "write error", "out of diskspace"];
    writes.iter().any(|sign| text.contains(sign)) && kind_of(stderr) != WorkspaceErrorKind::Disk
}

/// Takes credentials out of a text: the secrets in use, and the user part of every address. Cut to 2,000 characters.
pub(crate) fn scrub(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|s| !s.is_empty()) {
        text = text.replace(secret, "[secret]");
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(['/', ' ', '\'', '"', '\n']).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(user) => {
                out.push_str("[secret]");
                &after[user..]
            }
            None => after,
        };
    }
    out.push_str(rest);
    out.trim().chars().take(2_000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_failed_without_a_reason_is_known() {
        assert!(says_no_reason("error: failed to write new configuration file /s/config.lock"));
        assert!(!says_no_reason("fatal: write error: No space left on device"));
        assert!(!says_no_reason("fatal: Authentication failed"));
    }

    #[test]
    fn gits_words_become_kinds() {
        for (text, kind) in [
            ("fatal: Authentication failed for 'https://github.com/a/b.git/'", WorkspaceErrorKind::Auth),
            (
                "remote: Permission to a/b.git denied to bot.\nfatal: unable to access 'x': The requested URL returned error: 403",
                WorkspaceErrorKind::Auth,
            ),
            (
                "remote: Repository not found.\nfatal: repository 'https://github.com/a/b.git/' not found",
                WorkspaceErrorKind::Missing,
            ),
            ("fatal: unable to access 'x': The requested URL returned error: 502", WorkspaceErrorKind::Transient),
            ("fatal: unable to access 'x': Could not resolve host: github.com", WorkspaceErrorKind::Transient),
            (
                "error: RPC failed; curl 56 Recv failure\nfatal: the remote end hung up unexpectedly",
                WorkspaceErrorKind::Transient,
            ),
            (
                "fatal: write error: No space left on device\nfatal: the remote end hung up unexpectedly",
                WorkspaceErrorKind::Disk,
            ),
            ("fatal: something new", WorkspaceErrorKind::Failed),
        ] {
            assert_eq!(kind_of(text), kind, "{text}");
        }
    }

    #[test]
    fn credentials_leave_no_trace_in_a_message() {
        let text = scrub("fatal: https://x:hunter2@host/a.git and hunter2 and http://plain/b c@d", &["hunter2"]);
        assert_eq!(text, "fatal: https://[secret]@host/a.git and [secret] and http://plain/b c@d");
        assert_eq!(scrub("https://user:pw@host", &[]), "https://[secret]@host");
    }
}
