//! The head of a bundle file, read by ourselves: git would take refs, filters and versions that no job may deliver.

use crate::error::refused;
use hydra_core::{CommitSha, ports::WorkspaceError};
use std::collections::BTreeMap;

/// A bundle's head may be this long; the rest is the pack.
const MAX_HEADER: usize = 64 * 1024;

/// What a bundle says of itself, and its pack.
#[derive(Debug)]
pub(crate) struct BundleFile<'a> {
    /// Commits that must be there already.
    pub(crate) needs: Vec<CommitSha>,
    /// The refs that it brings.
    pub(crate) refs: BTreeMap<String, CommitSha>,
    /// The pack.
    pub(crate) pack: &'a [u8],
}

/// Reads the head of a bundle (version 2, or version 3 of SHA-1 without a filter).
pub(crate) fn parse(bytes: &[u8]) -> Result<BundleFile<'_>, WorkspaceError> {
    let (version, mut rest) = line(bytes)?;
    let third = match version {
        "# v2 git bundle" => false,
        "# v3 git bundle" => true,
        _ => return Err(refused("what was delivered is no git bundle")),
    };
    let mut file = BundleFile { needs: Vec::new(), refs: BTreeMap::new(), pack: &[] };
    loop {
        if bytes.len() - rest.len() > MAX_HEADER {
            return Err(refused("the bundle's head is longer than 64 KB"));
        }
        let (text, after) = line(rest)?;
        rest = after;
        if text.is_empty() {
            file.pack = rest;
            break;
        }
        if let Some(capability) = text.strip_prefix('@') {
            if !third || capability != "object-format=sha1" {
                return Err(refused(format!("the bundle asks for {:?}, which is not taken", short(capability))));
            }
        } else if let Some(need) = text.strip_prefix('-') {
            file.needs.push(commit(need.split(' ').next().unwrap_or_default())?);
        } else {
            let Some((id, name)) = text.split_once(' ') else {
                return Err(refused("the bundle's head has a line that is no ref"));
            };
            if file.refs.insert(name.to_owned(), commit(id)?).is_some() {
                return Err(refused(format!("the bundle names {:?} twice", short(name))));
            }
        }
    }
    if file.pack.starts_with(b"PACK") { Ok(file) } else { Err(refused("the bundle holds no pack")) }
}

fn line(bytes: &[u8]) -> Result<(&str, &[u8]), WorkspaceError> {
    let window = &bytes[..bytes.len().min(MAX_HEADER)];
    let end = window.iter().position(|b| *b == b'\n').ok_or_else(|| refused("what was delivered is no git bundle"))?;
    let text = std::str::from_utf8(&window[..end]).map_err(|_| refused("the bundle's head is not UTF-8"))?;
    Ok((text, &bytes[end + 1..]))
}

fn commit(text: &str) -> Result<CommitSha, WorkspaceError> {
    text.parse().map_err(|e| refused(format!("the bundle's head: {e}")))
}

/// A name from outside, short enough for a message.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_plain_bundle_is_read() {
        let text = format!("# v2 git bundle\n-{ID} first commit\n{ID} refs/heads/hydra-result\n\nPACKxyz");
        let file = parse(text.as_bytes()).unwrap();
        assert_eq!(file.needs.len(), 1);
        assert_eq!(file.refs.keys().collect::<Vec<_>>(), ["refs/heads/hydra-result"]);
        assert_eq!(file.pack, b"PACKxyz");
    }

    #[test]
    fn what_is_no_bundle_says_so() {
        for (text, word) in [
            (String::new(), "no git bundle"),
            ("hello\nworld\n".into(), "no git bundle"),
            ("x".repeat(200_000), "no git bundle"),
            (format!("# v2 git bundle\n{ID} refs/heads/a\n\nnopack"), "no pack"),
            (format!("# v2 git bundle\n{ID} refs/heads/a\n"), "no git bundle"),
            ("# v2 git bundle\nabc refs/heads/a\n\nPACK".into(), "commit id"),
            (format!("# v2 git bundle\n{ID} a\n{ID} a\n\nPACK"), "twice"),
            (format!("# v3 git bundle\n@filter=blob:none\n{ID} a\n\nPACK"), "filter"),
            (format!("# v3 git bundle\n@object-format=sha256\n{ID} a\n\nPACK"), "sha256"),
            (format!("# v2 git bundle\n{}\nPACK", format!("{ID} refs/heads/b\n").repeat(2000)), "twice"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.message.contains(word), "{text:.60}: {error}");
        }
    }

    #[test]
    fn heads_are_read_or_refused() {
        let corpus = [
            format!("# v2 git bundle\n-{ID} first commit\n{ID} refs/heads/hydra-result\n\nPACKxyz").into_bytes(),
            format!("# v3 git bundle\n@object-format=sha1\n{ID} refs/heads/hydra-result\n{ID} refs/tags/v1\n\nPACK")
                .into_bytes(),
        ];
        let report = hydra_fuzz::fuzz("bundle-head", &corpus, |bytes| match parse(bytes) {
            Ok(file) => {
                assert!(file.pack.starts_with(b"PACK") && bytes.ends_with(file.pack));
                assert!(file.refs.keys().all(|name| !name.contains('\n')));
                format!("ok {} {}", file.needs.len().min(3), file.refs.len().min(3))
            }
            Err(error) => {
                assert!(error.message.len() < 1_000, "{} bytes", error.message.len());
                error.message.split(['"', ':']).next().unwrap_or_default().to_owned()
            }
        });
        assert!(report.saw("ok") && report.saw("the bundle names") && report.saw("the bundle asks for"), "{report:?}");
    }
}
