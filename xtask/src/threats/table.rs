//! The table of mode `isolated` in docs/security.md: which attack is shown by which tests. There is no other list of them.

use std::{fs, path::Path};

/// Where it stands.
pub(super) const DOCUMENT: &str = "docs/security.md";
const HEADING: &str = "## The fence of mode `isolated`";
/// The rows of this mode.
pub(super) const ROWS: std::ops::RangeInclusive<u8> = 1..=37;
/// The rows that another fence has to hold.
pub(super) const KUBERNETES: [(u8, &str); 2] = [
    (38, "a cluster that ignores network policies, or has not applied them yet"),
    (39, "a service account's token, the host's network or paths"),
];
/// What the promise of a row begins with that the mode holds in part only; the rest of it says what is left.
const RESIDUAL: &str = "residual: ";

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) number: u8,
    pub(super) attack: String,
    /// What happens in mode `isolated`.
    pub(super) promise: String,
    /// Whether a part of it is documented as not held.
    pub(super) residual: bool,
    /// Parts of tests' paths.
    pub(super) tests: Vec<String>,
}

/// Every row, in order: each of [`ROWS`] once, each with tests.
pub(super) fn read(root: &Path) -> Result<Vec<Row>, String> {
    let text = fs::read_to_string(root.join(DOCUMENT)).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Row>, String> {
    let (_, section) = text.split_once(HEADING).ok_or_else(|| format!("{DOCUMENT} has no heading {HEADING:?}"))?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let lines = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| attack"));
    let rows: Vec<Row> = lines.map(row).collect::<Result<_, _>>()?;
    let numbers: Vec<u8> = rows.iter().map(|row| row.number).collect();
    if numbers != ROWS.collect::<Vec<_>>() {
        return Err(format!("{DOCUMENT} must have each of the rows 1 to 37 once, in order; it has {numbers:?}"));
    }
    Ok(rows)
}

fn row(line: &str) -> Result<Row, String> {
    let wrong = |what: &str| format!("{DOCUMENT}: {what}: {line}");
    let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
    let [attack, promise, shown] = cells.as_slice() else { return Err(wrong("a row has three cells")) };
    let (number, attack) = attack.split_once(": ").ok_or_else(|| wrong("a row begins with its number"))?;
    let tests: Vec<String> = shown
        .split('`')
        .filter_map(|span| span.strip_prefix("cargo xtask test "))
        .map(|filter| filter.trim().to_owned())
        .collect();
    if tests.is_empty() {
        return Err(wrong("a row without a test"));
    }
    Ok(Row {
        number: number.parse().map_err(|_| wrong("a row begins with its number"))?,
        attack: attack.to_owned(),
        promise: (*promise).to_owned(),
        residual: promise.starts_with(RESIDUAL),
        tests,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.ends_with("target") {
                files(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }

    /// The modules that a file's path stands for, as tests are called.
    fn modules(path: &Path) -> Option<String> {
        let path = path.with_extension("").display().to_string();
        let inner = ["/src/", "/tests/it/"].iter().find_map(|mark| path.split_once(mark))?.1;
        let inner = inner.trim_end_matches("/mod").replace('/', "::");
        Some(if matches!(inner.as_str(), "main" | "lib") { String::new() } else { format!("{inner}::") })
    }

    /// Every test of the workspace, as libtest would call it.
    fn tests(root: &Path) -> Vec<String> {
        let mut sources = Vec::new();
        for folder in ["crates", "tests"] {
            files(&root.join(folder), &mut sources);
        }
        let mut found = Vec::new();
        for source in sources {
            let (Some(modules), Ok(text)) = (modules(&source), fs::read_to_string(&source)) else { continue };
            let (mut inline, mut marked) = ("", false);
            for line in text.lines().map(str::trim_start) {
                if line.starts_with("mod tests {") {
                    inline = "tests::";
                }
                marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                let name = line.trim_start_matches("async ").strip_prefix("fn ");
                if let Some(name) = name.and_then(|name| name.split('(').next()).filter(|_| marked) {
                    found.push(format!("{modules}{inline}{name}"));
                    marked = false;
                }
            }
        }
        found
    }

    #[test]
    fn every_row_stands_in_the_document_and_names_tests_that_there_are() {
        let root = crate::root();
        let (rows, tests) = (read(&root).unwrap(), tests(&root));
        assert!(tests.len() > 500, "{} tests were found", tests.len());
        for row in rows {
            for filter in &row.tests {
                let found: Vec<_> = tests.iter().filter(|test| test.contains(filter.as_str())).collect();
                assert!(!found.is_empty(), "row {}: no test is called {filter:?}", row.number);
                // A part that is too short would take the other mode's tests for this one's.
                let other = found.iter().find(|test| test.starts_with("fence::"));
                assert!(other.is_none(), "row {}: {filter:?} is also {other:?} of mode in-container", row.number);
            }
        }
    }

    fn document(rows: impl Fn(u8) -> Option<String>) -> String {
        let rows: Vec<String> = ROWS.filter_map(rows).collect();
        format!(
            "# x\n{HEADING}, attack by attack\n\n| attack | said | shown by |\n|---|---|---|\n{}\n\n## Next\n| 9: x | y | z |\n",
            rows.join("\n")
        )
    }
    fn line(number: u8) -> String {
        format!("| {number}: an attack | refused | `cargo xtask test row_{number:02}`, `cargo xtask test x::y` |")
    }

    #[test]
    fn a_row_that_is_missing_doubled_or_without_a_test_is_told() {
        let fine = parse(&document(|number| Some(line(number)))).unwrap();
        assert_eq!((fine.len(), &fine[3].tests), (37, &vec!["row_04".to_owned(), "x::y".to_owned()]));
        assert!(!fine[3].residual);
        let residual = parse(&document(|number| Some(line(number).replace("refused", "residual: some")))).unwrap();
        assert!(residual[0].residual);
        let missing = parse(&document(|number| (number != 12).then(|| line(number))));
        assert!(missing.unwrap_err().contains("each of the rows 1 to 37"));
        let doubled = parse(&document(|number| Some(format!("{}\n{}", line(number), line(number)))));
        assert!(doubled.unwrap_err().contains("once, in order"));
        let untested = parse(&document(|number| Some(format!("| {number}: an attack | refused | nothing |"))));
        assert!(untested.unwrap_err().contains("a row without a test: | 1: an attack"));
        assert!(parse("# nothing").unwrap_err().contains("no heading"));
    }
}
