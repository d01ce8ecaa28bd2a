//! Tests that a change removes, skips or loosens, found in the patch by rules and not by a model.
//! Shown to both reviewers and in the report; it names what to look at, it does not decide.

use crate::patch::{self, PatchFile, PatchLine, Side};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, sync::LazyLock};

crate::stage::closed!(
    /// How a test lost its strength.
    Loosening, "loosening" {
    /// A whole test file is gone.
    DeletedFile = "deleted test file",
    /// A test is gone.
    RemovedTest = "removed test",
    /// A test is skipped or expected to fail.
    Skipped = "skipped test",
    /// Only some tests run.
    Focused = "focused test",
    /// There are fewer assertions than before.
    FewerAssertions = "fewer assertions",
    /// Assertions ask for less than before.
    WeakerAssertions = "weaker assertions",
    /// The command no longer fails when the tests do.
    Tolerated = "failure tolerated",
});

/// One place where a test lost its strength.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoosenedTest {
    /// How.
    pub kind: Loosening,
    /// The file.
    pub file: String,
    /// The line in the new version, where one can be named.
    pub line: Option<u32>,
    /// The test's name or the line itself, cut to 160 characters.
    pub text: String,
}
impl fmt::Display for LoosenedTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}

// Compiled once; each compiles, which the tests hold.
macro_rules! rule {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
    };
}

rule!(
    TEST_PATH,
    r"(?i)(^|/)(tests?|specs?|__tests__|testing|e2e)/|(^|/)(test_[^/]*|[^/]*_test|[^/]*_spec|conftest)\.[a-z]+$|\.(test|spec)\.[a-z]+$|(Test|Tests|Spec|IT)\.(java|kt|cs|scala|groovy|php|swift)$|(^|/)test\.[a-z]+$"
);
// Group 1 or 2 is the test's name, where it stands on the line.
rule!(
    TEST,
    r#"^\s*(?:(?:async\s+)?def\s+(test_?\w*)\s*\(|(?:it|test|specify|scenario|t\.test|Deno\.test|tap\.test)\s*(?:\.\w+)*\s*\(\s*(["'`].*)|func\s+((?:Test|Benchmark|Fuzz|Example)\w*)\s*\(|(?:public\s+)?function\s+(test\w*)\s*\(|TEST(?:_F|_P)?\s*\((.*)\)|(?:describe|context)\s*\(\s*(["'`].*))"#
);
rule!(
    TEST_MARK,
    r"^\s*(?:#\[(?:\w+::)*(?:test|rstest|test_case|proptest|quickcheck)\b[^\]]*\]|@(?:org\.junit\.\S*)?(?:Test|ParameterizedTest|RepeatedTest|TestFactory)\b|\[(?:Test|Fact|Theory|TestMethod|TestCase)\b)"
);
rule!(
    SKIP,
    r"(?i)#\[ignore|#\[cfg\(any\(\)\)\]|@(?:pytest\.mark\.|unittest\.)?(?:skip|skipif|skipunless|xfail|expectedFailure)\b|pytest\.(?:skip|xfail|importorskip)\s*\(|self\.skipTest\s*\(|raise\s+(?:unittest\.)?SkipTest|\b(?:it|test|describe|context|suite|t)\.(?:skip|todo|fixme|failing|fails)\b|^\s*x(?:it|describe|test|context|specify)\s*\(|\bthis\.skip\s*\(|\bt\.Skip(?:Now|f)?\s*\(|@(?:Disabled|Ignore)\b|\[(?:Ignore|Fact\(Skip|Theory\(Skip|Skip)\b|markTest(?:Skipped|Incomplete)|^\s*(?:skip|pending)\b\s*(?:\(|['\x22]|$)|GTEST_SKIP|DISABLED_\w"
);
rule!(FOCUS, r"\b(?:it|test|describe|context|suite|t)\.only\b|^\s*f(?:it|describe|context)\s*\(");
rule!(
    ASSERTION,
    r#"(?i)^\s*(?:[\w.]*\bassert\w*\b|(?:check|expect|is|ok)\w*\s+["'$]|(?:debug_)?assert\w*!|.*\bexpect\s*\(|.*\.should\b|(?:t|require|is|check)\.\w+\s*\(|(?:EXPECT|ASSERT|CHECK|REQUIRE)_?\w*\s*\(|.*->assert\w+\s*\(|proptest::prop_assert|prop_assert|insta::assert)"#
);
rule!(
    STRICT,
    r"(?i)assert_?eq|assertEquals?\b|assertStrictEqual|deepStrictEqual|deepEqual|strictEqual|toBe\s*\(|toEqual|toStrictEqual|assert\s+.*==|assertThat.*isEqualTo|assert_?matches|toMatchSnapshot|toThrow\s*\(\s*\S+\s*\)|assertRaises|t\.(?:is|equal|same)\b|EXPECT_EQ|ASSERT_EQ|\beql?\s*\("
);
rule!(COMMENT, r"^\s*(?://|#[^\[!]|#$|/\*|\*|--|;|<!--)");
rule!(
    RUNNER_PATH,
    r"(?i)(^|/)(package\.json|makefile|justfile|tox\.ini|noxfile\.py|setup\.cfg|pyproject\.toml|\.hydra\.toml|composer\.json|[^/]*\.(sh|mk))$|\.github/workflows/|(jest|vitest|karma|mocha|playwright|pytest)[^/]*\.(config\.\w+|ini|json|c?js)$|\.mocharc"
);
rule!(
    TOLERANT,
    r"\|\|\s*(?:true|:|exit 0)\b|--passWithNoTests|passWithNoTests\s*:\s*true|continue-on-error:\s*true|--exit-zero|--no-fail\b|--deselect|--ignore=|testPathIgnorePatterns|^\s*-\s*-?(?:npm|pytest|cargo) test"
);

fn is(rule: &LazyLock<Option<Regex>>, text: &str) -> bool {
    rule.as_ref().is_some_and(|rule| rule.is_match(text))
}

/// Whether a path looks like a test's.
#[must_use]
pub fn is_test_path(path: &str) -> bool {
    is(&TEST_PATH, path)
}

/// Looks a patch through. The result is ordered by file, then by place, and free of repetitions.
#[must_use]
pub fn loosened(patch_text: &str) -> Vec<LoosenedTest> {
    let files = patch::parse(patch_text);
    // A test that turns up elsewhere was moved, not removed.
    let everywhere: BTreeSet<String> = files
        .iter()
        .flat_map(|file| &file.lines)
        .filter(|l| l.side == Side::Added)
        .filter_map(|l| test_name(l.text))
        .collect();
    let mut found = Vec::new();
    for file in &files {
        if file.removed {
            deleted(file, &everywhere, &mut found);
        } else {
            changed(file, &everywhere, &mut found);
        }
    }
    found
}

fn deleted(file: &PatchFile<'_>, everywhere: &BTreeSet<String>, found: &mut Vec<LoosenedTest>) {
    if !is_test_path(&file.path) {
        return;
    }
    let names: Vec<String> = file.lines.iter().filter_map(|l| test_name(l.text)).collect();
    let moved = !names.is_empty() && names.iter().all(|name| everywhere.contains(name));
    if !moved {
        found.push(LoosenedTest {
            kind: Loosening::DeletedFile,
            file: file.path.clone(),
            line: None,
            text: format!("{} test(s)", names.len()),
        });
    }
}

fn changed(file: &PatchFile<'_>, everywhere: &BTreeSet<String>, found: &mut Vec<LoosenedTest>) {
    let mut add = |kind, line: Option<&PatchLine<'_>>, text: &str| {
        found.push(LoosenedTest {
            kind,
            file: file.path.clone(),
            line: line.map(|l| l.line),
            text: text.trim().chars().take(160).collect(),
        });
    };
    let test_file = is_test_path(&file.path);
    let inline_tests = file.lines.iter().any(|l| is(&TEST_MARK, l.text));
    let code = |side: Side| file.lines.iter().filter(move |l| l.side == side && !is(&COMMENT, l.text));
    let removed_texts: BTreeSet<&str> = code(Side::Removed).map(|l| l.text.trim()).collect();
    let new_here = |l: &&PatchLine<'_>| !removed_texts.contains(l.text.trim());

    if test_file || inline_tests {
        for line in code(Side::Removed) {
            if let Some(name) = test_name(line.text).filter(|name| !everywhere.contains(name)) {
                add(Loosening::RemovedTest, Some(line), &name);
            }
        }
        let marks = |side| code(side).filter(|l| is(&TEST_MARK, l.text)).count();
        if marks(Side::Removed) > marks(Side::Added) {
            let count = marks(Side::Removed) - marks(Side::Added);
            add(Loosening::RemovedTest, None, &format!("{count} fewer test mark(s)"));
        }
        for line in code(Side::Added).filter(new_here) {
            if is(&SKIP, line.text) {
                add(Loosening::Skipped, Some(line), line.text);
            } else if is(&FOCUS, line.text) {
                add(Loosening::Focused, Some(line), line.text);
            }
        }
        let assertions = |side| code(side).filter(|l| is(&ASSERTION, l.text)).count();
        let strict = |side| code(side).filter(|l| is(&ASSERTION, l.text) && is(&STRICT, l.text)).count();
        let (before, after) = (assertions(Side::Removed), assertions(Side::Added));
        if before > after {
            add(Loosening::FewerAssertions, None, &format!("{before} removed, {after} added"));
        } else if strict(Side::Removed) > strict(Side::Added) {
            let text = format!("{} exact ones removed, {} added", strict(Side::Removed), strict(Side::Added));
            add(Loosening::WeakerAssertions, None, &text);
        }
    } else if is(&RUNNER_PATH, &file.path) {
        for line in code(Side::Added).filter(new_here).filter(|l| is(&TOLERANT, l.text)) {
            add(Loosening::Tolerated, Some(line), line.text);
        }
    }
}

/// The name of the test that a line begins, as far as the line says it.
fn test_name(line: &str) -> Option<String> {
    let captures = TEST.as_ref()?.captures(line)?;
    let name = captures.iter().skip(1).flatten().next()?.as_str();
    // A title ends with its quote: what follows is code.
    let name = match name.chars().next() {
        Some(quote @ ('"' | '\'' | '`')) => name[1..].split(quote).next().unwrap_or_default(),
        _ => name,
    };
    Some(name.trim().to_owned())
}

#[cfg(test)]
mod tests;
