//! The way from one text to another, in hunks as `git diff` makes them, three lines around each.

use std::{path::Path, process::Command};

/// Lines that take the place of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hunk {
    /// Where it begins in the old text: lines before it.
    pub(crate) start: usize,
    /// Its lines with their ends, as they were and as they will be.
    pub(crate) old: Vec<String>,
    pub(crate) new: Vec<String>,
}

/// All hunks between two texts, as the real git finds them.
pub(crate) fn hunks(old: &str, new: &str) -> Vec<Hunk> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("old", old), ("new", new)] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    parse(&diff(folder.path()))
}

fn diff(folder: &Path) -> String {
    let output = Command::new("git")
        .args(["diff", "--no-index", "--no-color", "--no-ext-diff", "--text", "--unified=3", "--", "old", "new"])
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git is there");
    // 1 says that they differ.
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn parse(diff: &str) -> Vec<Hunk> {
    let mut hunks: Vec<Hunk> = Vec::new();
    let mut last = ' ';
    for line in diff.split_inclusive('\n') {
        if let Some(header) = line.strip_prefix("@@ -") {
            let first = header.split([',', ' ']).next().and_then(|number| number.parse::<usize>().ok());
            let start = first.expect("a line number").saturating_sub(1);
            hunks.push(Hunk { start, old: Vec::new(), new: Vec::new() });
            continue;
        }
        let Some(hunk) = hunks.last_mut() else { continue };
        let mut chars = line.chars();
        let sign = chars.next().expect("a line");
        let text = chars.as_str().to_owned();
        match sign {
            ' ' | '-' | '+' => {
                if sign != '+' {
                    hunk.old.push(text.clone());
                }
                if sign != '-' {
                    hunk.new.push(text);
                }
            }
            // "No newline at end of file": of the line before it.
            '\\' => {
                let sides = [(last != '+').then_some(&mut hunk.old), (last != '-').then_some(&mut hunk.new)];
                for line in sides.into_iter().flatten().filter_map(|side| side.last_mut()) {
                    line.truncate(line.trim_end_matches('\n').len());
                }
            }
            other => panic!("a line of a diff begins with {other:?}"),
        }
        last = sign;
    }
    hunks
}

pub(crate) fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// The old text with these of its hunks.
pub(crate) fn applied<'h>(old: &str, hunks: impl IntoIterator<Item = &'h Hunk>) -> String {
    let old = lines(old);
    let (mut text, mut at) = (String::new(), 0);
    for hunk in hunks {
        let end = hunk.start + hunk.old.len();
        assert_eq!(old[hunk.start..end], hunk.old, "a hunk belongs to another text");
        text.extend(old[at..hunk.start].iter().chain(&hunk.new).map(String::as_str));
        at = end;
    }
    text.extend(old[at..].iter().map(String::as_str));
    text
}

#[test]
fn hunks_lead_from_the_old_text_to_the_new_one() {
    let old: String = (0..40).map(|n| format!("line {n}\n")).collect();
    let new = old.replace("line 3\n", "line three\nand a half\n").replace("line 20\n", "").replace("line 39\n", "end");
    let all = hunks(&old, &new);
    assert_eq!(all.len(), 3);
    assert_eq!((all[1].start, all[1].old.len(), all[1].new.len()), (17, 7, 6));
    assert_eq!(applied(&old, &all), new);
    assert_eq!(applied(&old, [&all[0], &all[2]]), new.replace("line 19\n", "line 19\nline 20\n"));
    assert_eq!(applied(&new, &hunks(&new, &old)), old);
    assert_eq!(hunks(&old, &old), []);
}
