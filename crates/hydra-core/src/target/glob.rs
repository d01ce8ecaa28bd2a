//! Patterns of paths: exact, a folder with `/` at its end, or with `*` (within a part), `**` (over parts) and `?`.

/// Whether a path is meant by a pattern. A pattern that names a folder means everything below it. Letters' case does not matter:
/// a protected path must not be got around on a file system that ignores it.
#[must_use]
pub fn matches(pattern: &str, path: &str) -> bool {
    let pattern = pattern.trim_start_matches("./").to_lowercase();
    let path = path.to_lowercase();
    let folder = pattern.ends_with('/');
    let parts: Vec<&str> = pattern.trim_end_matches('/').split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    // A pattern without wildcards and without `/` at its end may be a folder too.
    let below = folder || !pattern.contains(['*', '?']);
    walk(&parts, &path, below, folder)
}

/// The classic way with one step back per wildcard, so that no pattern takes exponential time.
fn walk(pattern: &[&str], path: &[&str], below: bool, folder: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        if p == pattern.len() && (t == path.len() && !folder || t < path.len() && below && t > 0) {
            return true;
        }
        match pattern.get(p) {
            Some(&"**") => {
                back = Some((p, t));
                p += 1;
                continue;
            }
            Some(part) if path.get(t).is_some_and(|name| part_matches(part, name)) => {
                p += 1;
                t += 1;
                continue;
            }
            _ => {}
        }
        match back {
            Some((star, from)) if from < path.len() => {
                back = Some((star, from + 1));
                p = star + 1;
                t = from + 1;
            }
            _ => return false,
        }
    }
}

fn part_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < name.len() {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[t] => {
                p += 1;
                t += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_and_paths() {
        for (pattern, path, expected) in [
            (".github/workflows/", ".github/workflows/ci.yml", true),
            (".github/workflows", ".GitHub/Workflows/ci.yml", true),
            (".github/workflows/", ".github/workflows", false),
            (".hydra.toml", ".hydra.toml", true),
            (".hydra.toml", "sub/.hydra.toml", false),
            ("**/*.lock", "a/b/c.lock", true),
            ("**/*.lock", "c.lock", true),
            ("src/*.rs", "src/a/b.rs", false),
            ("src/**/b.rs", "src/b.rs", true),
            ("src/**", "src/a/b", true),
            ("d?cs/", "docs/a", true),
            ("**", "x", true),
            ("a/**/b/", "a/x/b/c", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_time() {
        let pattern = "**/a*a*a*a*a*a*a*a*a*b/".repeat(20);
        assert!(!matches(&pattern, &"aaaaaaaaaaaaaaaaaaaaaaaaaaaa/".repeat(50)));
    }

    proptest! {
        #[test]
        fn never_panics_and_a_path_means_itself(pattern in "[a-b*?/]{0,12}", path in "[a-b]{1,3}(/[a-b]{1,3}){0,3}") {
            let _ = matches(&pattern, &path);
            prop_assert!(matches(&path, &path) && matches("**", &path));
        }
    }
}
