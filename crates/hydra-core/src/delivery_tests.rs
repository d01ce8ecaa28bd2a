//! Deliveries, good and bad: each bad one differs from the good one in one thing.
use super::*;
use crate::{
    CommitSha,
    ports::{DeliveredCommit, Diff},
};
use proptest::prelude::*;

fn sha(c: char) -> CommitSha {
    c.to_string().repeat(40).parse().unwrap()
}

fn file(path: &str) -> FileChange {
    FileChange {
        path: path.into(),
        from: None,
        status: 'M',
        mode: "100644".into(),
        link: None,
        bytes: 10,
        lines: Some((1, 1)),
        binary: false,
    }
}

fn good() -> Delivery {
    Delivery {
        head: sha('b'),
        refs: [(RESULT_REF.to_owned(), sha('b'))].into(),
        commits: vec![DeliveredCommit {
            sha: sha('b'),
            parents: vec![sha('a')],
            author: "Al Gorithm <al@hydra.invalid>".into(),
            message: "Add x".into(),
            diff: Diff::default(),
        }],
        descends: true,
        diff: Diff {
            files: vec![file("src/a.rs"), file("openspec/changes/add-x/tasks.md"), file("CLAUDE.md")],
            patch: String::new(),
            truncated: false,
        },
        bytes: 100,
    }
}

fn refusals(delivery: &Delivery) -> Vec<(Rule, String)> {
    let redactor = Redactor::default();
    let (change, protected) = ("add-x".parse().unwrap(), vec!["infra/".to_owned()]);
    let rules = DeliveryRules {
        change: Some(&change),
        protected: &protected,
        author: Some("Al Gorithm <al@hydra.invalid>"),
        max_files: 5,
        ..DeliveryRules::new(&redactor)
    };
    judge(delivery, &rules).into_iter().map(|r| (r.rule, r.to_string())).collect()
}

fn with(files: Vec<FileChange>) -> Delivery {
    Delivery { diff: Diff { files, ..Diff::default() }, ..good() }
}

#[test]
fn a_good_delivery_passes_even_with_a_changed_instruction_file() {
    assert_eq!(refusals(&good()), []);
}

#[test]
fn a_bundle_that_rewrites_history_or_holds_another_branch() {
    assert_eq!(refusals(&Delivery { descends: false, ..good() })[0].0, Rule::History);
    let mut two = good();
    two.refs.insert("refs/heads/main".into(), sha('b'));
    assert_eq!(
        refusals(&two)[0].1,
        "the bundle holds refs/heads/hydra-result, refs/heads/main instead of refs/heads/hydra-result alone; set `retry:queued` to run the stage again"
    );
    assert_eq!(refusals(&Delivery { refs: [(RESULT_REF.to_owned(), sha('c'))].into(), ..good() })[0].0, Rule::Refs);
    assert_eq!(refusals(&Delivery { refs: [].into(), ..good() })[0].0, Rule::Refs);
}

#[test]
fn protected_paths_and_their_old_names() {
    for path in [
        ".github/workflows/ci.yml",
        ".GitHub/workflows/x",
        ".hydra.toml",
        "infra/a.tf",
        "openspec/changes/add-x/hydra.json",
        "openspec/changes/other/tasks.md",
        "sub/.gitattributes",
    ] {
        let found = refusals(&with(vec![file(path)]));
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [Rule::Protected], "{path}");
        assert!(found[0].1.starts_with(path));
    }
    let renamed = FileChange { from: Some(".github/workflows/ci.yml".into()), status: 'R', ..file("docs/ci.yml") };
    assert_eq!(refusals(&with(vec![renamed]))[0].0, Rule::Protected);
}

#[test]
fn git_folders_in_every_disguise() {
    for path in [
        ".git/hooks/pre-commit",
        "a/.GIT/config",
        "a/.git\u{200c}/x",
        "a/git~1/x",
        ".git /x",
        ".git::$INDEX_ALLOCATION/x",
        "../x",
        "a//b",
        "/etc/passwd",
        "a\\..\\b",
        "a\nb",
    ] {
        assert!(refusals(&with(vec![file(path)])).iter().any(|f| f.0 == Rule::Path), "{path:?}");
    }
    assert_eq!(refusals(&with(vec![file(".gitignore"), file("a/git/b")])), []);
}

#[test]
fn links_and_submodules() {
    let link = |path: &str, to: Option<&str>| {
        with(vec![FileChange { mode: "120000".into(), link: to.map(Into::into), ..file(path) }])
    };
    for (path, to) in [
        ("a/b", "../../etc"),
        ("a", "/etc/passwd"),
        ("a", ".git/config"),
        ("a/b", "../.GIT"),
        ("a", "x/../../y"),
        ("a", "C:\\x"),
        ("a", ""),
    ] {
        assert_eq!(refusals(&link(path, Some(to)))[0].0, Rule::Link, "{path} -> {to}");
    }
    assert_eq!(refusals(&link("a", None))[0].0, Rule::Link);
    assert_eq!(refusals(&link("a/b", Some("../c"))), []);
    assert_eq!(refusals(&with(vec![FileChange { mode: "160000".into(), ..file("vendor/x") }]))[0].0, Rule::Submodule);
}

#[test]
fn sizes_and_authors() {
    assert_eq!(refusals(&Delivery { bytes: 51 << 20, ..good() })[0].0, Rule::Size);
    assert_eq!(refusals(&with((0..6).map(|n| file(&format!("f{n}"))).collect()))[0].0, Rule::Size);
    assert_eq!(refusals(&with(vec![FileChange { bytes: 6 << 20, ..file("big") }]))[0].0, Rule::Size);
    let mut cut = good();
    cut.diff.truncated = true;
    assert_eq!(refusals(&cut)[0].0, Rule::Size);
    let mut other = good();
    other.commits[0].author = "Linus <l@k.org>".into();
    assert_eq!(refusals(&other)[0].0, Rule::Author);
}

#[test]
fn a_scope_is_kept() {
    let redactor = Redactor::default();
    let scope = ["src/".to_owned()];
    let rules = DeliveryRules { scope: &scope, ..DeliveryRules::new(&redactor) };
    let found = judge(&with(vec![file("src/a"), file("docs/a")]), &rules);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].to_string(),
        "docs/a: it lies outside the scope (src/); widen `scope` in .hydra.toml, or take the file out of the change"
    );
}

#[test]
fn a_secret_in_an_added_line_or_a_message_is_named_without_being_shown() {
    let token = concat!("ghp_", "0123456789abcdefghijABCDEFGHIJ012345");
    let mut leak = good();
    leak.diff.patch = format!(
        "diff --git a/src/a.rs b/src/a.rs\n--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1,2 +1,2 @@\n-{token}\n+const T: &str = \"{token}\";\n x\n"
    );
    let found = refusals(&leak);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].1.starts_with("src/a.rs: line 1 adds what looks like a secret (github-token)")
            && !found[0].1.contains(token)
    );
    let removed = leak.diff.patch.replace(&format!("+const T: &str = \"{token}\";"), "+clean");
    leak.diff.patch = removed;
    assert_eq!(refusals(&leak), []);
    leak.commits[0].message = token.into();
    assert_eq!(refusals(&leak)[0].0, Rule::Secret);
}

proptest! {
    #[test]
    fn never_panics(path in "(\\.git|\\.\\.|/|\\\\|:|~1|\\PC){0,10}", link in proptest::option::of("(\\.\\.|/|\\PC){0,8}"), mode in "120000|160000|100644|\\PC{0,6}") {
        refusals(&with(vec![FileChange { link, mode, ..file(&path) }]));
    }

    #[test]
    fn a_link_that_stays_inside_by_a_real_walk_is_the_only_kind_that_passes(parts in proptest::collection::vec("a|b|\\.\\.|\\.", 1..6)) {
        let target = parts.join("/");
        let depth = parts.iter().try_fold(1i32, |depth, part| match part.as_str() {
            ".." if depth == 0 => None,
            ".." => Some(depth - 1),
            "." => Some(depth),
            _ => Some(depth + 1),
        });
        prop_assert_eq!(escapes("dir/link", &target), depth.is_none());
    }
}
