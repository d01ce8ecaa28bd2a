//! Whether a reviewer looked: taken from its tool calls and held against the diff, never from what it says.

use crate::{
    agent_event::{AgentEvent, EventKind, ToolKind},
    ports::Diff,
    verdict::Evidence,
};
use std::collections::{BTreeMap, BTreeSet};

mod shell;

/// Computes the evidence. A call counts only when its result says that it worked and that it returned something.
#[must_use]
pub fn evidence(events: &[AgentEvent], diff: &Diff) -> Evidence {
    let results: BTreeMap<&str, (bool, u64)> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ToolResult { id, ok, bytes } => Some((id.as_str(), (*ok, *bytes))),
            _ => None,
        })
        .collect();
    let mut read: BTreeSet<&str> = BTreeSet::new();
    let mut evidence = Evidence::default();
    for event in events {
        match &event.kind {
            EventKind::Tool { id, tool, path, command, .. } => {
                evidence.tool_calls = evidence.tool_calls.saturating_add(1);
                let bytes = match results.get(id.as_str()) {
                    Some((true, bytes)) if *bytes > 0 => *bytes,
                    _ => continue,
                };
                match tool {
                    ToolKind::Read => read.extend(path.iter().flat_map(|path| named(path, diff))),
                    ToolKind::Shell => {
                        read.extend(command.iter().flat_map(|command| shell::shown(command, bytes, diff)));
                    }
                    ToolKind::Write | ToolKind::Edit | ToolKind::Search | ToolKind::Other => {}
                }
            }
            EventKind::Turn { turn, tokens, .. } => {
                evidence.turns = evidence.turns.max(*turn);
                evidence.output_tokens = evidence.output_tokens.saturating_add(tokens.output);
            }
            _ => {}
        }
    }
    // A removed file cannot be read any more, a binary one shows nothing: neither is held against the reviewer.
    evidence.files_unread = diff
        .files
        .iter()
        .filter(|file| !read.contains(file.path.as_str()) && file.status != 'D' && !file.binary)
        .map(|file| file.path.clone())
        .collect();
    evidence.files_read = read.into_iter().map(str::to_owned).collect();
    evidence
}

/// The file of the diff that a path names, relative or below a checkout.
fn named<'d>(path: &str, diff: &'d Diff) -> impl Iterator<Item = &'d str> {
    let path = path.trim_start_matches("./").to_owned();
    diff.files.iter().map(|file| file.path.as_str()).filter(move |file| {
        path == *file || (path.starts_with('/') && path.strip_suffix(file).is_some_and(|dir| dir.ends_with('/')))
    })
}

#[cfg(test)]
mod tests;
