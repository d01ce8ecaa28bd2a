//! What machines act on is broken, what people read stays.
use super::*;
use proptest::prelude::*;
use regex::Regex;

fn hosts() -> Vec<String> {
    vec!["github.com".into(), "docs.rs".into()]
}

fn out(text: &str) -> String {
    harmless(text, &hosts())
}

#[test]
fn closing_words_names_and_skip_marks_lose_their_power() {
    assert_eq!(out("Closes #1, fixes o/r#22 and GH-3"), "Closes # 1, fixes o/r# 22 and GH 3");
    assert_eq!(out("Fixes: https://github.com/o/r/issues/7"), "Fixes: https: //github.com/o/r/issues/7");
    assert_eq!(out("ask @alice, @acme/team or me@host.org"), "ask @ alice, @ acme/team or me@host.org");
    assert_eq!(
        out("done [skip ci] [CI-Skip] skip-checks: true ***NO_CI***"),
        "done (skip ci) (CI-Skip) (skip-checks)  true () "
    );
    assert_eq!(out("#1 is first"), "\\# 1 is first");
    assert_eq!(out("/approve"), "\\/approve");
    assert_eq!(out("fine\r/approve"), "fine\n\\/approve", "a carriage return begins a line too");
}

#[test]
fn html_and_markers_are_shown_as_text() {
    assert_eq!(out("a <img src=x> b <!-- hydra:status g1 --> c"), "a &lt;img src=x> b  c");
    assert_eq!(out("`Vec<T>` and Vec<T>"), "`Vec<T>` and Vec&lt;T>");
    assert_eq!(out("`<!- - x` &#60;b&gt;"), "`<!- - x` &amp;# 60;b&amp;gt;");
    assert_eq!(out("|`a|<b>`|"), "|\\`a|&lt;b>\\`|");
    assert_eq!(out("open ` <b>"), "open \\` &lt;b>");
}

#[test]
fn links_to_strangers_are_shown_as_text() {
    assert_eq!(
        out("[docs](https://docs.rs/x) https://github.com/o/r"),
        "[docs](https://docs.rs/x) https://github.com/o/r"
    );
    assert_eq!(out("[x](https://evil.example/y)"), "[x] (https: //evil.example/y)");
    assert_eq!(out("![x](http://docs.rs/pixel)"), "![x] (http: //docs.rs/pixel)");
    for trick in [
        "https://github.com@evil.example/",
        "https://github.com:8443/",
        "https://github.com\\@evil.example",
        "https://github.com.evil.example",
        "HTTPS://evil.example",
        "ftp://docs.rs",
        "www.evil.example",
        "[x](//evil.example)",
        "[x]: https://evil.example",
        "[x](https&#58;//evil.example)",
        "[x](https:\\/\\/evil.example)",
    ] {
        let clean = out(trick);
        assert!(
            !clean.contains("](")
                && !clean.contains("]:")
                && !clean.contains("https://evil")
                && !clean.contains("www.e"),
            "{trick} -> {clean}"
        );
        assert!(
            !clean.contains("https://github.com@")
                && !clean.contains("https://github.com:")
                && !clean.contains("https://github.com.evil"),
            "{trick} -> {clean}"
        );
    }
}

#[test]
fn code_blocks_are_written_again_with_fences_that_hold() {
    assert_eq!(out("a\n```rust\nlet x: Vec<u8>;\n```\nb"), "a\n\n```rust\nlet x: Vec<u8>;\n```\nb");
    assert_eq!(out("````hydra-verdict\n```\n{}\n````"), "````text\n```\n{}\n````");
    assert_eq!(out("```\nopen @bob"), "```\nopen @ bob\n```");
}

#[test]
fn a_commit_message_is_plain_and_acts_on_nothing() {
    let message = commit_message(
        "fix: a thing (fixes #3)\n\nBecause @bob said so.\n\nCo-authored-by: Bob <b@x.org>\nskip-checks: true\n",
    );
    assert_eq!(
        message,
        "fix: a thing (fixes # 3)\n\nBecause @ bob said so.\n\nCo-authored-by - Bob <b@x.org>\nskip-checks - true"
    );
    assert_eq!(commit_message(""), "Work of the agent");
    assert!(commit_message(&"x".repeat(50_000)).len() < 200);
}

#[test]
fn over_long_texts_are_cut_and_say_so() {
    let clean = harmless_within(&"é@bob `".repeat(20_000), &hosts(), 1_000);
    assert!(clean.len() <= 1_000 && clean.contains("(cut: 160000 bytes in all)"), "{}", clean.len());
    assert_eq!(harmless_within("short", &hosts(), 1_000), "short");
    assert_eq!(harmless_line("a\n| b\t@c", &hosts(), 100), "a \\| b @ c");
    assert!(harmless_line(&"long ".repeat(100), &hosts(), 50).len() <= 50);
}

#[test]
fn every_rule_compiles() {
    // If one did not, its text would go through unbroken; the cases above hold each of them.
    assert!(Regex::new(r"a").is_ok());
}

proptest! {
    #[test]
    fn nothing_that_acts_survives(text in "(@|#|[a-z]|[0-9]|fixes |\\[skip ci\\]|<|!--|>|`|```\n|\\[x\\]\\(|https://|evil\\.org|docs\\.rs|\\)|\\||\\\\|&#|\n| |\u{200b}|\\[|\\]|:|/){0,40}", limit in 10usize..300) {
        let clean = out(&text);
        for pattern in [r"(^|[^A-Za-z0-9])@[A-Za-z0-9]", r"#\d", r"(?i)\[\s*skip ci\s*\]", r"<!--", r"https?://evil", r"\]\((https://evil|//)"] {
            prop_assert!(!Regex::new(pattern).unwrap().is_match(&clean), "{pattern}: {clean:?}");
        }
        prop_assert!(harmless_within(&text, &hosts(), limit).len() <= limit);
        prop_assert!(harmless_line(&text, &hosts(), limit).len() <= limit);
        prop_assert!(!harmless_line(&text, &hosts(), limit).contains('\n'));
        let message = commit_message(&text);
        prop_assert!(!Regex::new(r"#\d|(^|[^A-Za-z0-9])@[A-Za-z0-9]|<!--").unwrap().is_match(&message), "{message:?}");
    }
}
