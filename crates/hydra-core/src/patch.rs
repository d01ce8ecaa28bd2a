//! Reads a unified diff, line by line: which lines a change adds and removes, and where they stand.

/// One file's part of a patch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PatchFile<'a> {
    /// Path in the new version; for a removed file the path it had.
    pub path: String,
    /// Whether the file is new.
    pub added: bool,
    /// Whether the file is removed.
    pub removed: bool,
    /// Where its section begins in the patch, in bytes.
    pub offset: usize,
    /// Changed and surrounding lines.
    pub lines: Vec<PatchLine<'a>>,
}

/// One line of a hunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchLine<'a> {
    /// What happens to it.
    pub side: Side,
    /// Its number in the new version; for a removed line the number of the line that follows there.
    pub line: u32,
    /// Its text without the mark and the line end.
    pub text: &'a str,
}

/// What happens to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// It stays.
    Context,
    /// It is new.
    Added,
    /// It goes.
    Removed,
}

impl PatchFile<'_> {
    /// Whether a line of the new version can carry an inline comment: it stands in a hunk.
    #[must_use]
    pub fn shows(&self, line: u32) -> bool {
        self.lines.iter().any(|l| l.side != Side::Removed && l.line == line)
    }
}

/// Takes a patch apart. Never fails: what is not a diff gives no files, what is cut gives what is there.
#[must_use]
pub fn parse(patch: &str) -> Vec<PatchFile<'_>> {
    let mut files: Vec<PatchFile<'_>> = Vec::new();
    let (mut old_left, mut new_left, mut new_line) = (0u32, 0u32, 0u32);
    let mut offset = 0;
    for raw in patch.split_inclusive('\n') {
        let start = offset;
        offset += raw.len();
        let line = raw.strip_suffix('\n').unwrap_or(raw);
        // Inside a hunk its counts rule, so that content that looks like a header is content.
        if old_left > 0 || new_left > 0 {
            if let Some(file) = files.last_mut() {
                let (side, text) = match line.as_bytes().first() {
                    Some(b'+') => (Side::Added, &line[1..]),
                    Some(b'-') => (Side::Removed, &line[1..]),
                    Some(b'\\') => continue,
                    Some(b' ') => (Side::Context, &line[1..]),
                    _ => (Side::Context, line),
                };
                let text = text.strip_suffix('\r').unwrap_or(text);
                file.lines.push(PatchLine { side, line: new_line, text });
                if side != Side::Added {
                    old_left = old_left.saturating_sub(1);
                }
                if side != Side::Removed {
                    new_left = new_left.saturating_sub(1);
                    new_line = new_line.saturating_add(1);
                }
            }
            continue;
        }
        if let Some(names) = line.strip_prefix("diff --git ") {
            files.push(PatchFile { path: git_path(names), offset: start, ..PatchFile::default() });
        } else if let Some(file) = files.last_mut() {
            if line.starts_with("new file mode") {
                file.added = true;
            } else if line.starts_with("deleted file mode") {
                file.removed = true;
            } else if let Some(name) = line.strip_prefix("+++ ").or_else(|| line.strip_prefix("rename to ")) {
                if let Some(path) = plain_path(name) {
                    file.path = path;
                }
            } else if let Some(name) = line.strip_prefix("--- ").filter(|_| file.removed) {
                if let Some(path) = plain_path(name) {
                    file.path = path;
                }
            } else if let Some((old, start, new)) = hunk(line) {
                (old_left, new_line, new_left) = (old, start, new);
            }
        }
    }
    files
}

/// `@@ -a,b +c,d @@`: lines of the old version, first line and number of lines of the new one.
fn hunk(line: &str) -> Option<(u32, u32, u32)> {
    let (ranges, _) = line.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let count = |range: &str| match range.split_once(',') {
        Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
        None => Some((range.parse().ok()?, 1)),
    };
    let (_, old_count): (u32, u32) = count(old)?;
    let (start, new_count) = count(new)?;
    Some((old_count, start, new_count))
}

/// The second of the two names of a `diff --git` line. Without quotes both are equal unless renamed, and then `rename to` follows.
fn git_path(names: &str) -> String {
    if let Some(start) = names.find(" \"b/") {
        return plain_path(&names[start + 1..]).unwrap_or_default();
    }
    match names.rfind(" b/") {
        Some(at) if names.len() % 2 == 1 && names.as_bytes().get(names.len() / 2) == Some(&b' ') => {
            // `a/X b/X`: the middle is sure even when X holds ` b/`.
            let _ = at;
            names[names.len() / 2 + 1..].trim_start_matches("b/").to_owned()
        }
        Some(at) => names[at + 3..].to_owned(),
        None => names.to_owned(),
    }
}

/// A name of a `---`, `+++` or `rename to` line: unquoted, without `a/` or `b/`; `None` for `/dev/null`.
fn plain_path(name: &str) -> Option<String> {
    let name = name.trim_end_matches('\t');
    let name = if let Some(quoted) = name.strip_prefix('"') { unquote(quoted) } else { name.to_owned() };
    if name == "/dev/null" {
        return None;
    }
    Some(name.strip_prefix("a/").or_else(|| name.strip_prefix("b/")).map_or(name.clone(), str::to_owned))
}

/// Git's C-style quoting, up to the closing quote.
fn unquote(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => break,
            b'\\' => match rest.next() {
                Some(b'n') => bytes.push(b'\n'),
                Some(b't') => bytes.push(b'\t'),
                Some(digit @ b'0'..=b'3') => {
                    let mut value = digit - b'0';
                    for _ in 0..2 {
                        if let Some(next @ b'0'..=b'7') = rest.next() {
                            value = value.wrapping_mul(8).wrapping_add(next - b'0');
                        }
                    }
                    bytes.push(value);
                }
                Some(other) => bytes.push(other),
                None => {}
            },
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PATCH: &str = "diff --git a/src/a.rs b/src/a.rs\nindex 1..2 100644\n--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1,3 +1,3 @@ fn\n one\n-two\n+--- zwei\n three\n\\ No newline at end of file\ndiff --git a/old.txt b/old.txt\ndeleted file mode 100644\n--- a/old.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\ndiff --git a/x y b/x y\nnew file mode 100644\n--- /dev/null\n+++ b/x y\n@@ -0,0 +1,2 @@\n+1\n+2\n";

    #[test]
    fn files_lines_and_numbers() {
        let files = parse(PATCH);
        let names: Vec<_> = files.iter().map(|f| (f.path.as_str(), f.added, f.removed)).collect();
        assert_eq!(names, [("src/a.rs", false, false), ("old.txt", false, true), ("x y", true, false)]);
        assert_eq!(files[0].lines[2], PatchLine { side: Side::Added, line: 2, text: "--- zwei" });
        assert_eq!(files[0].lines[1], PatchLine { side: Side::Removed, line: 2, text: "two" });
        assert!(files[0].shows(3) && !files[0].shows(4));
        assert_eq!(files[2].lines.len(), 2);
    }

    #[test]
    fn quoted_names_and_renames() {
        let files = parse(
            "diff --git \"a/\\303\\244.txt\" \"b/\\303\\244.txt\"\n--- \"a/\\303\\244.txt\"\n+++ \"b/\\303\\244.txt\"\n@@ -1 +1 @@\n-a\n+b\ndiff --git a/a b/c\nsimilarity index 100%\nrename from a\nrename to c\n",
        );
        assert_eq!(files[0].path, "ä.txt");
        assert_eq!(files[1].path, "c");
    }

    proptest! {
        #[test]
        fn never_panics(text in "(diff --git |@@ -1,2 \\+1,2 @@|[-+ ]|\\PC|\n|\"|\\\\){0,60}") {
            let _ = parse(&text);
        }
    }
}
