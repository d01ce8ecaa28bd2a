//! Makes what an agent wrote harmless before it is published: no closing words, no `@names`, no skip marks, no HTML, no hidden
//! text, no links to strangers, no commands to bots, and never longer than asked.
//!
//! What is taken apart stays readable: a space breaks what a machine would act on. Only characters that people see are added.

mod code;
mod inline;

/// GitHub's limit for bodies, in characters; counted here in bytes, which are never fewer.
pub const MAX_BODY: usize = 65_536;

/// A text of an agent as it may stand on the forge, as Markdown. `allow_hosts`: hosts (exact) that links may point to; others are shown as text.
#[must_use]
pub fn harmless(text: &str, allow_hosts: &[String]) -> String {
    let clean = crate::hidden::strip(text);
    code::blocks(&clean)
        .into_iter()
        .map(|block| match block {
            code::Block::Text(text) => {
                text.split('\n').map(|line| inline::markdown(line, allow_hosts)).collect::<Vec<_>>().join("\n")
            }
            code::Block::Code { language, text } => {
                let fence = "`".repeat(code::longest_run(&text).max(2) + 1);
                format!("{fence}{language}\n{}{fence}", inline::verbatim(&text, allow_hosts))
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// As [`harmless`], cut to `limit` bytes with a word that says so.
#[must_use]
pub fn harmless_within(text: &str, allow_hosts: &[String], limit: usize) -> String {
    // Cut before, so that no fence is cut open afterwards; a harmless text may be longer than its source, so cut again until it fits.
    let mut room = limit;
    loop {
        let clean = harmless(cut(text, room), allow_hosts);
        let note = if room < text.len() { format!("\n\n(cut: {} bytes in all)", text.len()) } else { String::new() };
        if clean.len() + note.len() <= limit {
            return clean + &note;
        }
        if room == 0 {
            return String::new();
        }
        room = room.saturating_sub((clean.len() + note.len() - limit).max(64));
    }
}

/// One line, for titles, descriptions and table cells: no line ends, no Markdown that could leave the line, at most `limit` bytes.
#[must_use]
pub fn harmless_line(text: &str, allow_hosts: &[String], limit: usize) -> String {
    if text.is_empty() {
        return String::new();
    }
    let flat = crate::hidden::strip(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let mut room = limit;
    loop {
        let mut line = inline::markdown(cut(&flat, room), allow_hosts).replace('|', "\\|");
        if room < flat.len() {
            line.push('…');
        }
        if line.len() <= limit || room == 0 {
            return if line.len() <= limit { line } else { String::new() };
        }
        room = room.saturating_sub((line.len() - limit).max(1));
    }
}

/// A commit's message: as plain text. The subject has at most 100 bytes, the whole at most 10,000; trailers that name people or skip
/// checks lose their colon.
#[must_use]
pub fn commit_message(text: &str) -> String {
    let mut message = once(text);
    // Cutting can join what was apart; each turn only breaks more of it.
    for _ in 0..4 {
        let again = once(&message);
        if again == message {
            return message;
        }
        message = again;
    }
    NO_SUBJECT.to_owned()
}

/// The subject where there is none, or none that can be had without acting.
const NO_SUBJECT: &str = "Work of the agent";

fn once(text: &str) -> String {
    let clean = crate::hidden::strip(text);
    let mut lines = clean.trim().lines();
    let subject = inline::verbatim(lines.next().unwrap_or_default().trim(), &[]);
    let subject = if subject.is_empty() { NO_SUBJECT } else { cut(&subject, 100).trim_end() };
    let body: Vec<String> = lines.map(|line| inline::verbatim(&trailer(line), &[]).into_owned()).collect();
    let body = body.join("\n");
    let body = cut(body.trim(), 9_800).trim_end();
    if body.is_empty() { subject.to_owned() } else { format!("{subject}\n\n{body}") }
}

/// Trailers act: they name authors, sign off, skip checks.
fn trailer(line: &str) -> String {
    let Some((name, rest)) = line.split_once(':') else { return line.to_owned() };
    let name_only = name.trim().to_ascii_lowercase();
    const ACTING: &[&str] = &[
        "co-authored-by",
        "signed-off-by",
        "on-behalf-of",
        "skip-checks",
        "request-checks",
        "approved-by",
        "reviewed-by",
        "acked-by",
        "change-id",
    ];
    if ACTING.contains(&name_only.as_str()) { format!("{name} -{rest}") } else { line.to_owned() }
}

/// The longest beginning of at most `limit` bytes that ends between characters.
#[must_use]
pub fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests;
