//! The last edge before a person's eyes: nothing that looks like a credential is shown, whatever the text it stands in.

/// Prefixes that credentials begin with.
const PREFIXES: &[&str] = &[
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "sk-ant-",
    "sk-",
    "xoxb-",
    "AKIA",
    "glpat-",
    "AIza",
    "eyJ",
];

/// What stands for a secret.
pub const MASK: &str = "********";

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/' | '=' | '.')
}

fn has_prefix(word: &str) -> bool {
    PREFIXES.iter().any(|prefix| word.find(prefix).is_some_and(|at| word.len() >= at + prefix.len() + 8))
}

fn looks_secret(word: &str) -> bool {
    if has_prefix(word) {
        return true;
    }
    // A long run of letters and digits mixed: base64 or hexadecimal, not a name or a path.
    let dense = word.split(['/', '.', '-']).map(str::len).max().unwrap_or(0) >= 32;
    dense && word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().any(|b| b.is_ascii_alphabetic())
}

/// Whether a name or line sounds as if a secret stood beside it.
#[must_use]
pub fn sounds_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    // `issue_tokens` and `day_tokens` count tokens of another kind.
    let lower = lower.replace("_tokens", "");
    ["token", "secret", "password", "signing_key", "api_key", "apikey", "api-key", "credential"]
        .iter()
        .any(|w| lower.contains(w))
        || has_user(&lower)
}

/// Whether an address with a user, or a password, stands in it.
fn has_user(text: &str) -> bool {
    let hosts = text.split("://").skip(1).filter_map(|rest| rest.split(['/', '?', '#', '"', '\'', ' ']).next());
    hosts.into_iter().any(|host| host.contains('@'))
}

/// Masks every word that looks like a credential. Object ids of git (40 lower-case hexadecimal digits) are let through.
#[must_use]
pub fn scrub(text: &str) -> String {
    words(text, |word| if looks_secret(word) && !is_object_id(word) { MASK.to_owned() } else { word.to_owned() })
}

/// Masks in place, so that every byte keeps its position: suspicious words, or every word (`all`).
#[must_use]
pub fn stars(text: &str, all: bool) -> String {
    words(text, |word| if all || looks_secret(word) { "*".repeat(word.len()) } else { word.to_owned() })
}

/// Control characters of a text from outside do not act on a terminal. Keeps every byte's place.
#[must_use]
pub fn tame(text: &str) -> String {
    let tame = |one: char| match one {
        '\n' | '\t' | '\r' => one,
        one if one.is_ascii_control() => '?',
        // As many bytes as the others have.
        one if one.is_control() => '\u{bf}',
        one => one,
    };
    text.chars().map(tame).collect()
}

fn is_object_id(word: &str) -> bool {
    matches!(word.len(), 40 | 64) && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn words(text: &str, replace: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let (before, tail) = rest.split_at(start);
        out.push_str(before);
        let end = tail.find(|c| !is_word(c)).unwrap_or(tail.len());
        let (word, tail) = tail.split_at(end);
        out.push_str(&replace(word));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_tamed_in_their_place() {
        let text = "a\u{1b}[31m\0\u{9b}2J é\tb\n";
        let tamed = tame(text);
        assert_eq!(tamed, "a?[31m?\u{bf}2J é\tb\n");
        assert_eq!(tamed.len(), text.len());
    }

    #[test]
    fn credentials_of_every_known_shape_are_masked_and_words_are_not() {
        for secret in [
            "ghp_0123456789abcdef0123456789abcdef0123",
            "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
            "sk-ant-oat01-abcdefghijklmnop",
            "AAAAC3NzaC1lZDI1NTE5AAAAIJ9zqTkQ2kX8",
        ] {
            let shown = scrub(&format!("it was {secret}, they say"));
            assert_eq!(shown, "it was ********, they say");
            assert_eq!(stars(secret, false), "*".repeat(secret.len()));
        }
        let plain = "see https://github.com/acme/widgets/blob/main/docs/operations/secrets.md at 0123456789abcdef0123456789abcdef01234567";
        assert_eq!(scrub(plain), plain);
    }
}
