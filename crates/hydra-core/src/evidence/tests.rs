//! What counts as having looked.
use super::*;
use crate::{Timestamp, Tokens, ports::FileChange};
use proptest::prelude::*;

fn diff() -> Diff {
    let file = |path: &str| FileChange {
        path: path.into(),
        from: None,
        status: 'M',
        mode: "100644".into(),
        link: None,
        bytes: 1,
        lines: Some((1, 0)),
        binary: false,
    };
    let patch = ["src/a.rs", "src/b.rs"]
        .map(|p| format!("diff --git a/{p} b/{p}\n--- a/{p}\n+++ b/{p}\n@@ -1 +1,2 @@\n x\n+y\n"))
        .concat();
    Diff { files: vec![file("src/a.rs"), file("src/b.rs")], patch, truncated: false }
}

fn call(
    id: &str,
    tool: ToolKind,
    path: Option<&str>,
    command: Option<&str>,
    result: Option<(bool, u64)>,
) -> Vec<AgentEvent> {
    let event = |kind| AgentEvent { v: 1, ts: Timestamp::UNIX_EPOCH, kind };
    let mut events = vec![event(EventKind::Tool {
        id: id.into(),
        tool,
        name: "T".into(),
        path: path.map(Into::into),
        command: command.map(Into::into),
    })];
    events.extend(result.map(|(ok, bytes)| event(EventKind::ToolResult { id: id.into(), ok, bytes })));
    events
}

fn read(command: &str, bytes: u64) -> Vec<String> {
    evidence(&call("1", ToolKind::Shell, None, Some(command), Some((true, bytes))), &diff()).files_read
}

#[test]
fn a_file_that_was_read_counts_and_the_other_is_named() {
    let found = evidence(&call("1", ToolKind::Read, Some("src/a.rs"), None, Some((true, 9))), &diff());
    assert_eq!((found.files_read, found.files_unread), (vec!["src/a.rs".to_owned()], vec!["src/b.rs".to_owned()]));
    let absolute =
        evidence(&call("1", ToolKind::Read, Some("/workspace/repo/src/a.rs"), None, Some((true, 9))), &diff());
    assert_eq!(absolute.files_read, ["src/a.rs"]);
}

#[test]
fn a_call_that_failed_returned_nothing_or_never_ended_does_not_count() {
    for result in [Some((false, 9)), Some((true, 0)), None] {
        let found = evidence(&call("1", ToolKind::Read, Some("src/a.rs"), None, result), &diff());
        assert!(found.files_read.is_empty(), "{result:?}");
        assert_eq!(found.tool_calls, 1);
    }
    let other = evidence(&call("1", ToolKind::Read, Some("other/src/a.rs"), None, Some((true, 9))), &diff());
    assert!(other.files_read.is_empty());
}

#[test]
fn commands_that_show_content_count() {
    let (a, both) = (vec!["src/a.rs"], vec!["src/a.rs", "src/b.rs"]);
    assert_eq!(read("git diff abc def", 10_000), both);
    assert_eq!(read("cd /workspace/repo && git --no-pager diff main...HEAD | cat", 10_000), both);
    assert_eq!(read("git show HEAD", 10_000), both);
    assert_eq!(read("git show HEAD:src/a.rs", 10), a);
    assert_eq!(read("git diff main -- src/a.rs", 10), a);
    assert_eq!(read("sed -n '1,20p' src/a.rs", 10), a);
    assert_eq!(read("cd src; head -5 a.rs", 10), a);
    assert_eq!(read("LANG=C grep -n 'a b' ./src/a.rs", 10), a);
    assert_eq!(read("cat \"src/a.rs\" src/b.rs", 10), both);
}

#[test]
fn commands_that_only_name_files_do_not() {
    for command in [
        "git diff --stat",
        "git diff --name-only a b",
        "ls src/a.rs",
        "echo cat src/a.rs",
        "wc -l src/a.rs",
        "git log",
        "grep -l x src/a.rs",
        "rm src/a.rs",
        "true # cat src/a.rs",
        "git diff -- other",
    ] {
        assert!(read(command, 10_000).is_empty(), "{command}");
    }
}

#[test]
fn a_whole_diff_that_was_cut_counts_as_far_as_it_was_seen() {
    assert_eq!(read("git diff", 20), ["src/a.rs"]);
}

#[test]
fn turns_and_tokens_are_summed() {
    let turn = |turn| AgentEvent {
        v: 1,
        ts: Timestamp::UNIX_EPOCH,
        kind: EventKind::Turn { turn, tokens: Tokens { output: 5, ..Tokens::default() }, model: None },
    };
    let found = evidence(&[turn(1), turn(2)], &diff());
    assert_eq!((found.turns, found.output_tokens), (2, 10));
}

proptest! {
    #[test]
    fn no_command_line_panics(command in "\\PC{0,80}|[a-z'\"\\\\;&|<>() =-]{0,80}") {
        read(&command, 5);
    }
}
