//! Each way to loosen a test, in several languages; and changes that are none.
use super::*;
use proptest::prelude::*;

fn change(path: &str, lines: &str) -> String {
    let (old, new) = lines.lines().fold((0, 0), |(old, new), line| match line.as_bytes().first() {
        Some(b'-') => (old + 1, new),
        Some(b'+') => (old, new + 1),
        _ => (old + 1, new + 1),
    });
    format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1,{old} +1,{new} @@\n{lines}")
}

fn kinds(path: &str, lines: &str) -> Vec<Loosening> {
    loosened(&change(path, lines)).into_iter().map(|l| l.kind).collect()
}

#[test]
fn every_rule_compiles() {
    for rule in [&TEST_PATH, &TEST, &TEST_MARK, &SKIP, &FOCUS, &ASSERTION, &STRICT, &COMMENT, &RUNNER_PATH, &TOLERANT] {
        assert!(rule.is_some());
    }
}

#[test]
fn a_deleted_test_file_is_found_and_a_moved_one_is_not() {
    let gone = "diff --git a/tests/a_test.py b/tests/a_test.py\ndeleted file mode 100644\n--- a/tests/a_test.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-def test_one():\n-    assert f() == 1\n";
    assert_eq!(loosened(gone)[0].to_string(), "deleted test file: tests/a_test.py: 1 test(s)");
    let moved = format!(
        "{gone}diff --git a/tests/b_test.py b/tests/b_test.py\nnew file mode 100644\n--- /dev/null\n+++ b/tests/b_test.py\n@@ -0,0 +1,2 @@\n+def test_one():\n+    assert f() == 1\n"
    );
    assert_eq!(loosened(&moved), []);
}

#[test]
fn removed_tests() {
    assert_eq!(kinds("tests/test_x.py", "-def test_a():\n-    pass\n x\n"), [Loosening::RemovedTest]);
    assert_eq!(kinds("a.test.js", "-it('adds', () => {\n-})\n x\n"), [Loosening::RemovedTest]);
    assert_eq!(kinds("a_test.go", "-func TestA(t *testing.T) {\n-}\n x\n"), [Loosening::RemovedTest]);
    assert_eq!(kinds("src/lib.rs", " mod tests {\n-    #[test]\n-    fn a() {}\n"), [Loosening::RemovedTest]);
    assert_eq!(kinds("a.test.js", "-it('adds', () => {\n+it('adds', async () => {\n"), []);
}

#[test]
fn skipped_and_focused_tests() {
    for (path, line) in [
        ("tests/test_x.py", "+@pytest.mark.skip(reason='later')\n"),
        ("tests/test_x.py", "+    self.skipTest('x')\n"),
        ("a.test.ts", "+it.skip('adds', () => {})\n"),
        ("a.spec.ts", "+xit('adds', () => {})\n"),
        ("a_test.go", "+\tt.Skip(\"later\")\n"),
        ("tests/a.rs", "+#[ignore]\n"),
        ("src/test/java/ATest.java", "+  @Disabled\n"),
    ] {
        assert!(kinds(path, line).contains(&Loosening::Skipped), "{line}");
    }
    assert_eq!(kinds("a.test.ts", "-it('a', () => {})\n+it.only('a', () => {})\n"), [Loosening::Focused]);
}

#[test]
fn fewer_and_weaker_assertions() {
    assert_eq!(
        kinds("a.test.js", "-  expect(f(1)).toBe(2)\n-  expect(f(2)).toBe(3)\n+  expect(f(1)).toBe(2)\n"),
        [Loosening::FewerAssertions]
    );
    assert_eq!(
        kinds("tests/test_x.py", "-    assert f(1) == 2\n+    # assert f(1) == 2\n"),
        [Loosening::FewerAssertions]
    );
    assert_eq!(kinds("tests/test_x.py", "-    assert f(1) == 2\n+    assert f(1)\n"), [Loosening::WeakerAssertions]);
    assert_eq!(
        kinds("a.test.js", "-  expect(f(1)).toBe(2)\n+  expect(f(1)).toBeTruthy()\n"),
        [Loosening::WeakerAssertions]
    );
    assert_eq!(
        kinds("tests/a.rs", "-    assert_eq!(f(1), 2);\n+    assert!(f(1) > 0);\n"),
        [Loosening::WeakerAssertions]
    );
}

#[test]
fn shell_tests_assert_by_commands() {
    assert_eq!(
        kinds("tests/test_slug.sh", "-check \"digits stay\" \"a-1\" \"$(sh bin/slug 'A 1')\"\n"),
        [Loosening::FewerAssertions]
    );
    assert_eq!(kinds("tests/test_slug.sh", "-checkout main\n"), []);
}

#[test]
fn a_command_that_tolerates_failure() {
    assert_eq!(kinds("package.json", "-  \"test\": \"tap\"\n+  \"test\": \"tap || true\"\n"), [Loosening::Tolerated]);
    assert_eq!(kinds("src/a.sh.txt", "+ x || true\n"), []);
}

#[test]
fn stronger_tests_and_other_code_are_left_alone() {
    assert_eq!(kinds("tests/test_x.py", "-    assert f(1)\n+    assert f(1) == 2\n+    assert f(2) == 3\n"), []);
    assert_eq!(kinds("src/main.py", "-def test(x):\n-    assert x\n+    skip(x)\n"), []);
    assert_eq!(kinds("src/skip.js", "+  list.skip(3)\n"), []);
}

proptest! {
    #[test]
    fn never_panics(lines in "([-+ ](it\\(['\"`é]?|\\PC{0,9})\n){0,8}") {
        kinds("a.test.js", &lines);
    }
}
