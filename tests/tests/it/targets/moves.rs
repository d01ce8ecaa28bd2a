//! From one tree to another as a coding agent goes: it reads what it is about to change, edits it hunk by hunk, writes what is new and
//! removes what goes.

use super::{
    hunks::{Hunk, applied, hunks, lines},
    package::Tree,
};
use hydra_sim::model::{Step, ToolCall};
use serde_json::{Value, json};

/// A tool call.
pub(crate) fn call(name: &str, input: &Value) -> ToolCall {
    ToolCall { name: name.to_owned(), input: input.as_object().expect("an object").clone() }
}

/// Several tool calls of one answer.
pub(crate) fn calls(say: &str, tools: Vec<ToolCall>) -> Step {
    Step { say: Some(say.to_owned()), tools, ..Step::default() }
}

pub(crate) fn shell(command: &str, why: &str) -> ToolCall {
    call("Bash", &json!({ "command": command, "description": why }))
}

fn place(path: &str) -> String {
    format!("{{{{workspace}}}}/{path}")
}

/// Reads a file; of a long one what lies around the lines that matter.
pub(crate) fn reads(path: &str, text: &str, hunks: &[Hunk]) -> Vec<ToolCall> {
    const LONG: usize = 30_000;
    if text.len() < LONG || hunks.is_empty() {
        return vec![call("Read", &json!({ "file_path": place(path) }))];
    }
    let around =
        |hunk: &Hunk| json!({ "file_path": place(path), "offset": hunk.start + 1, "limit": hunk.old.len().max(1) });
    hunks.iter().map(|hunk| call("Read", &around(hunk))).collect()
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// Whether the file tools take a text as it is: they take blanks away at the ends of lines, except in Markdown.
fn is_kept<'t>(path: &str, mut lines: impl Iterator<Item = &'t str>) -> bool {
    path.ends_with(".md") || !lines.any(|line| line.trim_end_matches('\n').ends_with([' ', '\t']))
}

fn write(path: &str, bytes: &[u8]) -> ToolCall {
    if let Some(text) = text(bytes).filter(|text| is_kept(path, text.lines())) {
        return call("Write", &json!({ "file_path": place(path), "content": text }));
    }
    let command = format!("mkdir -p \"$(dirname '{path}')\" && echo {} | base64 -d > '{path}'", base64(bytes));
    assert!(command.len() < 100_000, "{path} is too long for a command line");
    shell(&command, "Write it byte by byte")
}

/// The tool calls that edit one text into another.
fn edits(path: &str, old: &str, new: &str) -> Vec<ToolCall> {
    let all = hunks(old, new);
    if old.is_empty() || !is_kept(path, all.iter().flat_map(|hunk| &hunk.new).map(String::as_str)) {
        return vec![write(path, new.as_bytes())];
    }
    let mut tools = Vec::new();
    for (n, hunk) in all.iter().enumerate() {
        let (before, after) = (applied(old, &all[..n]), applied(old, &all[..=n]));
        let grown: usize = all[..n].iter().map(|hunk| hunk.new.len()).sum();
        let shrunk: usize = all[..n].iter().map(|hunk| hunk.old.len()).sum();
        let (from, to) = unique(&before, hunk.start + grown - shrunk, hunk);
        assert_eq!(before.replacen(&from, &to, 1), after, "{path}, hunk {}", n + 1);
        tools.push(call("Edit", &json!({ "file_path": place(path), "old_string": from, "new_string": to })));
    }
    tools
}

/// A hunk with as many lines around it as make it the only one of its kind.
fn unique(text: &str, start: usize, hunk: &Hunk) -> (String, String) {
    let lines = lines(text);
    for more in 0.. {
        let (first, end) = (start.saturating_sub(more), start + hunk.old.len());
        let last = (end + more).min(lines.len());
        let from = lines[first..last].concat();
        // Two that overlap are two as well.
        if text.find(&from) == text.rfind(&from) {
            let to = [lines[first..start].concat(), hunk.new.concat(), lines[end..last].concat()].concat();
            return (from, to);
        }
    }
    unreachable!("a whole text is the only one of its kind")
}

/// All steps from one tree to the other; those that only look come first.
pub(crate) fn steps(from: &Tree, to: &Tree) -> Vec<Step> {
    let (mut look, mut act) = (Vec::new(), Vec::new());
    for (path, new) in to {
        match from.get(path) {
            Some(old) if old == new => {}
            Some(old) => match (text(old), text(new)) {
                (Some(old), Some(new)) => {
                    look.extend(reads(path, old, &hunks(old, new)));
                    act.extend(edits(path, old, new));
                }
                _ => act.push(write(path, new)),
            },
            None => act.push(write(path, new)),
        }
    }
    let gone = from.keys().filter(|path| !to.contains_key(*path));
    act.extend(gone.map(|path| shell(&format!("rm '{path}'"), "Remove a file")));
    assert!(!act.is_empty(), "the two are the same");
    let look = (!look.is_empty()).then(|| calls("I read what I am about to change.", look));
    look.into_iter().chain([calls("Now the change itself.", act)]).collect()
}

/// A tree in which one hunk of one file's way from `from` to `to` is missing.
pub(crate) fn without(from: &Tree, to: &Tree, file: &str, hunk: usize) -> Tree {
    let of = |tree: &Tree| String::from_utf8(tree[file].clone()).expect("text");
    let (old, new) = (of(from), of(to));
    let mut all = hunks(&old, &new);
    assert!(hunk >= 1 && hunk <= all.len(), "{file} has {} hunks", all.len());
    all.remove(hunk - 1);
    let mut tree = to.clone();
    tree.insert(file.to_owned(), applied(&old, &all).into_bytes());
    tree
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |n: usize| u32::from(chunk.get(n).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for n in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * n) & 63) as usize];
            text.push(if n <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[test]
fn what_is_not_unique_is_shown_with_more_around_it() {
    let old = "{\n  a\n}\n".repeat(5);
    let mut new = lines(&old);
    new[7] = "  b\n".to_owned();
    let tools = edits("x", &old, &new.concat());
    let from = tools[0].input["old_string"].as_str().expect("a text");
    assert_eq!(old.matches(from).count(), 1);
    assert_eq!(old.replacen(from, tools[0].input["new_string"].as_str().expect("a text"), 1), new.concat());
}

#[test]
fn a_tree_is_left_for_another_by_the_tools_that_fit() {
    let tree = |files: &[(&str, &[u8])]| -> Tree { files.iter().map(|(p, b)| ((*p).to_owned(), b.to_vec())).collect() };
    let from = tree(&[("same", b"1\n"), ("gone", b"1\n"), ("edited", b"1\n"), ("blank", b"1\n"), ("image", b"\0\x01")]);
    let to = tree(&[
        ("same", b"1\n"),
        ("new", b"2\n"),
        ("edited", b"2\n"),
        ("blank", b"2 \n"),
        ("image", b"\0\x02\x03\xff"),
    ]);
    let steps = steps(&from, &to);
    let names = |step: &Step| step.tools.iter().map(|tool| tool.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&steps[0]), ["Read", "Read"]);
    assert_eq!(names(&steps[1]), ["Bash", "Edit", "Bash", "Write", "Bash"]);
    let said = |n: usize| steps[1].tools[n].input["command"].as_str().expect("a command").to_owned();
    assert!(said(2).contains("echo AAID/w== | base64 -d > 'image'"), "{}", said(2));
    assert_eq!(said(4), "rm 'gone'");
}
