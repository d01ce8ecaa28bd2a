//! Which files of the diff a shell command showed. Read generously in form, strictly in effect: only commands that print content count.

use super::named;
use crate::{patch, ports::Diff};
use std::collections::BTreeSet;

/// Programs that print the files named after them.
const PRINTERS: &[&str] = &[
    "cat", "bat", "batcat", "head", "tail", "sed", "awk", "nl", "less", "more", "tac", "grep", "egrep", "rg", "ag",
    "pr", "view", "diff", "strings", "xxd", "od",
];
/// Options of `git diff` and `git show` that keep content from being shown.
const SUMMARIES: &[&str] = &[
    "--stat",
    "--name-only",
    "--name-status",
    "--shortstat",
    "--numstat",
    "--summary",
    "--quiet",
    "--dirstat",
    "-s",
    "--no-patch",
    "--raw",
];
/// Options of `grep` and its like that keep content from being shown.
const COUNTS: &[&str] = &["-l", "-L", "-c", "-q", "--files-with-matches", "--count", "--quiet", "--files"];

/// Files of the diff that the command showed. `bytes` is the size of what it returned.
pub(super) fn shown<'d>(command: &str, bytes: u64, diff: &'d Diff) -> BTreeSet<&'d str> {
    let mut files = BTreeSet::new();
    let mut folder = String::new();
    for words in commands(command) {
        let mut words = words
            .iter()
            .map(String::as_str)
            .skip_while(|w| assignment(w) || matches!(*w, "sudo" | "command" | "env" | "time" | "(" | "{"));
        let Some(program) = words.next() else { continue };
        let rest: Vec<&str> = words.collect();
        match program.rsplit('/').next().unwrap_or(program) {
            "cd" => folder = rest.first().map(|dir| (*dir).to_owned()).unwrap_or_default(),
            "git" => files.extend(git(&rest, &folder, bytes, diff)),
            name if PRINTERS.contains(&name) => {
                let silent = name.ends_with("grep") || name == "rg";
                if !(silent && rest.iter().any(|word| COUNTS.contains(word))) {
                    files.extend(paths(&rest, &folder, diff));
                }
            }
            _ => {}
        }
    }
    files
}

fn git<'d>(words: &[&str], folder: &str, bytes: u64, diff: &'d Diff) -> BTreeSet<&'d str> {
    let mut words = words.iter().copied();
    let mut folder = folder.to_owned();
    let sub = loop {
        match words.next() {
            Some("-C") => folder = words.next().unwrap_or_default().to_owned(),
            Some("-c") => {
                words.next();
            }
            Some(option) if option.starts_with('-') => {}
            other => break other,
        }
    };
    let rest: Vec<&str> = words.collect();
    let content = match sub {
        Some("diff" | "show" | "format-patch" | "blame" | "cat-file" | "diff-tree") => true,
        Some("log") => rest.iter().any(|word| matches!(*word, "-p" | "-u" | "--patch")),
        Some("grep") => return paths(&rest, &folder, diff),
        _ => false,
    };
    if !content || rest.iter().any(|word| SUMMARIES.iter().any(|s| word == s || word.starts_with(&format!("{s}=")))) {
        return BTreeSet::new();
    }
    let named = paths(&rest, &folder, diff);
    let limited = rest.contains(&"--") || !named.is_empty() || matches!(sub, Some("blame" | "cat-file"));
    if limited { named } else { all_shown(bytes, diff) }
}

/// A whole diff was printed, of which the agent saw the first `bytes`: the files whose part begins before that.
fn all_shown(bytes: u64, diff: &Diff) -> BTreeSet<&str> {
    let seen = usize::try_from(bytes).unwrap_or(usize::MAX);
    let begun: BTreeSet<String> =
        patch::parse(&diff.patch).into_iter().filter(|file| file.offset < seen).map(|file| file.path).collect();
    diff.files.iter().map(|file| file.path.as_str()).filter(|path| begun.contains(*path)).collect()
}

fn paths<'d>(words: &[&str], folder: &str, diff: &'d Diff) -> BTreeSet<&'d str> {
    let folder = folder.trim_end_matches('/').trim_start_matches("./");
    words
        .iter()
        .filter(|word| !word.starts_with('-'))
        .flat_map(|word| {
            // `HEAD:path` names a file at a commit; `dir` and `.` name all below.
            let word = word.split_once(':').map_or(*word, |(_, path)| path);
            let below = word.trim_end_matches('/').trim_start_matches("./");
            let joined =
                if folder.is_empty() || word.starts_with('/') { word.to_owned() } else { format!("{folder}/{below}") };
            let direct: Vec<&str> = named(word, diff).chain(named(&joined, diff)).collect();
            direct
        })
        .collect()
}

fn assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.as_bytes()[0].is_ascii_digit()
    })
}

/// The simple commands of a command line, as words. Quotes are understood, expansions are not.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                word.extend(chars.by_ref().take_while(|c| *c != '\''));
            }
            '"' => {
                let word = word.get_or_insert_default();
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => word.extend(chars.next()),
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next().filter(|c| *c != '\n')),
            ';' | '&' | '|' | '\n' | '(' | ')' => {
                words.extend(word.take());
                if !words.is_empty() {
                    all.push(std::mem::take(&mut words));
                }
            }
            '<' | '>' => words.extend(word.take()),
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if !words.is_empty() {
        all.push(words);
    }
    all
}
