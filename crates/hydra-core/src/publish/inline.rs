//! One line: what a machine would act on is broken by a space, what Markdown would turn into HTML or links is shown as it is.

use regex::Regex;
use std::{borrow::Cow, sync::LazyLock};

macro_rules! rule {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
    };
}

// `#12`, `o/r#12`, `GH-12`: whether a closing word stands before them or not.
rule!(NUMBER, r"#(\d)");
rule!(GH, r"(?i)\b(gh)-(\d)");
// A name, a team: `@` that no letter stands before (that would be an e-mail address).
rule!(NAME, r"(^|[^A-Za-z0-9])@([A-Za-z0-9\[])");
rule!(
    SKIP,
    r"(?i)\[\s*(skip[\s_-]*ci|ci[\s_-]*skip|no[\s_-]*ci|skip[\s_-]*actions|actions[\s_-]*skip|skip[\s_-]*(?:netlify|vercel|render|travis|azurepipelines|azp|build|deploy|checks?)|(?:netlify|azp|build|travis)[\s_-]*skip)\s*\]"
);
rule!(SKIP_MARK, r"(?i)\*\*\*\s*no_ci\s*\*\*\*|(skip-checks|request-checks)\s*:");
rule!(SCHEME, r"(?i)([a-z][a-z0-9+.-]{0,30}):(/[/\\])");
rule!(WWW, r"(?i)\b(www\.)([A-Za-z0-9])");

/// Most lines hold nothing of a rule: they are only looked at, not copied.
fn replace<'t>(rule: &LazyLock<Option<Regex>>, text: Cow<'t, str>, with: &str) -> Cow<'t, str> {
    match rule.as_ref() {
        Some(rule) if rule.is_match(&text) => Cow::Owned(rule.replace_all(&text, with).into_owned()),
        _ => text,
    }
}

fn broken<'t>(text: Cow<'t, str>, mark: &str, with: &str) -> Cow<'t, str> {
    if text.contains(mark) { Cow::Owned(text.replace(mark, with)) } else { text }
}

/// What holds inside code, in commit messages and everywhere else: nothing notifies, closes, skips, links or marks.
pub(super) fn verbatim<'t>(text: &'t str, allow_hosts: &[String]) -> Cow<'t, str> {
    // A link to another host without a scheme: whether it stands in code is for each reader of Markdown to say.
    let text = broken(broken(Cow::Borrowed(text), "<!--", "<! --"), "](//", "] (//");
    let text = replace(&SKIP, text, "($1)");
    let text = replace(&SKIP_MARK, text, "($1) ");
    let text = replace(&GH, text, "$1 $2");
    let text = replace(&NUMBER, text, "# $1");
    let text = links(text, allow_hosts);
    // Twice: a name directly after another one shares the character between them.
    let text = replace(&NAME, text, "$1@ $2");
    replace(&NAME, text, "$1@ $2")
}

/// Breaks every address that is not `https` to a host of the list.
fn links<'t>(text: Cow<'t, str>, allow_hosts: &[String]) -> Cow<'t, str> {
    let Some(scheme) = SCHEME.as_ref() else { return broken(text, "://", ": //") };
    // What follows is only looked at, so that an address within an address is met on its own.
    let text = if scheme.is_match(&text) {
        let without = scheme.replace_all(&text, |found: &regex::Captures<'_>| {
            let (scheme, slashes) = (&found[1], &found[2]);
            let rest = found.get(0).map_or("", |all| &text[all.end()..]);
            let rest = rest.split(char::is_whitespace).next().unwrap_or_default();
            if scheme.eq_ignore_ascii_case("https") && slashes == "//" && allowed(rest, allow_hosts) {
                "https://".to_owned()
            } else {
                format!("{scheme}: {slashes}")
            }
        });
        Cow::Owned(without.into_owned())
    } else {
        text
    };
    replace(&WWW, text, "$1 $2")
}

fn allowed(rest: &str, allow_hosts: &[String]) -> bool {
    let end = rest.find(['/', '?', '#', ')', ']', '>', '"', '\'', '`', ',', ';']).unwrap_or(rest.len());
    let host = rest[..end].trim_end_matches('.');
    // Exactly a host: no user, no port, no back-slash, no escape.
    let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    // Addresses of issues and pull requests refer to them as `#12` does.
    let parts: Vec<&str> = rest[end..].split(['/', '?', '#']).collect();
    let refers = parts.windows(2).any(|pair| {
        matches!(pair[0], "issues" | "pull" | "discussions") && pair[1].starts_with(|c: char| c.is_ascii_digit())
    });
    plain && !refers && !rest.contains('@') && allow_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
}

/// A line of Markdown: code spans stay as they are, the rest can make no HTML and no link to strangers.
pub(super) fn markdown(line: &str, allow_hosts: &[String]) -> String {
    let line = verbatim(line, allow_hosts);
    let mut out = String::with_capacity(line.len() + 16);
    let mut rest = &*line;
    // Up to the first character that could mean something, nothing is changed.
    let plain = rest.find(['`', '<', '&', '\\', ']']).unwrap_or(rest.len());
    out.push_str(&rest[..plain]);
    rest = &rest[plain..];
    while let Some(c) = rest.chars().next() {
        let run = rest.bytes().take_while(|b| *b == b'`').count();
        if run > 0 {
            let after = &rest[run..];
            match closing(after, run) {
                // A cell's border would end the span before its end: then it is none.
                Some(length) if !after[..length].contains('|') => {
                    out.push_str(&rest[..run + length + run]);
                    rest = &after[length + run..];
                }
                _ => {
                    out.extend(std::iter::repeat_n("\\`", run));
                    rest = after;
                }
            }
            continue;
        }
        let mut next = rest.len().min(c.len_utf8());
        match c {
            '<' => out.push_str("&lt;"),
            // Entities could spell what was broken.
            '&' if rest[1..].starts_with(|d: char| d == '#' || d.is_ascii_alphabetic()) => out.push_str("&amp;"),
            // A back-slash could take the power out of ours.
            '\\' if rest[1..].starts_with('`') => {
                out.push_str("\\`");
                next = 2;
            }
            '\\' => out.push_str("\\\\"),
            // A link or image only where its address is one that stands there whole.
            ']' if rest[1..].starts_with('(') => {
                let target = rest[2..].strip_prefix("https://");
                let good = target.is_some_and(|target| {
                    let end = target.find([')', ' ', '\\']).unwrap_or(target.len());
                    target[end..].starts_with(')') && allowed(&target[..end], allow_hosts)
                });
                out.push_str(if good { "]" } else { "] " });
            }
            ']' if rest[1..].starts_with([':', '[']) => out.push_str("] "),
            other => out.push(other),
        }
        rest = &rest[next..];
    }
    // `# 12` at the beginning would be a heading, `/word` a command to a bot.
    let indent = out.len() - out.trim_start().len();
    let body = &out[indent..];
    let heading = body
        .strip_prefix("# ")
        .is_some_and(|after| after.starts_with(|d: char| d.is_ascii_digit()) && line_had_number(&line, indent));
    let command = body.strip_prefix('/').is_some_and(|after| after.starts_with(|c: char| c.is_ascii_alphabetic()));
    if heading || command {
        out.insert(indent, '\\');
    }
    out
}

fn line_had_number(line: &str, indent: usize) -> bool {
    line.get(indent..).is_some_and(|body| body.starts_with("# "))
}

/// Where the run of back-ticks that closes a span begins.
fn closing(text: &str, run: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'`' {
            let here = bytes[at..].iter().take_while(|b| **b == b'`').count();
            if here == run {
                return Some(at);
            }
            at += here;
        } else {
            at += 1;
        }
    }
    None
}
